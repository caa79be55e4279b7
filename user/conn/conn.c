// SPDX-License-Identifier: Apache-2.0
/*
 * conn.c - in: events; out: chunks, in order, one connection and direction at a time.
 *
 * Events of one socket may arrive slightly out of order, because the kernel reports a send after it
 * has dropped the socket's lock: order.c. A closed connection lingers for a moment for the same reason.
 */
#include "conn/conn.h"

#include <netinet/tcp.h>
#include <stdlib.h>

#include "conn/state.h"

#define CONNS_MAX 65536
#define HELD_NS (100ull * 1000000)   /* that a transfer waits for an earlier one */
#define LINGER_NS (100ull * 1000000) /* a closed connection */

struct conns *conns__new(struct decode *d, struct exchanges *x, struct meta *m, budget_fn *budget, void *ctx)
{
	struct conns *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->decode = d;
	c->exchanges = x;
	c->meta = m;
	c->budget = budget;
	c->budget_ctx = ctx;
	list__init(&c->by_use);
	list__init(&c->lingering);
	return c;
}

static void entry__release(struct connection *c)
{
	struct entry *e = (struct entry *)c;

	process__unref(c->process);
	free(e);
}

void entry__use_process(struct conns *cs, struct entry *e, uint32_t tgid)
{
	struct process *p;

	/* Nobody known is a process, too: every span has one. */
	if (e->c.process && (!tgid || e->c.process->pid == tgid))
		return;
	p = process__ref(meta__process(cs->meta, tgid));
	process__unref(e->c.process);
	e->c.process = p;
}

static struct entry *entry__new(struct conns *cs);
static void entry__close(struct conns *cs, struct entry *e);

static struct entry *entry__get(struct conns *cs, uint64_t id)
{
	struct entry *e = table__get(&cs->by_id, id);

	if (!e) {
		e = entry__new(cs);
		e->c.id = id;
		e->c.refs = 1;
		e->last_dir = -1;
		table__set(&cs->by_id, id, e);
		cs->counters.opened++;
	}
	list__append(&cs->by_use, &e->by_use);
	return e;
}

static void conns__data(struct conns *cs, const struct ws_rec_data *d, struct slice payload)
{
	struct entry *e = entry__get(cs, d->conn);

	if (!e->addressed)
		cs->counters.unknown++;
	order__take(cs, e, d, payload);
}

/*
 * Bytes that came first may have told the role to decode: a record that knows none changes nothing; one
 * that knows better turns requests into responses, so what was made of them is let go.
 */
static void entry__set_role(struct conns *cs, struct entry *e, enum ws_role role)
{
	const enum ws_dir before = connection__request_dir(&e->c);
	const struct connection now = {.role = role};

	if (role == WS_ROLE_UNKNOWN)
		return;
	if (connection__request_dir(&now) != before && (e->stream[0].begun || e->stream[1].begun)) {
		decode__closed(cs->decode, &e->c, 0);
		exchanges__closed(cs->exchanges, &e->c, 0);
	}
	e->c.role = role;
}

bool record__moved(const struct ws_rec_conn *r, struct conn_moved *m)
{
	uint32_t first[2];

	if (r->head.size < sizeof(*r) || r->head.flags & WS_CONN_CONNECTING || r->failed)
		return false;
	first[WS_DIR_IN] = r->rcv_seq - (uint32_t)r->read;
	first[WS_DIR_OUT] = r->snd_seq - (uint32_t)r->sent;
	m->key = hash__bytes(r->netns, first, sizeof(first));
	m->key = hash__bytes(m->key + r->local_port, r->local, sizeof(r->local));
	m->key = hash__bytes(m->key + r->remote_port, r->remote, sizeof(r->remote)) | 1;
	m->bytes[WS_DIR_IN] = r->read;
	m->bytes[WS_DIR_OUT] = r->sent;
	return true;
}

