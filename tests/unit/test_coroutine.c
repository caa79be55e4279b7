// SPDX-License-Identifier: Apache-2.0
/* test_coroutine.c - calls of tasks that make others (rule_coroutine.c), and of goroutines that hand work on (rule_handoff.c). */
#include "link_rig.h"

static void made(struct world *w, uint64_t by, uint64_t of)
{
	const struct ws_actor maker = {.tgid = 10, .tid = 10, .user_ctx = by}, context = {.tgid = 10, .tid = 10, .user_ctx = of};

	w->now += 1000;
	linker__tie(w->linker, LINK_MADE, meta__process(w->meta, 10), &maker, &context, w->now);
}

static void call(struct world *w, struct connection *out, uint32_t seq, const char *name, uint64_t context)
{
	request(w, out, seq, name, in_context(w, context));
	response(w, out, seq, in_context(w, 0));
}

static void ends(struct world *w, struct connection *const *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		unplug(w, c[i]);
}

#define IN conn(w, WS_ROLE_ACCEPTED, 10)
#define OUT conn(w, WS_ROLE_CONNECTED, 10)

/* gather: the request's task 7 makes 71 and 72, one of which makes 711; of two requests at once. */
static void children(void **state)
{
	struct world *w = *state;
	struct connection *c[] = {IN, IN, OUT, OUT, OUT, OUT};

	request(w, c[0], 1, "a", in_context(w, 1));
	request(w, c[1], 1, "b", in_context(w, 2));
	made(w, 1, 7);
	made(w, 2, 8);
	made(w, 7, 71);
	made(w, 8, 81);
	made(w, 7, 72);
	made(w, 71, 711);
	call(w, c[2], 1, "a1", 71);
	call(w, c[3], 1, "b1", 81);
	call(w, c[4], 1, "a2", 72);
	call(w, c[5], 1, "a3", 711);
	response(w, c[1], 1, in_context(w, 8));
	response(w, c[0], 1, in_context(w, 7));
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "a1", "a", EV_COROUTINE);
	check_child(w, "a2", "a", EV_COROUTINE);
	check_child(w, "a3", "a", EV_COROUTINE);
	check_child(w, "b1", "b", EV_COROUTINE);
	ends(w, c, 6);
}

/* The answer is sent by a task that the one that called has made, or by another one of the same maker's. */
static void child_answers(void **state)
{
	struct world *w = *state;
	struct connection *c[] = {IN, OUT, OUT};

	request(w, c[0], 1, "in", in_context(w, 1));
	made(w, 1, 7);
	call(w, c[1], 1, "above", 7);
	made(w, 7, 71);
	call(w, c[2], 1, "beside", 71);
	made(w, 7, 72);
	response(w, c[0], 1, in_context(w, 72));
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "above", "in", EV_COROUTINE);
	check_child(w, "beside", "in", EV_COROUTINE);
	ends(w, c, 3);
}

/* One that is older than the request makes tasks for all, and calls somebody itself: nobody's call. */
static void maker_of_all(void **state)
{
	struct world *w = *state;
	struct connection *c[] = {IN, IN, OUT, OUT};

	made(w, 0, 5);
	made(w, 5, 6);
	request(w, c[0], 1, "a", in_context(w, 1));
	request(w, c[1], 1, "b", in_context(w, 2));
	made(w, 5, 7);
	made(w, 5, 8);
	call(w, c[2], 1, "its own", 5);
	call(w, c[3], 1, "older", 6);
	response(w, c[0], 1, in_context(w, 7));
	response(w, c[1], 1, in_context(w, 8));
	linker__tick(w->linker, w->now + 40000000000);
	check_alone(w, "its own", EV_UNKNOWN);
	check_alone(w, "older", EV_UNKNOWN);
	ends(w, c, 4);
}

