// SPDX-License-Identifier: Apache-2.0
/*
 * test_conn.c - events made by hand, into conns__event with the real stages behind it: whatever the
 * order and the holes, the spans that come out are the truth, and what was lost is marked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>

#include "capture/capture.h"
#include "conn/conn.h"
#include "conn/peer.h"

#define GET "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"			   /* 28 */
#define OK0 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"		   /* 38 */
#define OK20 "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" /* 39, and 20 */
#define IN WS_DIR_IN
#define OUT WS_DIR_OUT
#define MAX 64
#define MS 1000000ull

struct seen {
	char name[16], incomplete[64], evidence[16];
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

static void on_span(void *ctx, const struct span *s)
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

static void on_budget(void *ctx, const struct connection *c, const struct ws_budget_pair *b, bool for_port)
{
	struct world *w = ctx;

	w->budget_of = c->id;
	w->budget = *b;
	w->for_port = for_port;
}

static void open_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->linker = linker__new(on_span, w);
	w->exchanges = exchanges__new(w->linker);
	w->decode = decode__new(w->exchanges);
	w->meta = meta__new(false);
	w->conns = conns__new(w->decode, w->exchanges, w->meta, on_budget, w);
	w->now = 1000 * MS;
}

static void close_world(struct world *w)
{
	conns__free(w->conns);
	decode__free(w->decode);
	exchanges__free(w->exchanges);
	linker__free(w->linker);
	meta__free(w->meta);
}

static int setup(void **state)
{
	*state = malloc(sizeof(struct world));
	open_world(*state);
	return 0;
}

static int teardown(void **state)
{
	close_world(*state);
	free(*state);
	return 0;
}

/* As capture gives it: a record that was checked. */
static void put(struct world *w, struct ws_rec *r, enum ws_rec_type type, size_t size)
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
static void data_at(struct world *w, uint64_t conn, enum ws_dir dir, uint32_t seq, struct slice bytes, uint64_t time)
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

static void data(struct world *w, uint64_t conn, enum ws_dir dir, uint32_t seq, const char *text)
{
	data_at(w, conn, dir, seq, slice__of(text), 0);
}

struct ends {
	const char *local, *remote; /* "address port" */
	uint32_t netns;
};

static void parse_end(const char *text, uint8_t addr[16], uint16_t *port)
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

static void opened(struct world *w, uint64_t conn, enum ws_role role, uint32_t rcv, uint32_t snd, struct ends e)
{
	struct ws_rec_conn r = {.conn = conn, .role = (uint8_t)role, .rcv_seq = rcv, .snd_seq = snd, .netns = e.netns,
				.actor = {.tgid = (uint32_t)conn * 10, .tid = (uint32_t)conn * 10}};

	parse_end(e.local, r.local, &r.local_port);
	parse_end(e.remote, r.remote, &r.remote_port);
	put(w, &r.head, WS_REC_CONN, sizeof(r));
}

static const struct ends server_end = {"127.0.0.1 80", "127.0.0.1 40000", 1};
static const struct ends client_end = {"127.0.0.1 40000", "127.0.0.1 80", 1};

static void accepted(struct world *w, uint64_t conn, uint32_t rcv, uint32_t snd)
{
	opened(w, conn, WS_ROLE_ACCEPTED, rcv, snd, server_end);
}

static void closing(struct world *w, uint64_t conn, uint32_t rcv, uint32_t snd, uint32_t lost_in, uint32_t lost_out)
{
	struct ws_rec_close r = {.conn = conn, .rcv_seq = rcv, .snd_seq = snd, .lost = {lost_in, lost_out}};

	put(w, &r.head, WS_REC_CLOSE, sizeof(r));
}

static void wait_ms(struct world *w, uint64_t ms)
{
	w->now += ms * MS;
	conns__tick(w->conns, w->now);
	exchanges__tick(w->exchanges, w->now);
	linker__tick(w->linker, w->now);
}

