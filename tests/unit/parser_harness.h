/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser_harness.h - what every parser must survive, written once. A case is a dialogue (turns of
 * bytes, client or server) and the messages that must come of it, one line each:
 *
 *   request GET url.path="/x" n=3
 *   response 200 n=3 [error=500 "text"] [client-error] [cut] [silent] [no-response] [unsent-ok] [open]
 *
 * A message that comes in parts is put together again, so the transcript does not depend on how the
 * bytes were cut. `open` is one whose end was not seen. Also printed if there: trace=... state=...
 *
 *   harness__check()    the dialogue whole, cut in two at every byte, byte by byte: same transcript;
 *                       every prefix: OK then MORE, or with bytes missing OK then TRUNC, never BAD
 *   harness__cut()      a dialogue with bytes missing after its turns (struct turn.missing)
 *   harness__status()   what the parser says to one piece of bytes
 *   harness__recognise()  what it says to beginnings of connections
 *
 * Parsers are called with their input flush against an unmapped page (guard.h).
 */
#ifndef TEST_PARSER_HARNESS_H
#define TEST_PARSER_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "decode/decode.h"
#include "guard.h"

struct turn {
	enum decode_side side;
	struct slice bytes;
	uint64_t missing; /* not captured after them */
};
#define TURN_CLIENT(literal) {SIDE_CLIENT, SLICE(literal), 0}
#define TURN_SERVER(literal) {SIDE_SERVER, SLICE(literal), 0}
#define TURNS(...) ((struct turn[]){__VA_ARGS__}), sizeof((struct turn[]){__VA_ARGS__}) / sizeof(struct turn)

/* A message as far as it has come. */
struct harness_part {
	bool open;
	enum message_kind kind;
	unsigned flags;
	uint64_t bytes;
	char name[96], error_type[48], error_message[256], tracestate[513];
	bool client_error;
	struct trace_context trace;
	struct attrs attrs;
};

struct harness {
	const struct protocol *p;
	struct connection conn;
	void *state;
	struct guard guard;
	struct message m;
	char *held[2];
	size_t n[2], cap[2];
	bool skip[2], gone; /* after TRUNC until the next turn; after UPGRADE */
	struct harness_part part[2];
	enum decode_status last;
	unsigned forgotten; /* of all messages */
	FILE *out;
	char *text;
	size_t text_n;
};

static inline void harness__open(struct harness *h, const struct protocol *p, enum ws_role role)
{
	*h = (struct harness){.p = p, .conn.role = role, .last = DECODE_MORE};
	h->state = calloc(1, p->state_size ? p->state_size : 1);
	h->guard = guard__new(DECODE_HOLD_MAX * 4);
	h->out = open_memstream(&h->text, &h->text_n);
	assert_true(h->state && h->out);
}

/* The transcript; to be freed. */
static inline char *harness__close(struct harness *h)
{
	if (h->p->release)
		h->p->release(h->state);
	free(h->state);
	for (int s = 0; s < 2; s++) {
		free(h->held[s]);
		attrs__free(&h->part[s].attrs);
	}
	attrs__free(&h->m.attrs);
	guard__free(&h->guard);
	fclose(h->out);
	return h->text;
}

static inline void harness__print_attrs(FILE *f, const struct attrs *a)
{
	for (unsigned i = 0; i < a->n; i++) {
		const struct attr *at = &a->v[i];
		struct slice s = at->type == ATTR_STR ? attr__text(a, at) : (struct slice){NULL, 0};
		switch (at->type) {
		case ATTR_STR: fprintf(f, " %s=\"%.*s\"", at->key, (int)s.n, s.n ? s.p : ""); break;
		case ATTR_INT: fprintf(f, " %s=%lld", at->key, (long long)at->i); break;
		case ATTR_BOOL: fprintf(f, " %s=%s", at->key, at->i ? "true" : "false"); break;
		case ATTR_DOUBLE: fprintf(f, " %s=%g", at->key, at->d); break;
		}
	}
}

static inline void harness__print_trace(FILE *f, const struct harness_part *p)
{
	if (p->trace.valid) {
		fputs(" trace=", f);
		for (int i = 0; i < 16; i++)
			fprintf(f, "%02x", p->trace.trace_id[i]);
		fputc('-', f);
		for (int i = 0; i < 8 && p->trace.has_span; i++)
			fprintf(f, "%02x", p->trace.span_id[i]);
		fprintf(f, "-%02x", p->trace.flags);
	}
	if (p->tracestate[0])
		fprintf(f, " state=%s", p->tracestate);
}

