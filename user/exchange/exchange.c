// SPDX-License-Identifier: Apache-2.0
/*
 * exchange.c - in: messages of one connection; out: exchanges, each with its clocks.
 *
 * Requests wait in a queue per connection, responses take the oldest that has none. With several
 * threads on one socket the record of a response can overtake that of its request: such a response
 * is kept for a moment as an orphan, and the request that it answers takes it over.
 */
#include "exchange/exchange.h"

#include <stdlib.h>

#include "util/list.h"
#include "util/text.h"

#define PIPELINE_MAX 4096 /* open on one connection */
#define OPEN_MAX 65536	  /* open on all of them */
#define ORPHAN_NS (200ull * 1000000)
#define GIVE_UP_NS (600ull * 1000000000)

struct exchange_queue {
	struct connection *conn;
	struct exchange *head, *tail; /* requests in order; the last may still be growing */
	struct exchange *orphan;      /* response without a request, not ended */
	unsigned n;
	unsigned unsure; /* XCHG_LOST or _SHED: bytes of responses are missing: which request the next one answers has to be found out */
	uint64_t last_ns; /* something happened */
	struct list busy;
};

struct exchanges {
	struct linker *linker;
	struct exchange_counters counters;
	struct list busy; /* queues with open exchanges, longest silent first */
};

enum { REQUEST_DONE = 1 << 16, RESPONSE_DONE = 1 << 17, RESPONSE_BEGUN = 1 << 18 }; /* in exchange.flags, ours */

struct exchanges *exchanges__new(struct linker *l)
{
	struct exchanges *x = calloc(1, sizeof(*x));

	if (!x)
		abort();
	x->linker = l;
	list__init(&x->busy);
	return x;
}

/* The queue of this connection, moved to the end of those that are in use. */
static struct exchange_queue *queue__use(struct exchanges *xs, struct connection *conn, uint64_t now)
{
	struct exchange_queue *q = conn->pairing;

	if (!q) {
		q = conn->pairing = calloc(1, sizeof(*q));
		if (!q)
			abort();
		q->conn = conn;
	}
	list__append(&xs->busy, &q->busy);
	q->last_ns = now;
	return q;
}

static struct exchange *exchange__new(struct exchanges *xs, struct connection *conn, const struct message *m)
{
	struct exchange *x = malloc(sizeof(*x)); /* glibc's calloc leaves its cache of freed blocks alone */

	if (!x)
		abort();
	*x = (struct exchange){.conn = connection__ref(conn)};
	x->protocol = m->protocol;
	x->inbound = conn->role != WS_ROLE_CONNECTED;
	xs->counters.seen++;
	xs->counters.open++;
	return x;
}

/* Over to link, which frees it. */
static void exchange__end(struct exchanges *xs, struct exchange *x)
{
	struct exchange_counters *n = &xs->counters;

	n->open--;
	n->ended++;
	n->silent += !!(x->flags & XCHG_SILENT);
	n->no_response += !!(x->flags & XCHG_NO_RESPONSE);
	n->no_request += !!(x->flags & XCHG_NO_REQUEST_BYTES);
	n->cut += !!(x->flags & XCHG_CUT);
	n->lost += !!(x->flags & XCHG_LOST);
	n->shed += !!(x->flags & XCHG_SHED);
	n->timeout += !!(x->flags & XCHG_TIMEOUT);
	x->next = NULL;
	linker__ended(xs->linker, x);
}

static void queue__pop(struct exchanges *xs, struct exchange_queue *q)
{
	struct exchange *x = q->head;

	q->head = x->next;
	if (!q->head)
		q->tail = NULL;
	q->n--;
	if (!q->n && !q->orphan)
		list__remove(&q->busy);
	exchange__end(xs, x);
}

/* Exchanges whose both halves are there leave the queue, in order. */
static void queue__settle(struct exchanges *xs, struct exchange_queue *q)
{
	const unsigned done = REQUEST_DONE | RESPONSE_DONE;

	while (q->head && (q->head->flags & done) == done)
		queue__pop(xs, q);
}

