// SPDX-License-Identifier: Apache-2.0
/*
 * link.c - what is told to the linker and is neither a step (step.c) nor an end (decide.c) of an exchange.
 */
#include <stdlib.h>

#include "link/linker.h"

struct linker *linker__new(span_fn *fn, void *ctx)
{
	struct linker *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	contexts__init(&l->contexts);
	coroutines__init(&l->coroutines);
	callbacks__init(&l->callbacks);
	pools__init(&l->pools);
	list__init(&l->waiting);
	twins__init(&l->twins);
	l->resolver.world = (struct rule_world){&l->contexts, &l->pools, &l->callbacks};
	l->contexts.evicted = &l->counters.contexts_evicted;
	l->twins.evicted = &l->counters.twins_evicted;
	l->fn = fn;
	l->ctx = ctx;
	return l;
}

void linker__set_options(struct linker *l, const struct link_options *o)
{
	l->no_headers = o->no_headers || o->without & rule__bit("header");
	l->resolver.without = o->without;
	l->resolver.why = o->why;
}

void linker__exited(struct linker *l, uint32_t pid, uint64_t now)
{
	contexts__exited(&l->contexts, pid, now);
	pools__exited(&l->pools, pid, now);
}

void linker__execed(struct linker *l, uint32_t pid, uint64_t now)
{
	pools__exited(&l->pools, pid, now);
}

void linker__set_clock(struct linker *l, uint64_t since_ns, int64_t wall_offset_ns)
{
	if (l->n_clocks == CLOCKS_MAX)
		memmove(l->clocks, l->clocks + 1, sizeof(l->clocks) - sizeof(*l->clocks));
	else
		l->n_clocks++;
	l->clocks[l->n_clocks - 1].since_ns = since_ns;
	l->clocks[l->n_clocks - 1].offset = wall_offset_ns;
}

void linker__turns_told(struct linker *l, uint64_t now)
{
	l->turns_ns = now;
}

void linker__judge_probes(struct linker *l, bool on, uint64_t now)
{
	if (on)
		l->probes_until = UINT64_MAX;
	else if (l->probes_until == UINT64_MAX)
		l->probes_until = now;
}

void linker__wakes_told(struct linker *l)
{
	l->pools.epoch++;
}

/* The request that the actor's thread has read, and no other; NULL: a loop, or not known. */
static struct link_node *linker__serves(struct linker *l, const struct process *p, const struct ws_actor *a, uint64_t now)
{
	struct context *c = contexts__of(&l->contexts, p, a, now);
	const char *why_not;

	return c && !c->loop && c->kind->pools ? context__cause(c, a, &why_not) : NULL;
}

void linker__tie(struct linker *l, enum link_tie tie, const struct process *p, const struct ws_actor *by,
		 const struct ws_actor *of, uint64_t now)
{
	struct context *maker, *c;

	if (tie == LINK_MADE && of->user_ctx) {
		coroutines__made(&l->coroutines, p, by, of, linker__serves(l, p, by, now), now);
		return;
	}
	maker = contexts__of(&l->contexts, p, by, now);
	c = contexts__of(&l->contexts, p, of, now);
	if (!maker || !c || maker == c)
		return;
	if (tie == LINK_MADE) {
		c->maker = maker->id;
		return;
	}
	c->waker = maker->id;
	context__at(maker, by);
	completion__woke(&l->pools, &l->resolver, maker, c, (enum ws_java_wait)of->user_ctx, now);
}

void linker__scope(struct linker *l, struct process *p, const struct ws_rec_scope *r)
{
	p->follows_callbacks = true;
	callbacks__scope(&l->callbacks, r);
}

void linker__handed(struct linker *l, struct connection *conn, uint64_t cause, uint64_t now)
{
	handoffs__tied(&l->handoffs, &l->resolver, conn, cause, now);
}

void linker__timer_ended(struct linker *l, uint64_t timer, uint64_t cause, uint64_t now)
{
	handoffs__timer_ended(&l->handoffs, &l->resolver, timer, cause, now);
}

void linker__batched(struct linker *l, struct connection *conn, uint64_t cause, uint64_t replied_ns)
{
	if (!(l->resolver.without & rule__bit("handoff")))
		handoffs__batched(&l->handoffs, conn, cause, replied_ns);
}

void linker__tick(struct linker *l, uint64_t now)
{
	l->now = now;
	linker__expire(l);
	contexts__tick(&l->contexts, now);
	coroutines__tick(&l->coroutines, now);
	callbacks__tick(&l->callbacks, now);
	pools__tick(&l->pools, now);
}

void linker__free(struct linker *l)
{
	if (!l)
		return;
	linker__finish(l);
	contexts__free(&l->contexts);
	twins__free(&l->twins);
	pools__free(&l->pools);
	handoffs__free(&l->handoffs);
	coroutines__free(&l->coroutines);
	callbacks__free(&l->callbacks);
	free(l);
}

const struct link_counters *linker__counters(struct linker *l)
{
	l->counters.rejected = l->resolver.rejected;
	return &l->counters;
}
