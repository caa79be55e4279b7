// SPDX-License-Identifier: Apache-2.0
#include "link/context.h"

#include <stdlib.h>

#include "meta/meta.h"

#define CONTEXTS_MAX 32768 /* a Go server has one for each connection of the last minute */
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
	node__unref(c->reply);
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
		if (cs->by_id.n >= CONTEXTS_MAX)
			contexts__drop(cs, LIST_ENTRY(cs->by_use.next, struct context, by_use));
		c = calloc(1, sizeof(*c));
		if (!c)
			abort();
		c->id = id;
		c->rule = *r;
		table__set(&cs->by_id, id, c);
	}
	c->last_ns = now;
	list__append(&cs->by_use, &c->by_use);
	return c;
}

static void node__replace(struct link_node **at, struct link_node *n)
{
	if (*at == n)
		return;
	node__unref(*at);
	*at = n ? node__ref(n) : NULL;
}

void context__serve(struct context *c, struct link_node *n, struct link_node *reply, const struct ws_actor *a)
{
	node__replace(&c->serving, n);
	node__replace(&c->reply, reply);
	c->after_opaque = false;
	c->turn = a->switches;
}

struct link_node *context__cause(const struct context *c, const struct ws_actor *a)
{
	struct link_node *n = c ? c->serving : NULL;

	if (!n || n->state != NODE_OPEN || n->ambiguous)
		return NULL;
	return c->rule->serves(c, a) ? n : NULL;
}

#define ACTS_REMEMBERED 1024
#define DOUBTFUL_FREE 2	   /* so many are nothing: the first turns, before they are watched closely */
#define DOUBTFUL_SHARE 20  /* one in */

void context__count_act(struct context *c, bool doubtful)
{
	if (c->after_opaque)
		return;
	if (c->acts >= ACTS_REMEMBERED) {
		c->acts /= 2;
		c->doubtful /= 2;
	}
	c->acts++;
	c->doubtful += doubtful;
}

bool context__is_regular(const struct context *c)
{
	return c->doubtful <= DOUBTFUL_FREE + c->acts / DOUBTFUL_SHARE;
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
	if (p->ambiguous || n->began_at < p->began_at)
		return false;
	return !p->answered_at || n->began_at <= p->answered_at;
}
