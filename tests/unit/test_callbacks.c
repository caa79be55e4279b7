// SPDX-License-Identifier: Apache-2.0
/* test_callbacks.c - callbacks of Node.js, driven like test_link.c. */
#include "link_rig.h"

/* Node.js enters a callback scope of that resource, for what was read by that number (0: nothing). */
static void scope(struct world *w, uint32_t number, uint32_t id, uint32_t trigger, uint64_t counter, uint64_t read)
{
	struct ws_rec_scope r = {.head = {.time_ns = ++w->now}, .tgid = 10, .tid = 10, .number = number,
				 .ids = WS_NODE_IDS(id, trigger), .counter = counter, .read = read};

	linker__scope(w->linker, meta__process(w->meta, 10), &r);
}

/* A read by that number; a send in that scope, while a resource runs that another one triggered. */
static struct stamp by_callback(struct world *w, uint64_t cause, uint32_t id, uint32_t trigger)
{
	struct stamp s = stamp(w, 10, 10, w->now);

	s.actor.cause = cause;
	s.actor.user_ctx = WS_NODE_IDS(id, trigger);
	s.polls = s.watched = true;
	return s;
}

/* In the scope, code goes on for whom was at work in that other one. */
static void resumes(struct world *w, uint32_t number, uint32_t of, uint64_t counter)
{
	struct ws_rec_scope r = {.head = {.time_ns = ++w->now}, .tgid = 10, .what = WS_TIE_PROMISE, .tid = 10,
				 .number = number, .ids = of ? WS_NODE_CONTEXT(of, 0) : 0, .counter = counter};

	linker__scope(w->linker, meta__process(w->meta, 10), &r);
}

static struct stamp by_microtask(struct world *w, uint32_t number)
{
	return by_callback(w, number | WS_NODE_MICROTASK, 0, 0);
}

/* Requests a and b are read, the one in scope 2, where it calls, the other in scope 3; a's reply is in scope 4. */
static void a_calls_while_b_comes(struct world *w, struct connection *a, struct connection *b, struct connection *out, const char *name)
{
	scope(w, 1, 1, 0, 90, 0);
	request(w, a, 1, "a", by_callback(w, 71, 0, 0));
	scope(w, 2, 5, 2, 100, 71);
	request(w, out, 10, name, by_callback(w, 2, 5, 2));
	request(w, b, 1, "b", by_callback(w, 72, 0, 0));
	scope(w, 3, 6, 2, 110, 72);
	response(w, out, 10, by_callback(w, 80, 0, 0));
	scope(w, 4, 7, 2, 120, 80);
}

/* Calls of code that has waited for promises: believed if their replies resume the same request's code, and nobody else's. */
static void callbacks_of_promises(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10), *out[5];
	const char *names[] = {"first of a", "for a", "of both", "for b", "of nobody known"};
	const uint32_t senders[] = {2, 5, 5, 6, 7};

	for (int i = 0; i < 5; i++)
		out[i] = conn(w, WS_ROLE_CONNECTED, 10);
	a_calls_while_b_comes(w, a, b, out[0], names[0]);
	for (uint32_t i = 1; i < 5; i++) {
		if (senders[i] != senders[i - 1])
			resumes(w, senders[i], i < 3 ? 2 : i == 3 ? 3 : 0, 120 + i);
		request(w, out[i], 10, names[i], by_microtask(w, senders[i]));
	}
	for (uint32_t i = 1; i < 5; i++) {
		response(w, out[i], 10, by_callback(w, 80 + i, 0, 0));
		scope(w, 8 + 3 * i, 7, 2, 130 + 10 * i, 80 + i);
		resumes(w, 9 + 3 * i, i == 3 ? 3 : 2, 131 + 10 * i);
		resumes(w, 10 + 3 * i, i == 2 || i == 3 ? 3 : 2, 132 + 10 * i);
	}
	response(w, a, 1, by_callback(w, 0, 0, 0));
	response(w, b, 1, by_callback(w, 0, 0, 0));
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "first of a", "a", EV_CALLBACK);
	check_child(w, "for a", "a", EV_CALLBACK);
	check_child(w, "for b", "b", EV_CALLBACK);
	check_alone(w, "of both", EV_UNKNOWN);
	check_alone(w, "of nobody known", EV_UNKNOWN);
	unplug(w, a);
	unplug(w, b);
	for (int i = 0; i < 5; i++)
		unplug(w, out[i]);
}

