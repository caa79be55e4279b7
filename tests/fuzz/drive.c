/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive.c - see drive.h. table.c is compiled with its table renamed; the table that the framework
 * sees is this file's, each row around a real one. exchanges__* are the checks of what comes out.
 */
#include "drive.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK(what)                                                                                                    \
	do {                                                                                                           \
		if (!(what)) {                                                                                         \
			fprintf(stderr, "%s:%d: breach: %s\n", __FILE__, __LINE__, #what);                             \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

extern const struct protocol *const real_protocols[];

unsigned drive_rows;
struct drive_row drive_row[DRIVE_ROWS_MAX];

static enum decode_status wrap__parse(unsigned row, void *state, const struct parse_input *in, struct message *m,
				      uint64_t *consumed)
{
	enum decode_status st = real_protocols[row]->parse(state, in, m, consumed);
	CHECK(st < DECODE_MAX);
	CHECK(in->bytes.n || in->missing);
	if (st == DECODE_OK || st == DECODE_UPGRADE)
		CHECK(*consumed > 0 && *consumed <= in->bytes.n + in->missing);
	CHECK(st != DECODE_TRUNC || in->missing);
	CHECK(st != DECODE_MORE || !in->missing);
	CHECK(memchr(m->name, 0, sizeof(m->name)));
	CHECK(memchr(m->error_type, 0, sizeof(m->error_type)));
	CHECK(memchr(m->error_message, 0, sizeof(m->error_message)));
	CHECK(memchr(m->tracestate, 0, sizeof(m->tracestate)));
	drive_row[row].answers[st]++;
	return st;
}

#define ROW(i)                                                                                                         \
	static enum decode_status parse_##i(void *s, const struct parse_input *in, struct message *m, uint64_t *n)     \
	{                                                                                                              \
		return wrap__parse(i, s, in, m, n);                                                                    \
	}
ROW(0) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7)

static int never(enum decode_side side, struct slice begin)
{
	return 0;
}

static struct protocol wrapped[DRIVE_ROWS_MAX];

const struct protocol *const protocols[] = {
	&wrapped[0], &wrapped[1], &wrapped[2], &wrapped[3], &wrapped[4], &wrapped[5], &wrapped[6], &wrapped[7], NULL,
};

void drive__init(void)
{
	static enum decode_status (*const parse[])(void *, const struct parse_input *, struct message *, uint64_t *) = {
		parse_0, parse_1, parse_2, parse_3, parse_4, parse_5, parse_6, parse_7,
	};
	for (unsigned i = 0; i < DRIVE_ROWS_MAX; i++)
		wrapped[i] = (struct protocol){.name = "none", .recognise = never};
	for (drive_rows = 0; real_protocols[drive_rows]; drive_rows++) {
		CHECK(drive_rows < DRIVE_ROWS_MAX);
		wrapped[drive_rows] = *real_protocols[drive_rows];
		wrapped[drive_rows].parse = parse[drive_rows];
		drive_row[drive_rows].name = real_protocols[drive_rows]->name;
	}
}

static struct drive *of(struct exchanges *x)
{
	return (struct drive *)x;
}

static void check__attrs(const struct attrs *a)
{
	CHECK(a->n <= ATTRS_MAX && a->used <= ATTRS_BYTES);
	for (unsigned i = 0; i < a->n; i++)
		if (a->v[i].type == ATTR_STR)
			CHECK(a->v[i].str.off + a->v[i].str.len <= a->used);
}

void exchanges__message(struct exchanges *x, struct connection *conn, const struct message *m)
{
	struct drive *d = of(x);
	enum ws_dir requests = connection__request_dir(conn);
	enum ws_dir dir = m->kind == MSG_REQUEST ? requests : (enum ws_dir)!requests;
	CHECK(m->kind > MSG_NONE && m->kind <= MSG_PUSH);
	CHECK(m->protocol && m->offset <= m->end);
	CHECK(m->offset >= d->told[dir] && m->end <= d->next[dir]);
	CHECK(m->first.end_ns && m->first.end_ns <= m->last.end_ns && m->last.end_ns <= d->now);
	check__attrs(&m->attrs);
	d->told[dir] = m->end;
	if (m->kind == MSG_PUSH)
		return;
	CHECK(d->open[dir] == !(m->flags & MSG_BEGINS));
	d->open[dir] = !(m->flags & MSG_ENDS);
}

void exchanges__opaque(struct exchanges *x, struct connection *conn, enum ws_dir dir, const struct stamp *at)
{
	CHECK(at->end_ns && at->end_ns <= of(x)->now);
}

void exchanges__lost(struct exchanges *x, struct connection *conn, enum ws_dir dir, uint64_t bytes)
{
	CHECK(bytes);
}

static uint64_t answers(void)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < drive_rows; i++)
		for (unsigned st = 0; st < DECODE_MAX; st++)
			sum += drive_row[i].answers[st];
	return sum;
}

void drive__open(struct drive *d, enum ws_role role, enum ws_origin origin)
{
	*d = (struct drive){
		.conn = {.id = 1, .role = role, .origin = origin}, .next = {1000, 0xfffffff0}, .answered = answers()};
	d->decode = decode__new((struct exchanges *)d);
}

void drive__send(struct drive *d, enum ws_dir dir, struct slice bytes, uint64_t missing, uint64_t lost)
{
	struct ws_budget_pair b;
	bool for_port;
	struct chunk c = {
		.dir = dir, .missing = missing, .lost_before = lost, .turned = d->turned[dir],
		.offset = d->next[dir] + lost, .peer_offset = d->next[!dir],
		.cap = missing ? WS_CAP_BUDGET : WS_CAP_WHOLE,
	};
	/* A block of its own, so that the sanitizer sees its end. */
	char *copy = malloc(bytes.n ? bytes.n : 1);
	CHECK(copy);
	if (bytes.n)
		memcpy(copy, bytes.p, bytes.n);
	d->now += 10;
	c.bytes = (struct slice){copy, bytes.n};
	c.at = (struct stamp){.start_ns = d->now - 1, .end_ns = d->now};
	d->next[dir] = c.offset + bytes.n + missing;
	d->bytes += lost + bytes.n + missing;
	d->turned[dir] = false;
	d->turned[!dir] = true;
	decode__chunk(d->decode, &d->conn, &c);
	free(copy);
	decode__budget(d->decode, &d->conn, &b, &for_port);
	CHECK(!decode__budget(d->decode, &d->conn, &b, &for_port));
}

void drive__close(struct drive *d)
{
	const struct decode_counters *c = decode__counters(d->decode);
	uint64_t sum = 0;
	d->now += 10;
	decode__closed(d->decode, &d->conn, d->now);
	for (unsigned st = 0; st < DECODE_MAX; st++)
		sum += c->answers[st];
	CHECK(sum == answers() - d->answered);
	CHECK(c->understood_bytes + c->undecodable_bytes + c->skipped_bytes == d->bytes);
	CHECK(c->bad == c->answers[DECODE_BAD]);
	CHECK(!d->conn.decoder);
	decode__free(d->decode);
}
