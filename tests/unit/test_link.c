// SPDX-License-Identifier: Apache-2.0
/*
 * test_link.c - the rules of link/, driven through exchange/ with messages made by hand: one story
 * a test, and the tree that must come out of it.
 */
#include "link_rig.h"

static void thread_per_request(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	request(w, in, 1, "in", stamp(w, 10, 11, 1));
	request(w, out, 2, "out", stamp(w, 10, 11, 5)); /* it slept in between: no matter */
	response(w, out, 2, stamp(w, 10, 11, 6));
	assert_int_equal(w->n, 0); /* late binding: not before the candidate has ended */
	response(w, in, 1, stamp(w, 10, 11, 7));
	assert_int_equal(w->n, 2);
	check_alone(w, "in", EV_ROOT);
	check_child(w, "out", "in", EV_THREAD);
	unplug(w, in);
	unplug(w, out);
}

/* A pid is used again: what the first process served is nothing to the next one. */
static void pid_used_again(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	request(w, in, 1, "old", stamp(w, 10, 10, 1));
	linker__exited(w->linker, 10, w->now);
	request(w, out, 2, "new", stamp(w, 10, 10, 1));
	response(w, out, 2, stamp(w, 10, 10, 1));
	response(w, in, 1, stamp(w, 10, 10, 1));
	later(w);
	check_alone(w, "new", EV_UNKNOWN);
	/* Forgotten in its time, and no second time. */
	linker__exited(w->linker, 10, w->now);
	linker__exited(w->linker, 10, w->now);
	linker__tick(w->linker, w->now + 2000000000);
	linker__exited(w->linker, 10, w->now);
	unplug(w, in);
	unplug(w, out);
}

/* Set back in the middle of a request: its trace keeps its time and its order, the next one has the new time. */
static void clock_set_back(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);
	const uint64_t old = 5000000000000ull, new = 4000000000000ull;
	uint64_t began;

	linker__set_clock(w->linker, 0, (int64_t)old);
	request(w, in, 1, "before", stamp(w, 10, 11, 1));
	began = w->now - 500;
	w->now += 1000;
	linker__set_clock(w->linker, w->now, (int64_t)new);
	request(w, out, 2, "call", stamp(w, 10, 11, 1));
	response(w, out, 2, stamp(w, 10, 11, 2));
	response(w, in, 1, stamp(w, 10, 11, 3));
	check_child(w, "call", "before", EV_THREAD);
	assert_int_equal(find(w, "before")->start, began + old);
	assert_true(find(w, "call")->start >= find(w, "before")->start);
	assert_true(find(w, "call")->end <= find(w, "before")->end);
	request(w, in, 21, "after", stamp(w, 10, 11, 4));
	began = w->now - 500;
	response(w, in, 21, stamp(w, 10, 11, 5));
	assert_int_equal(find(w, "after")->start, began + new);
	/* Many steps: what is older than those that are kept has the oldest of them. */
	for (unsigned i = 0; i < 20; i++)
		linker__set_clock(w->linker, w->now + i, (int64_t)(new + i));
	request(w, in, 41, "later", stamp(w, 10, 11, 6));
	began = w->now - 500;
	response(w, in, 41, stamp(w, 10, 11, 7));
	assert_int_equal(find(w, "later")->start, began + new + 19);
	unplug(w, in);
	unplug(w, out);
}

/* Nobody waits for the reply: the parent is kept, and the span says so. */
static void outlives_its_request(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	request(w, in, 1, "in", stamp(w, 10, 11, 1));
	request(w, out, 2, "waited for", stamp(w, 10, 11, 1));
	response(w, out, 2, stamp(w, 10, 11, 1));
	request(w, out, 30, "late", stamp(w, 10, 11, 1));
	response(w, in, 1, stamp(w, 10, 11, 2));
	response(w, out, 30, stamp(w, 10, 11, 3));
	check_child(w, "waited for", "in", EV_THREAD);
	check_child(w, "late", "in", EV_THREAD);
	assert_false(find(w, "waited for")->outlives);
	assert_true(find(w, "late")->outlives);
	unplug(w, in);
	unplug(w, out);
}