/* A file's resource has a scope of its own; timers are run in one for all. Their ids tell in which scope they were made. */
static void callbacks_by_resource(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10);
	struct {
		const char *name;
		uint32_t resource, trigger, id, by;
	} calls[] = {
		{"file of a", 105, 5, 105, 5}, {"timer of b", 0, 0, 113, 6}, {"tick of a's timer", 0, 0, 165, 104},
		{"nobody's", 0, 0, 0, 0},      {"older than all", 0, 0, 50, 3},
	};

	scope(w, 1, 1, 0, 90, 0);
	request(w, a, 1, "a", by_callback(w, 71, 0, 0));
	scope(w, 2, 5, 2, 100, 71);
	request(w, b, 1, "b", by_callback(w, 72, 0, 0));
	scope(w, 3, 6, 2, 110, 72);
	for (uint32_t i = 0; i < 5; i++) {
		scope(w, 4 + 2 * i, calls[i].resource, calls[i].trigger, 120 + 20 * i, 0);
		request(w, out, 10 + 10 * i, calls[i].name, by_callback(w, 4 + 2 * i, calls[i].id, calls[i].by));
		response(w, out, 10 + 10 * i, by_callback(w, 80 + i, 0, 0));
		scope(w, 5 + 2 * i, 90, 5, 130 + 20 * i, 80 + i);
	}
	response(w, a, 1, by_callback(w, 0, 0, 0));
	response(w, b, 1, by_callback(w, 0, 0, 0));
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "file of a", "a", EV_CALLBACK);
	check_child(w, "timer of b", "b", EV_CALLBACK);
	check_child(w, "tick of a's timer", "a", EV_CALLBACK);
	check_alone(w, "nobody's", EV_UNKNOWN);
	check_alone(w, "older than all", EV_UNKNOWN);
	unplug(w, a);
	unplug(w, b);
	unplug(w, out);
}

/* The request is answered in its own callback, and calls follow: its own in that very callback alone, and where no answer follows. */
static void callbacks_after_the_answer(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10), *out[6];
	const struct {
		const char *name;
		uint64_t cause;
		uint32_t id, by;
	} calls[] = {
		{"at once", 2, 5, 2},	{"in a tick", 2, 101, 5},  {"in a tick of a tick", 2, 102, 101},
		{"for b", 2, 5, 2},	{"in a microtask", 2 | WS_NODE_MICROTASK, 0, 0}, {"in a timer", 5, 103, 5},
	};

	for (int i = 0; i < 6; i++)
		out[i] = conn(w, WS_ROLE_CONNECTED, 10);
	scope(w, 1, 1, 0, 90, 0);
	request(w, b, 1, "b", by_callback(w, 71, 0, 0));
	request(w, a, 1, "a", by_callback(w, 72, 0, 0));
	scope(w, 2, 5, 2, 100, 72);
	response(w, a, 1, by_callback(w, 2, 5, 2));
	for (int i = 0; i < 5; i++)
		request(w, out[i], 10, calls[i].name, by_callback(w, calls[i].cause, calls[i].id, calls[i].by));
	response(w, out[3], 10, by_callback(w, 73, 0, 0));
	scope(w, 3, 7, 2, 110, 73);
	response(w, b, 1, by_callback(w, 3, 7, 2));
	scope(w, 4, 8, 2, 111, 0);
	scope(w, 5, 0, 0, 112, 0);
	request(w, out[5], 10, calls[5].name, by_callback(w, calls[5].cause, calls[5].id, calls[5].by));
	for (uint32_t i = 0; i < 6; i++) {
		if (i == 3)
			continue;
		response(w, out[i], 10, by_callback(w, 80 + i, 0, 0));
		scope(w, 6 + i, 9 + i, 2, 113 + i, 80 + i);
	}
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "at once", "a", EV_CALLBACK);
	check_child(w, "in a tick", "a", EV_CALLBACK);
	check_alone(w, "in a tick of a tick", EV_UNKNOWN);
	check_alone(w, "for b", EV_UNKNOWN); /* whose answer is the first of those that may follow from replies */
	check_alone(w, "in a microtask", EV_UNKNOWN);
	check_alone(w, "in a timer", EV_UNKNOWN);
	unplug(w, a);
	unplug(w, b);
	for (int i = 0; i < 6; i++)
		unplug(w, out[i]);
}

/* So many requests, one after the other, the answer of each in the scope of a reply. Takes two numbers of scopes for each. */
static void answered_by_replies(struct world *w, uint32_t number, uint32_t n)
{
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	for (uint32_t i = 0; i < n; i++) {
		request(w, in, 1 + 100 * i, "one of them", by_callback(w, 1000 + 2 * i, 0, 0));
		scope(w, number + 2 * i, 5, 2, 96, 1000 + 2 * i);
		request(w, out, 10 + 100 * i, "call of one", by_callback(w, number + 2 * i, 5, 2));
		response(w, out, 10 + 100 * i, by_callback(w, 1001 + 2 * i, 0, 0));
		scope(w, number + 2 * i + 1, 7, 2, 97, 1001 + 2 * i);
		response(w, in, 1 + 100 * i, by_callback(w, number + 2 * i + 1, 0, 0));
	}
	linker__tick(w->linker, w->now += 1000000000);
	unplug(w, in);
	unplug(w, out);
}