static uint64_t first_of(uint64_t a, uint64_t b)
{
	return a ? a : b;
}

static void exchange__take(struct exchange *x, const struct message *m)
{
	attrs__merge(&x->attrs, &m->attrs);
	if (m->name[0])
		text__copy(x->name, sizeof(x->name), slice__of(m->name));
	if (m->flags & MSG_CUT) {
		x->flags |= XCHG_CUT;
		x->cut_for = x->conn->missing_for;
	}
	if (m->flags & MSG_SILENT)
		x->flags |= XCHG_SILENT;
	if (m->trace.valid)
		x->trace = m->trace;
	if (m->tracestate[0] && !x->tracestate)
		x->tracestate = strdup(m->tracestate);
	if (!(m->flags & MSG_ERROR))
		return;
	x->flags |= m->client_error ? XCHG_CLIENT_ERROR : XCHG_ERROR;
	text__copy(x->error_type, sizeof(x->error_type), slice__of(m->error_type));
	if (m->error_message[0]) {
		free(x->error_message);
		x->error_message = strdup(m->error_message);
	}
}

/* Nothing more comes, since time_ns (0: not known). A server that hangs up on a request has failed it; a client has not. */
static void exchange__no_response(struct exchange *x, uint64_t time_ns)
{
	x->flags |= XCHG_NO_RESPONSE;
	x->closed = time_ns;
	if (x->inbound && x->conn->closed_here)
		x->flags |= XCHG_ERROR;
}

static void queue__give_up(struct exchanges *xs, struct exchange_queue *q, unsigned flags, uint64_t time_ns)
{
	if (q->orphan) {
		exchange__end(xs, q->orphan);
		q->orphan = NULL;
	}
	while (q->head) {
		if (!(q->head->flags & (RESPONSE_DONE | RESPONSE_BEGUN)) && !flags)
			exchange__no_response(q->head, time_ns);
		else if (!(q->head->flags & RESPONSE_DONE) && !flags)
			q->head->flags |= XCHG_CUT;
		q->head->flags |= flags;
		queue__pop(xs, q);
	}
	list__remove(&q->busy);
}

static struct exchange *queue__push(struct exchanges *xs, struct exchange_queue *q, const struct message *m)
{
	struct exchange *x = q->orphan;
	bool adopted = x && first_of(m->first.start_ns, m->first.end_ns) <= x->response_first;

	if (adopted) {
		q->orphan = NULL;
		x->flags &= ~(unsigned)XCHG_NO_REQUEST_BYTES;
	} else {
		x = exchange__new(xs, q->conn, m);
	}
	*(q->tail ? &q->tail->next : &q->head) = x;
	q->tail = x;
	q->n++;
	x->key.request_seq = (uint32_t)m->offset;
	x->request_first = first_of(m->first.start_ns, m->first.end_ns);
	x->request_read = m->first.end_ns;
	x->response_from = m->peer_offset;
	if (!adopted)
		x->key.response_seq = (uint32_t)m->peer_offset;
	if (!x->inbound)
		x->reader = m->first.actor;
	return x;
}

/* The connection that has been silent longest gives its exchanges up. */
static void exchanges__make_room(struct exchanges *xs)
{
	struct exchange_queue *q = LIST_ENTRY(xs->busy.next, struct exchange_queue, busy);

	xs->counters.crowded += q->n + (q->orphan != NULL);
	queue__give_up(xs, q, XCHG_CROWDED, 0);
}

