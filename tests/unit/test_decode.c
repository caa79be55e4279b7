/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_decode.c - the framework: recognition, holes, gaps, clocks, budgets. Linked without the
 * stages after decode: exchanges__* below write down what they are told. The table is this file's
 * own: HTTP/1 and a toy.
 *
 * A line of the transcript: request GET BE 1000-1027 peer=5000 t=10-20
 * (B begins, E ends, C cut; offsets; clocks of its first and last byte)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "decode/decode.h"

#define IN WS_DIR_IN
#define OUT WS_DIR_OUT
#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"	       /* 27 */
#define OK0 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" /* 38 */
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

/* "!": yes. '=' a push, '~' consumes nothing, '#' is bad, others are requests and responses. */
static int toy__recognise(enum decode_side side, struct slice begin)
{
	return begin.n && begin.p[0] == '!' ? 2 : 0;
}

static enum decode_status toy__parse(void *state, const struct parse_input *in, struct message *m, uint64_t *consumed)
{
	if (!in->bytes.n)
		return DECODE_TRUNC;
	if (in->bytes.p[0] == '#')
		return DECODE_BAD;
	*consumed = in->bytes.p[0] != '~';
	m->kind = in->bytes.p[0] == '=' ? MSG_PUSH : in->side == SIDE_CLIENT ? MSG_REQUEST : MSG_RESPONSE;
	m->flags = in->bytes.p[0] == '(' ? MSG_BEGINS : in->bytes.p[0] == ')' ? MSG_ENDS : MSG_BEGINS | MSG_ENDS;
	return DECODE_OK;
}

static void toy__resync(void *state, enum decode_side side) {}

static unsigned toy_released;

static void toy__release(void *state)
{
	toy_released++;
}

static const struct protocol toy = {
	.name = "toy",
	.state_size = 1,
	.recognise = toy__recognise,
	.parse = toy__parse,
	.resync = toy__resync,
	.release = toy__release,
	.multiplexed = true,
};

const struct protocol *const protocols[] = {&protocol_http1, &toy, NULL};

static char text[16384];
static size_t text_n;

static void note(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	text_n += (size_t)vsnprintf(text + text_n, sizeof(text) - text_n, fmt, ap);
	va_end(ap);
	assert_true(text_n < sizeof(text));
}

void exchanges__message(struct exchanges *x, struct connection *conn, const struct message *m)
{
	static const char *const kind[] = {"none", "request", "response", "push"};
	note("%s%s%s %s%s%s %llu-%llu peer=%llu t=%llu-%llu\n", kind[m->kind], m->name[0] ? " " : "", m->name,
	     m->flags & MSG_BEGINS ? "B" : "", m->flags & MSG_ENDS ? "E" : "", m->flags & MSG_CUT ? "C" : "",
	     (unsigned long long)m->offset, (unsigned long long)m->end, (unsigned long long)m->peer_offset,
	     (unsigned long long)m->first.end_ns, (unsigned long long)m->last.end_ns);
}

void exchanges__opaque(struct exchanges *x, struct connection *conn, enum ws_dir dir, const struct stamp *at)
{
	note("opaque %s t=%llu\n", dir == IN ? "in" : "out", (unsigned long long)at->end_ns);
}

void exchanges__lost(struct exchanges *x, struct connection *conn, enum ws_dir dir, uint64_t bytes)
{
	note("lost %s %llu\n", dir == IN ? "in" : "out", (unsigned long long)bytes);
}

/* A connection with its clock: each chunk takes 10 ns. */
struct rig {
	struct decode *d;
	struct connection conn;
	uint64_t next[2], now, total, lost;
	bool turned[2];
	bool budget; /* it changed at the last chunk */
	bool for_port;
	struct ws_budget_pair b;
};

static void rig__open(struct rig *r, enum ws_role role, enum ws_origin origin)
{
	*r = (struct rig){.conn = {.id = 1, .role = role, .origin = origin}, .next = {1000, 5000}};
	r->d = decode__new(NULL);
	text_n = 0;
	text[0] = '\0';
}