/* Thread 11 read the request, but thread 12 answered it: 11 may have worked for somebody else. */
static void contradicted_by_completion(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	request(w, in, 1, "in", stamp(w, 10, 11, 1));
	request(w, out, 2, "out", stamp(w, 10, 11, 1));
	response(w, out, 2, stamp(w, 10, 11, 1));
	response(w, in, 1, stamp(w, 10, 12, 1));
	check_alone(w, "out", EV_UNKNOWN);
	assert_int_equal(linker__counters(w->linker)->rejected, 1);
	unplug(w, in);
	unplug(w, out);
}

/* Two requests of one connection are open: which one the call is for is not known. */
static void pipelined_is_unknown(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	request(w, in, 1, "first", stamp(w, 10, 11, 1));
	request(w, in, 20, "second", stamp(w, 10, 11, 1));
	request(w, out, 2, "out", stamp(w, 10, 11, 1));
	response(w, out, 2, stamp(w, 10, 11, 1));
	response(w, in, 1, stamp(w, 10, 11, 1));
	response(w, in, 20, stamp(w, 10, 11, 1));
	later(w);
	check_alone(w, "out", EV_UNKNOWN);
	unplug(w, in);
	unplug(w, out);
}

static void two_ends_of_the_same_bytes(void **state)
{
	struct world *w = *state;
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10), *in = conn(w, WS_ROLE_ACCEPTED, 20);

	pair(out, in);
	request(w, out, 7, "call", stamp(w, 10, 10, 1));
	request(w, in, 7, "serve", stamp(w, 20, 20, 1));
	response(w, in, 7, stamp(w, 20, 20, 1));
	assert_int_equal(w->n, 0);
	response(w, out, 7, stamp(w, 10, 10, 1));
	check_alone(w, "call", EV_ROOT);
	check_child(w, "serve", "call", EV_CONNECTION);
	unplug(w, in);
	unplug(w, out);
}

/* The client's end never comes: after a while the server's is a root, and says that it is not sure. */
static void other_end_lost(void **state)
{
	struct world *w = *state;
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10), *in = conn(w, WS_ROLE_ACCEPTED, 20);

	pair(out, in);
	request(w, in, 7, "serve", stamp(w, 20, 20, 1));
	response(w, in, 7, stamp(w, 20, 20, 1));
	linker__tick(w->linker, w->now + 1000000000);
	assert_int_equal(w->n, 0);
	linker__tick(w->linker, w->now + 20000000000ull);
	check_alone(w, "serve", EV_UNKNOWN);
	unplug(w, in);
	unplug(w, out);
}

static void header_wins(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10);
	struct half h = {.c = in, .seq = 1, .other = 100001, .name = "in",
			 .trace = {.valid = true, .has_span = true, .trace_id = {1, 2, 3}, .span_id = {9}, .flags = 1}};

	say(w, MSG_REQUEST, &h, stamp(w, 10, 11, 1));
	response(w, in, 1, stamp(w, 10, 11, 1));
	assert_int_equal(w->n, 1);
	assert_string_equal(evidence__name(w->spans[0].evidence), "header");
	assert_memory_equal(w->spans[0].trace, h.trace.trace_id, 16);
	assert_memory_equal(w->spans[0].parent, h.trace.span_id, 8);
	unplug(w, in);
}

/* A proxy passes the header on: its call is its own request's child, in the header's trace. */
static void header_passed_on(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);
	struct trace_context t = {.valid = true, .has_span = true, .trace_id = {1, 2, 3}, .span_id = {9}, .flags = 1};

	say(w, MSG_REQUEST, &(struct half){.c = in, .seq = 1, .other = 100001, .name = "in", .trace = t}, stamp(w, 10, 11, 1));
	say(w, MSG_REQUEST, &(struct half){.c = out, .seq = 2, .other = 100002, .name = "out", .trace = t}, stamp(w, 10, 11, 1));
	response(w, out, 2, stamp(w, 10, 11, 1));
	response(w, in, 1, stamp(w, 10, 11, 1));
	check_child(w, "out", "in", EV_THREAD);
	assert_int_equal(linker__counters(w->linker)->conflicts, 0);
	unplug(w, in);
	unplug(w, out);
}

