// SPDX-License-Identifier: Apache-2.0
/* table.c - linear probing; removal shifts the run back, so there are no tombstones. */
#include "util/table.h"

#include <stdlib.h>

static size_t slot_of(const struct table *t, uint64_t key)
{
	return hash__mix(key) & (t->size - 1);
}

void table__free(struct table *t)
{
	free(t->slots);
	*t = (struct table){0};
}

void *table__get(const struct table *t, uint64_t key)
{
	if (!t->size)
		return NULL;
	for (size_t i = slot_of(t, key); t->slots[i].value; i = (i + 1) & (t->size - 1))
		if (t->slots[i].key == key)
			return t->slots[i].value;
	return NULL;
}

static void table__grow(struct table *t)
{
	struct table old = *t;

	t->size = old.size ? old.size * 2 : 64;
	t->n = 0;
	t->slots = calloc(t->size, sizeof(*t->slots));
	if (!t->slots)
		abort();
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].value)
			table__set(t, old.slots[i].key, old.slots[i].value);
	free(old.slots);
}

void *table__set(struct table *t, uint64_t key, void *value)
{
	size_t i;

	if (t->n * 4 >= t->size * 3)
		table__grow(t);
	for (i = slot_of(t, key); t->slots[i].value; i = (i + 1) & (t->size - 1)) {
		if (t->slots[i].key == key) {
			void *before = t->slots[i].value;
			t->slots[i].value = value;
			return before;
		}
	}
	t->slots[i] = (struct table_slot){key, value};
	t->n++;
	return NULL;
}

void *table__remove(struct table *t, uint64_t key)
{
	size_t mask = t->size - 1, i, j;
	void *value;

	if (!t->size)
		return NULL;
	for (i = slot_of(t, key); t->slots[i].value && t->slots[i].key != key; i = (i + 1) & mask)
		;
	value = t->slots[i].value;
	if (!value)
		return NULL;
	for (j = (i + 1) & mask; t->slots[j].value; j = (j + 1) & mask) {
		/* The entry at j may move to i only if its home is not between them. */
		if (((j - slot_of(t, t->slots[j].key)) & mask) >= ((j - i) & mask)) {
			t->slots[i] = t->slots[j];
			i = j;
		}
	}
	t->slots[i].value = NULL;
	t->n--;
	return value;
}

void table__each(const struct table *t, void (*fn)(void *ctx, uint64_t key, void *value), void *ctx)
{
	for (size_t i = 0; i < t->size; i++)
		if (t->slots[i].value)
			fn(ctx, t->slots[i].key, t->slots[i].value);
}