static void exchanges__request(struct exchanges *xs, struct exchange_queue *q, const struct message *m)
{
	struct exchange *x = q->tail;
	bool fresh = m->flags & MSG_BEGINS;

	if (fresh) {
		/* What went before it has ended, whether its end was seen or not. */
		if (x && !(x->flags & REQUEST_DONE))
			x->flags |= REQUEST_DONE;
		if (q->n >= PIPELINE_MAX) {
			q->head->flags |= XCHG_CROWDED;
			xs->counters.crowded++;
			queue__pop(xs, q);
		}
		if (xs->counters.open >= OPEN_MAX)
			exchanges__make_room(xs);
		x = queue__push(xs, q, m);
	}
	if (!x || (!fresh && (x->flags & REQUEST_DONE))) {
		xs->counters.strays++;
		return;
	}
	exchange__take(x, m);
	x->request_bytes += m->end - m->offset;
	x->request_last = m->last.end_ns;
	if (x->inbound)
		x->reader = m->last.actor;
	if (m->flags & MSG_ENDS)
		x->flags |= REQUEST_DONE;
	if (m->flags & MSG_NO_RESPONSE)
		x->flags |= RESPONSE_DONE | XCHG_ONE_WAY;
	linker__step(xs->linker, x->inbound ? LINK_REQUEST_READ : LINK_REQUEST_SENT, x,
		     fresh && !x->inbound ? &m->first : &m->last);
}

/* The oldest request whose response has not begun; for a part that goes on, the one it began for. */
static struct exchange *queue__awaiting(struct exchange_queue *q, bool begins)
{
	struct exchange *x = q->head;

	while (x && (x->flags & (begins ? RESPONSE_BEGUN | RESPONSE_DONE : RESPONSE_DONE)))
		x = x->next;
	return x && (begins || (x->flags & RESPONSE_BEGUN)) ? x : NULL;
}

static struct exchange *exchanges__orphan(struct exchanges *xs, struct exchange_queue *q, const struct message *m)
{
	if (q->orphan && (m->flags & MSG_BEGINS)) {
		exchange__end(xs, q->orphan);
		q->orphan = NULL;
	}
	if (!q->orphan && (m->flags & MSG_BEGINS)) {
		q->orphan = exchange__new(xs, q->conn, m);
		q->orphan->flags |= XCHG_NO_REQUEST_BYTES;
	}
	return q->orphan;
}

/*
 * Responses may have been lost whole. A request that was sent when the response's direction had come
 * further than where an earlier one was to be answered shows that the earlier one was answered: it
 * will get no other. Where requests do not overlap, the next response is then certain again.
 */
static void queue__find_place(struct exchanges *xs, struct exchange_queue *q, uint64_t offset)
{
	struct exchange *x, *answers = NULL;

	for (x = q->head; x; x = x->next)
		if (x->response_from <= offset && !(x->flags & (RESPONSE_BEGUN | RESPONSE_DONE)))
			answers = x;
	while (answers && q->head != answers && q->head->response_from < answers->response_from) {
		q->head->flags |= q->unsure | REQUEST_DONE | RESPONSE_DONE;
		queue__pop(xs, q);
	}
	if (!answers || answers->response_from == offset)
		q->unsure = 0;
	else
		answers->flags |= q->unsure;
}

static void exchanges__response(struct exchanges *xs, struct exchange_queue *q, const struct message *m)
{
	struct exchange *x;

	if (q->unsure && (m->flags & MSG_BEGINS))
		queue__find_place(xs, q, m->offset);
	x = queue__awaiting(q, m->flags & MSG_BEGINS);
	if (!x)
		x = exchanges__orphan(xs, q, m);
	if (!x) {
		xs->counters.strays++;
		return;
	}
	exchange__take(x, m);
	if (m->flags & MSG_BEGINS) {
		x->flags |= RESPONSE_BEGUN;
		x->key.response_seq = (uint32_t)m->offset;
		x->response_first = first_of(m->first.start_ns, m->first.end_ns);
		x->answerer = m->first.actor;
	}
	x->response_bytes += m->end - m->offset;
	/*
	 * A server's span ends when its last send begins: on loopback the client has the bytes
	 * before that call returns, and the client's span must contain the server's.
	 */
	x->response_last = x->inbound ? first_of(m->last.start_ns, m->last.end_ns) : m->last.end_ns;
	if (m->flags & MSG_ENDS)
		x->flags |= RESPONSE_DONE;
	linker__step(xs->linker, x->inbound ? LINK_RESPONSE_SENT : LINK_RESPONSE_READ, x, &m->last);
}

