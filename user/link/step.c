// SPDX-License-Identifier: Apache-2.0
/*
 * step.c - steps of exchanges that run, in the order in which they happened: contexts learn what they serve, and
 * rules claim parents for calls.
 */
#include <string.h>

#include "link/linker.h"
#include "link/waits.h"

static struct context *linker__context(struct linker *l, const struct connection *conn, const struct stamp *at)
{
	struct context *c = contexts__of(&l->contexts, conn->process, &at->actor, at->end_ns);

	if (c)
		context__at(c, &at->actor);
	return c;
}

/* Several requests of one connection are open: which of them the thread works for is not known. */
static void node__mark_pipelined(struct link_node *n)
{
	struct connection *conn = n->x->conn;

	if (conn->last_inbound && conn->last_inbound != n) {
		conn->last_inbound->followed = true;
		if (conn->last_inbound->state == NODE_OPEN)
			conn->last_inbound->ambiguous = n->ambiguous = true;
	}
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

	if (n->x->conn->process) {
		if (!n->x->conn->process->serves)
			n->x->conn->process->first_ns = at->end_ns;
		n->x->conn->process->serves = true;
		n->x->conn->process->served_ns = at->end_ns;
	}
	if (!n->head_read) {
		n->head_read = at->end_ns;
		if (n->x->conn->process)
			list__append(&n->x->conn->process->open, &n->open);
	}
	if (!n->reader) {
		node__mark_pipelined(n);
		if (c && c->open) {
			c->loop = c->kind->restores;
			c->overlaps++;
		}
	}
	if (!c)
		return;
	c->watched |= at->watched;
	/* Where threads that wait in epoll_wait answer, those that read from epoll sets take turns at it (tokio). */
	c->loop |= c->kind->restores && c->watched && n->x->conn->process && n->x->conn->process->loops;
	/* A main thread that reads from an epoll set; another one must be seen to wait in epoll_wait (pools read such sockets too). */
	if (c->kind->restores)
		c->loop |= at->polls || (at->watched && a->tid == a->tgid);
	if (n->reader != c->id)
		node__add_reader(n, c);
	completion__began(c);
	turn__read(c, n, a);
	context__serve(c, n, NULL, a);
}

static void connection__forget_connect(struct connection *conn)
{
	node__unref(conn->connect_owner);
	node__unref(conn->connect_via);
	turn__unref(conn->connect_turn);
	conn->connect_owner = conn->connect_via = NULL;
	conn->connect_turn = NULL;
}

/* The request whose context called connect() is the cause, though the loop sends because the connection stands. */
static struct link_node *connection__owner(const struct connection *conn)
{
	return conn->connect_owner && conn->connect_owner->state == NODE_OPEN ? conn->connect_owner : NULL;
}

/*
 * Another thread has connected, for another request or as a loop, and this one sends because the connection
 * stands: a task has moved. That this one is a loop too may not be known yet.
 */
static bool connection__was_moved(const struct linker *l, const struct connection *conn, const struct context *c,
				  const struct link_node *cause)
{
	const struct context *connector = contexts__get(&l->contexts, conn->connector);

	if (!c || !conn->connect_seen || conn->used || !connector || connector == c || !connector->kind->restores)
		return false;
	return connector->loop || (conn->connect_owner && conn->connect_owner != cause);
}

/* HAProxy: the request's task connects; that of the connection may send then. */
static const struct ws_actor *connection__sender(const struct connection *conn, const struct ws_actor *a)
{
	bool connects = conn->process && conn->process->ctx_kind == WS_CTX_HAPROXY && conn->connect_seen && !conn->used;

	return connects ? &conn->owner : a;
}

