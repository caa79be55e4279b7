// SPDX-License-Identifier: Apache-2.0
/* reading.c - which request, or which call's reply, was read by which number, and whose code that resumed. */
#include "link/reading.h"

#include <stdlib.h>
#include <string.h>

#define NUMBERS_MAX 16384
#define KEEP_NS (20ull * 1000000000)
#define TOGETHER_MAX 128 /* replies in one read, and requests whose code is resumed by it */

void callbacks__init(struct callbacks *cs)
{
	*cs = (struct callbacks){0};
	list__init(&cs->by_age);
	scopes__init(&cs->scopes);
}

static void callbacks__drop(struct callbacks *cs, struct reading *r)
{
	table__remove(&cs->by_number, r->number);
	list__remove(&r->by_age);
	while (r->n_others)
		node__unref(r->others[--r->n_others]);
	node__unref(r->node);
	free(r->others);
	free(r->resumed);
	free(r);
}

void callbacks__free(struct callbacks *cs)
{
	while (!list__empty(&cs->by_age))
		callbacks__drop(cs, LIST_ENTRY(cs->by_age.next, struct reading, by_age));
	table__free(&cs->by_number);
	scopes__free(&cs->scopes);
}

void callbacks__tick(struct callbacks *cs, uint64_t now)
{
	scopes__tick(&cs->scopes, now);
	while (!list__empty(&cs->by_age)) {
		struct reading *r = LIST_ENTRY(cs->by_age.next, struct reading, by_age);

		if (r->at_ns + KEEP_NS > now)
			break;
		callbacks__drop(cs, r);
	}
}

static bool reading__has(const struct reading *r, const struct link_node *n)
{
	for (unsigned i = 0; i < r->n_others; i++)
		if (r->others[i] == n)
			return true;
	return r->node == n;
}

/* The array of n, with a place for one more. */
static void *array__grow(void *at, size_t size, unsigned n, unsigned *room)
{
	if (n < *room)
		return at;
	*room = *room ? *room * 2 : 4;
	at = realloc(at, *room * size);
	if (!at)
		abort();
	return at;
}

static void reading__add(struct reading *r, struct link_node *n)
{
	if (reading__has(r, n))
		return;
	r->several = true;
	r->vague |= r->n_others == TOGETHER_MAX;
	if (r->vague)
		return;
	r->others = array__grow(r->others, sizeof(*r->others), r->n_others, &r->others_room);
	r->others[r->n_others++] = node__ref(n);
}

static void node__add_reply(struct link_node *n, uint64_t number)
{
	if (n->inbound || (n->n_replies && n->replies[n->n_replies - 1] == number))
		return;
	if (n->n_replies < REPLIES_MAX)
		n->replies[n->n_replies] = number;
	n->n_replies += n->n_replies <= REPLIES_MAX;
}

void callbacks__scope(struct callbacks *cs, const struct ws_rec_scope *s)
{
	const struct resumption told = scopes__enter(&cs->scopes, s);
	struct reading *r = callbacks__reading(cs, told.read);

	if (!r)
		return;
	r->vague |= told.lost;
	r->unknown += !told.context && !told.lost;
	r->unknown -= told.corrects && r->unknown;
	for (unsigned i = 0; i < r->n_resumed; i++)
		if (r->resumed[i] == told.context)
			return;
	r->vague |= r->n_resumed == TOGETHER_MAX;
	if (!told.context || r->vague)
		return;
	r->resumed = array__grow(r->resumed, sizeof(*r->resumed), r->n_resumed, &r->resumed_room);
	r->resumed[r->n_resumed++] = told.context;
}

void callbacks__read(struct callbacks *cs, struct link_node *n, const struct ws_actor *a, uint64_t now)
{
	struct reading *r = callbacks__reading(cs, a->cause);

	if (!a->cause)
		return;
	node__add_reply(n, a->cause);
	if (r) {
		reading__add(r, n);
		return;
	}
	if (cs->by_number.n >= NUMBERS_MAX)
		callbacks__drop(cs, LIST_ENTRY(cs->by_age.next, struct reading, by_age));
	r = calloc(1, sizeof(*r));
	if (!r)
		abort();
	r->number = a->cause;
	r->node = node__ref(n);
	r->at_ns = now;
	table__set(&cs->by_number, r->number, r);
	list__append(&cs->by_age, &r->by_age);
}