/* The address of one that has ended: what it called is not the next one's. */
static void address_used_again(void **state)
{
	struct world *w = *state;
	struct connection *c[] = {IN, IN, OUT, OUT};

	request(w, c[0], 1, "a", in_context(w, 1));
	request(w, c[1], 1, "b", in_context(w, 2));
	made(w, 1, 7);
	made(w, 7, 70);
	call(w, c[2], 1, "a's", 70);
	made(w, 2, 70);
	call(w, c[3], 1, "b's", 70);
	response(w, c[1], 1, in_context(w, 70));
	response(w, c[0], 1, in_context(w, 7));
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "a's", "a", EV_COROUTINE);
	check_child(w, "b's", "b", EV_COROUTINE);
	ends(w, c, 4);
}

static struct stamp at_item(struct world *w, uint32_t tid, uint64_t item)
{
	struct stamp s = stamp(w, 10, tid, w->now);

	s.actor.user_ctx = item;
	return s;
}

static void gives(struct world *w, uint32_t tid, uint64_t at, uint64_t item)
{
	const struct ws_actor by = {.tgid = 10, .tid = tid, .user_ctx = at}, of = {.tgid = 10, .tid = tid, .user_ctx = item};

	w->now += 1000;
	linker__tie(w->linker, LINK_MADE, meta__process(w->meta, 10), &by, &of, w->now);
}

static void work(struct world *w, struct connection *out, uint32_t seq, const char *name, uint32_t tid, uint64_t item)
{
	request(w, out, seq, name, at_item(w, tid, item));
	response(w, out, seq, at_item(w, tid, item));
}

/* Work items of a pool of threads: given by threads that each serve a request; or by an item. */
static void items(void **state)
{
	struct world *w = *state;
	struct connection *c[] = {IN, IN, OUT, OUT};

	request(w, c[0], 1, "a", at_item(w, 20, 0));
	request(w, c[1], 1, "b", at_item(w, 21, 0));
	gives(w, 20, 0, 0x101);
	gives(w, 21, 0, 0x201);
	work(w, c[2], 1, "a's", 30, 0x101);
	gives(w, 30, 0x201, 0x301);
	work(w, c[2], 2, "b's", 30, 0x201);
	work(w, c[3], 1, "b's, too", 31, 0x301);
	gives(w, 21, 0, 0x101);
	work(w, c[3], 2, "b's at the address of a's", 30, 0x101);
	response(w, c[0], 1, at_item(w, 20, 0));
	response(w, c[1], 1, at_item(w, 21, 0));
	gives(w, 20, 0, 0x401);
	work(w, c[3], 3, "nobody's", 30, 0x401);
	linker__tick(w->linker, w->now + 40000000000);
	check_child(w, "a's", "a", EV_COROUTINE);
	check_child(w, "b's", "b", EV_COROUTINE);
	check_child(w, "b's, too", "b", EV_COROUTINE);
	check_child(w, "b's at the address of a's", "b", EV_COROUTINE);
	check_alone(w, "nobody's", EV_UNKNOWN);
	ends(w, c, 4);
}

/* One that goes on after the answer may work for all: from then on those are believed only that have ended. */
static void item_goes_on(void **state)
{
	struct world *w = *state;
	struct connection *c[] = {IN, IN, OUT, OUT};

	request(w, c[0], 1, "a", at_item(w, 20, 0));
	gives(w, 20, 0, 0x101);
	response(w, c[0], 1, at_item(w, 20, 0));
	work(w, c[2], 1, "late", 30, 0x101);
	request(w, c[1], 1, "b", at_item(w, 21, 0));
	gives(w, 21, 0, 0x201);
	gives(w, 21, 0, 0x301);
	work(w, c[2], 2, "of one that stays", 30, 0x201);
	work(w, c[3], 1, "of one that ends", 31, 0x301);
	gives(w, 21, 0, 0x301);
	response(w, c[1], 1, at_item(w, 21, 0));
	linker__tick(w->linker, w->now + 40000000000);
	check_alone(w, "late", EV_UNKNOWN);
	check_alone(w, "of one that stays", EV_UNKNOWN);
	check_child(w, "of one that ends", "b", EV_COROUTINE);
	ends(w, c, 4);
}

