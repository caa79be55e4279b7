// SPDX-License-Identifier: Apache-2.0
/* test_pools.c - pools: wakes, completions, tasks, driven like test_link.c. */
#include "link_rig.h"

/* Thread `by` wakes thread `of`. */
static void wakes(struct world *w, uint32_t pid, uint32_t by, uint32_t of)
{
	const struct ws_actor waker = {.tgid = pid, .tid = by}, woken = {.tgid = pid, .tid = of};

	w->now += 1000;
	linker__tie(w->linker, LINK_WOKE, meta__process(w->meta, pid), &waker, &woken, w->now);
}

/* A request that thread 11 reads and answers, whose call is sent by thread 20 of a pool; it wakes 11, or `woken`. */
static void submit_and_wait(struct world *w, struct connection *in, struct connection *out, uint32_t seq, uint32_t woken)
{
	request(w, in, seq, "in", stamp(w, 10, 11, 1));
	request(w, out, seq, "out", stamp(w, 10, 20, 1));
	response(w, out, seq, stamp(w, 10, 20, 2));
	wakes(w, 10, 20, woken);
	response(w, in, seq, stamp(w, 10, 11, 2));
	later(w);
}

/* A few completions must be known before any is believed. */
static void pool_wakes(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	for (uint32_t i = 0; i < 8; i++)
		submit_and_wait(w, in, out, 100 * i, 11);
	assert_int_equal(count(w, "out", EV_WAKE), 5);
	assert_int_equal(count(w, "out", EV_UNKNOWN), 3);
	unplug(w, in);
	unplug(w, out);
}

/* It wakes a thread that is inside no request: that tells nothing. */
static void pool_wakes_another(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	for (uint32_t i = 0; i < 8; i++)
		submit_and_wait(w, in, out, 100 * i, 12);
	linker__tick(w->linker, w->now + 2000000000);
	assert_int_equal(count(w, "out", EV_UNKNOWN), 8);
	unplug(w, in);
	unplug(w, out);
}

/* Request i of a pool's; its task makes so many calls. */
static void task_of(struct world *w, struct connection *in, struct connection *out, uint32_t i, unsigned calls)
{
	request(w, in, 100 * i, "in", stamp(w, 10, 11, 1));
	for (uint32_t k = 0; k < calls; k++) {
		request(w, out, 100 * i + 20 * k, calls > 1 ? "two" : "one", stamp(w, 10, 20, 1));
		response(w, out, 100 * i + 20 * k, stamp(w, 10, 20, 2));
	}
	wakes(w, 10, 20, 11);
	response(w, in, 100 * i, stamp(w, 10, 11, 2));
	later(w);
}

/* Some tasks call once, some twice: two calls may be those of two tasks, and one the last of some. */
static void pool_of_unlike_tasks(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	for (uint32_t i = 0; i < 40; i++)
		task_of(w, in, out, i, i % 4 == 1 ? 2 : 1);
	assert_int_equal(count(w, "two", EV_UNKNOWN), 20);
	assert_int_equal(count(w, "one", EV_UNKNOWN), 30);
	unplug(w, in);
	unplug(w, out);
}

/* Once in a while a wake is not seen, and two tasks look like one: the others are believed. */
static void pool_wakes_unseen(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	for (uint32_t i = 0; i < 40; i++)
		task_of(w, in, out, i, i == 30 ? 2 : 1);
	assert_int_equal(count(w, "two", EV_UNKNOWN), 2);
	assert_int_equal(count(w, "one", EV_WAKE), 36);
	unplug(w, in);
	unplug(w, out);
}

/* What the pool gives back is a connection that the woken thread has waited for: it goes on with a call on it. */
static void pool_hands_connection_on(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	for (uint32_t i = 0; i < 8; i++) {
		request(w, in, 100 * i, "in", stamp(w, 10, 11, 1));
		request(w, out, 100 * i, "forgotten", stamp(w, 10, 20, 1));
		response(w, out, 100 * i, stamp(w, 10, 20, 2));
		wakes(w, 10, 20, 11);
		request(w, out, 100 * i + 50, "own", stamp(w, 10, 11, 2));
		response(w, out, 100 * i + 50, stamp(w, 10, 11, 3));
		response(w, in, 100 * i, stamp(w, 10, 11, 3));
		later(w);
	}
	assert_int_equal(count(w, "forgotten", EV_UNKNOWN), 8);
	check_child(w, "own", "in", EV_THREAD);
	unplug(w, in);
	unplug(w, out);
}

