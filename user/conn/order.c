// SPDX-License-Identifier: Apache-2.0
/*
 * order.c - the bytes of a direction in the order of TCP's sequence. A transfer ahead of its turn waits
 * (bounded in number here, in time by conns__tick); what never comes is a gap. Contract: state.h.
 */
#include "conn/state.h"

#include <stdlib.h>

#define HELD_MAX 32 /* transfers of one direction that wait for an earlier one */

/* Passes one transfer on, and what is known to be missing before it. */
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
		.turned = d->head.flags & WS_DATA_SHED ? d->head.flags & WS_DATA_TURNED : e->last_dir != d->dir,
		.at = {d->start_ns, d->head.time_ns, d->actor, d->polls, d->watched},
	};

	entry__use_process(cs, e, d->actor.tgid);
	e->last_dir = d->dir;
	s->next += d->wire_len;
	s->begun = true;
	e->c.shed = s->shed;
	s->lost = 0;
	s->shed = false;
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

/* The kernel says that what came before was left out; how much, the sequence tells, however much it is. */
static void stream__skip_shed(struct conns *cs, struct stream *s, const struct ws_rec_data *d)
{
	uint64_t bytes = d->seq - (uint32_t)s->next;

	if (!s->known || !bytes)
		return;
	s->next += bytes;
	s->lost += bytes;
	s->shed = true;
	cs->counters.shed_gaps++;
	cs->counters.shed_bytes += bytes;
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

void order__take(struct conns *cs, struct entry *e, const struct ws_rec_data *d, struct slice payload)
{
	struct stream *s = &e->stream[d->dir];
	int32_t ahead;

	if (d->head.flags & WS_DATA_SHED || (s->left_ns && d->head.time_ns > s->left_ns)) {
		stream__skip_shed(cs, s, d);
		s->left_ns = 0;
	}
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
	if (ahead > 0)
		stream__hold(cs, e, d, payload);
	else
		stream__deliver(cs, e, d, payload.p);
	stream__drain(cs, e, d->dir, false);
}

void order__force(struct conns *cs, struct entry *e, enum ws_dir dir)
{
	stream__drain(cs, e, dir, true);
}

void order__end(struct conns *cs, struct entry *e, enum ws_dir dir)
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
