// SPDX-License-Identifier: Apache-2.0
/*
 * test_conn.c - bytes: whatever their order and the holes, the spans that come out are the truth, and what
 * was lost is marked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "conn_rig.h"

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

/* The first record after transfers that were left out. */
static void data_after(struct world *w, uint64_t conn, enum ws_dir dir, uint32_t seq, const char *text, bool turned)
{
	uint64_t buf[64] = {0};
	struct ws_rec_data *d = (struct ws_rec_data *)buf;
	const size_t n = strlen(text);

	d->head.flags = WS_DATA_SHED | (turned ? WS_DATA_TURNED : 0);
	d->conn = conn;
	d->actor = (struct ws_actor){.tgid = (uint32_t)conn * 10, .tid = (uint32_t)conn * 10};
	d->seq = seq;
	d->dir = (uint8_t)dir;
	d->wire_len = d->cap_len = (uint32_t)n;
	memcpy(d->payload, text, n);
	put(w, &d->head, WS_REC_DATA, offsetof(struct ws_rec_data, payload) + n);
}

/* A pause between exchanges, however long: what follows is whole, and nothing counts as lost. */
static void left_out(void **state)
{
	static const uint32_t lengths[] = {28, 2800, 0x7fffffff, 0x80000000, 0xf0000000};
	struct world *w = *state;

	for (uint32_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		uint32_t n = lengths[i], id = i + 1;

		w->n = 0;
		accepted(w, id, 1000, 5000);
		data(w, id, IN, 1000, GET);
		data(w, id, OUT, 5000, OK0);
		data_after(w, id, IN, 1028 + n, GET, true);
		data_after(w, id, OUT, 5038 + n, OK0, true);
		data(w, id, IN, 1056 + n, GET);
		data(w, id, OUT, 5076 + n, OK0);
		wait_ms(w, 1000);
		assert_int_equal(w->n, 3);
		for (unsigned j = 0; j < 3; j++)
			check_plain(&w->spans[j]);
	}
	assert_int_equal(conns__counters(w->conns)->gaps, 0);
	assert_int_equal(conns__counters(w->conns)->shed_gaps, 10);
	assert_int_equal(conns__counters(w->conns)->duplicates, 0);
	assert_int_equal(exchanges__counters(w->exchanges)->lost, 0);
	finish(w);
}

/* A pause that ends within an exchange: its rest is no exchange, and the next one is its own. */
static void left_out_half(void **state)
{
	struct world *w = *state;

	accepted(w, 1, 1000, 5000);
	data(w, 1, IN, 1000, GET);
	data(w, 1, OUT, 5000, OK0);
	data_after(w, 1, OUT, 5038 + 700, OK0, true); /* its request was left out */
	data_after(w, 1, IN, 1028 + 500, GET, true);
	data(w, 1, OUT, 5076 + 700, OK0);
	/* The end of a long response, then the next exchange. */
	data_after(w, 1, OUT, 5114 + 900, "xxxxx", false);
	data_after(w, 1, IN, 1056 + 600, GET, true);
	data(w, 1, OUT, 5119 + 900, OK0);
	wait_ms(w, 1000);
	assert_int_equal(w->n, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(w->spans[i].name, "GET");
		assert_int_equal(w->spans[i].status, 200);
		assert_string_equal(w->spans[i].incomplete, "");
		assert_true(w->spans[i].end - w->spans[i].start <= 10000);
	}
	assert_int_equal(conns__counters(w->conns)->gaps, 0);
	assert_int_equal(linker__counters(w->linker)->no_request, 1);
	finish(w);
}

/* Pipelined requests: of the second, the answer was left out; it does not take that of another one. */
static void left_out_answer(void **state)
{
	struct world *w = *state;

	accepted(w, 1, 1000, 5000);
	data(w, 1, IN, 1000, GET GET);
	data(w, 1, OUT, 5000, OK0);
	data_after(w, 1, IN, 1056 + 280, GET, true);
	data_after(w, 1, OUT, 5076 + 380, OK0, true);
	wait_ms(w, 1000);
	assert_int_equal(w->n, 3);
	check_plain(&w->spans[0]);
	assert_string_equal(w->spans[1].incomplete, "left out for load: raise --max-cpu or --max-memory");
	assert_int_equal(w->spans[1].status, 0);
	check_plain(&w->spans[2]);
	assert_int_equal(exchanges__counters(w->exchanges)->shed, 1);
	finish(w);
}

/* A span says why its bytes are missing. */
static void why_cut(void **state)
{
	static const struct {
		enum ws_cap cap;
		const char *reason;
	} table[] = {
		{WS_CAP_BUDGET, "longer than what was captured"},
		{WS_CAP_SHED, "payload left out, the ring was nearly full: raise --ring-size"},
		{WS_CAP_NO_ADDRESS, "payload not at hand: sendfile and the like"},
		{WS_CAP_FAULT, "payload could not be read"},
		{WS_CAP_LOAD, "head kept short for load: raise --max-cpu or --max-memory"},
	};
	struct world *w = *state;

	for (uint32_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		uint64_t buf[64] = {0};
		struct ws_rec_data *d = (struct ws_rec_data *)buf;

		w->n = 0;
		accepted(w, i + 1, 1000, 5000);
		data(w, i + 1, IN, 1000, GET);
		data(w, i + 1, OUT, 5000, OK0);
		d->conn = i + 1;
		d->actor = (struct ws_actor){.tgid = i * 10 + 10, .tid = i * 10 + 10};
		d->seq = 1028;
		d->cap = (uint8_t)table[i].cap;
		d->wire_len = 28;
		d->cap_len = 20;
		memcpy(d->payload, GET, d->cap_len);
		put(w, &d->head, WS_REC_DATA, offsetof(struct ws_rec_data, payload) + d->cap_len);
		data(w, i + 1, OUT, 5038, OK0);
		wait_ms(w, 1000);
		assert_int_equal(w->n, 2);
		check_plain(&w->spans[0]);
		assert_string_equal(w->spans[1].incomplete, table[i].reason);
	}
	finish(w);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(in_order), T(out_of_order), T(gap), T(gap_of_a_request), T(too_many_held), T(left_out),
		T(left_out_half), T(left_out_answer), T(why_cut), T(duplicates), T(wrap),
	};
	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
