// SPDX-License-Identifier: Apache-2.0
/* test_loops.c - event loops and their turns, driven like test_link.c. */
#include "link_rig.h"

/* One loop, two requests, each with a call on a kept connection; replies come in the other order. */
static void event_loop_last_read(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out1 = conn(w, WS_ROLE_CONNECTED, 10), *out2 = conn(w, WS_ROLE_CONNECTED, 10);

	request(w, a, 1, "a", stamp(w, 10, 10, 1));
	request(w, out1, 2, "a1", stamp(w, 10, 10, 1));
	request(w, b, 3, "b", stamp(w, 10, 10, 1));
	request(w, out2, 4, "b1", stamp(w, 10, 10, 1));
	response(w, out2, 4, stamp(w, 10, 10, 2));
	response(w, b, 3, stamp(w, 10, 10, 2));
	response(w, out1, 2, stamp(w, 10, 10, 3));
	/* The reply to a's call took the loop back to a: this is a's second call. */
	request(w, out2, 5, "a2", stamp(w, 10, 10, 3));
	response(w, out2, 5, stamp(w, 10, 10, 4));
	response(w, a, 1, stamp(w, 10, 10, 4));
	later(w);
	check_child(w, "a1", "a", EV_EVENT_LOOP);
	check_child(w, "b1", "b", EV_EVENT_LOOP);
	check_child(w, "a2", "a", EV_EVENT_LOOP);
	unplug(w, a);
	unplug(w, b);
	unplug(w, out1);
	unplug(w, out2);
}

/* The loop has slept since the read: a timer may have sent this. */
static void event_loop_other_turn(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10);

	request(w, a, 1, "a", stamp(w, 10, 10, 1));
	request(w, b, 2, "b", stamp(w, 10, 10, 1));
	request(w, out, 3, "timer", stamp(w, 10, 10, 2));
	response(w, out, 3, stamp(w, 10, 10, 3));
	response(w, a, 1, stamp(w, 10, 10, 3));
	response(w, b, 2, stamp(w, 10, 10, 3));
	later(w);
	check_alone(w, "timer", EV_UNKNOWN);
	unplug(w, a);
	unplug(w, b);
	unplug(w, out);
}

/*
 * A timer of request a sends in the turn in which b was read: b looks like the cause. The reply leads
 * to another call, whose reply leads to a's answer: neither call was b's.
 */
static void event_loop_reply_tells(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10);

	request(w, a, 1, "a", stamp(w, 10, 10, 1));
	request(w, b, 2, "b", stamp(w, 10, 10, 2));
	request(w, out, 3, "timer", stamp(w, 10, 10, 2));
	response(w, out, 3, stamp(w, 10, 10, 3));
	request(w, out, 200, "next", stamp(w, 10, 10, 3));
	response(w, out, 200, stamp(w, 10, 10, 4));
	response(w, a, 1, stamp(w, 10, 10, 4));
	response(w, b, 2, stamp(w, 10, 10, 5));
	later(w);
	check_alone(w, "timer", EV_UNKNOWN);
	check_alone(w, "next", EV_UNKNOWN);
	unplug(w, a);
	unplug(w, b);
	unplug(w, out);
}

static void event_loop_connect_remembers(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10);

	request(w, a, 1, "a", stamp(w, 10, 10, 1));
	out->owner = stamp(w, 10, 10, 1).actor;
	out->connect_ns = w->now;
	exchanges__connecting(w->exchanges, out);
	request(w, b, 2, "b", stamp(w, 10, 10, 1));
	request(w, out, 3, "call", stamp(w, 10, 10, 2)); /* writable in the next turn */
	response(w, out, 3, stamp(w, 10, 10, 3));
	response(w, a, 1, stamp(w, 10, 10, 3));
	response(w, b, 2, stamp(w, 10, 10, 3));
	later(w);
	check_child(w, "call", "a", EV_EVENT_LOOP);
	unplug(w, a);
	unplug(w, b);
	unplug(w, out);
}

/* Netty connects for a when b has been read too, and the loop sleeps (in the collector) before it answers a: nothing shows whose it was. */
static void java_loop_connects_late(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10);

	meta__process(w->meta, 10)->ctx_kind = WS_CTX_JAVA;
	request(w, a, 1, "a", stamp(w, 10, 10, 1));
	request(w, b, 2, "b", stamp(w, 10, 10, 1));
	out->owner = stamp(w, 10, 10, 1).actor;
	out->connect_ns = w->now;
	exchanges__connecting(w->exchanges, out);
	request(w, out, 3, "call", stamp(w, 10, 10, 2));
	response(w, out, 3, stamp(w, 10, 10, 3));
	response(w, a, 1, stamp(w, 10, 10, 4));
	response(w, b, 2, stamp(w, 10, 10, 5));
	later(w);
	check_alone(w, "call", EV_UNKNOWN);
	unplug(w, a);
	unplug(w, b);
	unplug(w, out);
}