/* The end of everything; all spans are there. */
static void finish(struct world *w)
{
	conns__finish(w->conns);
	linker__finish(w->linker);
	assert_int_equal(conns__counters(w->conns)->opened, conns__counters(w->conns)->closed);
	assert_int_equal(exchanges__counters(w->exchanges)->open, 0);
	assert_int_equal(exchanges__counters(w->exchanges)->seen, exchanges__counters(w->exchanges)->ended);
	assert_int_equal(linker__counters(w->linker)->waiting, 0);
}

static void check_plain(const struct seen *s)
{
	assert_string_equal(s->name, "GET");
	assert_int_equal(s->kind, SPAN_SERVER);
	assert_string_equal(s->incomplete, "");
	assert_false(s->lost);
	assert_false(s->error);
	assert_int_equal(s->status, 200);
}

static void in_order(void **state)
{
	struct world *w = *state;

	accepted(w, 1, 1000, 5000);
	for (uint32_t i = 0; i < 3; i++) {
		data(w, 1, IN, 1000 + 28 * i, GET);
		data(w, 1, OUT, 5000 + 38 * i, OK0);
		assert_int_equal(w->n, i + 1);
		check_plain(&w->spans[i]);
		assert_int_equal(w->spans[i].port, 80);
	}
	closing(w, 1, 1000 + 84 + 1, 5000 + 114 + 1, 0, 0);
	assert_int_equal(conns__counters(w->conns)->closed, 0);
	wait_ms(w, 150);
	assert_int_equal(conns__counters(w->conns)->closed, 1);
	finish(w);
	assert_int_equal(w->n, 3);
	assert_int_equal(conns__counters(w->conns)->gaps, 0);
	assert_int_equal(conns__counters(w->conns)->reordered, 0);
	assert_int_equal(conns__counters(w->conns)->duplicates, 0);
	assert_int_equal(conns__counters(w->conns)->unknown, 0);
}

/* One request and its response in three parts each; every order of the parts gives the same span. */
static void out_of_order(void **state)
{
	static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	static const struct { uint32_t at, n; } parts[3] = {{0, 10}, {10, 1}, {11, 17}};
	struct seen first = {0};

	teardown(state);
	for (int o = 0; o < 6; o++) {
		struct world *w;

		setup(state);
		w = *state;
		accepted(w, 1, 1000, 5000);
		for (int i = 0; i < 3; i++) {
			int k = orders[o][i];

			data_at(w, 1, IN, 1000 + parts[k].at, (struct slice){&GET[parts[k].at], parts[k].n}, 2000 * MS + (uint64_t)k);
		}
		for (int i = 0; i < 3; i++) {
			int k = orders[o][i];
			size_t n = k == 2 ? 27 : parts[k].n;

			data_at(w, 1, OUT, 5000 + parts[k].at, (struct slice){&OK0[parts[k].at], n}, 2010 * MS + (uint64_t)k);
		}
		assert_int_equal(w->n, 1);
		check_plain(&w->spans[0]);
		if (!o)
			first = w->spans[0];
		assert_memory_equal(w->spans[0].id, first.id, 8);
		assert_true(w->spans[0].start == first.start && w->spans[0].end == first.end);
		assert_int_equal(conns__counters(w->conns)->gaps, 0);
		assert_int_equal(conns__counters(w->conns)->reordered > 0, o > 0);
		finish(w);
		if (o < 5)
			teardown(state);
	}
}