static void rig__send_missing(struct rig *r, enum ws_dir dir, struct slice bytes, uint64_t missing, enum ws_cap cap)
{
	r->now += 10;
	struct chunk c = {
		.dir = dir, .bytes = bytes, .missing = missing, .cap = (uint8_t)cap, .lost_before = r->lost,
		.offset = r->next[dir] + r->lost, .peer_offset = r->next[!dir], .turned = r->turned[dir],
		.at = {.start_ns = r->now - 1, .end_ns = r->now},
	};
	r->next[dir] = c.offset + bytes.n + missing;
	r->total += bytes.n + missing + r->lost;
	r->lost = 0;
	r->turned[dir] = false;
	r->turned[!dir] = true;
	decode__chunk(r->d, &r->conn, &c);
	r->for_port = false;
	r->budget = decode__budget(r->d, &r->conn, &r->b, &r->for_port);
	assert_false(decode__budget(r->d, &r->conn, &r->b, &r->for_port));
}

static void rig__send(struct rig *r, enum ws_dir dir, const char *s)
{
	rig__send_missing(r, dir, slice__of(s), 0, WS_CAP_WHOLE);
}

/* The transcript was this, and every byte and every answer was counted once. */
static void rig__close(struct rig *r, const char *expected)
{
	decode__closed(r->d, &r->conn, r->now + 10);
	assert_null(r->conn.decoder);
	const struct decode_counters *c = decode__counters(r->d);
	assert_string_equal(text, expected);
	assert_int_equal(c->understood_bytes + c->undecodable_bytes + c->skipped_bytes, r->total);
	assert_int_equal(c->answers[DECODE_BAD], c->bad);
	assert_int_equal(c->messages, c->ok[0] + c->ok[1]);
	decode__free(r->d);
}

static void test_whole(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, GET);
	rig__send(&r, OUT, OK0);
	rig__send(&r, IN, GET GET);
	assert_false(r.budget);
	rig__close(&r, "request GET BE 1000-1027 peer=5000 t=10-10\n"
		       "response BE 5000-5038 peer=1027 t=20-20\n"
		       "request GET BE 1027-1054 peer=5038 t=30-30\n"
		       "request GET BE 1054-1081 peer=5038 t=30-30\n");
}

/* The clocks are those of the first and the last byte, wherever reads ended. */
static void test_clocks(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_CONNECTED, WS_ORIGIN_NEW);
	rig__send(&r, OUT, "GET / HT");
	rig__send(&r, OUT, "TP/1.1\r\n\r\n" GET "GE");
	rig__send(&r, IN, CHUNKED "2\r\nab");
	rig__send(&r, OUT, "T / HTTP/1.1\r\n\r\n");
	rig__send(&r, IN, "\r\n0\r\n");
	rig__send(&r, IN, "\r\n");
	rig__close(&r, "request GET BE 5000-5018 peer=1000 t=10-20\n"
		       "request GET BE 5018-5045 peer=1000 t=20-20\n"
		       "response B 1000-1052 peer=5047 t=30-30\n"
		       "request GET BE 5045-5063 peer=1000 t=20-40\n"
		       "response  1052-1057 peer=5047 t=50-50\n"
		       "response E 1057-1059 peer=5047 t=60-60\n");
}

static void test_cut_body(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, GET);
	rig__send_missing(&r, OUT, SLICE(CHUNKED "2\r\nab"), 100000, WS_CAP_BUDGET);
	assert_true(r.budget);
	assert_false(r.for_port);
	assert_int_equal(r.b.dir[OUT].mode, WS_BUDGET_STREAM);
	assert_int_equal(r.b.dir[IN].mode, WS_BUDGET_HEAD);
	rig__send_missing(&r, OUT, SLICE(""), 50, WS_CAP_BUDGET);
	rig__send(&r, IN, GET); /* here the response has ended */
	rig__send(&r, OUT, OK0);
	rig__close(&r, "request GET BE 1000-1027 peer=5000 t=10-10\n"
		       "response B 5000-5052 peer=1027 t=20-20\n"
		       "response C 5052-105052 peer=1027 t=20-20\n"
		       "response E 105052-105102 peer=1027 t=30-30\n"
		       "request GET BE 1027-1054 peer=105102 t=40-40\n"
		       "response BE 105102-105140 peer=1054 t=50-50\n");
}

