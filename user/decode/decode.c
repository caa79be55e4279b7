/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode.c - see decode.h. The way of a chunk:
 *
 *   decode__chunk -> seek (which protocol?) -> stream (held bytes, parser, clocks) -> exchanges__*
 *
 * and back: decode__budget says how much of the next turns the kernel should copy (budget.c).
 */
#include "decode/decode.h"

#include <stdlib.h>

#include "decode/stream.h"

#define OPAQUE_ENOUGH 4096 /* bytes after which nobody will understand the rest either */

struct decode *decode__new(struct exchanges *x)
{
	struct decode *d = calloc(1, sizeof(*d));
	if (!d)
		abort();
	d->exchanges = x;
	return d;
}

void decode__free(struct decode *d)
{
	if (!d)
		return;
	attrs__free(&d->m.attrs);
	attrs__free(&d->end.attrs);
	free(d);
}

const struct decode_counters *decode__counters(const struct decode *d)
{
	return &d->counters;
}

static struct decoder *decoder__new(void)
{
	struct decoder *r = calloc(1, sizeof(*r));
	if (!r)
		abort();
	budget__init(r);
	return r;
}

static void decoder__drop_state(struct decoder *r)
{
	if (r->state && r->protocol->release)
		r->protocol->release(r->state);
	free(r->state);
	r->state = NULL;
}

void decoder__opaque(struct pass *p, uint64_t bytes)
{
	struct decoder *r = p->r;
	p->d->counters.undecodable_bytes += bytes;
	r->opaque_bytes += bytes;
	if (r->mode == DECODER_OPAQUE && r->opaque_bytes >= OPAQUE_ENOUGH)
		r->want.dir[0].mode = r->want.dir[1].mode = WS_BUDGET_SIZES;
	if (bytes)
		exchanges__opaque(p->d->exchanges, p->conn, p->dir, &p->c->at);
}

void decoder__give_up(struct pass *p)
{
	struct decoder *r = p->r;
	if (r->mode == DECODER_OPAQUE)
		return;
	for (int dir = 0; dir < 2; dir++) {
		struct pass one = *p;
		one.dir = (enum ws_dir)dir;
		one.s = &r->stream[dir];
		stream__end(&one);
		p->d->counters.undecodable_bytes += one.s->n;
		r->opaque_bytes += one.s->n;
		stream__drop(one.s);
	}
	decoder__drop_state(r);
	r->mode = DECODER_OPAQUE;
	p->d->counters.opaque++;
}

static void decode__gap(struct pass *p)
{
	const struct chunk *c = p->c;
	p->d->counters.lost_bytes += c->lost_before;
	/* Left out were whole responses, if another one begins here. */
	if (!p->conn->shed || !c->turned || pass__side(p) == SIDE_CLIENT)
		exchanges__lost(p->d->exchanges, p->conn, p->dir, c->lost_before);
	switch (p->r->mode) {
	case DECODER_SEEK: break; /* seek looks at it itself */
	case DECODER_OPAQUE: p->d->counters.undecodable_bytes += c->lost_before; break;
	case DECODER_KNOWN:
		if (p->conn->shed)
			stream__leave_out(p);
		else if (p->s->skip)
			p->d->counters.skipped_bytes += c->lost_before;
		else
			stream__lost(p);
	}
}

/* The other direction speaks: what was cut in this one has ended. */
static void decode__turn(const struct pass *p)
{
	struct pass other = *p;
	other.dir = p->dir == WS_DIR_IN ? WS_DIR_OUT : WS_DIR_IN;
	other.s = &p->r->stream[other.dir];
	if (other.s->skip)
		stream__end(&other);
}

void decode__chunk(struct decode *d, struct connection *conn, const struct chunk *c)
{
	if (!conn->decoder)
		conn->decoder = decoder__new();
	struct decoder *r = conn->decoder;
	struct pass p = {d, conn, r, &r->stream[c->dir], c->dir, c};
	conn->missing_for = c->cap;
	budget__chunk(&p);
	if (c->lost_before)
		decode__gap(&p);
	if (c->turned)
		decode__turn(&p);
	switch (r->mode) {
	case DECODER_SEEK: seek__chunk(&p); break;
	case DECODER_KNOWN: stream__feed(&p); break;
	case DECODER_OPAQUE: decoder__opaque(&p, c->bytes.n + c->missing); break;
	}
	p.s->seen = true;
	p.s->last = c->at;
	p.s->next = c->offset + c->bytes.n + c->missing;
}

static void decode__close_stream(struct pass *p, uint64_t time_ns)
{
	struct stream *s = p->s;
	if (!s->last.end_ns)
		s->last.end_ns = time_ns;
	if (p->r->mode == DECODER_KNOWN && s->skip)
		stream__end(p);
	else if (p->r->mode == DECODER_KNOWN)
		stream__finish(p);
	/* A message whose end never came. */
	p->d->counters.truncated += p->r->mode == DECODER_KNOWN && s->n;
	p->d->counters.undecodable_bytes += s->n;
	free(s->held);
}

void decode__closed(struct decode *d, struct connection *conn, uint64_t time_ns)
{
	struct decoder *r = conn->decoder;
	if (!r)
		return;
	enum ws_dir requests = connection__request_dir(conn);
	for (int i = 0; i < 2; i++) {
		enum ws_dir dir = i == 0 ? requests : (enum ws_dir)!requests;
		struct pass p = {d, conn, r, &r->stream[dir], dir, NULL};
		decode__close_stream(&p, time_ns);
	}
	decoder__drop_state(r);
	free(r);
	conn->decoder = NULL;
}