/*
 * What ran when a call was sent is not known; the reply leads to the answer. Not where it leads to two of them, nor before it
 * is known that answers follow from replies here.
 */
static void callbacks_by_answer(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10);

	scope(w, 1, 1, 0, 90, 0);
	request(w, a, 1, "early", by_callback(w, 60, 0, 0));
	request(w, out, 10, "too early to tell", by_callback(w, 1, 0, 0));
	response(w, out, 10, by_callback(w, 61, 0, 0));
	scope(w, 2, 7, 2, 95, 61);
	response(w, a, 1, by_callback(w, 2, 0, 0));
	linker__tick(w->linker, w->now += 1000000000);
	check_alone(w, "too early to tell", EV_UNKNOWN);
	answered_by_replies(w, 3, 10);
	for (uint32_t i = 0; i < 2; i++) {
		request(w, a, 101 + 100 * i, i ? "a again" : "a", by_callback(w, 70 + i, 0, 0));
		scope(w, 23 + 5 * i, 5, 2, 100, 70 + i);
		request(w, b, 101 + 100 * i, i ? "b again" : "b", by_callback(w, 75 + i, 0, 0));
		scope(w, 24 + 5 * i, 6, 2, 110, 75 + i);
		scope(w, 25 + 5 * i, 0, 0, 120, 0);
		request(w, out, 110 + 100 * i, i ? "for both" : "for b", by_callback(w, 25 + 5 * i, 0, 0));
		response(w, out, 110 + 100 * i, by_callback(w, 80 + i, 0, 0));
		scope(w, 26 + 5 * i, 7, 2, 130, 80 + i);
		response(w, b, 101 + 100 * i, by_callback(w, 26 + 5 * i, 0, 0));
		if (!i) /* in its own turn, so that it tells nothing */
			scope(w, 27, 5, 2, 140, 70);
		response(w, a, 101 + 100 * i, by_callback(w, i ? 31 : 27, 0, 0));
	}
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "for b", "b", EV_CALLBACK);
	check_alone(w, "for both", EV_UNKNOWN);
	unplug(w, a);
	unplug(w, b);
	unplug(w, out);
}

/* The connection of a pool goes to whoever waits for it, in the scope of another one's reply: the answer tells. */
static void callbacks_of_a_pool(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10);

	a_calls_while_b_comes(w, a, b, out, "for a");
	request(w, out, 20, "for b", by_callback(w, 4, 7, 2));
	response(w, a, 1, by_callback(w, 4, 0, 0));
	response(w, out, 20, by_callback(w, 81, 0, 0));
	scope(w, 5, 7, 2, 130, 81);
	request(w, out, 30, "stray", by_callback(w, 5, 7, 2));
	response(w, b, 1, by_callback(w, 5, 0, 0));
	response(w, out, 30, by_callback(w, 82, 0, 0));
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "for a", "a", EV_CALLBACK);
	check_child(w, "for b", "b", EV_CALLBACK);
	check_alone(w, "stray", EV_UNKNOWN); /* nothing followed from it, and replies are no proof here */
	unplug(w, a);
	unplug(w, b);
	unplug(w, out);
}

/* Where the reply to a request's own call leads to the answer of another one, nothing is believed. */
static void callbacks_contradict(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10);

	a_calls_while_b_comes(w, a, b, out, "out");
	response(w, b, 1, by_callback(w, 4, 0, 0));
	response(w, a, 1, by_callback(w, 0, 0, 0));
	linker__tick(w->linker, w->now + 1000000000);
	check_alone(w, "out", EV_UNKNOWN);
	unplug(w, a);
	unplug(w, b);
	unplug(w, out);
}

/* A record of a scope is lost: what was made then is nobody's. */
static void callbacks_with_a_gap(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *out = conn(w, WS_ROLE_CONNECTED, 10);

	scope(w, 1, 1, 0, 90, 0);
	request(w, a, 1, "a", by_callback(w, 71, 0, 0));
	scope(w, 2, 5, 2, 100, 71);
	scope(w, 4, 0, 0, 120, 0);
	request(w, out, 10, "out", by_callback(w, 4, 105, 5));
	response(w, out, 10, by_callback(w, 80, 0, 0));
	request(w, out, 20, "in a scope that was lost", by_callback(w, 5, 0, 0));
	response(w, out, 20, by_callback(w, 81, 0, 0));
	response(w, a, 1, by_callback(w, 0, 0, 0));
	linker__tick(w->linker, w->now + 1000000000);
	check_alone(w, "out", EV_UNKNOWN);
	check_alone(w, "in a scope that was lost", EV_UNKNOWN);
	unplug(w, a);
	unplug(w, out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(callbacks_by_resource), T(callbacks_of_promises), T(callbacks_by_answer), T(callbacks_of_a_pool), T(callbacks_contradict),
		T(callbacks_with_a_gap), T(callbacks_after_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