/* A hole in a response's body: waited for, then named; that span is marked, what was over before it is not. */
static void gap(void **state)
{
	struct world *w = *state;

	accepted(w, 1, 1000, 5000);
	data(w, 1, IN, 1000, GET);
	data(w, 1, OUT, 5000, OK0);
	data(w, 1, IN, 1028, GET);
	data(w, 1, OUT, 5038, OK20 "0123456789");
	data(w, 1, IN, 1056, GET); /* the last ten bytes were never told of */
	data(w, 1, OUT, 5097, OK0);
	wait_ms(w, 90);
	assert_int_equal(conns__counters(w->conns)->gaps, 0);
	wait_ms(w, 20);
	assert_int_equal(conns__counters(w->conns)->gaps, 1);
	assert_int_equal(conns__counters(w->conns)->gap_bytes, 10);
	finish(w);
	assert_int_equal(w->n, 3);
	check_plain(&w->spans[0]);
	assert_true(w->spans[1].lost);
	assert_string_equal(w->spans[1].incomplete, "capture lost bytes");
	assert_int_equal(w->spans[1].status, 200);
	assert_int_equal(w->spans[2].status, 200); /* its request was there when the hole was found: it may be marked, too */
	assert_in_range(exchanges__counters(w->exchanges)->lost, 1, 2);
}

/* A whole request lost: the next ones are right, and no answer is given to the wrong question. */
static void gap_of_a_request(void **state)
{
	struct world *w = *state;
	unsigned plain = 0;

	accepted(w, 1, 1000, 5000);
	data(w, 1, IN, 1000, GET);
	data(w, 1, OUT, 5000, OK0);
	data(w, 1, OUT, 5038, OK0); /* to the request that was lost */
	data(w, 1, IN, 1056, GET);
	wait_ms(w, 110);
	data(w, 1, OUT, 5076, OK0);
	data(w, 1, IN, 1084, GET);
	data(w, 1, OUT, 5114, OK0);
	wait_ms(w, 1000);
	finish(w);
	assert_int_equal(conns__counters(w->conns)->gaps, 1);
	assert_int_equal(conns__counters(w->conns)->gap_bytes, 28);
	for (unsigned i = 0; i < w->n; i++)
		plain += !w->spans[i].incomplete[0];
	assert_in_range(plain, 2, 3); /* the one after the gap may be marked, too */
	assert_true(w->spans[w->n - 1].status == 200 && !w->spans[w->n - 1].lost);
}

/* More waits than is kept: the gap is named at once. */
static void too_many_held(void **state)
{
	struct world *w = *state;
	const struct decode_counters *n = decode__counters(w->decode);

	accepted(w, 1, 1000, 5000);
	for (uint32_t i = 1; i <= 32; i++)
		data(w, 1, IN, 1000 + 28 * i, GET);
	assert_int_equal(conns__counters(w->conns)->gaps, 0);
	for (uint32_t i = 33; i <= 40; i++)
		data(w, 1, IN, 1000 + 28 * i, GET);
	assert_int_equal(conns__counters(w->conns)->gaps, 1);
	assert_int_equal(conns__counters(w->conns)->gap_bytes, 28);
	finish(w);
	assert_int_equal(n->lost_bytes, 28);
	assert_int_equal(n->understood_bytes + n->undecodable_bytes + n->skipped_bytes, 41 * 28);
}

static void duplicates(void **state)
{
	struct world *w = *state;

	accepted(w, 1, 1000, 5000);
	data(w, 1, IN, 1000, GET);
	data(w, 1, IN, 1000, GET);
	data(w, 1, OUT, 5000, OK0);
	data(w, 1, OUT, 5000, OK0);
	data(w, 1, IN, 1056, GET); /* early, and twice */
	data(w, 1, IN, 1056, GET);
	data(w, 1, IN, 1028, GET);
	assert_int_equal(w->n, 1);
	assert_int_equal(conns__counters(w->conns)->duplicates, 3);
	assert_int_equal(exchanges__counters(w->exchanges)->seen, 3);
	check_plain(&w->spans[0]);
	finish(w);
	assert_int_equal(w->n, 3);
}