#define TASK(n) (WS_USER_TASK | (n))

/* Of a pool's thread that tells at which task it is; the calls are of the i-th one. It waits for what wait says. */
static void numbered_task(struct world *w, struct connection *in, struct connection *out, uint32_t i, uint64_t task,
			  unsigned calls, enum ws_java_wait wait)
{
	const struct ws_actor waker = {.tgid = 10, .tid = 20, .user_ctx = TASK(task)};
	const struct ws_actor woken = {.tgid = 10, .tid = 11, .user_ctx = wait};

	request(w, in, 1000 * i, "in", stamp(w, 10, 11, 1));
	for (uint32_t k = 0; k < calls; k++) {
		struct stamp s = stamp(w, 10, 20, 1);

		s.actor.user_ctx = TASK(task);
		request(w, out, 1000 * i + 20 * k, "call", s);
		response(w, out, 1000 * i + 20 * k, s);
	}
	w->now += 1000;
	linker__tie(w->linker, LINK_WOKE, meta__process(w->meta, 10), &waker, &woken, w->now);
	response(w, in, 1000 * i, stamp(w, 10, 11, 2));
	later(w);
}

/* Where tasks are told apart they need not be alike. The first that a thread is seen at may be one that never ends. */
static void tasks_told_apart(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	for (uint32_t i = 0; i < 9; i++)
		numbered_task(w, in, out, i, i, i % 3 + 1, WS_JAVA_WAIT_RESULT);
	assert_int_equal(count(w, "call", EV_UNKNOWN), 1);
	assert_int_equal(count(w, "call", EV_WAKE), 17);
	unplug(w, in);
	unplug(w, out);
}

/* The one who waits got a lock; is told of something; waits for nobody knows what. */
static void tasks_give_lock(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);
	const enum ws_java_wait waits[] = {WS_JAVA_WAIT_OTHER, WS_JAVA_WAIT_NOTICE, WS_JAVA_WAIT_UNKNOWN};

	for (uint32_t i = 0; i < 9; i++)
		numbered_task(w, in, out, i, i, 1, waits[i / 3]);
	linker__tick(w->linker, w->now + 2000000000);
	assert_int_equal(count(w, "call", EV_UNKNOWN), 9);
	unplug(w, in);
	unplug(w, out);
}

/* One task completes many requests: it takes its work from a queue, so where each begins is not known. */
static void task_that_goes_on(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	for (uint32_t i = 0; i < 12; i++)
		numbered_task(w, in, out, i, i < 3 ? i : 3, i % 3 + 1, WS_JAVA_WAIT_RESULT);
	linker__tick(w->linker, w->now + 2000000000);
	assert_int_equal(count(w, "call", EV_WAKE), 6);
	assert_int_equal(count(w, "call", EV_UNKNOWN), 18);
	unplug(w, in);
	unplug(w, out);
}

/* Two virtual threads take turns on one thread: each is one like others. */
static void virtual_threads(void **state)
{
	struct world *w = *state;
	struct connection *in[2], *out[2];
	struct stamp s[2];

	for (int i = 0; i < 2; i++) {
		in[i] = conn(w, WS_ROLE_ACCEPTED, 10);
		out[i] = conn(w, WS_ROLE_CONNECTED, 10);
	}
	for (int step = 0; step < 4; step++)
		for (int i = 0; i < 2; i++) {
			s[i] = stamp(w, 10, 11 + step % 2, 1);
			s[i].actor.user_ctx = WS_USER_VIRTUAL | (40 + (uint64_t)i);
			if (step == 0)
				request(w, in[i], 100, i ? "in-b" : "in-a", s[i]);
			else if (step == 1)
				request(w, out[i], 100, i ? "out-b" : "out-a", s[i]);
			else if (step == 2)
				response(w, out[i], 100, s[i]);
			else
				response(w, in[i], 100, s[i]);
		}
	later(w);
	check_child(w, "out-a", "in-a", EV_THREAD);
	check_child(w, "out-b", "in-b", EV_THREAD);
	for (int i = 0; i < 2; i++) {
		unplug(w, in[i]);
		unplug(w, out[i]);
	}
}

