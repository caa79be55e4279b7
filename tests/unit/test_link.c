// SPDX-License-Identifier: Apache-2.0
/*
 * test_link.c - the rules of link/, driven through exchange/ with messages made by hand: one story
 * a test, and the tree that must come out of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "exchange/exchange.h"
#include "meta/meta.h"

#define MAX 32

struct seen {
	uint8_t trace[16], id[8], parent[8];
	bool has_parent;
	enum evidence evidence;
	char name[32];
	bool error;
};

struct world {
	struct seen spans[MAX];
	unsigned n;
	struct linker *linker;
	struct exchanges *exchanges;
	struct meta *meta;
	uint64_t now;
	uint64_t next_conn;
	uint32_t next_seq;
};

static void on_span(void *ctx, const struct span *s)
{
	struct world *w = ctx;
	struct seen *v = &w->spans[w->n++];

	assert_in_range(w->n, 1, MAX);
	memcpy(v->trace, s->trace_id, 16);
	memcpy(v->id, s->span_id, 8);
	memcpy(v->parent, s->parent_id, 8);
	v->has_parent = s->has_parent;
	v->evidence = s->evidence;
	v->error = s->status == SPAN_ERROR;
	snprintf(v->name, sizeof(v->name), "%s", s->name);
	assert_true(s->end_ns >= s->start_ns);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->linker = linker__new(on_span, w);
	w->exchanges = exchanges__new(w->linker);
	w->meta = meta__new(false);
	w->now = 1000000000;
	w->next_seq = 5000;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	linker__free(w->linker);
	exchanges__free(w->exchanges);
	meta__free(w->meta);
	free(w);
	return 0;
}

static void release(struct connection *c)
{
	process__unref(c->process);
	free(c);
}

static struct connection *conn(struct world *w, enum ws_role role, uint32_t pid)
{
	struct connection *c = calloc(1, sizeof(*c));

	c->id = ++w->next_conn;
	c->role = role;
	c->refs = 1;
	c->release = release;
	c->process = process__ref(meta__process(w->meta, pid));
	return c;
}

static void pair(struct connection *a, struct connection *b)
{
	a->peer = b;
	b->peer = a;
	a->had_peer = b->had_peer = true;
}

static void unplug(struct world *w, struct connection *c)
{
	exchanges__closed(w->exchanges, c, w->now);
	connection__unref(c);
}

static struct stamp stamp(struct world *w, uint32_t pid, uint32_t tid, uint64_t turn)
{
	w->now += 1000;
	return (struct stamp){w->now - 500, w->now, {.tgid = pid, .tid = tid, .switches = turn}, false, false};
}

struct half {
	struct connection *c;
	uint32_t seq, other; /* first byte; where the other direction stands */
	const char *name;
	unsigned flags;
	struct trace_context trace;
};

static void say(struct world *w, enum message_kind kind, const struct half *h, struct stamp at)
{
	struct message m = {
		.kind = kind,
		.flags = MSG_BEGINS | MSG_ENDS | h->flags,
		.protocol = "http",
		.offset = (1ull << 32) + h->seq,
		.end = (1ull << 32) + h->seq + 10,
		.peer_offset = (1ull << 32) + h->other,
		.first = at,
		.last = at,
		.trace = h->trace,
	};

	if (h->name)
		snprintf(m.name, sizeof(m.name), "%s", h->name);
	exchanges__message(w->exchanges, h->c, &m);
	attrs__free(&m.attrs);
}

static void request(struct world *w, struct connection *c, uint32_t seq, const char *name, struct stamp at)
{
	say(w, MSG_REQUEST, &(struct half){.c = c, .seq = seq, .other = seq + 100000, .name = name}, at);
}

static void response(struct world *w, struct connection *c, uint32_t seq, struct stamp at)
{
	say(w, MSG_RESPONSE, &(struct half){.c = c, .seq = seq + 100000}, at);
}

static const struct seen *find(const struct world *w, const char *name)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!strcmp(w->spans[i].name, name))
			return &w->spans[i];
	fail_msg("no span '%s' among %u", name, w->n);
	return NULL;
}

/* Time passes: what waits to see what follows a reply goes on. */
static void later(struct world *w)
{
	linker__tick(w->linker, w->now + 100000000);
}

static void check_child(const struct world *w, const char *child, const char *parent, enum evidence e)
{
	const struct seen *c = find(w, child), *p = find(w, parent);

	assert_string_equal(evidence__name(c->evidence), evidence__name(e));
	assert_true(c->has_parent);
	assert_memory_equal(c->parent, p->id, 8);
	assert_memory_equal(c->trace, p->trace, 16);
}

static void check_alone(const struct world *w, const char *name, enum evidence e)
{
	const struct seen *c = find(w, name);

	assert_string_equal(evidence__name(c->evidence), evidence__name(e));
	assert_false(c->has_parent);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(thread_per_request), T(contradicted_by_completion), T(event_loop_last_read), T(event_loop_other_turn),
		T(event_loop_connect_remembers), T(event_loop_reply_tells), T(pipelined_is_unknown), T(two_ends_of_the_same_bytes), T(other_end_lost),
		T(header_wins), T(header_passed_on), T(response_first), T(no_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