/* The thread that gave it does not answer: for whom it works is not known. */
static void item_of_another(void **state)
{
	struct world *w = *state;
	struct connection *c[] = {IN, OUT};

	request(w, c[0], 1, "a", at_item(w, 20, 0));
	gives(w, 20, 0, 0x101);
	work(w, c[1], 1, "item", 30, 0x101);
	response(w, c[0], 1, at_item(w, 21, 0));
	linker__tick(w->linker, w->now + 40000000000);
	check_alone(w, "item", EV_UNKNOWN);
	ends(w, c, 2);
}

/*
 * A worker that the first request started goes on with others' calls. From then on tasks that were made for
 * a request are believed only when they have ended.
 */
static void worker(void **state)
{
	struct world *w = *state;
	struct connection *c[] = {IN, IN, OUT, OUT};

	request(w, c[0], 1, "first", in_context(w, 1));
	made(w, 1, 7);
	made(w, 7, 70);
	request(w, c[1], 1, "second", in_context(w, 2));
	call(w, c[2], 1, "second's", 70);
	response(w, c[0], 1, in_context(w, 7));
	call(w, c[2], 2, "second's, too", 70);
	made(w, 2, 8);
	made(w, 8, 80);
	made(w, 8, 81);
	call(w, c[3], 1, "of its own", 80);
	call(w, c[3], 2, "of one that stays", 81);
	made(w, 0, 80);
	response(w, c[1], 1, in_context(w, 8));
	linker__tick(w->linker, w->now + 1000000000);
	check_alone(w, "second's", EV_UNKNOWN);
	check_alone(w, "second's, too", EV_UNKNOWN);
	check_child(w, "of its own", "second", EV_COROUTINE);
	check_alone(w, "of one that stays", EV_UNKNOWN);
	ends(w, c, 4);
}

/* Ten seconds from the call's end to the answer; and a call that nobody answers for is not kept waiting longer than requests are. */
static void slow_answer(void **state)
{
	struct world *w = *state;
	struct connection *c[] = {IN, IN, OUT, OUT};

	request(w, c[0], 1, "slow", in_context(w, 1));
	call(w, c[2], 1, "early", 7);
	request(w, c[1], 1, "other", in_context(w, 1));
	for (int i = 0; i < 100; i++) {
		w->now += 100000000;
		linker__tick(w->linker, w->now);
	}
	assert_int_equal(w->n, 0);
	response(w, c[0], 1, in_context(w, 7));
	call(w, c[3], 1, "nobody's", 9);
	response(w, c[1], 1, in_context(w, 8));
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "early", "slow", EV_COROUTINE);
	check_alone(w, "nobody's", EV_UNKNOWN);
	ends(w, c, 4);
}

/* A context that answers is let go of, one that never does must not grow; one with too many calls claims none. */
static void many_calls(void **state)
{
	struct world *w = *state;
	struct connection *c[] = {IN, OUT};

	made(w, 0, 5);
	made(w, 5, 7);
	request(w, c[0], 1, "in", in_context(w, 1));
	for (uint32_t i = 0; i < 300; i++)
		call(w, c[1], i + 1, "call", 7);
	response(w, c[0], 1, in_context(w, 7));
	w->now += 40000000000;
	linker__tick(w->linker, w->now);
	assert_int_equal(w->n, 301);
	for (unsigned i = 0; i < w->n; i++)
		assert_false(w->spans[i].has_parent);
	made(w, 5, 7);
	request(w, c[0], 2, "next", in_context(w, 1));
	call(w, c[1], 1000, "one", 7);
	response(w, c[0], 2, in_context(w, 7));
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "one", "next", EV_COROUTINE);
	ends(w, c, 2);
}

