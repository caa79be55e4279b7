// SPDX-License-Identifier: Apache-2.0
#include "link/context.h"

#include <stdlib.h>

#include "meta/meta.h"

#define IDLE_NS (60ull * 1000000000)

/* The first that knows the actor. */
static const struct context_rule *const rules[] = {&rule_goroutine, &rule_thread, NULL};

void contexts__init(struct contexts *cs)
{
	*cs = (struct contexts){0};
	list__init(&cs->by_use);
}

static void contexts__drop(struct contexts *cs, struct context *c)
{
	table__remove(&cs->by_id, c->id);
	list__remove(&c->by_use);
	node__unref(c->serving);
	free(c);
}

void contexts__free(struct contexts *cs)
{
	while (!list__empty(&cs->by_use))
		contexts__drop(cs, LIST_ENTRY(cs->by_use.next, struct context, by_use));
	table__free(&cs->by_id);
}

struct context *contexts__of(struct contexts *cs, struct process *p, const struct ws_actor *a, uint64_t now)
{
	const struct context_rule *const *r = rules;
	struct context *c;
	uint64_t id = 0;

	if (!p || !a->tid)
		return NULL;
	for (; *r && !(id = (*r)->identify(p, a)); r++)
		;
	if (!id)
		return NULL;
	c = table__get(&cs->by_id, id);
	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			abort();
		c->id = id;
		c->rule = *r;
		c->loop = a->tid == p->pid && process__polls(p);
		table__set(&cs->by_id, id, c);
	}
	c->last_ns = now;
	list__append(&cs->by_use, &c->by_use);
	return c;
}

void context__serve(struct context *c, struct link_node *n, const struct ws_actor *a)
{
	if (c->serving != n) {
		node__unref(c->serving);
		c->serving = n ? node__ref(n) : NULL;
	}
	c->turn = a->switches;
}

struct link_node *context__cause(const struct context *c, const struct ws_actor *a)
{
	struct link_node *n = c ? c->serving : NULL;

	if (!n || n->state != NODE_OPEN || n->ambiguous)
		return NULL;
	return c->rule->serves(c, a) ? n : NULL;
}

void contexts__tick(struct contexts *cs, uint64_t now)
{
	struct list *l, *after;

	for (l = cs->by_use.next; l != &cs->by_use; l = after) {
		struct context *c = LIST_ENTRY(l, struct context, by_use);

		after = l->next;
		if (c->last_ns + IDLE_NS > now)
			break;
		if (!c->open)
			contexts__drop(cs, c);
	}
}

bool node__within(const struct link_node *p, const struct link_node *n)
{
	const struct exchange *parent = p->x, *x = n->x;

	if (p->ambiguous || !parent || !x)
		return false;
	if (x->request_first < parent->request_first)
		return false;
	return !parent->response_last || x->request_first <= parent->response_last;
}
