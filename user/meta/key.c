// SPDX-License-Identifier: Apache-2.0
#include "meta/key.h"

#include <stdlib.h>

#include "util/table.h"

#define KEYS_MAX 1024

static uint64_t refused;

uint64_t keys__refused(void)
{
	return refused;
}

const char *key__intern(struct slice key)
{
	static struct table keys;
	uint64_t h = hash__bytes(0, key.p, key.n);
	char *s = table__get(&keys, h);

	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] <= ' ' || key.p[i] > '~') {
			refused++;
			return NULL;
		}
	refused += !key.n || (!s && keys.n >= KEYS_MAX);
	if (!key.n || s || keys.n >= KEYS_MAX)
		return s;
	s = strndup(key.p, key.n);
	if (!s)
		abort();
	table__set(&keys, h, s);
	return s;
}