static struct stamp virtual_stamp(struct world *w, uint64_t number, uint64_t cause)
{
	struct stamp s = stamp(w, 10, number == 40 ? 11 : 12, 1);

	s.actor.user_ctx = WS_USER_VIRTUAL | number;
	s.actor.cause = cause;
	return s;
}

/* Virtual thread 40 reads and answers; 50 calls, for whom `sends` and `reads` say (ws_actor.cause). */
static void calls_for(struct world *w, const char *name, uint64_t sends, uint64_t reads)
{
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	meta__process(w->meta, 10)->ctx_kind = WS_CTX_JAVA;
	request(w, in, 100, "in", virtual_stamp(w, 40, 0));
	request(w, out, 100, name, virtual_stamp(w, 50, sends));
	response(w, out, 100, virtual_stamp(w, 50, reads));
	response(w, in, 100, virtual_stamp(w, 40, 0));
	later(w);
	unplug(w, in);
	unplug(w, out);
}

/* A task of a virtual thread says who waits for it: before the call, or by its reply. */
static void virtual_threads_wait(void **state)
{
	struct world *w = *state;

	calls_for(w, "sent", WS_USER_VIRTUAL | 40, WS_USER_VIRTUAL | 40);
	check_child(w, "sent", "in", EV_WAKE);
	w->n = 0;
	calls_for(w, "read", 0, WS_USER_VIRTUAL | 40);
	check_child(w, "read", "in", EV_WAKE);
	w->n = 0;
	calls_for(w, "of nobody known", 0, WS_USER_VIRTUAL | 41);
	linker__tick(w->linker, w->now + 2000000000);
	check_alone(w, "of nobody known", EV_UNKNOWN);
	calls_for(w, "for several", WS_USER_VIRTUAL | 40, WS_CAUSE_SEVERAL);
	linker__tick(w->linker, w->now + 4000000000);
	check_alone(w, "for several", EV_UNKNOWN);
}

/* What is known of the pools of a program is nothing to the next one of its pid. */
static void pools_of_another_program(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);
	void (*const ends[])(struct linker *l, uint32_t pid, uint64_t now) = {linker__exited, linker__execed};

	for (uint32_t i = 0; i < 15; i++) {
		if (i % 5 == 0 && i)
			ends[i / 5 - 1](w->linker, 10, w->now);
		submit_and_wait(w, in, out, 100 * i, 11);
		assert_int_equal(count(w, "out", EV_WAKE), i / 5 * 2 + (i % 5 > 2 ? i % 5 - 2 : 0));
	}
	linker__exited(w->linker, 10, w->now);
	linker__tick(w->linker, w->now + 2000000000);
	linker__exited(w->linker, 10, w->now);
	unplug(w, in);
	unplug(w, out);
}

/* Thread 11 reads, thread 20 calls and answers. */
static void pool_answers(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	for (uint32_t i = 0; i < 8; i++) {
		request(w, in, 100 * i, "in", stamp(w, 10, 11, 1));
		request(w, out, 100 * i, "out", stamp(w, 10, 20, 1));
		response(w, out, 100 * i, stamp(w, 10, 20, 2));
		response(w, in, 100 * i, stamp(w, 10, 20, 2));
		later(w);
	}
	assert_int_equal(count(w, "out", EV_ANSWER), 5);
	unplug(w, in);
	unplug(w, out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(pool_wakes), T(pool_wakes_another), T(pool_of_unlike_tasks), T(pool_wakes_unseen),
		T(pool_hands_connection_on), T(tasks_told_apart), T(tasks_give_lock), T(task_that_goes_on),
		T(virtual_threads), T(virtual_threads_wait), T(pools_of_another_program), T(pool_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
