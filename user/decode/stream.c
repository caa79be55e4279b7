/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c - in: the bytes of one direction, in order, with holes; out: messages, each with the
 * clocks of its first and last byte.
 *
 * Usually a chunk holds whole messages and is parsed where it lies. Only what a parser wants more
 * of is copied and kept.
 */
#include "decode/stream.h"

#include <stdlib.h>

#define HELD_KEEP 4096 /* a buffer up to this size waits for the next use */
#define BAD_MAX 4      /* messages in a row that were none: this is not the protocol */

/* Bytes to be parsed, and where they come from. */
struct source {
	struct slice bytes;
	uint64_t missing;
	uint64_t offset;	/* of bytes.p[0] */
	uint64_t fresh;		/* from this offset on, the clocks are those of `at`; before, of what was held */
	const struct stamp *at;
	uint64_t peer;
	bool turned;
	bool budget; /* what is missing was left out for the budget */
};

bool stream__hold(struct stream *s, struct slice bytes)
{
	size_t need = s->n + bytes.n;
	if (need > s->cap) {
		size_t cap = s->cap ? s->cap : 512;
		while (cap < need)
			cap *= 2;
		char *held = realloc(s->held, cap);
		if (!held)
			return false;
		s->held = held;
		s->cap = (uint32_t)cap;
	}
	if (bytes.n)
		memcpy(s->held + s->n, bytes.p, bytes.n);
	s->n = (uint32_t)need;
	return true;
}

void stream__drop(struct stream *s)
{
	s->n = 0;
	if (s->cap <= HELD_KEEP)
		return;
	free(s->held);
	s->held = NULL;
	s->cap = 0;
}

static void message__reset(struct message *m)
{
	m->kind = MSG_NONE;
	m->flags = m->forgotten = 0;
	attrs__clear(&m->attrs);
	m->name[0] = m->error_type[0] = m->error_message[0] = m->tracestate[0] = '\0';
	m->client_error = false;
	m->trace = (struct trace_context){0};
}

/* Both ends of the part, its clocks, and over to the next stage. */
static void stream__tell(struct pass *p, struct message *m, uint64_t offset, uint64_t end)
{
	m->protocol = p->r->protocol->name;
	m->offset = offset;
	m->end = end;
	m->peer_offset = p->s->begun_peer;
	p->s->turn_told = true;
	p->s->part_end = end;
	p->s->part_last = m->last;
	exchanges__message(p->d->exchanges, p->conn, m);
}

void stream__end(struct pass *p)
{
	struct message *m = &p->d->end;
	struct stream *s = p->s;
	if (!s->open)
		return;
	s->open = false;
	m->kind = s->kind;
	m->flags = MSG_ENDS;
	/* What was passed over belongs to it. */
	bool passed = s->skip && s->next > s->part_end;
	m->first = m->last = passed ? s->last : s->part_last;
	stream__tell(p, m, s->part_end, passed ? s->next : s->part_end);
}

static const struct stamp *source__stamp(const struct source *src, const struct stream *s, uint64_t offset)
{
	return offset >= src->fresh ? src->at : &s->held_at;
}

/* m: what the parser made of the next n bytes of the source. */
static void stream__message(struct pass *p, const struct source *src, uint64_t n)
{
	struct decode_counters *count = &p->d->counters;
	struct message *m = &p->d->m;
	struct stream *s = p->s;
	if (m->kind == MSG_NONE)
		return;
	m->first = *source__stamp(src, s, src->offset);
	m->last = *source__stamp(src, s, src->offset + n - (n > 0));
	bool push = m->kind == MSG_PUSH;
	if (!push && s->open && (m->flags & MSG_BEGINS))
		stream__end(p);
	if (!push && !s->open)
		m->flags |= MSG_BEGINS;
	if (push || (m->flags & MSG_BEGINS)) {
		p->r->bad = 0;
		count->messages++;
		count->ok[p->r->row]++;
	}
	if (!push) {
		if (m->flags & MSG_BEGINS)
			s->begun_peer = src->offset >= src->fresh ? src->peer : s->held_peer;
		s->open = !(m->flags & MSG_ENDS);
		s->kind = m->kind;
	}
	stream__tell(p, m, src->offset, src->offset + n);
}

static void source__pass(struct source *src, uint64_t n)
{
	uint64_t real = n < src->bytes.n ? n : src->bytes.n;
	if (real)
		src->bytes = slice__sub(src->bytes, (size_t)real, src->bytes.n);
	src->missing -= n - real;
	src->offset += n;
	src->turned = false;
}

/* The rest of the turn can not be read. */
static void stream__cut(struct pass *p, struct source *src)
{
	struct message *m = &p->d->m;
	uint64_t n = src->bytes.n + src->missing;
	bool in_body = p->s->open && !(m->flags & MSG_BEGINS);
	p->d->counters.truncated++;
	p->d->counters.skipped_bytes += n;
	if (src->budget)
		budget__more(p, in_body || p->s->turn_told);
	m->flags = (m->flags | MSG_CUT) & ~(unsigned)MSG_ENDS;
	stream__message(p, src, n);
	p->s->skip = true;
	stream__drop(p->s);
}

/* Keeps what is left; it lies in s->held already, or in the chunk. */
static void stream__keep(struct pass *p, struct source *src)
{
	struct stream *s = p->s;
	size_t left = src->bytes.n;
	if (left > DECODE_HOLD_MAX) {
		message__reset(&p->d->m);
		stream__cut(p, src);
		return;
	}
	if (src->offset >= src->fresh) {
		s->held_at = *src->at;
		s->held_peer = src->peer;
	}
	if (s->n) {
		if (src->bytes.p != s->held)
			memmove(s->held, src->bytes.p, left);
		s->n = (uint32_t)left;
	} else if (!stream__hold(s, src->bytes)) {
		message__reset(&p->d->m);
		stream__cut(p, src);
	}
}