/* Both directions have an offset by now, or nothing is known of what they have moved. */
static void entry__moved(struct entry *e, const struct ws_rec_conn *r, const uint32_t seq[2])
{
	struct conn_moved m;

	if (!record__moved(r, &m))
		return;
	for (int dir = 0; dir < 2; dir++) {
		struct stream *s = &e->stream[dir];

		if (!s->known)
			return;
		e->before[dir] = m.bytes[dir] - (s->next + (uint64_t)(int64_t)(int32_t)(seq[dir] - (uint32_t)s->next));
	}
	e->key = m.key;
}

static void conns__opened(struct conns *cs, const struct ws_rec_conn *r)
{
	const uint32_t seq[2] = {r->rcv_seq, r->snd_seq};
	const bool connecting = r->head.flags & WS_CONN_CONNECTING, existing = r->origin == WS_ORIGIN_EXISTING;
	struct entry *e = table__get(&cs->by_id, r->conn);

	/* A socket that connects again after a failure has the same cookie. */
	if (e && connecting && e->addressed && !e->closed_at)
		e->closed_at = r->head.time_ns; /* the record of its end was lost */
	if (e && e->closed_at)
		entry__close(cs, e);
	e = entry__get(cs, r->conn);

	if (connecting) {
		entry__set_role(cs, e, r->role);
		e->c.owner = r->actor;
		e->c.connect_ns = r->connect_ns;
		entry__use_process(cs, e, r->actor.tgid);
		exchanges__connecting(cs->exchanges, &e->c);
		return;
	}
	if (e->addressed) {
		/* The iterator and a first transfer may meet; one that had been used was forgotten. */
		cs->counters.announced_again += e->stream[0].begun || e->stream[1].begun;
		return;
	}
	e->addressed = true;
	entry__set_role(cs, e, r->role);
	e->c.origin = r->origin;
	memcpy(e->c.local.addr, r->local, 16);
	memcpy(e->c.remote.addr, r->remote, 16);
	e->c.local.port = r->local_port;
	e->c.remote.port = r->remote_port;
	e->c.netns = r->netns;
	endpoint__print(&e->c.local, e->c.local_text);
	endpoint__print(&e->c.remote, e->c.remote_text);
	e->c.owner = r->actor;
	e->c.connect_ns = existing ? 0 : r->connect_ns;
	e->c.established_ns = r->established_ns;
	e->c.unsent = !existing || (r->first && r->snd_seq == (uint32_t)(r->first >> 32));
	for (int dir = 0; dir < 2; dir++) {
		if (e->stream[dir].known || !seq[dir])
			continue;
		e->stream[dir].known = true;
		e->stream[dir].next = (1ull << 32) + seq[dir];
	}
	entry__moved(e, r, seq);
	entry__use_process(cs, e, r->actor.tgid);
	if (existing)
		peers__add(&cs->peers, &e->c, (uint32_t)(r->first >> 32), (uint32_t)r->first);
	else
		peers__add(&cs->peers, &e->c, r->snd_seq, r->rcv_seq);
}

/* Nothing more will come. */
static void entry__close(struct conns *cs, struct entry *e)
{
	order__end(cs, e, WS_DIR_IN);
	order__end(cs, e, WS_DIR_OUT);
	e->c.closed = true;
	decode__closed(cs->decode, &e->c, e->closed_at);
	exchanges__closed(cs->exchanges, &e->c, e->closed_at);
	peers__remove(&cs->peers, &e->c);
	table__remove(&cs->by_id, e->c.id);
	list__remove(&e->by_use);
	list__remove(&e->lingering);
	cs->counters.closed++;
	connection__unref(&e->c);
}

static struct entry *entry__new(struct conns *cs)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		abort();
	e->c.release = entry__release;
	if (cs->by_id.n >= CONNS_MAX) {
		cs->counters.evicted++;
		entry__close(cs, LIST_ENTRY(cs->by_use.next, struct entry, by_use));
	}
	return e;
}

/* It lingers: records of its last transfers may still be on their way. */
static void conns__closing(struct conns *cs, const struct ws_rec_close *r)
{
	struct entry *e = table__get(&cs->by_id, r->conn);

	if (!e || e->closed_at)
		return;
	e->closed_at = r->head.time_ns;
	e->c.closed_here = r->state == TCP_FIN_WAIT1 || r->state == TCP_FIN_WAIT2 || r->state == TCP_TIME_WAIT;
	e->end[WS_DIR_IN] = r->rcv_seq;
	e->end[WS_DIR_OUT] = r->snd_seq;
	for (int dir = 0; dir < 2; dir++)
		e->lost_records[dir] = r->lost[dir];
	list__append(&cs->lingering, &e->lingering);
}