/* What the context serves is claimed by the rules of its kind; a call of one that serves nothing may be a pool's. */
static void linker__claim_cause(struct linker *l, struct context *c, struct link_node *n, const char *why_not)
{
	const struct process *p = n->x->conn->process;

	for (const struct link_rule *const *r = c->kind->rules; *r && (n->cause || why_not); r++)
		resolver__claim(&l->resolver, n, *r, n->cause, why_not, 0);
	if (n->cause || why_not || !c->kind->pools || c->loop || !p || !p->serves)
		return;
	l->counters.pool_calls++;
	completion__sent(&l->pools, c, n);
}

/* Netty calls connect() from its loop's queue of tasks, after all that was read: whose it is, what was read last does not tell. */
static bool node__connects_by_queue(const struct link_node *n, const struct link_node *via, bool connects)
{
	const struct process *p = n->x->conn->process;

	return p && p->ctx_kind == WS_CTX_JAVA && (connects || (via && via->by_queue));
}

/* Somebody called connect() before we were there, and it is a loop that sends now, because the connection stands. */
static bool node__connect_missed(const struct link_node *n)
{
	const struct connection *conn = n->x->conn;

	return n->may_loop && conn->unsent && !conn->used && !conn->connect_seen;
}

/* Does the kernel tell which callbacks this program runs? */
static bool linker__follows(const struct connection *conn)
{
	return conn->process && conn->process->follows_callbacks;
}

static void step__request_sent(struct linker *l, struct context *c, struct link_node *n, const struct ws_actor *a)
{
	struct connection *conn = n->x->conn;
	struct link_node *cause = NULL, *via = NULL;
	const char *why_not = NULL;
	bool by_connect, missed;

	if (n->issuer)
		return; /* more bytes of the same request */
	n->issuer = c ? c->id : 1;
	n->on_loop = c && c->loop;
	n->may_loop = c && c->kind->restores && (c->loop || c->watched);
	l->counters.loop_calls += n->may_loop;
	by_connect = n->on_loop && conn->connect_seen && !conn->used;
	missed = node__connect_missed(n);
	if (missed) {
		why_not = "its connect() was not seen";
	} else if (by_connect) {
		cause = connection__owner(conn);
		why_not = cause ? NULL : "the request that called connect() has ended, or is not known";
		via = conn->connect_via;
		n->same_turn = true;
	} else {
		cause = context__cause(c, a, &why_not);
		if (cause && connection__was_moved(l, conn, c, cause)) {
			cause = NULL;
			why_not = "another thread called connect(), not for this request";
		}
		n->same_turn = c && c->turn == a->switches;
		via = n->on_loop && n->same_turn ? c->reply : NULL;
	}
	n->by_queue = node__connects_by_queue(n, via, by_connect || missed);
	if (n->on_loop)
		context__count_act(c, !cause && c->open && !by_connect && !missed, n->by_queue);
	n->cause = cause ? node__ref(cause) : NULL;
	n->handed_on_to = via && via->conn == n->conn && strcmp(n->x->protocol, "http");
	if (cause) {
		cause->called = true;
		completion__goes_on(cause, conn);
	}
	if (cause && via)
		n->via = node__ref(via);
	if (conn->process && conn->process->ctx_kind == WS_CTX_GO) {
		conn->process->calls++;
		conn->process->lone_calls += !cause;
	}
	if (linker__follows(conn))
		callbacks__sent(&l->callbacks, n, a, n->x->request_first);
	else
		handoffs__sent(&l->handoffs, &l->resolver, n, a->cause);
	coroutines__sent(&l->coroutines, &l->resolver, n, connection__sender(conn, a), n->x->request_first);
	if (c) {
		if (!missed)
			turn__sent(c, n, a, by_connect ? conn->connect_turn : NULL);
		linker__claim_cause(l, c, n, why_not);
	}
	conn->used = true;
	connection__forget_connect(conn);
}