/* Both directions pass 2^32 in the middle of a message, and between two; also out of order. */
static void wrap(void **state)
{
	struct world *w = *state;
	uint32_t in = 0u - 28 * 2 - 14, out = 0u - 38 - 19;

	accepted(w, 1, in, out);
	for (uint32_t i = 0; i < 6; i++) {
		uint32_t at = in + 28 * i;

		data_at(w, 1, IN, at + 20, slice__of(GET + 20), w->now + 2000);
		data_at(w, 1, IN, at, (struct slice){GET, 20}, w->now + 1000);
		w->now += 3000;
		data(w, 1, OUT, out + 38 * i, OK0);
		assert_int_equal(w->n, i + 1);
		check_plain(&w->spans[i]);
	}
	assert_int_equal(conns__counters(w->conns)->gaps, 0);
	assert_int_equal(conns__counters(w->conns)->reordered, 6);
	finish(w);
	/* Starting right at the border. */
	opened(w, 2, WS_ROLE_ACCEPTED, 0xffffffff, 1, server_end);
	data(w, 2, IN, 0xffffffff, GET);
	data(w, 2, OUT, 1, OK0);
	assert_int_equal(w->n, 7);
	check_plain(&w->spans[6]);
}

/* Its first transfer comes before it is announced; the sequence is the transfer's. */
static void data_before_conn(void **state)
{
	struct world *w = *state;

	data(w, 1, IN, 1000, GET);
	accepted(w, 1, 1028, 5000);
	data(w, 1, OUT, 5000, OK0);
	assert_int_equal(w->n, 1);
	check_plain(&w->spans[0]);
	assert_int_equal(w->spans[0].port, 80);
	assert_int_equal(conns__counters(w->conns)->unknown, 1);
	finish(w);
}

/* Announced by its first transfer: the numbers in CONN are those after it. */
static void announced_by_transfer(void **state)
{
	struct world *w = *state;

	accepted(w, 1, 1028, 5000);
	data(w, 1, IN, 1000, GET);
	data(w, 1, OUT, 5000, OK0);
	assert_int_equal(w->n, 1);
	check_plain(&w->spans[0]);
	assert_int_equal(conns__counters(w->conns)->duplicates, 0);
	finish(w);
}

/* Never announced at all: its spans are there, with nobody's name, and it is counted. */
static void no_conn(void **state)
{
	struct world *w = *state;
	uint64_t buf[64] = {0};
	struct ws_rec_data *d = (struct ws_rec_data *)buf;

	data(w, 1, IN, 1000, GET);
	data(w, 1, OUT, 5000, OK0);
	assert_int_equal(w->n, 1);
	assert_int_equal(conns__counters(w->conns)->unknown, 2);
	/* Not even a process. */
	d->conn = 2;
	d->wire_len = d->cap_len = 28;
	memcpy(d->payload, GET, 28);
	put(w, &d->head, WS_REC_DATA, offsetof(struct ws_rec_data, payload) + 28);
	finish(w);
	assert_int_equal(w->n, 2);
}

/* The socket is closed before the record of the last send arrives: it lingers for it. */
static void close_before_last_data(void **state)
{
	struct world *w = *state;

	accepted(w, 1, 1000, 5000);
	data(w, 1, IN, 1000, GET);
	closing(w, 1, 1029, 5039, 0, 0);
	data(w, 1, OUT, 5000, OK0);
	assert_int_equal(w->n, 1);
	check_plain(&w->spans[0]);
	wait_ms(w, 150);
	assert_int_equal(conns__counters(w->conns)->closed, 1);
	finish(w);
	assert_int_equal(w->n, 1);
}

/* Closed without an answer: a span that says so, when the linger is over and not minutes later. */
static void close_without_response(void **state)
{
	struct world *w = *state;

	accepted(w, 1, 1000, 5000);
	opened(w, 2, WS_ROLE_CONNECTED, 1000, 5000, (struct ends){"10.0.0.1 1", "10.0.0.2 80", 1});
	data(w, 1, IN, 1000, GET);
	data(w, 2, OUT, 5000, GET);
	closing(w, 1, 1029, 5000, 0, 0);
	closing(w, 2, 1000, 5029, 0, 0);
	wait_ms(w, 150);
	assert_int_equal(exchanges__counters(w->exchanges)->open, 0);
	finish(w);
	assert_int_equal(w->n, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_string_equal(w->spans[i].incomplete, "connection closed before a response");
		assert_int_equal(w->spans[i].error, w->spans[i].kind == SPAN_CLIENT);
		assert_false(w->spans[i].lost);
	}
}

