// SPDX-License-Identifier: Apache-2.0
/* test_conn_peers.c - the two ends of a call find each other, and nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "conn_rig.h"
#include "conn/peer.h"

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

/* Ends that were seen to begin, by their first sequences alone: twins in two namespaces, and NAT between them. */
static void pairs(void **state)
{
	struct world *w = *state;
	const struct ends c1 = {"10.0.0.1 40000", "10.0.0.2 80", 1}, s1 = {"10.0.0.2 80", "10.0.0.1 40000", 2};
	const struct ends c2 = {"10.0.0.1 40000", "10.0.0.2 80", 3}, s2 = {"10.0.0.2 80", "10.0.0.1 40000", 4};
	const struct ends c3 = {"10.0.0.1 40001", "10.96.0.1 8080", 1}, s3 = {"10.0.0.2 80", "192.168.0.9 61000", 2};
	const struct ends late = {"10.0.0.1 40002", "10.0.0.2 80", 1}, later = {"10.0.0.2 80", "10.0.0.1 40002", 2};

	opened_at(w, 1, WS_ROLE_CONNECTED, 5000, 1000, c1, 1);
	opened_at(w, 3, WS_ROLE_CONNECTED, 5001, 1001, c2, 1);
	opened_at(w, 2, WS_ROLE_ACCEPTED, 1000, 5000, s1, 1);
	opened_at(w, 4, WS_ROLE_ACCEPTED, 1001, 5001, s2, 1);
	opened_at(w, 6, WS_ROLE_ACCEPTED, 7000, 8000, s3, 1);
	opened_at(w, 5, WS_ROLE_CONNECTED, 8000, 7000, c3, 1);
	/* The server's end was announced after it had read a request of 28 bytes. */
	opened_at(w, 7, WS_ROLE_CONNECTED, 300, 200, late, 1);
	opened_at(w, 8, WS_ROLE_ACCEPTED, 228, 300, later, 1);
	call(w, 1, 1000, 5000);
	call(w, 3, 1001, 5001);
	call(w, 5, 7000, 8000);
	call(w, 7, 228, 300);
	/* The twin of the first has come by the sequences of its next call: not that one's other end. */
	data(w, 1, OUT, 1028, GET);
	data(w, 4, IN, 1029, GET);
	finish(w);
	for (unsigned i = 0; i < 4; i++)
		check_paired(w, i, true);
}

/* A connection that is older than we are: what it has moved before, and where it began, as the kernel tells it. */
static void found(struct world *w, uint64_t conn, enum ws_role role, uint32_t read, uint32_t sent, struct ends e)
{
	struct ws_rec_conn r = {.conn = conn, .role = (uint8_t)role, .origin = WS_ORIGIN_EXISTING, .netns = e.netns,
				.rcv_seq = read + 100, .snd_seq = sent + 100, .first = (uint64_t)sent << 32 | read,
				.actor = {.tgid = (uint32_t)conn * 10, .tid = (uint32_t)conn * 10}};

	parse_end(e.local, r.local, &r.local_port);
	parse_end(e.remote, r.remote, &r.remote_port);
	put(w, &r.head, WS_REC_CONN, sizeof(r));
}

/* The same of ends that were open before: NAT between them, twins in two namespaces, one end seen to begin. */
static void pairs_of_before(void **state)
{
	struct world *w = *state;
	const struct ends c1 = {"10.0.0.1 40001", "10.96.0.1 8080", 1}, s1 = {"10.0.0.2 80", "10.0.0.1 40001", 2};
	const struct ends c2 = {"10.0.0.1 40000", "10.0.0.2 80", 3}, s2 = {"10.0.0.2 80", "10.0.0.1 40000", 4};
	const struct ends c3 = {"10.0.0.1 40000", "10.0.0.2 80", 5}, s3 = {"10.0.0.2 80", "10.0.0.1 40000", 6};
	const struct ends c4 = {"10.0.0.1 40009", "10.96.0.1 8080", 1}, s4 = {"10.0.0.2 80", "10.0.0.1 40009", 2};

	found(w, 1, WS_ROLE_CONNECTED, 8000, 7000, c1);
	found(w, 2, WS_ROLE_ACCEPTED, 7000, 8000, s1);
	found(w, 3, WS_ROLE_CONNECTED, 5000, 1000, c2);
	found(w, 5, WS_ROLE_CONNECTED, 5001, 1001, c3);
	found(w, 6, WS_ROLE_ACCEPTED, 1001, 5001, s3);
	found(w, 4, WS_ROLE_ACCEPTED, 1000, 5000, s2);
	opened_at(w, 7, WS_ROLE_CONNECTED, 600, 500, c4, 1);
	found(w, 8, WS_ROLE_ACCEPTED, 500, 600, s4);
	call(w, 1, 7100, 8100);
	call(w, 3, 1100, 5100);
	call(w, 5, 1101, 5101);
	call(w, 7, 500, 600);
	finish(w);
	for (unsigned i = 0; i < 4; i++)
		check_paired(w, i, true);
}

/* Twins of which one end is not traced: nobody takes the other's. */
static void no_pair(void **state)
{
	struct world *w = *state;

	opened_at(w, 1, WS_ROLE_CONNECTED, 5000, 1000, (struct ends){"10.0.0.1 40000", "10.0.0.2 80", 1}, 1);
	opened_at(w, 2, WS_ROLE_ACCEPTED, 1001, 5001, (struct ends){"10.0.0.2 80", "10.0.0.1 40000", 4}, 1);
	data(w, 1, OUT, 1000, GET);
	data(w, 1, IN, 5000, OK0);
	data(w, 2, IN, 1001, GET);
	data(w, 2, OUT, 5001, OK0);
	finish(w);
	check_paired(w, 0, false);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(peers), T(pairs), T(pairs_of_before), T(no_pair), T(ports_reused), T(addresses),
	};
	return cmocka_run_group_tests_name("conn_peers", tests, NULL, NULL);
}
