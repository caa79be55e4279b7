/* SPDX-License-Identifier: Apache-2.0 */
/*
 * border.c - see border.h. table.c is compiled with its table renamed; the table that the framework
 * sees is this file's, each row around a real one.
 */
#include "border.h"

#include "export/otlp.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p))
#endif

extern const struct protocol *const real_protocols[];

unsigned drive_rows;
struct drive_row drive_row[DRIVE_ROWS_MAX];
static struct drive *current;

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

static uint64_t answers(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < drive_rows; i++)
		for (unsigned st = 0; st < DECODE_MAX; st++)
			sum += drive_row[i].answers[st];
	return sum;
}

void border__open(struct drive *d)
{
	current = d;
	d->answered = answers();
}

void border__fence(const void *p, bool up)
{
	if (up)
		ASAN_POISON_MEMORY_REGION(p, BORDER_FENCE);
	else
		ASAN_UNPOISON_MEMORY_REGION(p, BORDER_FENCE);
}

static struct drive_conn *conn__of(const struct connection *c)
{
	CHECK(c->id && c->id <= DRIVE_CONNS && c->refs);
	return &current->conn[c->id - 1];
}

static void check__attrs(const struct attrs *a)
{
	CHECK(a->n <= ATTRS_MAX && a->used <= ATTRS_BYTES);
	for (unsigned i = 0; i < a->n; i++)
		if (a->v[i].type == ATTR_STR)
			CHECK(a->v[i].str.off + a->v[i].str.len <= a->used);
}

void __real_decode__chunk(struct decode *d, struct connection *conn, const struct chunk *c);
void __wrap_decode__chunk(struct decode *d, struct connection *conn, const struct chunk *c);
void __wrap_decode__chunk(struct decode *d, struct connection *conn, const struct chunk *c)
{
	struct drive_conn *dc = conn__of(conn);

	if (dc->begun[c->dir])
		CHECK(c->offset == dc->end[c->dir] + c->lost_before);
	CHECK(c->at.end_ns && c->at.end_ns <= current->now);
	CHECK(!c->missing == (c->cap == WS_CAP_WHOLE) || !c->missing);
	dc->begun[c->dir] = true;
	dc->end[c->dir] = c->offset + c->bytes.n + c->missing;
	current->chunks++;
	current->bytes += c->lost_before + c->bytes.n + c->missing;
	__real_decode__chunk(d, conn, c);
}

void __real_decode__closed(struct decode *d, struct connection *conn, uint64_t time_ns);
void __wrap_decode__closed(struct decode *d, struct connection *conn, uint64_t time_ns);
void __wrap_decode__closed(struct decode *d, struct connection *conn, uint64_t time_ns)
{
	struct drive_conn *dc = conn__of(conn);

	__real_decode__closed(d, conn, time_ns);
	CHECK(!conn->decoder);
	for (int dir = 0; dir < 2; dir++) {
		dc->begun[dir] = dc->open[dir] = false;
		dc->told[dir] = 0;
	}
}

static void message__check(const struct connection *conn, const struct message *m)
{
	struct drive_conn *dc = conn__of(conn);
	enum ws_dir requests = connection__request_dir(conn);
	enum ws_dir dir = m->kind == MSG_REQUEST ? requests : (enum ws_dir)!requests;

	CHECK(m->kind > MSG_NONE && m->kind <= MSG_PUSH);
	CHECK(m->protocol && m->offset <= m->end);
	CHECK(m->offset >= dc->told[dir] && m->end <= dc->end[dir]);
	CHECK(m->first.end_ns && m->first.end_ns <= current->now && m->last.end_ns && m->last.end_ns <= current->now);
	check__attrs(&m->attrs);
	dc->told[dir] = m->end;
	if (m->kind == MSG_PUSH)
		return;
	CHECK(dc->open[dir] == !(m->flags & MSG_BEGINS));
	dc->open[dir] = !(m->flags & MSG_ENDS);
}

void __real_exchanges__message(struct exchanges *x, struct connection *conn, const struct message *m);
void __wrap_exchanges__message(struct exchanges *x, struct connection *conn, const struct message *m);
void __wrap_exchanges__message(struct exchanges *x, struct connection *conn, const struct message *m)
{
	message__check(conn, m);
	__real_exchanges__message(x, conn, m);
}

void __real_exchanges__lost(struct exchanges *x, struct connection *conn, enum ws_dir dir, uint64_t bytes);
void __wrap_exchanges__lost(struct exchanges *x, struct connection *conn, enum ws_dir dir, uint64_t bytes);
void __wrap_exchanges__lost(struct exchanges *x, struct connection *conn, enum ws_dir dir, uint64_t bytes)
{
	CHECK(bytes);
	__real_exchanges__lost(x, conn, dir, bytes);
}

void border__budget(void *ctx, const struct connection *c, const struct ws_budget_pair *b, bool for_port)
{
	CHECK(ctx == current && c->decoder);
	for (int dir = 0; dir < 2; dir++)
		CHECK(b->dir[dir].mode <= WS_BUDGET_IGNORE);
}

/* Is it what OTLP wants, and can both encoders cope with it? */
void border__span(void *ctx, const struct span *s)
{
	static const uint8_t zero[16];
	static struct pb out;
	struct drive *d = ctx;

	CHECK(s->name && s->name[0] && s->protocol && s->process && s->evidence < EV_MAX);
	CHECK(s->kind == SPAN_SERVER || s->kind == SPAN_CLIENT);
	CHECK(s->start_ns && s->start_ns <= s->end_ns);
	CHECK(memcmp(s->trace_id, zero, 16) && memcmp(s->span_id, zero, 8));
	CHECK(s->has_parent || s->evidence == EV_ROOT || s->evidence == EV_UNKNOWN || s->evidence == EV_HEADER);
	CHECK(!s->has_parent || memcmp(s->parent_id, s->span_id, 8));
	check__attrs(s->attrs);
	out.n = 0;
	otlp_pb__span(&out, s);
	if (d->json)
		otlp_json__span(&out, s);
	CHECK(out.n);
	d->spans++;
}

void border__ledger(struct drive *d)
{
	const struct conn_counters *c = conns__counters(d->conns);
	const struct decode_counters *n = decode__counters(d->decode);
	const struct exchange_counters *x = exchanges__counters(d->exchanges);
	const struct link_counters *l = linker__counters(d->linker);
	const struct sample_counters *k = sampler__counters(d->sampler);
	uint64_t sum = 0;

	CHECK(c->opened == c->closed);
	CHECK(d->data == d->chunks + c->duplicates);
	for (unsigned st = 0; st < DECODE_MAX; st++)
		sum += n->answers[st];
	CHECK(sum == answers() - d->answered);
	CHECK(n->understood_bytes + n->undecodable_bytes + n->skipped_bytes == d->bytes);
	CHECK(n->bad == n->answers[DECODE_BAD]);
	CHECK(!x->open && x->seen == x->ended);
	CHECK(!l->waiting && l->spans == k->spans && k->kept == d->spans);
	CHECK(k->spans == k->kept + k->out_hash + k->out_pause + k->out_probe);
	/* No span: one that is silent, or without its request; it may be both. */
	CHECK(x->ended - l->spans <= x->silent + x->no_request);
	CHECK(x->ended - l->spans >= x->silent && x->ended - l->spans >= x->no_request);
}