/* The kernel could not tell of all: what the socket's last numbers say is missing, is loss. */
static void close_with_loss(void **state)
{
	struct world *w = *state;

	accepted(w, 1, 1000, 5000);
	data(w, 1, IN, 1000, GET);
	data(w, 1, OUT, 5000, OK20 "01234");
	closing(w, 1, 1029, 5000 + 59 + 1, 0, 1);
	wait_ms(w, 150);
	finish(w);
	assert_int_equal(w->n, 1);
	assert_true(w->spans[0].lost);
	assert_int_equal(conns__counters(w->conns)->gaps, 1);
	assert_in_range(conns__counters(w->conns)->gap_bytes, 15, 16); /* a FIN counts one */
}

/* As before, but records that were made arrive after the CLOSE: they are no loss. */
static void close_with_loss_and_late_data(void **state)
{
	struct world *w = *state;

	accepted(w, 1, 1000, 5000);
	data(w, 1, IN, 1000, GET);
	closing(w, 1, 1029, 5000 + 59 + 1, 0, 1);
	data(w, 1, OUT, 5000, OK20 "01234");
	wait_ms(w, 150);
	finish(w);
	assert_int_equal(w->n, 1);
	assert_true(w->spans[0].lost);
	assert_int_equal(w->spans[0].status, 200);
	assert_int_equal(conns__counters(w->conns)->duplicates, 0);
	assert_in_range(conns__counters(w->conns)->gap_bytes, 15, 16);
}

/* Bytes that nobody sent are not missed: a reset connection, and a FIN. */
static void close_without_loss(void **state)
{
	struct world *w = *state;

	accepted(w, 1, 1000, 5000);
	data(w, 1, IN, 1000, GET);
	data(w, 1, OUT, 5000, OK0);
	closing(w, 1, 1029 + 100000, 5039 + 100000, 0, 0);
	wait_ms(w, 150);
	finish(w);
	assert_int_equal(conns__counters(w->conns)->gaps, 0);
	check_plain(&w->spans[0]);
}

/* By the iterator and by its first transfer: the first announcement counts. CLOSE twice: once. */
static void told_twice(void **state)
{
	struct world *w = *state;

	accepted(w, 1, 1000, 5000);
	opened(w, 1, WS_ROLE_CONNECTED, 7777, 8888, (struct ends){"10.0.0.1 1", "10.0.0.2 2", 3});
	data(w, 1, IN, 1000, GET);
	data(w, 1, OUT, 5000, OK0);
	check_plain(&w->spans[0]);
	assert_int_equal(w->spans[0].port, 80);
	closing(w, 1, 1029, 5039, 0, 0);
	closing(w, 1, 1029, 5039, 0, 0);
	closing(w, 99, 1, 1, 5, 5); /* of a connection that nobody knows */
	wait_ms(w, 150);
	finish(w);
	assert_int_equal(conns__counters(w->conns)->opened, 1);
	assert_int_equal(conns__counters(w->conns)->closed, 1);
}