/* The loop connects for a when b has been read too, and sends as the connection stands; the reply leads to the answer of a, then that of b. */
static void connect_by_queue(struct world *w, struct connection *a, struct connection *b, struct connection *out, uint32_t i)
{
	uint32_t seq = 100 * (i + 1);
	uint64_t turn = 10 * (i + 1);

	request(w, a, seq, "a", stamp(w, 10, 10, turn));
	request(w, b, seq, "b", stamp(w, 10, 10, turn));
	out->owner = stamp(w, 10, 10, turn).actor;
	out->connect_ns = w->now;
	exchanges__connecting(w->exchanges, out);
	request(w, out, 1, "fresh", stamp(w, 10, 10, turn + 1));
	response(w, out, 1, stamp(w, 10, 10, turn + 2));
	response(w, a, seq, stamp(w, 10, 10, turn + 2));
	response(w, b, seq, stamp(w, 10, 10, turn + 2));
}

/*
 * Many connections made from Netty's queue say nothing against a call on one that is kept. But where there are so many,
 * none that is sent because its connection stands is believed: its reply may lead to that answer by chance.
 */
static void java_loop_connects_often(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out[8], *last = conn(w, WS_ROLE_CONNECTED, 10);

	meta__process(w->meta, 10)->ctx_kind = WS_CTX_JAVA;
	for (uint32_t i = 0; i < 8; i++) {
		out[i] = conn(w, WS_ROLE_CONNECTED, 10);
		connect_by_queue(w, a, b, out[i], i);
	}
	request(w, a, 1001, "c", stamp(w, 10, 10, 200));
	request(w, out[0], 1001, "kept", stamp(w, 10, 10, 200));
	response(w, out[0], 1001, stamp(w, 10, 10, 201));
	response(w, a, 1001, stamp(w, 10, 10, 201));
	request(w, a, 1101, "d", stamp(w, 10, 10, 300));
	last->owner = stamp(w, 10, 10, 300).actor;
	last->connect_ns = w->now;
	exchanges__connecting(w->exchanges, last);
	request(w, last, 1, "fresh, by chance", stamp(w, 10, 10, 301));
	response(w, last, 1, stamp(w, 10, 10, 302));
	response(w, a, 1101, stamp(w, 10, 10, 302));
	later(w);
	check_child(w, "kept", "c", EV_EVENT_LOOP);
	check_alone(w, "fresh, by chance", EV_UNKNOWN);
	unplug(w, a);
	unplug(w, b);
	unplug(w, last);
	for (int i = 0; i < 8; i++)
		unplug(w, out[i]);
}

/* Node.js: a timer sends in the turn in which a was read, and its reply leads to nothing; a's own call shows by its reply. */
static void timer_of_node(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10), *export = conn(w, WS_ROLE_CONNECTED, 10);
	struct stamp at = stamp(w, 10, 10, 1);

	at.polls = true;
	meta__process(w->meta, 10)->counts_calls = true;
	request(w, a, 1, "a", at);
	request(w, out, 3, "call", stamp(w, 10, 10, 1));
	request(w, export, 4, "export", stamp(w, 10, 10, 1));
	response(w, export, 4, stamp(w, 10, 10, 2));
	response(w, out, 3, stamp(w, 10, 10, 3));
	response(w, a, 1, stamp(w, 10, 10, 3));
	later(w);
	check_child(w, "call", "a", EV_EVENT_LOOP);
	check_alone(w, "export", EV_UNKNOWN);
	unplug(w, a);
	unplug(w, out);
	unplug(w, export);
}

/* A task of request a connects in one thread and sends in another, which has read b only, and answers it: b is not the cause. */
static void task_moves_while_it_connects(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10);

	request(w, a, 1, "a", stamp(w, 10, 11, 1));
	out->owner = stamp(w, 10, 11, 1).actor;
	out->connect_ns = w->now;
	exchanges__connecting(w->exchanges, out);
	request(w, b, 2, "b", stamp(w, 10, 12, 1));
	request(w, out, 3, "call", stamp(w, 10, 12, 1));
	response(w, out, 3, stamp(w, 10, 12, 1));
	response(w, b, 2, stamp(w, 10, 12, 1));
	response(w, a, 1, stamp(w, 10, 12, 1));
	later(w);
	check_alone(w, "call", EV_UNKNOWN);
	unplug(w, a);
	unplug(w, b);
	unplug(w, out);
}