/* A reply takes the loop back to the request that issued the call. */
static void step__response_read(struct context *c, struct link_node *n, const struct ws_actor *a)
{
	n->replied = true;
	if (c)
		turn__replied(c, n, a);
	if (c && c->kind->restores)
		context__serve(c, n->cause && n->cause->state == NODE_OPEN ? n->cause : NULL, n, a);
	/* The reply to a call that was not seen: what follows in this turn is for nobody knows whom. */
	if (c && c->loop && n->x->flags & XCHG_NO_REQUEST_BYTES)
		c->after_opaque = true;
}

/*
 * The loop has handled a reply and now answers a request, in the same turn: the call was made for
 * that request. If it was taken for another's (a timer or a queue of the program sent it), nothing
 * is known of it, nor of the calls whose replies led to it.
 */
static void step__response_sent(struct linker *l, struct context *c, struct link_node *n, const struct stamp *at)
{
	const struct ws_actor *a = &at->actor;
	bool same_turn = c && c->turn == a->switches;
	struct link_node *call = same_turn && (c->loop || c->watched) ? c->reply : NULL;

	if (n->answerer)
		return;
	n->answerer = c ? c->id : 0;
	if (c && c->watched && at->polls && n->x->conn->process)
		n->x->conn->process->loops = true;
	coroutines__answered(&l->coroutines, &l->resolver, n, a, at->end_ns);
	if (linker__follows(n->x->conn))
		callbacks__answered(&l->callbacks, n, a, at->end_ns);
	if (c)
		turn__answers(c, n, a);
	if (c)
		completion__answered(&l->pools, &l->resolver, c, n, l->now);
	/* The answer to a request that was not seen tells nothing of the loop. */
	if (c && c->loop && !(n->x->flags & XCHG_NO_REQUEST_BYTES))
		context__count_act(c, !same_turn || c->serving != n, call && call->by_queue);
	if (!call || !call->cause)
		return;
	if (call->cause == n) {
		for (struct link_node *k = call; k && k->cause == n; k = k->via)
			k->confirmed = true;
		/* As it should be; whatever is answered next is another matter. The context lets go of `call`. */
		context__serve(c, n, NULL, a);
		return;
	}
	for (; call && !call->contradicted; call = call->via) {
		call->contradicted = true;
		c->acts[call->by_queue].doubtful++;
	}
}

void linker__step(struct linker *l, enum link_step step, struct exchange *x, const struct stamp *at)
{
	struct context *c = linker__context(l, x->conn, at);
	struct link_node *n = node__of(x);

	switch (step) {
	case LINK_REQUEST_READ:
		if (linker__follows(x->conn))
			callbacks__read(&l->callbacks, n, &at->actor, at->end_ns);
		else
			handoffs__read(&l->handoffs, n, at->actor.cause);
		step__request_read(c, n, at);
		break;
	case LINK_REQUEST_SENT:
		step__request_sent(l, c, n, &at->actor);
		linker__awaited(l, n, &at->actor, 0);
		break;
	case LINK_RESPONSE_SENT:
		step__response_sent(l, c, n, at);
		break;
	case LINK_RESPONSE_READ:
		if (linker__follows(x->conn))
			callbacks__read(&l->callbacks, n, &at->actor, at->end_ns);
		step__response_read(c, n, &at->actor);
		linker__awaited(l, n, &at->actor, 0);
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
	const char *why_not;
	struct link_node *cause = context__cause(c, &conn->owner, &why_not);

	conn->connect_seen = true;
	connection__forget_connect(conn);
	conn->connector = c ? c->id : 0;
	if (c)
		conn->connect_turn = turn__connects(c, &conn->owner);
	if (!cause || !c->kind->restores)
		return;
	conn->connect_owner = node__ref(cause);
	conn->connect_via = c->reply ? node__ref(c->reply) : NULL;
}

void linker__conn_free(struct linker *l, struct connection *conn)
{
	connection__forget_connect(conn);
	if (conn->last_inbound)
		conn->last_inbound->closed = true;
	node__unref(conn->last_inbound);
	node__unref(conn->last_call);
	node__unref(conn->call_before);
	conn->last_inbound = conn->last_call = conn->call_before = NULL;
}