/* The bound on connections: the one that was silent longest goes, and what was open on it is told. */
static void eviction(void **state)
{
	struct world *w = *state;
	const uint64_t bound = 65536;

	for (uint64_t id = 1; id <= bound; id++)
		opened(w, id, WS_ROLE_ACCEPTED, 1000, 5000, (struct ends){"127.0.0.1 80", "127.0.0.1 40000", (uint32_t)id});
	data(w, 2, IN, 1000, GET);
	data(w, 1, IN, 1000, GET);
	data(w, 1, OUT, 5000, OK0);
	assert_int_equal(conns__counters(w->conns)->evicted, 0);
	for (uint64_t id = bound + 1; id <= 2 * bound - 1; id++)
		opened(w, id, WS_ROLE_ACCEPTED, 1000, 5000, (struct ends){"127.0.0.1 80", "127.0.0.1 40000", (uint32_t)id});
	assert_int_equal(conns__counters(w->conns)->evicted, bound - 1);
	linker__finish(w->linker);
	assert_int_equal(w->n, 2); /* 2 went, with its open exchange */
	assert_string_equal(w->spans[1].incomplete, "tracing ended, or gave up waiting");
	data(w, 1, IN, 1028, GET); /* 1 was used last, and is still there */
	data(w, 1, OUT, 5038, OK0);
	assert_int_equal(conns__counters(w->conns)->unknown, 0);
	assert_int_equal(w->n, 3);
	check_plain(&w->spans[2]);
	finish(w);
}

/* A call as both ends see it; the client's connection is number c, the server's is c + 1. */
static void call(struct world *w, uint64_t c, uint32_t request, uint32_t response)
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
static void check_paired(const struct world *w, unsigned nth, bool paired)
{
	const struct seen *c = kind(w, SPAN_CLIENT, nth), *s = kind(w, SPAN_SERVER, nth);

	assert_int_equal(s->has_parent, paired);
	assert_string_equal(s->evidence, paired ? "connection" : "root");
	if (paired)
		assert_memory_equal(s->parent, c->id, 8);
}

static void peers(void **state)
{
	static const struct { struct ends client, server; bool paired; } rows[] = {
		{{"127.0.0.1 40000", "127.0.0.1 80", 1}, {"127.0.0.1 80", "127.0.0.1 40000", 1}, true},
		{{"::1 40000", "::1 80", 1}, {"::1 80", "::1 40000", 1}, true},
		{{"fd00::1 40000", "fd00::2 80", 1}, {"fd00::2 80", "fd00::1 40000", 2}, true},
		/* An IPv6 socket that speaks IPv4. */
		{{"::ffff:10.0.0.1 40000", "::ffff:10.0.0.2 80", 1}, {"10.0.0.2 80", "10.0.0.1 40000", 1}, true},
		/* Two containers, each with its own name for the world, but one address each. */
		{{"10.0.0.1 40000", "10.0.0.2 80", 1}, {"10.0.0.2 80", "10.0.0.1 40000", 2}, true},
		/* Loopback is another one in each network namespace. */
		{{"127.0.0.1 40000", "127.0.0.1 80", 1}, {"127.0.0.1 80", "127.0.0.1 40000", 2}, false},
		{{"127.9.9.9 40000", "127.9.9.8 80", 1}, {"127.9.9.8 80", "127.9.9.9 40000", 2}, false},
		{{"::1 40000", "::1 80", 1}, {"::1 80", "::1 40000", 2}, false},
		/* Not the same connection. */
		{{"127.0.0.1 40000", "127.0.0.1 80", 1}, {"127.0.0.1 80", "127.0.0.1 40001", 1}, false},
		{{"127.0.0.1 40000", "127.0.0.1 80", 1}, {"127.0.0.2 80", "127.0.0.1 40000", 1}, false},
		{{"10.0.0.1 40000", "10.0.0.2 80", 1}, {"fd00::2 80", "10.0.0.1 40000", 1}, false},
	};

	teardown(state);
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
		struct world *w;

		setup(state);
		w = *state;
		/* Either end may be announced first. */
		if (i % 2)
			opened(w, 1, WS_ROLE_CONNECTED, 5000, 1000, rows[i / 2].client);
		opened(w, 2, WS_ROLE_ACCEPTED, 1000, 5000, rows[i / 2].server);
		if (!(i % 2))
			opened(w, 1, WS_ROLE_CONNECTED, 5000, 1000, rows[i / 2].client);
		call(w, 1, 1000, 5000);
		finish(w);
		assert_int_equal(w->n, 2);
		check_paired(w, 0, rows[i / 2].paired);
		if (i + 1 < 2 * sizeof(rows) / sizeof(*rows))
			teardown(state);
	}
}

