// SPDX-License-Identifier: Apache-2.0
/*
 * rule_coroutine.c - see coroutine.h. Not believed where a context answers requests of several
 * connections that were open at the same time: that is a queue's, or a program's of callbacks, which
 * answers in the context of a reply.
 *
 * Of contexts that made each other, those count as one that were made since the request was read: whoever
 * of them answers, it is for the first of them, and calls of all of them were made for that request. Of older
 * ones only the one that answers counts, for they may serve others, too.
 *
 * A context that goes on after the answer may make its last calls while the next request of its
 * connection has been read already. Once a call is seen after an answer and before the next request, only
 * contexts that had answered nothing before are believed in that process; and likewise until one of those has made
 * calls at all, for all may follow answers (contexts of their own do not count: there are none before the probes are). One that was made for a request and
 * calls somebody after its answer may be a worker, which the first request has started, for all: once one is
 * seen, contexts made for a request are believed only when they are gone.
 *
 * Neither can be with HAProxy, whose tasks serve one request each. What comes again is the address of one
 * that has ended, for the next request whose head is read whole.
 */
#include "link/coroutine.h"

#include <stdlib.h>

#include "link/rule.h"
#include "meta/meta.h"

#define CALLS_MAX 256
#define CALLS_FIRST 4
#define DEPTH_MAX 8 /* of contexts that made each other; callbacks that go on setting timers are endless */
#define COROUTINES_MAX 16384
#define IDLE_NS (60ull * 1000000000)

/* A call of the context, or of one that it has made. */
struct entry {
	struct link_node *n; /* counted */
	uint64_t made_ns;    /* when it made that one, or the maker of that one; UINT64_MAX: it called itself */
};

struct coroutine {
	uint64_t id; /* hash of process and context */
	unsigned refs;
	bool gone;		 /* another one has its address */
	struct coroutine *maker; /* counted; NULL: not known, or it does not matter any more */
	uint64_t made_ns;	 /* 0: not known */
	struct link_node *made_for; /* by the thread that had read it; counted, or NULL */
	struct entry *calls;	 /* since it answered last */
	unsigned n, room;
	uint64_t left_out_ns;	   /* when the latest call began that found no room */
	struct link_node *answered; /* the request that it answered last; counted, or NULL */
	uint64_t answered_conn, answered_began, answered_at; /* of that */
	uint64_t last_ns;
	struct list by_use;
};

void coroutines__init(struct coroutines *cs)
{
	*cs = (struct coroutines){0};
	list__init(&cs->by_use);
}

static void coroutine__clear(struct coroutine *c)
{
	while (c->n)
		node__unref(c->calls[--c->n].n);
}

void coroutine__unref(struct coroutine *c)
{
	struct coroutine *maker;

	for (; c && --c->refs == 0; c = maker) {
		maker = c->maker;
		node__unref(c->answered);
		node__unref(c->made_for);
		free(c->calls);
		free(c);
	}
}

/* Whoever counts it knows it as one that is gone. */
static void coroutines__drop(struct coroutines *cs, struct coroutine *c)
{
	table__remove(&cs->by_id, c->id);
	list__remove(&c->by_use);
	coroutine__clear(c);
	c->gone = true;
	coroutine__unref(c);
}

void coroutines__free(struct coroutines *cs)
{
	while (!list__empty(&cs->by_use))
		coroutines__drop(cs, LIST_ENTRY(cs->by_use.next, struct coroutine, by_use));
	table__free(&cs->by_id);
}

static uint64_t coroutine__id(const struct process *p, const struct ws_actor *a)
{
	if (!p || p->ctx_kind == WS_CTX_GO || p->follows_callbacks || !a->user_ctx || a->user_ctx & (WS_USER_VIRTUAL | WS_USER_TASK))
		return 0;
	return hash__mix((uint64_t)a->tgid << 32 ^ hash__mix(a->user_ctx)) | 1;
}