/* Nothing but calls after the answer, each when the next request has been read already: they are nobody's. */
static void calls_follow_answers(void **state)
{
	struct world *w = *state;
	struct connection *c[] = {IN, OUT};

	for (uint32_t i = 1; i < 5; i++) {
		request(w, c[0], i, "in", in_context(w, 1));
		if (i > 1)
			call(w, c[1], i, "trailing", 7);
		response(w, c[0], i, in_context(w, 7));
	}
	linker__tick(w->linker, w->now + 1000000000);
	for (unsigned i = 0; i < w->n; i++)
		assert_false(w->spans[i].has_parent);
	ends(w, c, 2);
}

/* A chain without end, as of timers that set the next one: only the nearest are looked at. */
static void long_chain(void **state)
{
	struct world *w = *state;
	struct connection *c[] = {IN, OUT};

	request(w, c[0], 1, "in", in_context(w, 1));
	made(w, 1, 100);
	for (uint64_t i = 100; i < 5000; i++)
		made(w, i, i + 1);
	call(w, c[1], 1, "far away", 5000);
	response(w, c[0], 1, in_context(w, 100));
	linker__tick(w->linker, w->now + 40000000000);
	check_alone(w, "far away", EV_UNKNOWN);
	ends(w, c, 2);
}

/* Goroutine of a thread, working for the request of that number. */
static struct stamp working(struct world *w, uint64_t goroutine, uint64_t cause)
{
	struct stamp s = stamp(w, 10, 11, 1);

	s.actor.user_ctx = goroutine;
	s.actor.cause = cause;
	return s;
}

static struct connection *go_conn(struct world *w, enum ws_role role)
{
	struct connection *c = conn(w, role, 10);

	c->process->ctx_kind = WS_CTX_GO;
	return c;
}

/* Another goroutine makes the call: told by the number that the request got. Nothing is told of what no request is known for. */
static void handed_on(void **state)
{
	struct world *w = *state;
	struct connection *c[] = {go_conn(w, WS_ROLE_ACCEPTED), go_conn(w, WS_ROLE_ACCEPTED), go_conn(w, WS_ROLE_CONNECTED),
				  go_conn(w, WS_ROLE_CONNECTED), go_conn(w, WS_ROLE_CONNECTED)};

	request(w, c[0], 1, "a", working(w, 1, 51));
	request(w, c[1], 1, "b", working(w, 2, 52));
	request(w, c[2], 1, "b's", working(w, 3, 52));
	request(w, c[3], 1, "a's", working(w, 4, 51));
	request(w, c[4], 1, "nobody's", working(w, 5, 53));
	response(w, c[2], 1, working(w, 3, 52));
	response(w, c[3], 1, working(w, 4, 51));
	response(w, c[4], 1, working(w, 5, 0));
	response(w, c[0], 1, working(w, 1, 51));
	response(w, c[1], 1, working(w, 2, 52));
	request(w, c[3], 2, "too late", working(w, 4, 51));
	response(w, c[3], 2, working(w, 4, 51));
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "a's", "a", EV_GOROUTINE);
	check_child(w, "b's", "b", EV_GOROUTINE);
	check_alone(w, "nobody's", EV_UNKNOWN);
	check_alone(w, "too late", EV_UNKNOWN);
	ends(w, c, 5);
}