static void test_cut_head(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send_missing(&r, IN, SLICE("GET / HTTP/1.1\r\nX: "), 10, WS_CAP_BUDGET);
	assert_true(r.budget && r.for_port);
	assert_int_equal(r.b.dir[IN].mode, WS_BUDGET_HEAD);
	assert_int_equal(r.b.dir[IN].head_bytes, 4096);
	rig__send_missing(&r, OUT, SLICE("HTTP/1.1 200 OK\r\nX: "), 10, WS_CAP_BUDGET);
	assert_true(r.budget);
	assert_int_equal(r.b.dir[OUT].mode, WS_BUDGET_HEAD);
	assert_int_equal(r.b.dir[OUT].head_bytes, 8192);
	rig__send_missing(&r, IN, SLICE("GET / HT"), 10, WS_CAP_SHED);
	assert_false(r.budget); /* not the budget's fault */
	rig__close(&r, "request GET BC 1000-1029 peer=5000 t=10-10\n"
		       "request E 1029-1029 peer=5000 t=10-10\n"
		       "response BC 5000-5030 peer=1029 t=20-20\n"
		       "response E 5030-5030 peer=1029 t=20-20\n"
		       "request GET BC 1029-1047 peer=5030 t=30-30\n"
		       "request E 1047-1047 peer=5030 t=30-30\n");
}

/* The ring was full: a message without a byte is one message. */
static void test_nothing_captured(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, GET);
	rig__send_missing(&r, OUT, SLICE(""), 38, WS_CAP_SHED);
	rig__send_missing(&r, OUT, SLICE(""), 10, WS_CAP_SHED);
	rig__send_missing(&r, IN, SLICE(""), 27, WS_CAP_SHED);
	rig__send(&r, OUT, OK0);
	assert_false(r.budget);
	rig__close(&r, "request GET BE 1000-1027 peer=5000 t=10-10\n"
		       "response BC 5000-5038 peer=1027 t=20-20\n"
		       "response E 5038-5048 peer=1027 t=30-30\n"
		       "request HTTP BC 1027-1054 peer=5048 t=40-40\n"
		       "request E 1054-1054 peer=5048 t=40-40\n"
		       "response BE 5048-5086 peer=1054 t=50-50\n");
}

#define START "GET / HTTP/1.1\r\nX: " /* 19 */

/* n bytes of a head that has no end, then what the budget left out. */
static void rig__send_head(struct rig *r, size_t n, uint64_t missing)
{
	static char head[WS_PAYLOAD_MAX];
	memset(head, 'x', sizeof(head));
	memcpy(head, START, 19);
	rig__send_missing(r, IN, (struct slice){head, n}, missing, WS_CAP_BUDGET);
}

/* Whatever HEAD a connection has started with: what was needed is asked for. */
static void test_larger_head(void **state)
{
	static const struct { size_t start; uint64_t missing; uint32_t want; } rows[] = {
		{4096, 100, 8192}, {4096, 4096, 8192}, {4096, 5000, 16384}, {4096, 1000000, 16384}, {1024, 100, 4096},
		{8192, 1, 16384}, {16384, 1, 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig r;
		rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
		rig__send_head(&r, rows[i].start, rows[i].missing);
		assert_int_equal(r.budget, rows[i].want != 0);
		assert_int_equal(r.for_port, rows[i].want != 0);
		if (rows[i].want) {
			assert_int_equal(r.b.dir[IN].mode, WS_BUDGET_HEAD);
			assert_int_equal(r.b.dir[IN].head_bytes, rows[i].want);
			assert_int_equal(r.b.dir[OUT].head_bytes, 4096);
		}
		rig__close(&r, text);
	}
}

/* STREAM is for the framing of a body, and for as long as bodies need it. */
static void test_stream_ends(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, GET);
	rig__send_missing(&r, OUT, SLICE(CHUNKED "2\r\nab"), 100, WS_CAP_BUDGET);
	assert_true(r.budget && r.for_port);
	assert_int_equal(r.b.dir[OUT].mode, WS_BUDGET_HEAD);
	rig__send(&r, IN, GET);
	rig__send_missing(&r, OUT, SLICE(CHUNKED "2\r\nab"), 20000, WS_CAP_BUDGET);
	assert_int_equal(r.b.dir[OUT].mode, WS_BUDGET_STREAM);
	for (int i = 0; i < 65; i++) {
		rig__send(&r, IN, GET);
		assert_false(r.budget);
		text_n = 0; /* too long to be kept */
		rig__send(&r, OUT, OK0);
		assert_int_equal(r.budget, i == 64);
	}
	assert_int_equal(r.b.dir[OUT].mode, WS_BUDGET_HEAD);
	assert_int_equal(r.b.dir[OUT].head_bytes, WS_PAYLOAD_MAX);
	assert_false(r.for_port);
	rig__close(&r, text);
}