static inline void harness__print(struct harness *h, struct harness_part *p)
{
	static const char *const kind[] = {"none", "request", "response", "push"};
	FILE *f = h->out;
	fprintf(f, "%s", kind[p->kind]);
	if (p->name[0])
		fprintf(f, " %s", p->name);
	harness__print_attrs(f, &p->attrs);
	fprintf(f, " n=%llu", (unsigned long long)p->bytes);
	if (p->flags & MSG_ERROR || p->error_type[0])
		fprintf(f, " error=%s \"%s\"", p->error_type, p->error_message);
	if (p->client_error)
		fputs(" client-error", f);
	if (p->flags & MSG_CUT)
		fputs(" cut", f);
	if (p->flags & MSG_SILENT)
		fputs(" silent", f);
	if (p->flags & MSG_NO_RESPONSE)
		fputs(" no-response", f);
	if (p->flags & MSG_UNSENT_OK)
		fputs(" unsent-ok", f);
	harness__print_trace(f, p);
	if (p->open)
		fputs(" open", f);
	fputc('\n', f);
	attrs__free(&p->attrs);
	*p = (struct harness_part){0};
}

static inline void harness__copy(char *to, size_t size, const char *from)
{
	if (from[0])
		snprintf(to, size, "%s", from);
}

static inline void harness__part(struct harness *h, enum decode_side side, const struct message *m, uint64_t bytes)
{
	struct harness_part one = {0};
	/* A push may come between the parts of a response. */
	struct harness_part *p = m->kind == MSG_PUSH ? &one : &h->part[side];
	if (m->kind == MSG_NONE)
		return;
	if (p->open && m->flags & MSG_BEGINS)
		harness__print(h, p);
	p->open = true;
	p->kind = m->kind;
	p->flags |= m->flags;
	p->bytes += bytes;
	harness__copy(p->name, sizeof(p->name), m->name);
	harness__copy(p->error_type, sizeof(p->error_type), m->error_type);
	harness__copy(p->error_message, sizeof(p->error_message), m->error_message);
	harness__copy(p->tracestate, sizeof(p->tracestate), m->tracestate);
	p->client_error |= m->client_error;
	if (m->trace.valid)
		p->trace = m->trace;
	attrs__merge(&p->attrs, &m->attrs);
	if (m->flags & MSG_ENDS || m->kind == MSG_PUSH) {
		p->open = false;
		harness__print(h, p);
	}
}

static inline enum decode_status harness__call(struct harness *h, enum decode_side side, struct slice bytes,
					       uint64_t missing, bool turned, uint64_t *consumed)
{
	struct parse_input in = {side, guard__put(&h->guard, bytes), missing, &h->conn, turned};
	attrs__free(&h->m.attrs);
	h->m = (struct message){0};
	*consumed = 0;
	enum decode_status st = h->p->parse(h->state, &in, &h->m, consumed);
	h->forgotten += h->m.forgotten;
	if (st == DECODE_OK || st == DECODE_UPGRADE) {
		assert_true(*consumed > 0);
		assert_true(*consumed <= bytes.n + missing);
	}
	assert_false(st == DECODE_TRUNC && missing == 0);
	assert_false(st == DECODE_MORE && missing > 0);
	return st;
}

/* Eats `used` of the bytes held; what is left over was missing. */
static inline uint64_t harness__eat(struct harness *h, enum decode_side side, uint64_t used)
{
	size_t real = used < h->n[side] ? (size_t)used : h->n[side];
	memmove(h->held[side], h->held[side] + real, h->n[side] - real);
	h->n[side] -= real;
	return used - real;
}

static inline void harness__feed(struct harness *h, enum decode_side side, struct slice bytes, uint64_t missing, bool turned)
{
	uint64_t consumed;
	if (h->gone || (h->skip[side] && !turned))
		return;
	if (h->skip[side])
		h->p->resync(h->state, side);
	h->skip[side] = false;
	if (h->cap[side] < h->n[side] + bytes.n + 1) {
		h->cap[side] = h->n[side] + bytes.n + 4096;
		h->held[side] = realloc(h->held[side], h->cap[side]);
		assert_non_null(h->held[side]);
	}
	if (bytes.n)
		memcpy(h->held[side] + h->n[side], bytes.p, bytes.n);
	h->n[side] += bytes.n;
	while (h->n[side] || missing) {
		struct slice in = {h->held[side], h->n[side]};
		h->last = harness__call(h, side, in, missing, turned, &consumed);
		turned = false;
		if (h->last == DECODE_MORE || h->last == DECODE_BAD)
			return;
		if (h->last == DECODE_TRUNC) {
			h->m.flags = (h->m.flags | MSG_CUT) & ~(unsigned)MSG_ENDS;
			harness__part(h, side, &h->m, h->n[side] + missing);
			h->n[side] = 0;
			h->skip[side] = true;
			return;
		}
		harness__part(h, side, &h->m, consumed);
		missing -= harness__eat(h, side, consumed);
		if (h->last == DECODE_UPGRADE) {
			h->gone = true;
			return;
		}
	}
}

