// SPDX-License-Identifier: Apache-2.0
#include "link/context.h"

#include <stdlib.h>

#include "link/completion.h"
#include "link/rule.h"
#include "link/turn.h"
#include "meta/meta.h"

#define CONTEXTS_MAX 32768 /* a Go server has one for each connection of the last minute */
#define IDLE_NS (60ull * 1000000000)

/* The first that knows the actor. */
static const struct context_kind *const kinds[] = {&kind_goroutine, &kind_thread, NULL};

void contexts__init(struct contexts *cs)
{
	*cs = (struct contexts){0};
	list__init(&cs->by_use);
	list__init(&cs->exited);
}

static void contexts__drop(struct contexts *cs, struct context *c)
{
	table__remove(&cs->by_id, c->id);
	list__remove(&c->by_use);
	node__unref(c->serving);
	node__unref(c->reply);
	tape__free(c->tape);
	turn__unref(c->now);
	free(c);
}

static struct context *contexts__oldest(const struct contexts *cs)
{
	const struct list *of = list__empty(&cs->exited) ? &cs->by_use : &cs->exited;

	return LIST_ENTRY(of->next, struct context, by_use);
}

void contexts__free(struct contexts *cs)
{
	while (cs->by_id.n)
		contexts__drop(cs, contexts__oldest(cs));
	table__free(&cs->by_id);
}

struct context *contexts__get(const struct contexts *cs, uint64_t id)
{
	return table__get(&cs->by_id, id);
}

struct context *contexts__of(struct contexts *cs, const struct process *p, const struct ws_actor *a, uint64_t now)
{
	const struct context_kind *const *k = kinds;
	struct context *c;
	uint64_t id = 0;

	if (!p || !a->tid)
		return NULL;
	for (; *k && !(id = (*k)->identify(p, a)); k++)
		;
	if (!id)
		return NULL;
	c = table__get(&cs->by_id, id);
	if (c && c->exited) {
		contexts__drop(cs, c);
		c = NULL;
	}
	if (!c) {
		if (cs->by_id.n >= CONTEXTS_MAX) {
			++*cs->evicted;
			contexts__drop(cs, contexts__oldest(cs));
		}
		c = calloc(1, sizeof(*c));
		if (!c)
			abort();
		c->id = id;
		c->kind = *k;
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

void context__at(struct context *c, const struct ws_actor *a)
{
	const uint64_t task = a->user_ctx & WS_USER_TASK ? a->user_ctx : 0;

	if (c->task && task && c->task != task)
		context__serve(c, NULL, NULL, a);
	c->task = task;
}

struct link_node *context__cause(const struct context *c, const struct ws_actor *a, const char **why_not)
{
	struct link_node *n = c ? c->serving : NULL;

	*why_not = NULL;
	if (!n)
		return NULL;
	*why_not = n->state != NODE_OPEN ? "the request read last was answered" :
		   n->ambiguous		 ? "several requests of one connection are open" :
					   c->kind->silent(c, a);
	return *why_not ? NULL : n;
}

#define ACTS_REMEMBERED 1024
#define DOUBTFUL_FREE 2	   /* so many are nothing: the first turns, before they are watched closely */
#define DOUBTFUL_SHARE 20  /* one in */

void context__count_act(struct context *c, bool doubtful, bool by_queue)
{
	if (c->after_opaque)
		return;
	if (c->acts[by_queue].n >= ACTS_REMEMBERED) {
		c->acts[by_queue].n /= 2;
		c->acts[by_queue].doubtful /= 2;
	}
	c->acts[by_queue].n++;
	c->acts[by_queue].doubtful += doubtful;
}

/* That connects are called from a queue says nothing against what is sent on connections that are kept. */
bool context__is_regular(const struct context *c, bool by_queue)
{
	unsigned n = c->acts[0].n + (by_queue ? c->acts[1].n : 0);
	unsigned doubtful = c->acts[0].doubtful + (by_queue ? c->acts[1].doubtful : 0);

	return doubtful <= DOUBTFUL_FREE + n / DOUBTFUL_SHARE;
}

void contexts__exited(struct contexts *cs, uint32_t pid, uint64_t now)
{
	const struct process p = {.ctx_kind = WS_CTX_THREAD};
	const struct ws_actor a = {.tgid = pid, .tid = pid};
	struct context *c = table__get(&cs->by_id, kind_thread.identify(&p, &a));

	if (!c)
		return;
	c->exited = true;
	c->last_ns = now;
	list__append(&cs->exited, &c->by_use);
}

static void contexts__forget(struct contexts *cs, struct list *of, uint64_t before)
{
	struct list *l, *after;

	for (l = of->next; l != of; l = after) {
		struct context *c = LIST_ENTRY(l, struct context, by_use);

		after = l->next;
		if (c->last_ns > before)
			break;
		if (!c->open)
			contexts__drop(cs, c);
	}
}

void contexts__tick(struct contexts *cs, uint64_t now)
{
	contexts__forget(cs, &cs->exited, now > EXITED_NS ? now - EXITED_NS : 0);
	contexts__forget(cs, &cs->by_use, now > IDLE_NS ? now - IDLE_NS : 0);
}

const char *node__unfit(const struct link_node *p, const struct link_node *n)
{
	if (p->ambiguous)
		return "several requests of one connection were open";
	return n->began_at < p->began_at ? "the call began before the request" : NULL;
}

const char *node__outside(const struct link_node *p, const struct link_node *n)
{
	const char *unfit = node__unfit(p, n);

	if (unfit)
		return unfit;
	return p->answered_at && n->began_at > p->answered_at ? "the call began after the answer" : NULL;
}
