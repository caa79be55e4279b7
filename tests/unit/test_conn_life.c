// SPDX-License-Identifier: Apache-2.0
/* test_conn_life.c - how connections begin and end, and in which order that is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "conn_rig.h"

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

/* A connection older than we are is announced after its first transfer, which has told who calls whom. */
static void role_guessed(void **state)
{
	struct world *w = *state;

	data(w, 1, OUT, 1000, GET);
	opened(w, 1, WS_ROLE_UNKNOWN, 5000, 1028, client_end);
	data(w, 1, IN, 5000, OK0);
	finish(w);
	assert_int_equal(w->n, 1);
	assert_int_equal(w->spans[0].kind, SPAN_CLIENT);
	assert_int_equal(w->spans[0].status, 200);
}

/* The guess was wrong: what was made of it is let go, and all starts anew. */
static void role_guessed_wrong(void **state)
{
	struct world *w = *state;

	data(w, 1, IN, 5000, GET);
	opened(w, 1, WS_ROLE_CONNECTED, 5028, 1000, client_end);
	data(w, 1, OUT, 1000, GET);
	data(w, 1, IN, 5028, OK0);
	finish(w);
	assert_int_equal(w->n, 2);
	assert_int_equal(w->spans[0].status, 0);
	assert_int_equal(w->spans[1].kind, SPAN_CLIENT);
	assert_int_equal(w->spans[1].status, 200);
}

/* The record of a close is lost: connect() of the same socket begins another connection all the same. */
static void connecting_again(void **state)
{
	struct world *w = *state;
	struct ws_rec_conn r = {.conn = 1, .role = WS_ROLE_CONNECTED, .head.flags = WS_CONN_CONNECTING,
				.actor = {.tgid = 10, .tid = 10}, .connect_ns = 5};

	for (int i = 0; i < 2; i++) {
		put(w, &r.head, WS_REC_CONN, sizeof(r));
		put(w, &r.head, WS_REC_CONN, sizeof(r));
		opened(w, 1, WS_ROLE_CONNECTED, 5000 + (uint32_t)i * 9, 1000 + (uint32_t)i * 7777, client_end);
		data(w, 1, OUT, 1000 + (uint32_t)i * 7777, GET);
		data(w, 1, IN, 5000 + (uint32_t)i * 9, OK0);
	}
	finish(w);
	assert_int_equal(w->n, 2);
	assert_int_equal(conns__counters(w->conns)->opened, 2);
	assert_int_equal(conns__counters(w->conns)->gaps, 0);
	assert_false(w->spans[1].lost);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(data_before_conn), T(announced_by_transfer), T(no_conn), T(close_before_last_data),
		T(close_without_response), T(close_with_loss), T(close_with_loss_and_late_data),
		T(close_without_loss), T(told_twice), T(eviction), T(connecting), T(role_guessed),
		T(role_guessed_wrong), T(connecting_again), T(budget),
	};
	return cmocka_run_group_tests_name("conn_life", tests, NULL, NULL);
}
