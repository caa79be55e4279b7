// SPDX-License-Identifier: Apache-2.0
/*
 * link.c - in: steps of exchanges, and their ends; out: spans.
 *
 * While exchanges run, contexts name candidates. When an exchange has ended, its parent is settled
 * in this order, each step waiting for what it needs: the candidate has ended too and completion
 * confirms it; the client's end of the same bytes has been seen; the parent has been decided, so
 * that its trace id is known. Then the span is emitted and whoever waited for it goes on.
 */
#include "link/link.h"

#include <stdlib.h>

#include "link/context.h"
#include "link/rule_connection.h"
#include "meta/meta.h"

#define WAITING_MAX 16384
#define REPLY_NS (50ull * 1000000) /* between a reply and what a loop does because of it */

struct linker {
	struct contexts contexts;
	struct twins twins;
	struct list waiting; /* by the time they ended */
	span_fn *fn;
	void *ctx;
	int64_t wall_offset;
	uint64_t now; /* of the last tick */
	struct link_counters counters;
};

static void node__try(struct linker *l, struct link_node *n);

struct linker *linker__new(span_fn *fn, void *ctx)
{
	struct linker *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	contexts__init(&l->contexts);
	list__init(&l->waiting);
	twins__init(&l->twins);
	l->fn = fn;
	l->ctx = ctx;
	return l;
}

void linker__set_clock(struct linker *l, int64_t wall_offset_ns)
{
	l->wall_offset = wall_offset_ns;
}

static struct link_node *node__of(struct exchange *x)
{
	if (!x->node) {
		x->node = calloc(1, sizeof(*x->node));
		if (!x->node)
			abort();
		x->node->refs = 1; /* the exchange's; given up when decided */
		x->node->x = x;
		x->node->evidence = EV_UNKNOWN;
	}
	return x->node;
}

static struct context *linker__context(struct linker *l, const struct connection *conn, const struct stamp *at)
{
	return contexts__of(&l->contexts, conn->process, &at->actor, at->end_ns);
}

/* Several requests of one connection are open: which of them the thread works for is not known. */
static void node__mark_pipelined(struct link_node *n)
{
	struct connection *conn = n->x->conn;

	if (conn->last_inbound && conn->last_inbound != n && conn->last_inbound->state == NODE_OPEN)
		conn->last_inbound->ambiguous = n->ambiguous = true;
	node__unref(conn->last_inbound);
	conn->last_inbound = node__ref(n);
}

/* The end of a request may be read by another context than its beginning. */
static void node__add_reader(struct link_node *n, struct context *c)
{
	n->reader = c->id;
	for (unsigned i = 0; i < n->n_readers; i++)
		if (n->readers[i] == c->id)
			return;
	if (n->n_readers == READERS_MAX) {
		n->ambiguous = true;
		return;
	}
	n->overlaps = c->overlaps;
	n->overlapped = c->open > 0;
	c->open++;
	n->readers[n->n_readers++] = c->id;
}

static void step__request_read(struct context *c, struct link_node *n, const struct stamp *at)
{
	const struct ws_actor *a = &at->actor;

	if (n->x->conn->process)
		n->x->conn->process->serves = true;
	if (!n->reader) {
		node__mark_pipelined(n);
		if (c && c->open) {
			c->loop = c->rule->restores;
			c->overlaps++;
		}
	}
	if (!c)
		return;
	c->watched |= at->watched;
	/* A main thread that reads from an epoll set; another one must be seen to wait in epoll_wait (pools read such sockets too). */
	if (c->rule->restores)
		c->loop |= at->polls || (at->watched && a->tid == a->tgid);
	if (n->reader != c->id)
		node__add_reader(n, c);
	context__serve(c, n, NULL, a);
}

