/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_rig.h - events made by hand, into conns__event with the real stages behind it; the spans that come
 * out. Include after cmocka.h.
 */
#ifndef TEST_CONN_RIG_H
#define TEST_CONN_RIG_H

#include <arpa/inet.h>
#include <stdlib.h>

#include "capture/capture.h"
#include "conn/conn.h"

#define GET "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"			   /* 28 */
#define OK0 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"		   /* 38 */
#define OK20 "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" /* 39, and 20 */
#define IN WS_DIR_IN
#define OUT WS_DIR_OUT
#define MAX 64
#define MS 1000000ull

struct seen {
	char name[16], incomplete[80], evidence[16];
	bool lost, has_parent, error;
	enum span_kind kind;
	uint8_t id[8], parent[8];
	uint64_t start, end;
	int64_t port; /* network.local.port */
	int64_t status;
};

struct world {
	struct seen spans[MAX];
	unsigned n;
	struct linker *linker;
	struct exchanges *exchanges;
	struct decode *decode;
	struct meta *meta;
	struct conns *conns;
	uint64_t now;
	uint64_t budget_of; /* the connection that asked last */
	struct ws_budget_pair budget;
	bool for_port;
};

static inline void on_span(void *ctx, const struct span *s)
{
	struct world *w = ctx;
	struct seen *v = &w->spans[w->n++ % MAX];
	struct slice incomplete = attrs__get_str(s->attrs, "wirespan.incomplete");

	assert_non_null(s->process);
	assert_true(s->end_ns >= s->start_ns);
	*v = (struct seen){.lost = s->lost, .has_parent = s->has_parent, .error = s->status == SPAN_ERROR,
			   .kind = s->kind, .start = s->start_ns, .end = s->end_ns};
	snprintf(v->name, sizeof(v->name), "%s", s->name);
	snprintf(v->incomplete, sizeof(v->incomplete), "%.*s", (int)incomplete.n, incomplete.n ? incomplete.p : "");
	snprintf(v->evidence, sizeof(v->evidence), "%s", evidence__name(s->evidence));
	memcpy(v->id, s->span_id, 8);
	memcpy(v->parent, s->parent_id, 8);
	v->port = attrs__get_int(s->attrs, "network.local.port", -1);
	v->status = attrs__get_int(s->attrs, "http.response.status_code", 0);
}

static inline void on_budget(void *ctx, const struct connection *c, const struct ws_budget_pair *b, bool for_port)
{
	struct world *w = ctx;

	w->budget_of = c->id;
	w->budget = *b;
	w->for_port = for_port;
}

static inline void open_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->linker = linker__new(on_span, w);
	w->exchanges = exchanges__new(w->linker);
	w->decode = decode__new(w->exchanges);
	w->meta = meta__new(false);
	w->conns = conns__new(w->decode, w->exchanges, w->meta, on_budget, w);
	w->now = 1000 * MS;
}

static inline void close_world(struct world *w)
{
	conns__free(w->conns);
	decode__free(w->decode);
	exchanges__free(w->exchanges);
	linker__free(w->linker);
	meta__free(w->meta);
}

static inline int setup(void **state)
{
	*state = malloc(sizeof(struct world));
	open_world(*state);
	return 0;
}

static inline int teardown(void **state)
{
	close_world(*state);
	free(*state);
	return 0;
}

/* As capture gives it: a record that was checked. */
static inline void put(struct world *w, struct ws_rec *r, enum ws_rec_type type, size_t size)
{
	struct event e;

	r->type = (uint16_t)type;
	r->size = (uint32_t)size;
	if (!r->time_ns)
		r->time_ns = w->now += 1000;
	assert_true(record__check(r, size, &e));
	conns__event(w->conns, &e);
}

/* Bytes at seq; with a time of their own where they are told out of order. */
static inline void data_at(struct world *w, uint64_t conn, enum ws_dir dir, uint32_t seq, struct slice bytes, uint64_t time)
{
	uint64_t buf[64] = {0};
	struct ws_rec_data *d = (struct ws_rec_data *)buf;

	assert_true(sizeof(*d) + bytes.n <= sizeof(buf));
	d->head.time_ns = time;
	d->conn = conn;
	d->actor = (struct ws_actor){.tgid = (uint32_t)conn * 10, .tid = (uint32_t)conn * 10};
	d->seq = seq;
	d->dir = (uint8_t)dir;
	d->wire_len = d->cap_len = (uint32_t)bytes.n;
	memcpy(d->payload, bytes.p, bytes.n);
	put(w, &d->head, WS_REC_DATA, offsetof(struct ws_rec_data, payload) + bytes.n);
}