/* A port that was given SIZES: the connection asks for more, and is understood from then on. */
static void test_starts_with_sizes(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send_missing(&r, IN, SLICE(""), 27, WS_CAP_BUDGET);
	assert_true(r.budget);
	assert_false(r.for_port);
	assert_int_equal(r.b.dir[IN].mode, WS_BUDGET_HEAD);
	assert_int_equal(r.b.dir[OUT].mode, WS_BUDGET_HEAD);
	rig__send_missing(&r, OUT, SLICE(""), 38, WS_CAP_BUDGET);
	assert_false(r.budget);
	rig__send(&r, IN, GET);
	rig__send(&r, OUT, OK0);
	rig__close(&r, "opaque in t=10\nopaque out t=20\n"
		       "request GET BE 1027-1054 peer=5038 t=30-30\n"
		       "response BE 5038-5076 peer=1054 t=40-40\n");
}

static void test_gap_in_body(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, "POST / HTTP/1.1\r\nContent-Length: 30\r\n\r\n0123456789");
	r.lost = 10;
	rig__send(&r, IN, "0123456789" GET);
	rig__close(&r, "request POST B 1000-1049 peer=5000 t=10-10\n"
		       "lost in 10\n"
		       "request  1049-1059 peer=5000 t=10-10\n"
		       "request E 1059-1069 peer=5000 t=20-20\n"
		       "request GET BE 1069-1096 peer=5000 t=20-20\n");
}

static void test_gap_of_messages(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, GET);
	rig__send(&r, OUT, OK0);
	rig__send(&r, IN, "GET /half");
	r.lost = 27;
	rig__send(&r, IN, "rest of something\r\n\r\n"); /* no turn: nobody knows what that is */
	rig__send(&r, OUT, OK0);
	r.lost = 27;
	rig__send(&r, IN, GET); /* a turn with a hole before it, but it looks like a message */
	rig__send(&r, OUT, OK0);
	r.lost = 27;
	rig__send(&r, IN, "no message\r\n");
	rig__close(&r, "request GET BE 1000-1027 peer=5000 t=10-10\n"
		       "response BE 5000-5038 peer=1027 t=20-20\n"
		       "lost in 27\n"
		       "request GET BC 1027-1063 peer=5038 t=30-30\n"
		       "lost in 27\n"
		       "request E 1063-1084 peer=5038 t=40-40\n"
		       "response BE 5038-5076 peer=1084 t=50-50\n"
		       "lost in 27\n"
		       "request GET BE 1111-1138 peer=5076 t=60-60\n"
		       "response BE 5076-5114 peer=1138 t=70-70\n"
		       "lost in 27\n"
		       "opaque in t=80\n");
}

/* Older than we are: in the middle of a response, then a turn. */
static void test_existing(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_EXISTING);
	rig__send(&r, OUT, OK0); /* could be half of anything */
	rig__send(&r, IN, GET);
	rig__send(&r, OUT, OK0);
	rig__close(&r, "opaque out t=10\n"
		       "request GET BE 1000-1027 peer=5038 t=20-20\n"
		       "response BE 5038-5076 peer=1027 t=30-30\n");

	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_EXISTING);
	rig__send(&r, IN, "half a body");
	rig__send(&r, OUT, OK0); /* recognised by its response */
	rig__send(&r, IN, GET);
	rig__close(&r, "opaque in t=10\n"
		       "response BE 5000-5038 peer=1011 t=20-20\n"
		       "request GET BE 1011-1038 peer=5038 t=30-30\n");

	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_EXISTING);
	rig__send(&r, IN, GET); /* it was idle */
	rig__send(&r, OUT, OK0);
	rig__close(&r, "request GET BE 1000-1027 peer=5000 t=10-10\n"
		       "response BE 5000-5038 peer=1027 t=20-20\n");
}

