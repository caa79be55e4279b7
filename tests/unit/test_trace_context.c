/* SPDX-License-Identifier: Apache-2.0 */
/* test_trace_context.c - traceparent, tracestate, baggage, b3: table by table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "decode/trace_context.h"
#include "guard.h"

#define T "0af7651916cd43dd8448eb211c80319c"
#define S "b7ad6b7169203331"
#define ZT "00000000000000000000000000000000"
#define ZS "0000000000000000"

/* Header lines "name: value", '\n' between them -> what comes of them. */
static const struct {
	const char *in, *out;
} cases[] = {
	/* W3C, version 00 */
	{"traceparent: 00-" T "-" S "-01", T "-" S "-1"},
	{"TraceParent: 00-" T "-" S "-00", T "-" S "-0"},
	{"traceparent: 00-" T "-" S "-ff", T "-" S "-3"},
	{"traceparent: 00-" T "-" S "-01-extra", "- malformed=1"},
	{"traceparent: 00-" T "-" S "-1", "- malformed=1"},
	{"traceparent: 00-" T "-" S, "- malformed=1"},
	{"traceparent: 00-" ZT "-" S "-01", "- malformed=1"},
	{"traceparent: 00-" T "-" ZS "-01", "- malformed=1"},
	{"traceparent: 00-0AF7651916CD43DD8448EB211C80319C-" S "-01", "- malformed=1"},
	{"traceparent: 00_" T "-" S "-01", "- malformed=1"},
	{"traceparent: 00-" T "-" S "-0g", "- malformed=1"},
	{"traceparent: ", "- malformed=1"},
	/* later versions, 3.2.4 */
	{"traceparent: cc-" T "-" S "-01", T "-" S "-1"},
	{"traceparent: cc-" T "-" S "-01-what.the.future.brings", T "-" S "-1"},
	{"traceparent: cc-" T "-" S "-01.what", "- malformed=1"},
	{"traceparent: ff-" T "-" S "-01", "- malformed=1"},
	{"traceparent: CC-" T "-" S "-01", "- malformed=1"},
	/* two are none */
	{"traceparent: 00-" T "-" S "-01\ntraceparent: 00-" T "-" S "-01", "- malformed=1"},
	/* tracestate */
	{"traceparent: 00-" T "-" S "-01\ntracestate: a=1,b=2", T "-" S "-1 state=a=1,b=2"},
	{"tracestate: a=1\ntracestate: b=2\ntraceparent: 00-" T "-" S "-01", T "-" S "-1 state=a=1,b=2"},
	{"tracestate: a=1\ntraceparent: 00-" T "-" S "-01\ntracestate: \ntracestate: 0x@sys=z",
	 T "-" S "-1 state=a=1,0x@sys=z"},
	{"traceparent: 00-" T "-" S "-01\ntracestate: A=1", T "-" S "-1"},
	{"traceparent: 00-" T "-" S "-01\ntracestate: a", T "-" S "-1"},
	{"traceparent: 00-" T "-" S "-01\ntracestate: a=b=c", T "-" S "-1"},
	{"traceparent: 00-" T "-" S "-01\ntracestate: a@b@c=1", T "-" S "-1"},
	{"traceparent: 00-" T "-" S "-01\ntracestate: a=1, ,b=2", T "-" S "-1 state=a=1, ,b=2"},
	{"tracestate: a=1", "-"},
	{"traceparent: x\ntracestate: a=1", "- malformed=1"},
	/* baggage: that it was there */
	{"baggage: user=42", "- baggage"},
	{"baggage:", "-"},
	/* b3 */
	{"b3: " T "-" S "-1", T "-" S "-1"},
	{"b3: " T "-" S, T "-" S "-0"},
	{"b3: " T "-" S "-d", T "-" S "-1"},
	{"b3: " T "-" S "-0-05e3ac9a4f6e3b90", T "-" S "-0"},
	{"b3: 8448eb211c80319c-" S "-1", "00000000000000008448eb211c80319c-" S "-1"},
	{"b3: 0", "-"},
	{"b3: x", "- malformed=1"},
	{"b3: " T "-" S "-2", "- malformed=1"},
	{"b3: " T "-" S "-1-", "- malformed=1"},
	{"b3: " T "-" S "-1-05e3ac9a4f6e3b90-", "- malformed=1"},
	{"b3: " T, "- malformed=1"},
	{"b3: " ZT "-" S "-1", "- malformed=1"},
	/* X-B3-* */
	{"X-B3-TraceId: " T "\nX-B3-SpanId: " S "\nX-B3-Sampled: 1", T "-" S "-1"},
	{"X-B3-SpanId: " S "\nX-B3-Flags: 1\nX-B3-TraceId: " T, T "-" S "-1"},
	{"X-B3-TraceId: " T, T "--0"},
	{"X-B3-TraceId: " T "\nX-B3-SpanId: zz", T "--0 malformed=1"},
	{"X-B3-TraceId: 12\nX-B3-SpanId: " S, "- malformed=1"},
	{"X-B3-SpanId: " S "\nX-B3-Sampled: true", "-"},
	/* precedence */
	{"b3: 11111111111111111111111111111111-" S "-0\ntraceparent: 00-" T "-" S "-01", T "-" S "-1"},
	{"X-B3-TraceId: 11111111111111111111111111111111\nb3: " T "-" S "-0", T "-" S "-0"},
	{"traceparent: nonsense\nb3: " T "-" S "-1", T "-" S "-1 malformed=1"},
	/* not ours */
	{"x-b3-other: 1\ntraceparen: 00-" T "-" S "-01", "-"},
};

