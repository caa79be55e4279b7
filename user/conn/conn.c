// SPDX-License-Identifier: Apache-2.0
/*
 * conn.c - in: events; out: chunks, in order, one connection and direction at a time.
 *
 * Events of one socket may arrive slightly out of order, because the kernel reports a send after it
 * has dropped the socket's lock. A transfer ahead of its turn waits (bounded in number and time);
 * what never comes is a gap. A closed connection lingers for a moment for the same reason.
 */
#include "conn/conn.h"

#include <stdlib.h>

#include "conn/peer.h"
#include "util/list.h"
#include "util/table.h"

#define CONNS_MAX 65536
#define HELD_MAX 32		     /* transfers of one direction that wait for an earlier one */
#define HELD_NS (100ull * 1000000)   /* how long */
#define LINGER_NS (100ull * 1000000) /* a closed connection */

/* A transfer that came too early, copied. */
struct held {
	struct held *next;
	uint64_t since;
	struct ws_rec_data *data; /* behind this, with its payload */
};

struct stream {
	bool known;    /* next means something */
	bool begun;    /* a chunk was passed on */
	uint64_t next; /* offset of the next byte: TCP sequence, extended */
	uint64_t lost; /* bytes lost since the last chunk */
	struct held *held;
	unsigned n_held;
};

struct entry {
	struct connection c;
	struct stream stream[2];
	int last_dir; /* of the last chunk, -1 none */
	bool addressed; /* a CONN record came */
	uint64_t closed_at;
	uint32_t end[2];       /* the socket's last sequence numbers: by enum ws_dir */
	bool lost_records[2];  /* the kernel could not make all records of that direction */
	struct list by_use;
	struct list lingering;
};

struct conns {
	struct table by_id;
	struct peers peers;
	struct decode *decode;
	struct exchanges *exchanges;
	struct meta *meta;
	budget_fn *budget;
	void *budget_ctx;
	struct conn_counters counters;
	struct list by_use;    /* all entries, least recently used first */
	struct list lingering; /* closed ones, by time */
	unsigned n_held;
};

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

static void entry__use_process(struct conns *cs, struct entry *e, uint32_t tgid)
{
	struct process *p;

	/* Nobody known is a process, too: every span has one. */
	if (e->c.process && (!tgid || e->c.process->pid == tgid))
		return;
	p = process__ref(meta__process(cs->meta, tgid));
	process__unref(e->c.process);
	e->c.process = p;
}

/* Passes one transfer on. lost: bytes known to be missing before it. */
static void stream__deliver(struct conns *cs, struct entry *e, const struct ws_rec_data *d, const char *payload)
{
	struct stream *s = &e->stream[d->dir], *other = &e->stream[!d->dir];
	struct ws_budget_pair budget;
	bool for_port;
	struct chunk c = {
		.dir = d->dir,
		.offset = s->next,
		.peer_offset = other->known ? other->next : 0,
		.bytes = {payload, d->cap_len},
		.missing = d->wire_len - d->cap_len,
		.cap = d->cap,
		.lost_before = s->lost,
		.turned = e->last_dir != d->dir,
		.at = {d->start_ns, d->head.time_ns, d->actor, d->polls, d->watched},
	};

	entry__use_process(cs, e, d->actor.tgid);
	e->last_dir = d->dir;
	s->next += d->wire_len;
	s->begun = true;
	s->lost = 0;
	decode__chunk(cs->decode, &e->c, &c);
	if (cs->budget && decode__budget(cs->decode, &e->c, &budget, &for_port))
		cs->budget(cs->budget_ctx, &e->c, &budget, for_port);
}

static void stream__skip(struct conns *cs, struct entry *e, enum ws_dir dir, uint64_t bytes)
{
	struct stream *s = &e->stream[dir];

	s->next += bytes;
	s->lost += bytes;
	e->c.lost_bytes[dir] += bytes;
	cs->counters.gaps++;
	cs->counters.gap_bytes += bytes;
}

/* Passes on what waits and is now in turn; with `force` also what is not. */
static void stream__drain(struct conns *cs, struct entry *e, enum ws_dir dir, bool force)
{
	struct stream *s = &e->stream[dir];

	while (s->held) {
		struct held *h = s->held;
		int32_t ahead = (int32_t)(h->data->seq - (uint32_t)s->next);

		if (ahead > 0 && !force && s->n_held <= HELD_MAX)
			return;
		s->held = h->next;
		s->n_held--;
		cs->n_held--;
		if (ahead > 0)
			stream__skip(cs, e, dir, (uint64_t)ahead);
		if (ahead >= 0)
			stream__deliver(cs, e, h->data, (const char *)h->data->payload);
		else
			cs->counters.duplicates++;
		free(h);
	}
}

