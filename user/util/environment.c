// SPDX-License-Identifier: Apache-2.0
#include "util/environment.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A process has one environment: this is what stands behind it. */
static struct offer {
	struct offer *next;
	char *name, *value, *where;
} *offers;

static const struct offer *offer__find(const char *name)
{
	const char *own = getenv(name);
	const struct offer *o = own && *own ? NULL : offers;

	while (o && strcmp(o->name, name))
		o = o->next;
	return o;
}

const char *environment__get(const char *name)
{
	const struct offer *o = offer__find(name);
	const char *own = getenv(name);

	return o ? o->value : own && *own ? own : NULL;
}

const char *environment__name(const char *name)
{
	const struct offer *o = offer__find(name);

	return o ? o->where : name;
}

void environment__offer(const char *name, const char *value, const char *where)
{
	struct offer *o = calloc(1, sizeof(*o));

	if (!o || !(o->name = strdup(name)) || !(o->value = strdup(value)) || !(o->where = strdup(where)))
		abort();
	o->next = offers;
	offers = o;
}

void environment__clear(void)
{
	while (offers) {
		struct offer *next = offers->next;

		free(offers->name);
		free(offers->value);
		free(offers->where);
		free(offers);
		offers = next;
	}
}