static void hex(char *out, const uint8_t *id, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", id[i]);
}

static void describe(const struct trace_headers *t, const struct message *m, char *out, size_t size)
{
	char trace[40] = "", span[20] = "", ids[80] = "-", state[600] = "", malformed[40] = "";
	if (m->trace.valid) {
		hex(trace, m->trace.trace_id, 16);
		if (m->trace.has_span)
			hex(span, m->trace.span_id, 8);
		snprintf(ids, sizeof(ids), "%s-%s-%x", trace, span, m->trace.flags);
	}
	if (m->tracestate[0])
		snprintf(state, sizeof(state), " state=%s", m->tracestate);
	if (t->malformed)
		snprintf(malformed, sizeof(malformed), " malformed=%u", t->malformed);
	snprintf(out, size, "%s%s%s%s", ids, state, t->baggage ? " baggage" : "", malformed);
}

static void test_headers(void **state)
{
	struct guard g = guard__new(4096), g2 = guard__new(4096);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct message m;
		struct trace_headers t;
		struct slice rest = slice__of(cases[i].in);
		char got[1024];
		memset(&m, 0, sizeof(m));
		trace_headers__init(&t);
		while (rest.n) {
			size_t lf = slice__find(rest, '\n');
			struct slice line = slice__sub(rest, 0, lf);
			size_t colon = slice__find(line, ':');
			trace_headers__take(&t, guard__put(&g2, slice__sub(line, 0, colon)),
					    slice__trim(guard__put(&g, slice__sub(line, colon + 1, line.n))));
			rest = slice__sub(rest, lf + 1, rest.n);
		}
		trace_headers__finish(&t, &m);
		describe(&t, &m, got, sizeof(got));
		if (strcmp(got, cases[i].out) != 0)
			print_error("case %zu: %s\n", i, cases[i].in);
		assert_string_equal(got, cases[i].out);
	}
	guard__free(&g);
	guard__free(&g2);
}

static void test_long_state(void **state)
{
	static struct message m;
	struct trace_headers t;
	char value[256];
	memset(value, 'v', sizeof(value));
	value[0] = 'k';
	value[1] = '=';
	trace_headers__init(&t);
	trace_headers__take(&t, SLICE("traceparent"), SLICE("00-" T "-" S "-01"));
	trace_headers__take(&t, SLICE("tracestate"), (struct slice){value, 255});
	trace_headers__take(&t, SLICE("tracestate"), (struct slice){value, 252});
	trace_headers__finish(&t, &m);
	assert_int_equal(strlen(m.tracestate), 508);
	trace_headers__take(&t, SLICE("tracestate"), SLICE("a=b"));
	trace_headers__finish(&t, &m);
	assert_int_equal(strlen(m.tracestate), 512);
	trace_headers__take(&t, SLICE("tracestate"), SLICE(","));
	m.tracestate[0] = '\0';
	trace_headers__finish(&t, &m);
	assert_true(m.trace.valid);
	assert_int_equal(m.tracestate[0], 0);
}

static void test_members(void **state)
{
	char list[512];
	size_t n = 0;
	for (int i = 0; i < 33; i++)
		n += (size_t)sprintf(list + n, "%sk%d=v", i ? "," : "", i);
	assert_false(tracestate__valid((struct slice){list, n}));
	assert_true(tracestate__valid((struct slice){list, n - 6}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_long_state),
		cmocka_unit_test(test_members),
	};
	return cmocka_run_group_tests_name("trace_context", tests, NULL, NULL);
}