static void step__request_sent(struct linker *l, struct context *c, struct link_node *n, const struct ws_actor *a)
{
	struct connection *conn = n->x->conn;
	struct link_node *cause = NULL, *via = NULL;
	bool by_connect;

	if (n->issuer)
		return; /* more bytes of the same request */
	n->issuer = c ? c->id : 1;
	n->on_loop = c && c->loop;
	l->counters.loop_calls += n->on_loop || (c && c->watched);
	by_connect = n->on_loop && conn->connect_seen && !conn->used;
	if (by_connect) {
		/* The loop sends because the connection stands; whoever called connect() is the cause. */
		cause = conn->connect_owner && conn->connect_owner->state == NODE_OPEN ? conn->connect_owner : NULL;
		via = conn->connect_via;
		n->same_turn = true;
	} else {
		cause = context__cause(c, a);
		n->same_turn = c && c->turn == a->switches;
		via = n->on_loop && n->same_turn ? c->reply : NULL;
	}
	if (n->on_loop)
		context__count_act(c, !cause && c->open && !by_connect);
	n->parent = cause ? node__ref(cause) : NULL;
	if (cause && via)
		n->via = node__ref(via);
	conn->used = true;
	node__unref(conn->connect_owner);
	node__unref(conn->connect_via);
	conn->connect_owner = conn->connect_via = NULL;
}

/* A reply takes the loop back to the request that issued the call. */
static void step__response_read(struct context *c, struct link_node *n, const struct ws_actor *a)
{
	if (c && c->rule->restores)
		context__serve(c, n->parent && n->parent->state == NODE_OPEN ? n->parent : NULL, n, a);
}

/*
 * The loop has handled a reply and now answers a request, in the same turn: the call was made for
 * that request. If it was taken for another's (a timer or a queue of the program sent it), nothing
 * is known of it, nor of the calls whose replies led to it.
 */
static void step__response_sent(struct context *c, struct link_node *n, const struct ws_actor *a)
{
	bool same_turn = c && c->turn == a->switches;
	struct link_node *call = same_turn && c->loop ? c->reply : NULL;

	if (n->answerer)
		return;
	n->answerer = c ? c->id : 0;
	if (c && c->loop)
		context__count_act(c, !same_turn || c->serving != n);
	if (!call || !call->parent)
		return;
	if (call->parent == n) {
		/* As it should be; whatever is answered next is another matter. The context lets go of `call`. */
		context__serve(c, n, NULL, a);
		return;
	}
	for (; call && !call->contradicted; call = call->via) {
		call->contradicted = true;
		c->doubtful++;
	}
}

void linker__step(struct linker *l, enum link_step step, struct exchange *x, const struct stamp *at)
{
	struct context *c = linker__context(l, x->conn, at);
	struct link_node *n = node__of(x);

	switch (step) {
	case LINK_REQUEST_READ:
		step__request_read(c, n, at);
		break;
	case LINK_REQUEST_SENT:
		step__request_sent(l, c, n, &at->actor);
		break;
	case LINK_RESPONSE_SENT:
		step__response_sent(c, n, &at->actor);
		break;
	case LINK_RESPONSE_READ:
		step__response_read(c, n, &at->actor);
		break;
	}
}

void linker__opaque(struct linker *l, const struct connection *conn, enum ws_dir dir, const struct stamp *at)
{
	struct context *c = dir == WS_DIR_IN ? linker__context(l, conn, at) : NULL;

	/* The loop now handles something that we know nothing of. */
	if (!c || !c->loop)
		return;
	context__serve(c, NULL, NULL, &at->actor);
	c->after_opaque = true;
}

void linker__connect(struct linker *l, struct connection *conn)
{
	struct context *c = contexts__of(&l->contexts, conn->process, &conn->owner, conn->connect_ns);
	struct link_node *cause = context__cause(c, &conn->owner);

	conn->connect_seen = true;
	if (!cause || !c->rule->restores)
		return;
	conn->connect_owner = node__ref(cause);
	conn->connect_via = c->reply ? node__ref(c->reply) : NULL;
}

void linker__conn_free(struct linker *l, struct connection *conn)
{
	node__unref(conn->connect_owner);
	node__unref(conn->connect_via);
	node__unref(conn->last_inbound);
	conn->connect_owner = conn->connect_via = conn->last_inbound = NULL;
}