/* The connection is closed: messages that end with the stream end, others stay open. */
static inline void harness__finish(struct harness *h)
{
	for (int s = 0; s < 2; s++) {
		attrs__free(&h->m.attrs);
		h->m = (struct message){0};
		if (!h->gone && h->p->finish && h->p->finish(h->state, (enum decode_side)s, &h->m))
			harness__part(h, (enum decode_side)s, &h->m, 0);
		if (h->part[s].open)
			harness__print(h, &h->part[s]);
	}
}

/* One turn, cut at `at` (0: not cut; SIZE_MAX: byte by byte). */
static inline void harness__turn(struct harness *h, const struct turn *t, size_t at)
{
	if (at == SIZE_MAX) {
		for (size_t i = 0; i < t->bytes.n; i++)
			harness__feed(h, t->side, slice__sub(t->bytes, i, 1), i + 1 == t->bytes.n ? t->missing : 0, i == 0);
		return;
	}
	if (at)
		harness__feed(h, t->side, slice__sub(t->bytes, 0, at), 0, true);
	harness__feed(h, t->side, slice__sub(t->bytes, at, t->bytes.n), t->missing, !at);
}

/* The dialogue with turn `which` cut at `at`; which == SIZE_MAX: every turn byte by byte. */
static inline char *harness__play(const struct protocol *p, enum ws_role role, const struct turn *t, size_t n,
				  size_t which, size_t at)
{
	struct harness h;
	harness__open(&h, p, role);
	for (size_t i = 0; i < n; i++) {
		harness__turn(&h, &t[i], which == SIZE_MAX ? SIZE_MAX : which == i ? at : 0);
		if (h.last == DECODE_BAD) {
			fputs("BAD\n", h.out);
			break;
		}
	}
	harness__finish(&h);
	return harness__close(&h);
}

static inline void harness__prefix(const struct protocol *p, enum ws_role role, const struct turn *t, size_t which,
				   size_t len, uint64_t missing)
{
	struct harness h;
	harness__open(&h, p, role);
	for (size_t i = 0; i < which; i++)
		harness__turn(&h, &t[i], 0);
	harness__feed(&h, t[which].side, slice__sub(t[which].bytes, 0, len), missing, true);
	if (h.last == DECODE_BAD)
		fail_msg("BAD for the first %zu bytes of turn %zu, %llu missing", len, which, (unsigned long long)missing);
	free(harness__close(&h));
}

static inline void harness__check_role(const struct protocol *p, enum ws_role role, const struct turn *t, size_t n,
				       const char *expected)
{
	char *got = harness__play(p, role, t, n, 0, 0);
	assert_string_equal(got, expected);
	free(got);
	got = harness__play(p, role, t, n, SIZE_MAX, 0);
	assert_string_equal(got, expected);
	free(got);
	for (size_t i = 0; i < n; i++) {
		for (size_t at = 1; at < t[i].bytes.n; at++) {
			got = harness__play(p, role, t, n, i, at);
			if (strcmp(got, expected) != 0)
				print_error("turn %zu cut at byte %zu:\n", i, at);
			assert_string_equal(got, expected);
			free(got);
			harness__prefix(p, role, t, i, at, 0);
			harness__prefix(p, role, t, i, at, 1u << 20);
		}
	}
}

/* The server's end; see the header. */
static inline void harness__check(const struct protocol *p, const struct turn *t, size_t n, const char *expected)
{
	harness__check_role(p, WS_ROLE_ACCEPTED, t, n, expected);
}

/* A dialogue with missing bytes: no splits, since a cut message looks different when cut elsewhere. */
static inline void harness__cut(const struct protocol *p, const struct turn *t, size_t n, const char *expected)
{
	char *got = harness__play(p, WS_ROLE_ACCEPTED, t, n, 0, 0);
	assert_string_equal(got, expected);
	free(got);
}

/* The answer to one piece of bytes on a fresh connection. */
static inline enum decode_status harness__status(const struct protocol *p, enum decode_side side, struct slice bytes)
{
	struct harness h;
	harness__open(&h, p, WS_ROLE_ACCEPTED);
	harness__feed(&h, side, bytes, 0, true);
	enum decode_status st = h.last;
	free(harness__close(&h));
	return st;
}

/* How sure is it that a connection which begins like that is its own: 0 not, 1 it may be, 2. */
struct beginning {
	enum decode_side side;
	int likes;
	struct slice bytes;
};

static inline void harness__recognise(const struct protocol *p, const struct beginning *b, size_t n)
{
	struct guard g = guard__new(256);

	for (size_t i = 0; i < n; i++) {
		int likes = p->recognise(b[i].side, guard__put(&g, b[i].bytes));

		if (likes != b[i].likes)
			fail_msg("row %zu: %d, not %d: %.*s", i, likes, b[i].likes, (int)b[i].bytes.n, b[i].bytes.p);
	}
	guard__free(&g);
}

#endif