static void stream__hold(struct conns *cs, struct entry *e, const struct ws_rec_data *d, struct slice payload)
{
	struct stream *s = &e->stream[d->dir];
	struct held *h = malloc(sizeof(*h) + sizeof(*d) + payload.n), **at = &s->held;

	if (!h)
		abort();
	h->data = (struct ws_rec_data *)(h + 1);
	*h->data = *d;
	h->since = d->head.time_ns;
	memcpy(h->data->payload, payload.p, payload.n);
	while (*at && (int32_t)((*at)->data->seq - d->seq) < 0)
		at = &(*at)->next;
	h->next = *at;
	*at = h;
	s->n_held++;
	cs->n_held++;
	cs->counters.reordered++;
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
	struct stream *s = &e->stream[d->dir];
	int32_t ahead;

	if (!e->addressed)
		cs->counters.unknown++;
	if (!s->known) {
		s->known = true;
		/* Far from 0, so that a step back never underflows. */
		s->next = (1ull << 32) + d->seq;
	}
	ahead = (int32_t)(d->seq - (uint32_t)s->next);
	if (ahead < 0 && !s->begun) {
		/* The connection was announced by this very transfer, after it had moved the bytes. */
		s->next -= (uint64_t)-(int64_t)ahead;
		ahead = 0;
	}
	if (ahead < 0) {
		cs->counters.duplicates++;
		return;
	}
	if (ahead > 0) {
		stream__hold(cs, e, d, payload);
	} else {
		stream__deliver(cs, e, d, payload.p);
	}
	stream__drain(cs, e, d->dir, false);
}

static void conns__opened(struct conns *cs, const struct ws_rec_conn *r)
{
	const uint32_t seq[2] = {r->rcv_seq, r->snd_seq};
	struct entry *e = table__get(&cs->by_id, r->conn);

	/* A socket that connects again after a failure has the same cookie. */
	if (e && e->closed_at)
		entry__close(cs, e);
	e = entry__get(cs, r->conn);

	if (r->head.flags & WS_CONN_CONNECTING) {
		e->c.role = r->role;
		e->c.owner = r->actor;
		e->c.connect_ns = r->connect_ns;
		entry__use_process(cs, e, r->actor.tgid);
		exchanges__connecting(cs->exchanges, &e->c);
		return;
	}
	if (e->addressed)
		return; /* announced twice: by the iterator and by its first transfer */
	e->addressed = true;
	e->c.role = r->role;
	e->c.origin = r->origin;
	memcpy(e->c.local.addr, r->local, 16);
	memcpy(e->c.remote.addr, r->remote, 16);
	e->c.local.port = r->local_port;
	e->c.remote.port = r->remote_port;
	e->c.netns = r->netns;
	endpoint__print(&e->c.local, e->c.local_text);
	endpoint__print(&e->c.remote, e->c.remote_text);
	e->c.owner = r->actor;
	e->c.connect_ns = r->connect_ns;
	e->c.established_ns = r->established_ns;
	for (int dir = 0; dir < 2; dir++) {
		if (e->stream[dir].known || !seq[dir])
			continue;
		e->stream[dir].known = true;
		e->stream[dir].next = (1ull << 32) + seq[dir];
	}
	entry__use_process(cs, e, r->actor.tgid);
	peers__add(&cs->peers, &e->c);
}

/* What the socket's last sequence numbers tell of lost bytes. */
static void stream__tail(struct conns *cs, struct entry *e, enum ws_dir dir)
{
	struct stream *s = &e->stream[dir];
	int32_t rest;

	stream__drain(cs, e, dir, true);
	rest = (int32_t)(e->end[dir] - (uint32_t)s->next);
	/* A FIN takes one number of its own. Only what the kernel says it lost is loss. */
	if (!s->known || !e->lost_records[dir] || rest <= 1)
		return;
	stream__skip(cs, e, dir, (uint64_t)rest);
	exchanges__lost(cs->exchanges, &e->c, dir, (uint64_t)rest);
}

/* Nothing more will come. */
static void entry__close(struct conns *cs, struct entry *e)
{
	stream__tail(cs, e, WS_DIR_IN);
	stream__tail(cs, e, WS_DIR_OUT);
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
	e->end[WS_DIR_IN] = r->rcv_seq;
	e->end[WS_DIR_OUT] = r->snd_seq;
	for (int dir = 0; dir < 2; dir++)
		e->lost_records[dir] = r->lost[dir];
	list__append(&cs->lingering, &e->lingering);
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
				stream__drain(cs, e, dir, true);
	}
}

void conns__finish(struct conns *cs)
{
	while (!list__empty(&cs->by_use))
		entry__close(cs, LIST_ENTRY(cs->by_use.next, struct entry, by_use));
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
