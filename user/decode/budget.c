/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.c - how much of the next turns the kernel should copy. In: what it copied so far, and where
 * a parser wanted more. Out: decode__budget.
 *
 * What a connection starts with (attach's default, or what was learned for its port) is not told: a
 * turn that was cut shows it. A larger HEAD helps every connection of the port; STREAM, for framing
 * that goes on through a body, and SIZES, for bytes that nobody understands, are this connection's own.
 */
#include "decode/stream.h"

#define HEAD_BYTES 4096 /* what connections most likely start with */
#define CALM_ENOUGH 64	/* turns in a row that HEAD would have been enough for */

void budget__init(struct decoder *r)
{
	for (int dir = 0; dir < 2; dir++)
		r->want.dir[dir] = (struct ws_budget){WS_BUDGET_HEAD, HEAD_BYTES};
	r->asked = r->want;
}

/* A turn has ended. */
static void budget__turn(struct decoder *r, struct stream *s, struct ws_budget *want)
{
	bool stays = r->mode != DECODER_KNOWN || r->protocol->multiplexed;

	s->calm = s->turn_bytes <= WS_PAYLOAD_MAX ? (uint8_t)(s->calm + 1) : 0;
	if (want->mode != WS_BUDGET_STREAM || stays) {
		s->calm = 0;
	} else if (s->calm >= CALM_ENOUGH) {
		*want = (struct ws_budget){WS_BUDGET_HEAD, WS_PAYLOAD_MAX};
		s->calm = 0;
	}
}

/* What the connection has started with, as far as its bytes show it. */
static void budget__learn(struct decoder *r, const struct stream *s, const struct chunk *c, bool begins)
{
	struct ws_budget *has = &r->asked.dir[c->dir], *want = &r->want.dir[c->dir];

	if (c->cap == WS_CAP_BUDGET && begins && !c->bytes.n)
		has->mode = WS_BUDGET_SIZES; /* HEAD gives the first byte of every turn */
	if (want->mode != WS_BUDGET_HEAD || has->mode != WS_BUDGET_HEAD)
		return;
	if (c->cap == WS_CAP_BUDGET && c->bytes.n)
		has->head_bytes = want->head_bytes = (uint32_t)(s->turn_bytes - c->missing);
	else if (s->turn_captured > has->head_bytes)
		has->head_bytes = want->head_bytes = WS_PAYLOAD_MAX;
}

void budget__chunk(struct pass *p)
{
	const struct chunk *c = p->c;
	struct stream *s = p->s;
	bool begins = c->turned || !s->seen;

	if (begins) {
		if (s->seen)
			budget__turn(p->r, s, &p->r->want.dir[p->dir]);
		s->turn_bytes = s->turn_captured = 0;
		s->turn_told = false;
	}
	s->turn_bytes += c->lost_before + c->bytes.n + c->missing;
	s->turn_captured += c->bytes.n;
	if (!p->r->has_asked)
		budget__learn(p->r, s, c, begins);
}

void budget__more(struct pass *p, bool framing)
{
	struct ws_budget *b = &p->r->want.dir[p->dir];
	uint64_t need = p->s->turn_bytes;
	uint32_t head = HEAD_BYTES;

	if (b->mode != WS_BUDGET_HEAD)
		return;
	if (framing && (need > WS_PAYLOAD_MAX || b->head_bytes >= WS_PAYLOAD_MAX)) {
		b->mode = WS_BUDGET_STREAM;
		return;
	}
	while (head < WS_PAYLOAD_MAX && (head < need || head <= b->head_bytes))
		head *= 2;
	if (b->head_bytes < head)
		b->head_bytes = head;
}

/* Larger, and nothing else has changed. */
static bool budget__for_port(const struct decoder *r)
{
	bool larger = false;

	for (int dir = 0; dir < 2; dir++) {
		const struct ws_budget *has = &r->asked.dir[dir], *want = &r->want.dir[dir];
		if (has->mode != WS_BUDGET_HEAD || want->mode != WS_BUDGET_HEAD)
			return false;
		larger |= want->head_bytes > has->head_bytes;
	}
	return larger;
}

bool decode__budget(struct decode *d, struct connection *conn, struct ws_budget_pair *b, bool *for_port)
{
	struct decoder *r = conn->decoder;

	if (!r || memcmp(&r->want, &r->asked, sizeof(r->want)) == 0)
		return false;
	*for_port = budget__for_port(r);
	*b = r->asked = r->want;
	r->has_asked = true;
	return true;
}