/* The same ports again, while the closed connection still lingers: each call finds its own other end. */
static void ports_reused(void **state)
{
	struct world *w = *state;

	opened(w, 1, WS_ROLE_CONNECTED, 5000, 1000, client_end);
	opened(w, 2, WS_ROLE_ACCEPTED, 1000, 5000, server_end);
	call(w, 1, 1000, 5000);
	closing(w, 1, 5039, 1029, 0, 0);
	closing(w, 2, 1029, 5039, 0, 0);
	opened(w, 3, WS_ROLE_CONNECTED, 800, 900, client_end);
	opened(w, 4, WS_ROLE_ACCEPTED, 900, 800, server_end);
	wait_ms(w, 50);
	call(w, 3, 900, 800);
	wait_ms(w, 60); /* now the old ones go, and take nobody with them */
	call(w, 3, 928, 838);
	finish(w);
	assert_int_equal(w->n, 6);
	for (unsigned i = 0; i < 3; i++)
		check_paired(w, i, true);
}

/* connect() is told twice: when it is called, without a local port, and when it stands. */
static void connecting(void **state)
{
	struct world *w = *state;
	struct ws_rec_conn r = {.conn = 1, .role = WS_ROLE_CONNECTED, .head.flags = WS_CONN_CONNECTING,
				.actor = {.tgid = 10, .tid = 10}, .connect_ns = 5};

	put(w, &r.head, WS_REC_CONN, sizeof(r));
	opened(w, 2, WS_ROLE_ACCEPTED, 1000, 5000, server_end);
	opened(w, 1, WS_ROLE_CONNECTED, 5000, 1000, client_end);
	call(w, 1, 1000, 5000);
	/* One that never stood. */
	r.conn = 3;
	r.head.time_ns = 0;
	put(w, &r.head, WS_REC_CONN, sizeof(r));
	closing(w, 3, 0, 0, 0, 0);
	wait_ms(w, 150);
	finish(w);
	assert_int_equal(w->n, 2);
	check_paired(w, 0, true);
	assert_int_equal(kind(w, SPAN_CLIENT, 0)->port, 40000);
	assert_int_equal(conns__counters(w->conns)->opened, 3);
}

/* What decode wants of the kernel is passed on, with the connection it is about. */
static void budget(void **state)
{
	struct world *w = *state;

	accepted(w, 7, 1000, 5000);
	for (uint32_t i = 0; i < 30; i++)
		data(w, 7, IN, 1000 + 200 * i,
		     "????????????????????????????????????????????????????????????????????????????????????????????????????"
		     "????????????????????????????????????????????????????????????????????????????????????????????????????");
	assert_int_equal(w->budget_of, 7);
	assert_int_equal(w->budget.dir[IN].mode, WS_BUDGET_SIZES);
	assert_false(w->for_port);
	finish(w);
}

static void addresses(void **state)
{
	static const char *const texts[][2] = {
		{"10.1.2.3 1", "10.1.2.3"}, {"::ffff:10.1.2.3 1", "10.1.2.3"}, {"::1 1", "::1"}, {"fd00:0:0::5 1", "fd00::5"},
		{"1111:2222:3333:4444:5555:6666:7777:8888 1", "1111:2222:3333:4444:5555:6666:7777:8888"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct endpoint e;
		char text[46];

		parse_end(texts[i][0], e.addr, &e.port);
		endpoint__print(&e, text);
		assert_string_equal(text, texts[i][1]);
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(in_order), T(out_of_order), T(gap), T(gap_of_a_request), T(too_many_held), T(duplicates), T(wrap),
		T(data_before_conn), T(announced_by_transfer), T(no_conn), T(close_before_last_data),
		T(close_without_response), T(close_with_loss), T(close_with_loss_and_late_data), T(close_without_loss),
		T(told_twice), T(eviction), T(peers), T(ports_reused), T(connecting), T(budget), T(addresses),
	};
	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