/* Who sent it took it from a queue unseen; who gets the reply tells, or contradicts. */
static void reply_tells(void **state)
{
	struct world *w = *state;
	struct connection *c[] = {go_conn(w, WS_ROLE_ACCEPTED), go_conn(w, WS_ROLE_ACCEPTED), go_conn(w, WS_ROLE_CONNECTED),
				  go_conn(w, WS_ROLE_CONNECTED), go_conn(w, WS_ROLE_CONNECTED)};

	request(w, c[0], 1, "a", working(w, 1, 51));
	request(w, c[1], 1, "b", working(w, 2, 52));
	request(w, c[4], 1, "taken back", working(w, 5, 0));
	response(w, c[4], 1, working(w, 5, 0));
	linker__handed(w->linker, c[4], 51, w->now);
	request(w, c[4], 2, "next", working(w, 5, 0));
	linker__handed(w->linker, c[4], 0, w->now);
	request(w, c[2], 1, "untold", working(w, 3, 0));
	request(w, c[3], 1, "contradicted", working(w, 4, 51));
	linker__handed(w->linker, c[2], 51, w->now); /* before any reply: something else */
	response(w, c[2], 1, working(w, 3, 0));
	response(w, c[3], 1, working(w, 4, 51));
	linker__handed(w->linker, c[2], 52, w->now);
	linker__handed(w->linker, c[3], 52, w->now);
	response(w, c[0], 1, working(w, 1, 51));
	response(w, c[1], 1, working(w, 2, 52));
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "untold", "b", EV_GOROUTINE);
	check_alone(w, "contradicted", EV_UNKNOWN);
	check_alone(w, "taken back", EV_UNKNOWN);
	ends(w, c, 5);
}

/* Calls of a timer's goroutine, told by who sends or by who gets the reply, are for a request once that is told. */
static void timer_tells(void **state)
{
	const uint64_t timer = WS_CAUSE_TIMER | 61, other = WS_CAUSE_TIMER | 62, never = WS_CAUSE_TIMER | 63;
	struct world *w = *state;
	struct connection *in = go_conn(w, WS_ROLE_ACCEPTED), *c[5];
	const char *const names[] = {"by sender", "by reply", "contradicted", "not told", "of another timer"};
	const uint64_t sent[] = {timer, 0, timer, never, other};

	request(w, in, 1, "a", working(w, 1, 51));
	for (unsigned i = 0; i < 5; i++) {
		c[i] = go_conn(w, WS_ROLE_CONNECTED);
		request(w, c[i], 1, names[i], working(w, 3 + i, sent[i]));
		response(w, c[i], 1, working(w, 3 + i, 0));
	}
	linker__handed(w->linker, c[1], timer, w->now);
	linker__handed(w->linker, c[2], 51, w->now);
	linker__timer_ended(w->linker, timer, 51, w->now);
	linker__timer_ended(w->linker, other, 59, w->now); /* not known */
	response(w, in, 1, working(w, 1, 51));
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "by sender", "a", EV_GOROUTINE);
	check_child(w, "by reply", "a", EV_GOROUTINE);
	check_alone(w, "contradicted", EV_UNKNOWN);
	check_alone(w, "not told", EV_UNKNOWN);
	check_alone(w, "of another timer", EV_UNKNOWN);
	ends(w, c, 5);
	ends(w, &in, 1);
}

/*
 * Tasks of tokio: whom a connection's task sends for is told by whom the reply wakes, whatever the number of that task itself; and
 * calls of tasks that were made are for their request once they have ended, unless such tasks have been seen to work for others.
 */
static void task_tells(void **state)
{
	const uint64_t made = WS_CAUSE_TIMER | 71, sender = WS_CAUSE_TIMER | 72;
	struct world *w = *state;
	struct connection *c[] = {IN, IN, OUT, OUT, OUT, OUT};

	request(w, c[0], 1, "a", working(w, 0, 51));
	request(w, c[1], 1, "b", working(w, 0, 52)); /* on the same thread: that tells nothing */
	request(w, c[2], 1, "own", working(w, 0, 51));
	request(w, c[3], 1, "asked", working(w, 0, sender));
	request(w, c[4], 1, "of several", working(w, 0, 0));
	request(w, c[5], 1, "made", working(w, 0, 0));
	for (unsigned i = 2; i < 6; i++)
		response(w, c[i], 1, working(w, 0, 0));
	linker__handed(w->linker, c[3], 52, w->now);
	linker__handed(w->linker, c[4], 51, w->now);
	linker__handed(w->linker, c[4], 0, w->now);
	linker__handed(w->linker, c[5], made, w->now);
	linker__timer_ended(w->linker, sender, 51, w->now); /* what it sent was not its own */
	linker__timer_ended(w->linker, made, 52, w->now);
	response(w, c[1], 1, working(w, 0, 52));
	response(w, c[0], 1, working(w, 0, 51));
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "own", "a", EV_COROUTINE);
	check_child(w, "asked", "b", EV_COROUTINE);
	check_child(w, "made", "b", EV_COROUTINE);
	check_alone(w, "of several", EV_UNKNOWN);
	ends(w, c, 6);
}