void exchanges__message(struct exchanges *xs, struct connection *conn, const struct message *m)
{
	struct exchange_queue *q;

	if (m->kind == MSG_NONE)
		return;
	if (m->kind == MSG_PUSH) {
		xs->counters.pushes++;
		return;
	}
	q = queue__use(xs, conn, m->last.end_ns);
	if (m->kind == MSG_REQUEST)
		exchanges__request(xs, q, m);
	else
		exchanges__response(xs, q, m);
	queue__settle(xs, q);
	if (!q->n && !q->orphan)
		list__remove(&q->busy);
}

void exchanges__opaque(struct exchanges *xs, struct connection *conn, enum ws_dir dir, const struct stamp *at)
{
	linker__opaque(xs->linker, conn, dir, at);
}

void exchanges__lost(struct exchanges *xs, struct connection *conn, enum ws_dir dir, uint64_t bytes)
{
	struct exchange_queue *q = conn->pairing;
	const unsigned why = conn->shed ? XCHG_SHED : XCHG_LOST;

	if (!q || !bytes)
		return;
	/* Requests were left out, and all responses up to theirs with them. */
	if (conn->shed && dir == connection__request_dir(conn)) {
		queue__give_up(xs, q, XCHG_SHED, 0);
		return;
	}
	if (dir != connection__request_dir(conn))
		q->unsure |= why;
	/* Requests that have ended are whole; which of the responses under way is not, nobody can tell. */
	for (struct exchange *x = q->head; x; x = x->next)
		if (dir != connection__request_dir(conn) || !(x->flags & REQUEST_DONE))
			x->flags |= why;
	if (q->orphan)
		q->orphan->flags |= why;
}

void exchanges__connecting(struct exchanges *xs, struct connection *conn)
{
	linker__connect(xs->linker, conn);
}

void exchanges__batched(struct exchanges *xs, struct connection *conn, uint64_t cause, uint64_t replied_ns)
{
	linker__batched(xs->linker, conn, cause, replied_ns);
}

void exchanges__handed(struct exchanges *xs, struct connection *conn, uint64_t cause, uint64_t time_ns)
{
	linker__handed(xs->linker, conn, cause, time_ns);
}

void exchanges__timer_ended(struct exchanges *xs, uint64_t timer, uint64_t cause, uint64_t time_ns)
{
	linker__timer_ended(xs->linker, timer, cause, time_ns);
}

void exchanges__closed(struct exchanges *xs, struct connection *conn, uint64_t time_ns)
{
	struct exchange_queue *q = conn->pairing;

	if (q) {
		queue__give_up(xs, q, time_ns ? 0 : XCHG_TIMEOUT, time_ns);
		free(q);
		conn->pairing = NULL;
	}
	linker__conn_free(xs->linker, conn);
}

void exchanges__tick(struct exchanges *xs, uint64_t now)
{
	struct list *l, *after;

	for (l = xs->busy.next; l != &xs->busy; l = after) {
		struct exchange_queue *q = LIST_ENTRY(l, struct exchange_queue, busy);

		after = l->next;
		if (q->last_ns + ORPHAN_NS >= now)
			break;
		if (q->last_ns + GIVE_UP_NS < now) {
			queue__give_up(xs, q, XCHG_TIMEOUT, 0);
		} else if (q->orphan) {
			exchange__end(xs, q->orphan);
			q->orphan = NULL;
			if (!q->n)
				list__remove(&q->busy);
		}
	}
}

void exchanges__free(struct exchanges *x)
{
	free(x);
}

const struct exchange_counters *exchanges__counters(const struct exchanges *x)
{
	return &x->counters;
}
