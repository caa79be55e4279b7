/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seek.c - which protocol does a connection speak? In: its first bytes, of either side. Out: a row
 * of the table, or that there is none.
 *
 * A connection that we saw being born begins with a message: one look tells. One that is older may
 * be in the middle of anything: the first bytes of the client are worth a look (it may have been
 * idle), otherwise we wait for a turn, and give up after some of them.
 */
#include "decode/stream.h"

#include <stdlib.h>

#define MISSES_MAX 8

/* How much a row likes these bytes, and as whose. */
struct verdict {
	int likes; /* 0 no, 1 perhaps, 2 yes */
	unsigned row;
	enum decode_side side;
};

static struct verdict seek__ask(struct slice bytes, bool client, bool server)
{
	struct verdict best = {0};
	for (unsigned i = 0; protocols[i]; i++) {
		for (int side = SIDE_CLIENT; side <= SIDE_SERVER; side++) {
			if (!(side == SIDE_CLIENT ? client : server))
				continue;
			int likes = protocols[i]->recognise((enum decode_side)side, bytes);
			if (likes > best.likes)
				best = (struct verdict){likes, i, (enum decode_side)side};
		}
	}
	return best;
}

static struct verdict seek__look(const struct pass *p, struct slice bytes, bool begins)
{
	enum ws_role role = p->conn->role;
	bool from_client = role == WS_ROLE_UNKNOWN || pass__side(p) == SIDE_CLIENT;
	bool from_server = role == WS_ROLE_UNKNOWN || pass__side(p) == SIDE_SERVER;
	return seek__ask(bytes, from_client, from_server && begins);
}

/* The role tells which direction is the client's. */
static void seek__set_role(struct pass *p, enum decode_side side)
{
	bool requests_in = (p->dir == WS_DIR_IN) == (side == SIDE_CLIENT);
	if (p->conn->role == WS_ROLE_UNKNOWN)
		p->conn->role = requests_in ? WS_ROLE_ACCEPTED : WS_ROLE_CONNECTED;
}

/* What the other direction has said so far: begins a message, or was in the middle of one. */
static void seek__join(struct pass *p)
{
	struct stream *s = p->s;
	bool begins = !s->seen && p->conn->origin == WS_ORIGIN_NEW;
	s->skip = !begins && !s->n;
	if (s->n)
		stream__feed_held(p);
}

static bool seek__found(struct pass *p, struct verdict v)
{
	struct decoder *r = p->r;
	struct pass other = *p;
	const struct protocol *proto = protocols[v.row];
	r->state = calloc(1, proto->state_size ? proto->state_size : 1);
	if (!r->state)
		return false;
	r->protocol = proto;
	r->row = v.row;
	r->mode = DECODER_KNOWN;
	p->d->counters.recognised++;
	seek__set_role(p, v.side);
	if (proto->multiplexed)
		r->want.dir[0].mode = r->want.dir[1].mode = WS_BUDGET_STREAM;
	other.dir = p->dir == WS_DIR_IN ? WS_DIR_OUT : WS_DIR_IN;
	other.s = &r->stream[other.dir];
	struct chunk c = {.dir = other.dir, .offset = p->c->peer_offset, .at = other.s->last};
	other.c = &c;
	seek__join(&other);
	return true;
}

/* No row, or not to be found out here. */
static void seek__miss(struct pass *p, bool sure, uint64_t bytes)
{
	stream__drop(p->s);
	decoder__opaque(p, bytes);
	if (sure || ++p->r->misses >= MISSES_MAX)
		decoder__give_up(p);
}

/* Drops what was held before a hole, or before a turn that is a better place to begin. */
static void seek__restart(struct pass *p)
{
	uint64_t dropped = p->s->n + p->c->lost_before;
	if (dropped)
		decoder__opaque(p, dropped);
	stream__drop(p->s);
	p->s->seen |= p->c->lost_before > 0;
}

/* Held bytes and those of this chunk, for a look. */
static struct slice seek__all(struct stream *s, const struct chunk *c)
{
	if (!s->n)
		return c->bytes;
	return stream__hold(s, c->bytes) ? (struct slice){s->held, s->n} : (struct slice){NULL, 0};
}

static void seek__wait(struct pass *p, uint32_t held)
{
	struct stream *s = p->s;
	if (held)
		return; /* the bytes have just been added */
	s->held_at = p->c->at;
	s->held_peer = p->c->peer_offset;
	stream__hold(s, p->c->bytes);
}

void seek__chunk(struct pass *p)
{
	const struct chunk *c = p->c;
	struct stream *s = p->s;
	if (c->lost_before || (c->turned && !s->sure))
		seek__restart(p);
	if (!s->n)
		s->sure = !s->seen && p->conn->origin == WS_ORIGIN_NEW;
	bool begins = s->n || s->sure || (c->turned && !c->lost_before);
	/* Nothing to look at, or in the middle of something. */
	if (!c->bytes.n || (!begins && s->seen)) {
		decoder__opaque(p, s->n + c->bytes.n + c->missing);
		stream__drop(s);
		return;
	}
	uint32_t held = s->n;
	struct slice all = seek__all(s, c);
	struct verdict v = seek__look(p, all, begins);
	if (v.likes == 1 && all.n < DECODE_RECOGNISE_MAX && !c->missing) {
		seek__wait(p, held);
		return;
	}
	s->n = held;
	if (v.likes < 2 || !seek__found(p, v)) {
		seek__miss(p, s->sure && !v.likes, held + c->bytes.n + c->missing);
		return;
	}
	/* What the other side had said may have ended it all. */
	if (p->r->mode == DECODER_KNOWN)
		stream__feed(p);
	else
		decoder__opaque(p, c->bytes.n + c->missing);
}