static void tasks_shared(void **state)
{
	const uint64_t made = WS_CAUSE_TIMER | 71, other = WS_CAUSE_TIMER | 72;
	struct world *w = *state;
	struct connection *c[] = {IN, OUT, OUT};

	request(w, c[0], 1, "a", working(w, 0, 51));
	request(w, c[1], 1, "for a", working(w, 0, made));
	request(w, c[2], 1, "for all", working(w, 0, other));
	response(w, c[1], 1, working(w, 0, made));
	response(w, c[2], 1, working(w, 0, other));
	linker__timer_ended(w->linker, other, 0, w->now);
	linker__timer_ended(w->linker, made, 51, w->now);
	response(w, c[0], 1, working(w, 0, 51));
	linker__tick(w->linker, w->now + 1000000000);
	check_alone(w, "for a", EV_UNKNOWN);
	check_alone(w, "for all", EV_UNKNOWN);
	ends(w, c, 3);
}

static void check_link(const struct world *w, const struct seen *call, unsigned i, const char *to)
{
	const struct seen *request = find(w, to);

	assert_memory_equal(call->links[i], request->trace, 16);
	assert_memory_equal(call->links[i] + 16, request->id, 8);
}

/* A goroutine makes a call for two of three requests: each of the two is linked, none is the parent. */
static void batch_is_linked(void **state)
{
	struct world *w = *state;
	struct connection *in[3], *out = go_conn(w, WS_ROLE_CONNECTED);
	const char *const names[] = {"first", "second", "third"};
	const struct seen *call;
	uint64_t replied;

	for (unsigned i = 0; i < 3; i++) {
		in[i] = go_conn(w, WS_ROLE_ACCEPTED);
		request(w, in[i], 1, names[i], working(w, 11 + i, 71 + i));
	}
	request(w, out, 1, "call", working(w, 20, 0));
	response(w, out, 1, working(w, 21, 0));
	replied = w->now;
	linker__batched(w->linker, out, 71, replied);
	linker__batched(w->linker, out, 72, replied);
	linker__batched(w->linker, out, 72, replied); /* once more the same */
	linker__batched(w->linker, out, 79, replied); /* not known */
	request(w, out, 50, "later call", working(w, 22, 0));
	response(w, out, 50, working(w, 21, 0));
	linker__batched(w->linker, out, 73, replied); /* the connection has had another call since */
	for (unsigned i = 0; i < 3; i++)
		response(w, in[i], 1, working(w, 11 + i, 71 + i));
	later(w);
	call = find(w, "call");
	check_alone(w, "call", EV_UNKNOWN);
	assert_int_equal(call->n_links, 2);
	check_link(w, call, 0, "first");
	check_link(w, call, 1, "second");
	assert_int_equal(find(w, "later call")->n_links, 0);
	for (unsigned i = 0; i < 3; i++)
		unplug(w, in[i]);
	unplug(w, out);
}