static void test_role(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_UNKNOWN, WS_ORIGIN_EXISTING);
	rig__send(&r, OUT, GET);
	assert_int_equal(r.conn.role, WS_ROLE_CONNECTED);
	rig__send(&r, IN, OK0);
	rig__close(&r, "request GET BE 5000-5027 peer=1000 t=10-10\n"
		       "response BE 1000-1038 peer=5027 t=20-20\n");

	rig__open(&r, WS_ROLE_UNKNOWN, WS_ORIGIN_EXISTING);
	rig__send(&r, IN, "?");
	rig__send(&r, OUT, OK0);
	assert_int_equal(r.conn.role, WS_ROLE_ACCEPTED);
	rig__close(&r, "opaque in t=10\n"
		       "response BE 5000-5038 peer=1001 t=20-20\n");
}

static void test_opaque(void **state)
{
	static char junk[4097];
	struct rig r;
	memset(junk, 0x16, sizeof(junk) - 1);
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, "\x16\x03\x01");
	assert_int_equal(decode__counters(r.d)->opaque, 1);
	assert_false(r.budget);
	rig__send(&r, OUT, junk);
	assert_true(r.budget);
	assert_false(r.for_port);
	assert_int_equal(r.b.dir[IN].mode, WS_BUDGET_SIZES);
	assert_int_equal(r.b.dir[OUT].mode, WS_BUDGET_SIZES);
	rig__send(&r, IN, GET);
	rig__close(&r, "opaque in t=10\nopaque out t=20\nopaque in t=30\n");

	/* Older ones get several chances. */
	rig__open(&r, WS_ROLE_CONNECTED, WS_ORIGIN_EXISTING);
	for (int i = 0; i < 8; i++) {
		rig__send(&r, OUT, "xx");
		assert_int_equal(decode__counters(r.d)->opaque, 0);
		rig__send(&r, IN, "yy");
	}
	assert_int_equal(decode__counters(r.d)->opaque, 1);
	rig__close(&r, text);
}

static void test_perhaps(void **state)
{
	static char line[2000];
	struct rig r;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	for (const char *p = GET; *p; p++)
		rig__send_missing(&r, IN, (struct slice){p, 1}, 0, WS_CAP_WHOLE);
	rig__close(&r, "request GET BE 1000-1027 peer=5000 t=10-270\n");

	/* The response comes while the request is not recognised yet: it has been held, and is told first. */
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, "GET / HTTP/1.1");
	rig__send(&r, OUT, OK0);
	rig__send(&r, IN, "\r\n\r\n");
	rig__close(&r, "response BE 5000-5038 peer=1014 t=20-20\n"
		       "request GET BE 1000-1018 peer=5000 t=10-30\n");

	/* What was held of an older connection is dropped when a turn shows where messages begin. */
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_EXISTING);
	rig__send(&r, IN, "xx");
	rig__send(&r, OUT, "yy");
	rig__send(&r, IN, GET);
	rig__close(&r, "opaque out t=20\n"
		       "opaque in t=30\n"
		       "request GET BE 1002-1029 peer=5002 t=30-30\n");

	/* Too long to be believed. */
	memset(line, 'A', sizeof(line) - 1);
	memcpy(line, "FROB /", 6);
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, line);
	rig__close(&r, "opaque in t=10\n");
}

static void test_upgrade(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
	rig__send(&r, OUT, "HTTP/1.1 101 Go\r\n\r\n\x81");
	rig__send(&r, IN, GET);
	assert_int_equal(decode__counters(r.d)->upgraded, 1);
	rig__close(&r, "request GET BE 1000-1038 peer=5000 t=10-10\n"
		       "response BE 5000-5019 peer=1038 t=20-20\n"
		       "opaque out t=20\n"
		       "opaque in t=30\n");
}