static struct coroutine *coroutines__of(struct coroutines *cs, const struct process *p, const struct ws_actor *a, uint64_t now)
{
	uint64_t id = coroutine__id(p, a);
	struct coroutine *c = id ? table__get(&cs->by_id, id) : NULL;

	if (!id)
		return NULL;
	if (!c) {
		if (cs->by_id.n >= COROUTINES_MAX)
			coroutines__drop(cs, LIST_ENTRY(cs->by_use.next, struct coroutine, by_use));
		c = calloc(1, sizeof(*c));
		if (!c)
			abort();
		c->id = id;
		c->refs = 1;
		table__set(&cs->by_id, id, c);
	}
	c->last_ns = now;
	list__append(&cs->by_use, &c->by_use);
	return c;
}

/* So far back, and no further, contexts are looked at; those that lie behind are let go of. */
static void coroutine__shorten(struct coroutine *c)
{
	for (int i = 0; c && i < DEPTH_MAX; i++)
		c = c->maker;
	if (!c || !c->maker)
		return;
	coroutine__unref(c->maker);
	c->maker = NULL;
}

void coroutines__made(struct coroutines *cs, const struct process *p, const struct ws_actor *by, const struct ws_actor *of,
		      struct link_node *made_for, uint64_t now)
{
	struct coroutine *maker = coroutines__of(cs, p, by, now), *c;
	uint64_t id = coroutine__id(p, of);

	c = id ? table__get(&cs->by_id, id) : NULL;
	if (c && c == maker)
		return;
	if (c)
		coroutines__drop(cs, c);
	c = coroutines__of(cs, p, of, now);
	if (!c)
		return;
	c->made_ns = now;
	c->made_for = made_for ? node__ref(made_for) : NULL;
	c->maker = maker;
	if (maker)
		maker->refs++;
	coroutine__shorten(c);
}

/* Nothing is claimed any more of those that are decided. */
static void coroutine__compact(struct coroutine *c)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < c->n; i++) {
		if (c->calls[i].n->state == NODE_DECIDED)
			node__unref(c->calls[i].n);
		else
			c->calls[kept++] = c->calls[i];
	}
	c->n = kept;
}

static void coroutine__add(struct coroutine *c, struct link_node *n, uint64_t made_ns)
{
	if (c->n == c->room)
		coroutine__compact(c);
	if (c->n == CALLS_MAX) {
		c->left_out_ns = n->x->request_first;
		return;
	}
	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : CALLS_FIRST;
		c->calls = realloc(c->calls, c->room * sizeof(*c->calls));
		if (!c->calls)
			abort();
	}
	c->calls[c->n++] = (struct entry){node__ref(n), made_ns};
}

/* Is c's request answered, and may still go on in this context? */
static bool coroutine__has_answered(const struct coroutine *c)
{
	return c->answered && c->answered->state != NODE_OPEN && !c->answered->followed && !c->answered->closed;
}

void coroutines__sent(struct coroutines *cs, const struct resolver *r, struct link_node *n, const struct ws_actor *a, uint64_t now)
{
	struct process *p = n->x->conn->process;
	struct coroutine *c = coroutines__of(cs, p, a, now), *up;
	uint64_t made_ns = UINT64_MAX;
	int depth = 0;

	if (!c)
		return;
	n->coroutine = c;
	c->refs++;
	p->calls_on |= coroutine__has_answered(c) && c->answered_began >= p->contexts_ns;
	for (up = c; up && depth++ < DEPTH_MAX; made_ns = up->made_ns, up = up->maker) {
		struct link_node *answered = made_ns >= up->answered_began ? up->answered : NULL;

		if (!up->gone)
			coroutine__add(up, n, made_ns);
		if (up->made_for) {
			n->by_thread = true;
			p->starts_workers |= up->made_for->state != NODE_OPEN;
			resolver__claim(r, n, &rule_coroutine, up->made_for, NULL, now);
		}
		if (answered && answered->state == NODE_OPEN) /* the answer goes on */
			resolver__claim(r, n, &rule_coroutine, answered, NULL, now);
		else if (answered && up != c && made_ns <= up->answered_at && up->answered_began >= p->contexts_ns)
			p->starts_workers = true;
	}
}