static void node__wait_for(struct link_node *n, struct link_node *other)
{
	n->waits_for = other;
	n->next_waiter = other->waiters;
	other->waiters = n;
}

static void node__stop_waiting(struct link_node *n)
{
	struct link_node **at;

	if (!n->waits_for)
		return;
	for (at = &n->waits_for->waiters; *at != n; at = &(*at)->next_waiter)
		;
	*at = n->next_waiter;
	n->waits_for = n->next_waiter = NULL;
}

/* Whoever waited for n tries again. */
static void node__wake(struct linker *l, struct link_node *n)
{
	struct link_node *w, *all = n->waiters;

	n->waiters = NULL;
	while ((w = all)) {
		all = w->next_waiter;
		w->waits_for = w->next_waiter = NULL;
		node__try(l, w);
	}
}

/* Nothing that is traced can have caused it: a request from outside, or a call of a program that serves nobody. */
static bool node__is_root(const struct link_node *n)
{
	const struct process *p = n->x->conn->process;

	return n->x->inbound ? !n->twin_missing : p && !p->serves;
}

static void node__set_ids(struct linker *l, struct link_node *n)
{
	struct exchange *x = n->x;
	bool header = header__takes(n, &l->counters.conflicts);

	n->trace = x->trace;
	node__span_id(&x->key, x->inbound, n->span_id);
	if (header) {
		node__unref(n->parent);
		n->parent = NULL;
		memcpy(n->trace_id, x->trace.trace_id, 16);
		n->trace_flags = x->trace.flags;
	} else if (n->parent) {
		memcpy(n->trace_id, n->parent->trace_id, 16);
		n->trace_flags = n->parent->trace_flags;
	} else {
		node__trace_id(x, n->trace_id);
		n->trace_flags = 1;
		n->evidence = node__is_root(n) ? EV_ROOT : EV_UNKNOWN;
	}
	if (!n->parent && x->tracestate)
		n->tracestate = strdup(x->tracestate);
	else if (n->parent && n->parent->tracestate)
		n->tracestate = strdup(n->parent->tracestate);
}

static void node__decide(struct linker *l, struct link_node *n)
{
	struct exchange *x = n->x;

	node__set_ids(l, n);
	list__remove(&n->waiting);
	l->counters.waiting--;
	if (!(x->flags & (XCHG_SILENT | XCHG_NO_REQUEST_BYTES))) {
		l->counters.spans++;
		l->counters.by_evidence[n->evidence]++;
		node__emit(n, l->wall_offset, l->fn, l->ctx);
	}
	n->state = NODE_DECIDED;
	exchange__free(x);
	n->x = NULL;
	node__wake(l, n);
	node__unref(n);
}

/* Both the call and its candidate have ended: judged once. */
static void node__judge(struct linker *l, struct link_node *n)
{
	struct link_node *p = n->parent;
	const struct context *c = table__get(&l->contexts.by_id, n->issuer);
	const struct context_rule *rule = n->issuer & 1 ? &rule_goroutine : &rule_thread;
	const bool believed = !n->contradicted && !(c && n->on_loop && !context__is_regular(c));

	n->judged = true;
	node__unref(n->via);
	n->via = NULL;
	if (believed && node__within(p, n) && rule->accept(p, n))
		return;
	l->counters.rejected++;
	n->evidence = EV_UNKNOWN;
	n->parent = NULL;
	node__unref(p);
}

/* Goes on with a node that has ended as far as it can. */
static void node__try(struct linker *l, struct link_node *n)
{
	struct link_node *p = n->parent;

	if (n->twin_wanted)
		return;
	if (p && p->state == NODE_OPEN) {
		node__wait_for(n, p);
		return;
	}
	if (p && !n->x->inbound && !n->judged) {
		/* The reply of a loop's call may yet tell whose it was. */
		if (n->on_loop && n->ended_at + REPLY_NS > l->now)
			return;
		node__judge(l, n);
	}
	p = n->parent;
	if (p && p->state == NODE_WAITING)
		node__wait_for(n, p);
	else
		node__decide(l, n);
}