/* The record of the reply overtakes that of the request: another thread read it. */
static void response_first(void **state)
{
	struct world *w = *state;
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10);
	struct stamp sent = stamp(w, 10, 11, 1), got = stamp(w, 10, 12, 1);

	response(w, out, 2, got);
	request(w, out, 2, "out", sent);
	assert_int_equal(w->n, 1);
	assert_int_equal(exchanges__counters(w->exchanges)->no_request, 0);
	unplug(w, out);
}

static void no_response(void **state)
{
	struct world *w = *state;
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10);

	request(w, out, 2, "out", stamp(w, 10, 11, 1));
	unplug(w, out);
	assert_int_equal(w->n, 1);
	assert_true(w->spans[0].error);
	assert_int_equal(exchanges__counters(w->exchanges)->no_response, 1);
}

/* Two calls of one request are in two traces, their headers say. */
static void headers_in_conflict(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);
	struct half h = {.c = out, .name = "out", .trace = {.valid = true, .has_span = true, .flags = 1}};

	request(w, in, 1, "in", stamp(w, 10, 11, 1));
	for (uint8_t i = 1; i <= 3; i++) {
		h.seq = 20u * i;
		h.other = h.seq + 100000;
		h.trace.trace_id[0] = i < 3 ? 7 : 8;
		h.trace.span_id[0] = i;
		say(w, MSG_REQUEST, &h, stamp(w, 10, 11, 1));
		response(w, out, h.seq, stamp(w, 10, 11, 1));
	}
	response(w, in, 1, stamp(w, 10, 11, 1));
	assert_int_equal(linker__counters(w->linker)->conflicts, 1);
	assert_int_equal(linker__counters(w->linker)->by_evidence[EV_HEADER], 3);
	unplug(w, in);
	unplug(w, out);
}

/* --no-header-links and --without-rule. */
static void rules_switched_off(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);
	struct half h = {.c = in, .seq = 1, .other = 100001, .name = "in",
			 .trace = {.valid = true, .has_span = true, .trace_id = {1, 2, 3}, .span_id = {9}, .flags = 1}};

	linker__set_options(w->linker, &(struct link_options){.no_headers = true, .without = rule__bit("thread")});
	say(w, MSG_REQUEST, &h, stamp(w, 10, 11, 1));
	request(w, out, 2, "out", stamp(w, 10, 11, 1));
	response(w, out, 2, stamp(w, 10, 11, 1));
	response(w, in, 1, stamp(w, 10, 11, 1));
	check_alone(w, "in", EV_ROOT);
	check_alone(w, "out", EV_UNKNOWN);
	assert_int_equal(rule__bit("no such rule"), 0);
	unplug(w, in);
	unplug(w, out);
}

/* Whether a trace is a health check's is only found out for those that began while that was wanted. */
static void probes_when_wanted(void **state)
{
	static const bool is[] = {false, true, true, false};
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10);

	for (uint32_t i = 0; i < 4; i++) {
		struct half asks = {.c = in, .seq = i * 20 + 1, .other = i * 20 + 100001, .name = "in", .agent = "kube-probe/1.35"};
		struct half answers = {.c = in, .seq = asks.other, .status = 200};

		if (i == 1)
			linker__judge_probes(w->linker, true, w->now);
		say(w, MSG_REQUEST, &asks, stamp(w, 10, 11, 1));
		if (i == 2) /* no more, but this one has begun */
			linker__judge_probes(w->linker, false, w->now);
		say(w, MSG_RESPONSE, &answers, stamp(w, 10, 11, 1));
		assert_int_equal(w->n, i + 1);
		assert_int_equal(w->spans[i].probe, is[i]);
	}
	unplug(w, in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(thread_per_request), T(pid_used_again), T(clock_set_back), T(outlives_its_request),
		T(contradicted_by_completion), T(pipelined_is_unknown), T(two_ends_of_the_same_bytes), T(other_end_lost),
		T(header_wins), T(header_passed_on), T(response_first), T(no_response), T(headers_in_conflict),
		T(rules_switched_off), T(probes_when_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