static inline void data(struct world *w, uint64_t conn, enum ws_dir dir, uint32_t seq, const char *text)
{
	data_at(w, conn, dir, seq, slice__of(text), 0);
}

struct ends {
	const char *local, *remote; /* "address port" */
	uint32_t netns;
};

static inline void parse_end(const char *text, uint8_t addr[16], uint16_t *port)
{
	char a[64];
	unsigned p;

	assert_int_equal(sscanf(text, "%63s %u", a, &p), 2);
	*port = (uint16_t)p;
	if (inet_pton(AF_INET6, a, addr) == 1)
		return;
	memset(addr, 0, 16);
	addr[10] = addr[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, a, addr + 12), 1);
}

static inline void opened_at(struct world *w, uint64_t conn, enum ws_role role, uint32_t rcv, uint32_t snd, struct ends e, uint64_t ns)
{
	struct ws_rec_conn r = {.established_ns = ns,
				.conn = conn, .role = (uint8_t)role, .rcv_seq = rcv, .snd_seq = snd, .netns = e.netns,
				.actor = {.tgid = (uint32_t)conn * 10, .tid = (uint32_t)conn * 10}};

	parse_end(e.local, r.local, &r.local_port);
	parse_end(e.remote, r.remote, &r.remote_port);
	put(w, &r.head, WS_REC_CONN, sizeof(r));
}

static inline void opened(struct world *w, uint64_t conn, enum ws_role role, uint32_t rcv, uint32_t snd, struct ends e)
{
	opened_at(w, conn, role, rcv, snd, e, 0);
}

static const struct ends server_end = {"127.0.0.1 80", "127.0.0.1 40000", 1};
static const struct ends client_end = {"127.0.0.1 40000", "127.0.0.1 80", 1};

static inline void accepted(struct world *w, uint64_t conn, uint32_t rcv, uint32_t snd)
{
	opened(w, conn, WS_ROLE_ACCEPTED, rcv, snd, server_end);
}

static inline void closing(struct world *w, uint64_t conn, uint32_t rcv, uint32_t snd, uint32_t lost_in, uint32_t lost_out)
{
	struct ws_rec_close r = {.conn = conn, .rcv_seq = rcv, .snd_seq = snd, .lost = {lost_in, lost_out}};

	put(w, &r.head, WS_REC_CLOSE, sizeof(r));
}

static inline void wait_ms(struct world *w, uint64_t ms)
{
	w->now += ms * MS;
	conns__tick(w->conns, w->now);
	exchanges__tick(w->exchanges, w->now);
	linker__tick(w->linker, w->now);
}

/* The end of everything; all spans are there. */
static inline void finish(struct world *w)
{
	conns__finish(w->conns);
	linker__finish(w->linker);
	assert_int_equal(conns__counters(w->conns)->opened, conns__counters(w->conns)->closed);
	assert_int_equal(exchanges__counters(w->exchanges)->open, 0);
	assert_int_equal(exchanges__counters(w->exchanges)->seen, exchanges__counters(w->exchanges)->ended);
	assert_int_equal(linker__counters(w->linker)->waiting, 0);
}

static inline void check_plain(const struct seen *s)
{
	assert_string_equal(s->name, "GET");
	assert_int_equal(s->kind, SPAN_SERVER);
	assert_string_equal(s->incomplete, "");
	assert_false(s->lost);
	assert_false(s->error);
	assert_int_equal(s->status, 200);
}

/* A call as both ends see it; the client's connection is number c, the server's is c + 1. */
static inline void call(struct world *w, uint64_t c, uint32_t request, uint32_t response)
{
	data(w, c, OUT, request, GET);
	data(w, c + 1, IN, request, GET);
	data(w, c + 1, OUT, response, OK0);
	data(w, c, IN, response, OK0);
}

static const struct seen *kind(const struct world *w, enum span_kind k, unsigned nth)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->spans[i].kind == k && !nth--)
			return &w->spans[i];
	fail_msg("not so many spans of kind %d among %u", k, w->n);
	return NULL;
}

/* The server's span is the child of the client's, or it knows nothing of it. */
static inline void check_paired(const struct world *w, unsigned nth, bool paired)
{
	const struct seen *c = kind(w, SPAN_CLIENT, nth), *s = kind(w, SPAN_SERVER, nth);

	assert_int_equal(s->has_parent, paired);
	assert_string_equal(s->evidence, paired ? "connection" : "root");
	if (paired)
		assert_memory_equal(s->parent, c->id, 8);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