static void test_bad(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, GET "\x01\x02");
	rig__send(&r, IN, "more of it");
	rig__send(&r, OUT, OK0);
	rig__send(&r, IN, GET);
	for (int i = 0; i < 4; i++) {
		rig__send(&r, IN, "\x01");
		rig__send(&r, OUT, "\x02");
	}
	assert_int_equal(decode__counters(r.d)->opaque, 1);
	rig__close(&r, "request GET BE 1000-1027 peer=5000 t=10-10\n"
		       "opaque in t=10\nopaque in t=20\n"
		       "response BE 5000-5038 peer=1039 t=30-30\n"
		       "request GET BE 1039-1066 peer=5038 t=40-40\n"
		       "opaque in t=50\nopaque out t=60\nopaque in t=70\nopaque out t=80\n"
		       "opaque in t=90\nopaque out t=100\nopaque in t=110\nopaque out t=120\n");
}

static void test_close(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, GET);
	rig__send(&r, OUT, "HTTP/1.1 200 OK\r\n\r\nab");
	rig__send(&r, OUT, "cd");
	rig__close(&r, "request GET BE 1000-1027 peer=5000 t=10-10\n"
		       "response B 5000-5021 peer=1027 t=20-20\n"
		       "response  5021-5023 peer=1027 t=30-30\n"
		       "response E 5023-5023 peer=1027 t=30-30\n");

	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, "GET / HTTP/1.1\r\nHos");
	assert_int_equal(decode__counters(r.d)->truncated, 0);
	rig__close(&r, "");
}

/* A head that never ends: bounded. */
static void test_hold_is_bounded(void **state)
{
	static char line[1001];
	struct rig r;
	memset(line, 'x', 1000);
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, "GET / HTTP/1.1\r\nX: ");
	for (int i = 0; i < 100; i++)
		rig__send(&r, IN, line);
	assert_int_equal(decode__counters(r.d)->truncated, 1);
	rig__send(&r, OUT, OK0);
	rig__send(&r, IN, GET);
	decode__closed(r.d, &r.conn, 0);
	assert_non_null(strstr(text, "request GET BE"));
	decode__free(r.d);
}

/* 60 KiB byte by byte cost little more than 60 KiB at once. */
static void test_slow_head(void **state)
{
	struct rig r;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, "GET / HTTP/1.1\r\n");
	clock_t before = clock();
	for (int i = 0; i < 60000; i++)
		rig__send_missing(&r, IN, (struct slice){"X: y\r\n" + i % 6, 1}, 0, WS_CAP_WHOLE);
	assert_true(clock() - before < CLOCKS_PER_SEC / 4);
	rig__send(&r, IN, "\r\n");
	rig__close(&r, "request GET BE 1000-61018 peer=5000 t=10-600020\n");
}

/* Parsers that break the contract, parts, pushes. */
static void test_toy(void **state)
{
	struct rig r;
	toy_released = 0;
	rig__open(&r, WS_ROLE_ACCEPTED, WS_ORIGIN_NEW);
	rig__send(&r, IN, "!(x");
	assert_true(r.budget);
	assert_int_equal(r.b.dir[IN].mode, WS_BUDGET_STREAM);
	rig__send(&r, OUT, "(=)");
	rig__send(&r, IN, "~more");
	rig__close(&r, "request BE 1000-1001 peer=5000 t=10-10\n"
		       "request B 1001-1002 peer=5000 t=10-10\n"
		       "request E 1002-1002 peer=5000 t=10-10\n"
		       "request BE 1002-1003 peer=5000 t=10-10\n"
		       "response B 5000-5001 peer=1003 t=20-20\n"
		       "push BE 5001-5002 peer=1003 t=20-20\n"
		       "response E 5002-5003 peer=1003 t=20-20\n"
		       "opaque in t=30\n");
	assert_int_equal(toy_released, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),	 cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_cut_body), cmocka_unit_test(test_cut_head),
		cmocka_unit_test(test_nothing_captured), cmocka_unit_test(test_larger_head),
		cmocka_unit_test(test_stream_ends), cmocka_unit_test(test_starts_with_sizes),
		cmocka_unit_test(test_gap_in_body), cmocka_unit_test(test_gap_of_messages),
		cmocka_unit_test(test_existing), cmocka_unit_test(test_role),
		cmocka_unit_test(test_opaque),	 cmocka_unit_test(test_perhaps),
		cmocka_unit_test(test_upgrade),	 cmocka_unit_test(test_bad),
		cmocka_unit_test(test_close),	 cmocka_unit_test(test_hold_is_bounded),
		cmocka_unit_test(test_slow_head), cmocka_unit_test(test_toy),
	};
	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