/* The thread turns out to be a loop only after it has sent: that its last read was the cause must show by its reply. */
static void loop_is_known_too_late(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10);

	request(w, a, 1, "a", stamp(w, 10, 12, 1));
	request(w, out, 3, "call", stamp(w, 10, 12, 1));
	request(w, b, 2, "b", stamp(w, 10, 12, 2));
	response(w, a, 1, stamp(w, 10, 12, 3)); /* the reply is not what led to it */
	response(w, out, 3, stamp(w, 10, 12, 4));
	response(w, b, 2, stamp(w, 10, 12, 5));
	later(w);
	check_alone(w, "call", EV_UNKNOWN);
	unplug(w, a);
	unplug(w, b);
	unplug(w, out);
}

/*
 * The first requests of a program whose threads take turns at epoll_wait: a task that one of them began
 * is gone on with by another, before any was seen to wait there.
 */
static void loops_not_known_yet(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10), *c = conn(w, WS_ROLE_ACCEPTED, 20);
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10), *other = conn(w, WS_ROLE_CONNECTED, 20);
	struct stamp in[] = {stamp(w, 10, 11, 1), stamp(w, 10, 12, 1), stamp(w, 20, 21, 1)}, at;

	for (int i = 0; i < 3; i++)
		in[i].watched = true;
	request(w, a, 1, "a", in[0]);
	request(w, b, 1, "b", in[1]);
	request(w, c, 1, "c", in[2]);
	request(w, out, 1, "call of b", stamp(w, 10, 11, 2));
	request(w, other, 1, "call of c", stamp(w, 20, 21, 2));
	response(w, out, 1, stamp(w, 10, 12, 2));
	response(w, other, 1, stamp(w, 20, 21, 2));
	response(w, a, 1, stamp(w, 10, 11, 3));
	response(w, c, 1, stamp(w, 20, 21, 3));
	linker__tick(w->linker, w->now + 100000000);
	at = stamp(w, 10, 12, 3);
	at.polls = true;
	response(w, b, 1, at);
	linker__tick(w->linker, w->now + 400000000);
	check_alone(w, "call of b", EV_UNKNOWN);
	/* Threads of a pool that somebody else's epoll_wait feeds. */
	check_child(w, "call of c", "c", EV_THREAD);
	unplug(w, a);
	unplug(w, b);
	unplug(w, c);
	unplug(w, out);
	unplug(w, other);
}

/* Two requests are read in a turn, then a call is sent for each; replies and answers come one a turn. And maybe a timer's call. */
static void turns_of_two(struct world *w, struct connection *const c[5], uint32_t i, bool timer)
{
	const char *a = timer ? "a of the last" : "a", *b = timer ? "b of the last" : "b";
	uint32_t seq = 100 * i;
	uint64_t turn = 10 * i;

	request(w, c[0], seq, "in", stamp(w, 10, 10, turn));
	request(w, c[1], seq, timer ? "parent of b" : "in", stamp(w, 10, 10, turn));
	request(w, c[2], seq, a, stamp(w, 10, 10, turn));
	request(w, c[3], seq, b, stamp(w, 10, 10, turn));
	if (timer)
		request(w, c[4], seq, "timer", stamp(w, 10, 10, turn));
	response(w, c[2], seq, stamp(w, 10, 10, turn + 1));
	if (timer)
		response(w, c[4], seq, stamp(w, 10, 10, turn + 1));
	response(w, c[0], seq, stamp(w, 10, 10, turn + 1));
	response(w, c[3], seq, stamp(w, 10, 10, turn + 2));
	response(w, c[1], seq, stamp(w, 10, 10, turn + 2));
	later(w);
}

/* A timer's call, sent and replied to in the turns of a request and of its answer: so was the request's own. */
static void turns_of_a_timer(void **state)
{
	struct world *w = *state;
	struct connection *c[5];

	for (unsigned i = 0; i < 5; i++)
		c[i] = conn(w, i < 2 ? WS_ROLE_ACCEPTED : WS_ROLE_CONNECTED, 10);
	for (uint32_t i = 1; i <= 100; i++)
		turns_of_two(w, c, i, i == 100);
	assert_string_equal(evidence__name(w->spans[w->n - 1].evidence), "turn");
	check_child(w, "b of the last", "parent of b", EV_TURN);
	check_alone(w, "timer", EV_UNKNOWN);
	check_alone(w, "a of the last", EV_UNKNOWN);
	for (unsigned i = 0; i < 5; i++)
		unplug(w, c[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(event_loop_last_read), T(event_loop_other_turn), T(event_loop_reply_tells),
		T(event_loop_connect_remembers), T(java_loop_connects_late), T(java_loop_connects_often),
		T(timer_of_node),
		T(task_moves_while_it_connects), T(loop_is_known_too_late), T(loops_not_known_yet), T(turns_of_a_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