/* Its contexts are free for the next request. */
static void node__leave_contexts(struct linker *l, struct link_node *n)
{
	for (unsigned i = 0; i < n->n_readers; i++) {
		struct context *c = table__get(&l->contexts.by_id, n->readers[i]);

		if (!c)
			continue;
		if (c->open)
			c->open--; /* it may have been made anew since */
		n->overlapped |= n->readers[i] == n->reader && c->overlaps != n->overlaps;
		if (c->serving == n) {
			c->serving = NULL;
			node__unref(n);
		}
	}
	n->n_readers = 0;
}

static void linker__evict(struct linker *l)
{
	struct link_node *n = LIST_ENTRY(l->waiting.next, struct link_node, waiting);

	l->counters.evicted++;
	node__stop_waiting(n);
	twins__give_up(&l->twins, n);
	n->twin_missing = true;
	n->x->flags |= XCHG_TIMEOUT;
	node__unref(n->parent);
	node__unref(n->via);
	n->parent = n->via = NULL;
	node__decide(l, n);
}

void linker__ended(struct linker *l, struct exchange *x)
{
	struct link_node *n = node__of(x);
	struct link_node *other = NULL;
	bool twin = x->conn->had_peer && !(x->flags & (XCHG_NO_REQUEST_BYTES | XCHG_SILENT));

	n->state = NODE_WAITING;
	n->began_at = x->request_first;
	n->answered_at = x->response_last;
	n->ended_at = x->response_last ? x->response_last : x->request_last;
	node__leave_contexts(l, n);
	list__append(&l->waiting, &n->waiting);
	if (++l->counters.waiting > WAITING_MAX)
		linker__evict(l);
	node__ref(n);
	node__wake(l, n); /* they judge n while its exchange is at hand, and wait on */
	if (twin)
		other = x->inbound ? twins__server_ended(&l->twins, n) : twins__client_ended(&l->twins, n);
	if (other)
		node__try(l, other);
	if (n->state == NODE_WAITING && !n->waits_for)
		node__try(l, n);
	node__unref(n);
}

/* The next one that waits, counted, or NULL. */
static struct link_node *waiting__after(struct linker *l, struct list *at)
{
	return at->next == &l->waiting ? NULL : node__ref(LIST_ENTRY(at->next, struct link_node, waiting));
}

/*
 * Those that wait for time to pass: calls of loops, for what follows their reply; server's ends
 * whose client's end was lost or is not understood.
 */
static void linker__expire(struct linker *l)
{
	struct link_node *n, *next;

	twins__expire(&l->twins, l->now);
	for (n = waiting__after(l, &l->waiting); n; n = next) {
		bool due = n->ended_at + REPLY_NS <= l->now;

		next = due ? waiting__after(l, &n->waiting) : NULL;
		if (due && n->twin_wanted && n->ended_at + TWIN_NS <= l->now)
			twins__give_up(&l->twins, n);
		if (due && !n->twin_wanted && !n->waits_for)
			node__try(l, n);
		node__unref(n);
		if (next && !list__in_one(&next->waiting)) {
			/* It was decided with n, which is rare: from the start. */
			node__unref(next);
			next = waiting__after(l, &l->waiting);
		}
	}
}

void linker__tick(struct linker *l, uint64_t now)
{
	l->now = now;
	linker__expire(l);
	contexts__tick(&l->contexts, now);
}

void linker__finish(struct linker *l)
{
	l->now = UINT64_MAX;
	linker__expire(l);
	while (!list__empty(&l->waiting))
		linker__evict(l);
}

void linker__free(struct linker *l)
{
	if (!l)
		return;
	linker__finish(l);
	contexts__free(&l->contexts);
	twins__free(&l->twins);
	free(l);
}

const struct link_counters *linker__counters(const struct linker *l)
{
	return &l->counters;
}