static void conns__handed(struct conns *cs, const struct ws_rec_handed *r)
{
	struct entry *e = table__get(&cs->by_id, r->conn);

	if (r->conn & WS_CAUSE_TIMER)
		exchanges__timer_ended(cs->exchanges, r->conn, r->cause, r->head.time_ns);
	else if (e && r->batch)
		exchanges__batched(cs->exchanges, &e->c, r->cause, r->head.time_ns - ((uint64_t)r->batch << WS_BATCH_SHIFT));
	else if (e)
		exchanges__handed(cs->exchanges, &e->c, r->cause, r->head.time_ns);
}

void conns__event(struct conns *c, const struct event *e)
{
	switch (e->type) {
	case WS_REC_DATA:
		conns__data(c, e->data, e->text);
		break;
	case WS_REC_CONN:
		conns__opened(c, e->conn);
		break;
	case WS_REC_CLOSE:
		conns__closing(c, e->close);
		break;
	case WS_REC_HANDED:
		conns__handed(c, e->handed);
		break;
	default:
		break;
	}
}

void conns__tick(struct conns *cs, uint64_t now)
{
	struct list *l, *before;

	while (!list__empty(&cs->lingering)) {
		struct entry *e = LIST_ENTRY(cs->lingering.next, struct entry, lingering);

		if (e->closed_at + LINGER_NS > now)
			break;
		entry__close(cs, e);
	}
	for (l = cs->by_use.prev; cs->n_held && l != &cs->by_use; l = before) {
		struct entry *e = LIST_ENTRY(l, struct entry, by_use);

		before = l->prev;
		for (int dir = 0; dir < 2; dir++)
			if (e->stream[dir].held && e->stream[dir].held->since + HELD_NS <= now)
				order__force(cs, e, dir);
	}
}

void conns__finish(struct conns *cs)
{
	while (!list__empty(&cs->by_use))
		entry__close(cs, LIST_ENTRY(cs->by_use.next, struct entry, by_use));
}

void conns__each_moved(const struct conns *cs, void (*fn)(void *ctx, const struct conn_moved *m), void *ctx)
{
	for (struct list *l = cs->by_use.prev; l != &cs->by_use; l = l->prev) {
		const struct entry *e = LIST_ENTRY(l, struct entry, by_use);
		struct conn_moved m = {.key = e->key};

		for (int dir = 0; dir < 2; dir++)
			m.bytes[dir] = e->stream[dir].next + e->before[dir];
		if (m.key && !e->closed_at)
			fn(ctx, &m);
	}
}

bool conns__is_open(const struct conns *cs, uint64_t conn)
{
	const struct entry *e = table__get(&cs->by_id, conn);

	return e && !e->closed_at;
}

void conns__left(struct conns *cs, uint32_t pid, uint64_t now)
{
	for (struct list *l = cs->by_use.next; l != &cs->by_use; l = l->next) {
		struct entry *e = LIST_ENTRY(l, struct entry, by_use);

		if (e->c.process && e->c.process->pid == pid)
			e->stream[WS_DIR_IN].left_ns = e->stream[WS_DIR_OUT].left_ns = now;
	}
}

void conns__missed(struct conns *cs, uint64_t conn, const uint64_t bytes[2])
{
	struct entry *e = table__get(&cs->by_id, conn);

	for (int dir = 0; e && dir < 2; dir++) {
		e->c.lost_bytes[dir] += bytes[dir];
		cs->counters.missed_gaps += bytes[dir] != 0;
		cs->counters.missed_bytes += bytes[dir];
	}
}

void conns__free(struct conns *c)
{
	if (!c)
		return;
	conns__finish(c);
	table__free(&c->by_id);
	peers__free(&c->peers);
	free(c);
}

const struct conn_counters *conns__counters(const struct conns *c)
{
	return &c->counters;
}