/* The first of those that were made, one by the other, since that time. */
static struct coroutine *coroutine__first_since(struct coroutine *c, uint64_t began)
{
	for (int i = 0; i < DEPTH_MAX && c->maker && c->made_ns >= began && c->maker->made_ns >= began; i++)
		c = c->maker;
	return c;
}

static void coroutine__claim(struct coroutine *c, const struct resolver *r, struct link_node *n, bool kept, uint64_t now)
{
	uint64_t began = n->head_read;

	for (unsigned i = 0; i < c->n && c->left_out_ns < began; i++) {
		struct link_node *call = c->calls[i].n;

		if (call->state == NODE_DECIDED || call->x->request_first < began || c->calls[i].made_ns < began)
			continue;
		call->in_kept_context = kept;
		n->x->conn->process->calls_first |= !kept && began >= n->x->conn->process->contexts_ns;
		resolver__claim(r, call, &rule_coroutine, n, NULL, now);
	}
	coroutine__clear(c);
}

void coroutines__answered(struct coroutines *cs, const struct resolver *r, struct link_node *n, const struct ws_actor *a,
			  uint64_t now)
{
	struct process *p = n->x->conn->process;
	struct coroutine *c = coroutines__of(cs, p, a, now), *first;
	/* When it was read, not when it came: an address is used again, and this context may be younger. */
	uint64_t began = n->head_read;

	if (!c)
		return;
	first = coroutine__first_since(c, began);
	coroutine__claim(first, r, n, first->answered && !first->answered->closed, now);
	coroutine__clear(c);
	for (;; c = c->maker) {
		p->shares_contexts |= c->answered_at > began && c->answered_conn != n->x->conn->id && began >= p->contexts_ns;
		node__unref(c->answered);
		c->answered = node__ref(n);
		c->answered_conn = n->x->conn->id;
		c->answered_began = began;
		c->answered_at = now;
		if (c == first)
			break;
	}
}

void coroutines__decided(struct link_node *n)
{
	coroutine__unref(n->coroutine);
	n->coroutine = NULL;
}

void coroutines__tick(struct coroutines *cs, uint64_t now)
{
	while (!list__empty(&cs->by_use)) {
		struct coroutine *c = LIST_ENTRY(cs->by_use.next, struct coroutine, by_use);

		if (c->last_ns + IDLE_NS > now)
			break;
		coroutines__drop(cs, c);
	}
}

static const char *coroutine__fault(const struct claim *c, const struct link_node *n, const struct rule_world *w)
{
	const struct process *p = n->x->conn->process;
	const bool younger = n->coroutine && n->coroutine->made_ns >= c->parent->began_at;

	if (p->ctx_kind == WS_CTX_HAPROXY)
		return node__outside(c->parent, n);
	if (n->by_thread && (c->parent->overlapped || (c->parent->answerer && c->parent->answerer != c->parent->reader)))
		return "the thread that gave the work to a pool read another request meanwhile, or did not answer";
	if (p->shares_contexts)
		return "contexts of this program answer several requests at a time";
	if (n->in_kept_context && !p->calls_first && !younger)
		return "no context of this program has made calls for the first request that it answered: they may follow the answer";
	if (n->in_kept_context && p->calls_on)
		return "this program makes calls after it has answered, and had answered in this context before";
	if (p->starts_workers && younger && !n->coroutine->gone)
		return "this program starts tasks that outlive their request, and this one may be such";
	return node__outside(c->parent, n);
}

const struct link_rule rule_coroutine = {"coroutine", EV_COROUTINE, coroutine__fault};