/* It answers, makes a call, and another when the next request of its connection has been read already. */
static void coroutine_calls_after_answer(void **state)
{
	struct world *w = *state;
	struct connection *in = conn(w, WS_ROLE_ACCEPTED, 10), *other = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10);

	request(w, other, 1, "other", in_context(w, 0));
	for (uint32_t i = 0; i < 3; i++) {
		request(w, in, 1000 * i, i ? "in" : "first", in_context(w, 0));
		request(w, out, 1000 * i, i ? i > 1 ? "between" : "again" : "call", in_context(w, 7));
		response(w, out, 1000 * i, in_context(w, 0));
		response(w, in, 1000 * i, in_context(w, 7));
		/* Only after the second one is there a call that nothing else can be said of. */
		if (i < 1)
			continue;
		request(w, out, 1000 * i + 500, "after", in_context(w, 7));
		response(w, out, 1000 * i + 500, in_context(w, 0));
	}
	/* A context that has answered nothing yet is believed. */
	request(w, out, 9000, "young", in_context(w, 8));
	response(w, out, 9000, in_context(w, 0));
	response(w, other, 1, in_context(w, 8));
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "call", "first", EV_COROUTINE);
	check_alone(w, "again", EV_UNKNOWN);
	check_alone(w, "between", EV_UNKNOWN);
	assert_int_equal(count(w, "after", EV_UNKNOWN), 2);
	check_child(w, "young", "other", EV_COROUTINE);
	unplug(w, in);
	unplug(w, other);
	unplug(w, out);
}

static struct stamp in_task(struct world *w, uint64_t task)
{
	struct stamp s = in_context(w, task);

	s.polls = false;
	return s;
}

/*
 * HAProxy: what a task sends before it answers is the request's. The next request's task may have the
 * same address; but what the one before it sent, whose client has gone, is none of its calls.
 */
static void tasks_of_one_request(void **state)
{
	struct world *w = *state;
	struct connection *a = conn(w, WS_ROLE_ACCEPTED, 10), *b = conn(w, WS_ROLE_ACCEPTED, 10), *gone = conn(w, WS_ROLE_ACCEPTED, 10);
	struct connection *out = conn(w, WS_ROLE_CONNECTED, 10), *fresh = conn(w, WS_ROLE_CONNECTED, 10);

	a->process->ctx_kind = WS_CTX_HAPROXY;
	request(w, a, 1, "a", in_task(w, 100));
	request(w, b, 1, "b", in_task(w, 101));
	request(w, out, 1, "call of b", in_task(w, 7));
	fresh->owner = in_task(w, 8).actor;
	linker__connect(w->linker, fresh);
	request(w, fresh, 1, "call of a", in_task(w, 102));
	response(w, out, 1, in_task(w, 103));
	response(w, b, 1, in_task(w, 7));
	response(w, fresh, 1, in_task(w, 102));
	response(w, a, 1, in_task(w, 8));
	request(w, gone, 1, "gone", in_task(w, 104));
	request(w, out, 2, "in vain", in_task(w, 7));
	response(w, out, 2, in_task(w, 103));
	unplug(w, gone);
	request(w, a, 2, "next", in_task(w, 100));
	request(w, out, 3, "call of next", in_task(w, 7));
	response(w, out, 3, in_task(w, 103));
	response(w, a, 2, in_task(w, 7));
	linker__tick(w->linker, w->now + 1000000000);
	check_child(w, "call of a", "a", EV_COROUTINE);
	check_child(w, "call of b", "b", EV_COROUTINE);
	check_alone(w, "in vain", EV_UNKNOWN);
	check_child(w, "call of next", "next", EV_COROUTINE);
	unplug(w, a);
	unplug(w, b);
	unplug(w, out);
	unplug(w, fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(children), T(child_answers), T(maker_of_all), T(address_used_again), T(worker), T(slow_answer), T(many_calls),
		T(long_chain), T(calls_follow_answers), T(handed_on), T(reply_tells), T(timer_tells), T(task_tells), T(tasks_shared), T(batch_is_linked),
		T(coroutine_calls_after_answer), T(tasks_of_one_request), T(items), T(item_of_another), T(item_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