static void stream__bad(struct pass *p, struct source *src)
{
	uint64_t n = src->bytes.n + src->missing;
	p->d->counters.bad++;
	decoder__opaque(p, n);
	stream__drop(p->s);
	p->s->skip = true;
	if (++p->r->bad >= BAD_MAX)
		decoder__give_up(p);
}

static enum decode_status stream__ask(struct pass *p, const struct source *src, uint64_t *n)
{
	struct parse_input in = {pass__side(p), src->bytes, src->missing, p->conn, src->turned};
	if (!in.bytes.n)
		in.bytes = SLICE(""); /* parsers may take parts of it: a null pointer has none */
	message__reset(&p->d->m);
	*n = 0;
	enum decode_status st = p->r->protocol->parse(p->r->state, &in, &p->d->m, n);
	/* A parser that breaks the contract must not take the agent with it. */
	bool takes = st == DECODE_OK || st == DECODE_UPGRADE;
	if (takes && (*n == 0 || *n > src->bytes.n + src->missing))
		st = DECODE_BAD;
	if (st == DECODE_MORE && src->missing)
		st = DECODE_TRUNC;
	p->d->counters.answers[st]++;
	p->d->counters.forgotten += p->d->m.forgotten;
	return st;
}

/* True: go on with what is left. */
static bool stream__step(struct pass *p, struct source *src)
{
	uint64_t n;
	enum decode_status st = stream__ask(p, src, &n);
	switch (st) {
	case DECODE_OK:
	case DECODE_UPGRADE:
		stream__message(p, src, n);
		p->d->counters.understood_bytes += n;
		source__pass(src, n);
		break;
	case DECODE_MORE: stream__keep(p, src); return false;
	case DECODE_TRUNC: stream__cut(p, src); return false;
	default: stream__bad(p, src); return false;
	}
	if (st == DECODE_OK)
		return src->bytes.n || src->missing;
	p->d->counters.upgraded++;
	decoder__opaque(p, src->bytes.n + src->missing);
	p->s->n = 0; /* counted just now */
	decoder__give_up(p);
	return false;
}

static void stream__parse(struct pass *p, struct source *src)
{
	if (!src->bytes.n && !src->missing)
		return;
	while (stream__step(p, src))
		;
	if (!src->bytes.n && !src->missing)
		stream__drop(p->s);
}

void stream__feed_held(struct pass *p)
{
	struct stream *s = p->s;
	struct source src = {
		.bytes = {s->held, s->n},
		.offset = p->c->offset - s->n,
		.fresh = UINT64_MAX,
		.at = &s->held_at,
		.turned = true,
	};
	stream__parse(p, &src);
}

void stream__lost(struct pass *p)
{
	const struct chunk *c = p->c;
	struct stream *s = p->s;
	uint64_t before = p->d->counters.messages;
	struct stamp last = s->seen ? s->last : c->at;
	struct source src = {
		.bytes = {s->held, s->n},
		.missing = c->lost_before,
		.offset = c->offset - c->lost_before - s->n,
		.fresh = c->offset - c->lost_before,
		.at = &last,
		.peer = c->peer_offset,
	};
	stream__parse(p, &src);
	if (p->d->counters.messages != before)
		exchanges__lost(p->d->exchanges, p->conn, p->dir, c->lost_before);
}

void stream__leave_out(struct pass *p)
{
	struct stream *s = p->s;
	p->d->counters.skipped_bytes += s->n + p->c->lost_before;
	s->skip = true;
	stream__drop(s);
}

/* Out of step: does a message begin here? */
static bool stream__resume(struct pass *p)
{
	const struct chunk *c = p->c;
	struct stream *s = p->s;
	bool clean = c->turned && (!c->lost_before || p->conn->shed);
	/* Nothing was seen that a request could be in the middle of; a gap may have hidden the turn. */
	bool guess = c->turned || (!s->seen && pass__side(p) == SIDE_CLIENT);
	if (!clean && !(guess && c->bytes.n && p->r->protocol->recognise(pass__side(p), c->bytes) == 2))
		return false;
	stream__end(p);
	p->r->protocol->resync(p->r->state, pass__side(p));
	p->d->counters.resyncs++;
	s->skip = false;
	return true;
}

void stream__feed(struct pass *p)
{
	const struct chunk *c = p->c;
	struct stream *s = p->s;
	struct source src = {
		.bytes = c->bytes,
		.missing = c->missing,
		.offset = c->offset - s->n,
		.fresh = c->offset,
		.at = &c->at,
		.peer = c->peer_offset,
		.turned = c->turned && !s->n,
		.budget = c->cap == WS_CAP_BUDGET,
	};
	if (s->skip && !stream__resume(p)) {
		p->d->counters.skipped_bytes += c->bytes.n + c->missing;
		/* Of a message that nobody knows. */
		if (!s->open)
			exchanges__opaque(p->d->exchanges, p->conn, p->dir, &c->at);
		return;
	}
	if (s->n) {
		if (!stream__hold(s, c->bytes)) {
			message__reset(&p->d->m);
			stream__cut(p, &src);
			return;
		}
		src.bytes = (struct slice){s->held, s->n};
	}
	stream__parse(p, &src);
}

void stream__finish(struct pass *p)
{
	struct message *m = &p->d->m;
	struct stream *s = p->s;
	message__reset(m);
	if (!p->r->protocol->finish || !p->r->protocol->finish(p->r->state, pass__side(p), m))
		return;
	m->first = m->last = s->last;
	if (!s->open)
		m->flags |= MSG_BEGINS;
	s->open = false;
	stream__tell(p, m, s->part_end, s->part_end);
}
