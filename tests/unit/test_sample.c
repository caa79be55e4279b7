// SPDX-License-Identifier: Apache-2.0
/*
 * test_sample.c - traces are kept or left out whole: by the hash of their id, by pauses; what a tracestate
 * says before and after.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>

#include "sample/sample.h"
#include "util/table.h"

#define HALF (1ull << 55)
#define SECOND 1000000000ull

struct seen {
	unsigned n;
	uint8_t last[16];
	char tracestate[600];
};

static void on_span(void *ctx, const struct span *s)
{
	struct seen *v = ctx;

	v->n++;
	memcpy(v->last, s->trace_id, 16);
	snprintf(v->tracestate, sizeof(v->tracestate), "%s", s->tracestate ? s->tracestate : "");
}

static struct span span_of(uint64_t trace, uint64_t from, uint64_t to, bool proved)
{
	struct span s = {.root = {from, to, proved}};
	uint64_t id[2] = {hash__mix(trace), hash__mix(trace + 1)};

	memcpy(s.trace_id, id, 16);
	return s;
}

static bool keeps(struct sampler *s, struct seen *v, const struct span *span)
{
	unsigned before = v->n;

	sampler__span(s, span);
	return v->n > before;
}

/* Of 20,000 traces some half, each whole: every span of one gets the same verdict; a lower threshold keeps those as well. */
static void by_hash(void **state)
{
	struct seen v = {0}, w = {0};
	struct sampler *s = sampler__new(on_span, &v), *lower = sampler__new(on_span, &w);
	const struct sample_counters *n = sampler__counters(s);

	sampler__set(s, 10, (struct sample_rule){.threshold = HALF});
	sampler__set(lower, 10, (struct sample_rule){.threshold = HALF / 4});
	for (uint64_t t = 0; t < 20000; t++) {
		struct span a = span_of(t, 100 + t, 200 + t, true);
		bool kept = keeps(s, &v, &a);

		assert_true(!kept || keeps(lower, &w, &a));
		assert_int_equal(keeps(s, &v, &a), kept);
		if (kept)
			assert_string_equal(v.tracestate, "ot=th:8");
	}
	assert_in_range(n->kept, 2 * 9700, 2 * 10300);
	assert_int_equal(n->spans, 40000);
	assert_int_equal(n->kept + n->out_hash, 40000);
	/* What began before keeps the verdict of that time, whenever its spans come. */
	for (uint64_t t = 0; t < 100; t++) {
		struct span a = span_of(t, 5, 200, true);

		assert_true(keeps(s, &v, &a));
		assert_string_equal(v.tracestate, "");
	}
	sampler__free(s);
	sampler__free(lower);
}

/* Tracing from 0 to 10, 20 to 30, 40 to 50 s ... */
static void by_pause(void **state)
{
	static const struct {
		unsigned from, to;
		bool proved, kept;
	} table[] = {
		{1, 9, true, true},    {1, 9, false, true}, /* no pause yet: as ever */
		{1, 11, true, false},  /* over the edge */
		{1, 21, true, false},  /* over two */
		{11, 12, true, false}, {15, 25, true, false}, {21, 29, true, true},
		{21, 29, false, false}, /* it may be part of what was not seen */
		{29, 31, true, false}, {41, 49, true, true},   {41, 300, true, false},
		{101, 105, true, true}, {101, 105, false, false}, {112, 400, false, true}, /* long after the last pause */
		{111, 112, false, true},
		{45, UINT32_MAX, true, false}, /* a part of it was left out: link knows no end */
	};
	struct seen v = {0};
	struct sampler *s = sampler__new(on_span, &v);

	for (uint64_t t = 10; t < 100; t += 10)
		sampler__set(s, t * SECOND, (struct sample_rule){.paused = t / 10 % 2});
	sampler__set(s, 100 * SECOND, (struct sample_rule){0});
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct span a = span_of(i, table[i].from * SECOND, table[i].to * SECOND, table[i].proved);

		if (keeps(s, &v, &a) != table[i].kept)
			fail_msg("%u to %u s, %s: not %s", table[i].from, table[i].to, table[i].proved ? "proved" : "not proved",
				 table[i].kept ? "kept" : "left out");
	}
	assert_int_equal(sampler__counters(s)->spans, sampler__counters(s)->kept + sampler__counters(s)->out_pause);
	sampler__free(s);
}

/* So many pauses that the first are forgotten: what began then is not known to be whole. */
static void forgotten(void **state)
{
	struct seen v = {0};
	struct sampler *s = sampler__new(on_span, &v);
	struct span old = span_of(1, 5, 8, true), late = span_of(2, 100001, 100002, true);

	for (uint64_t t = 10; t <= 100000; t += 10)
		sampler__set(s, t, (struct sample_rule){.paused = t / 10 % 2});
	assert_false(keeps(s, &v, &old));
	assert_true(keeps(s, &v, &late));
	sampler__free(s);
}

/* A health check goes with all of its trace, from when the rule came into force until it went. */
static void by_worth(void **state)
{
	struct seen v = {0};
	struct sampler *s = sampler__new(on_span, &v);

	sampler__set(s, 10, (struct sample_rule){.probes = true});
	sampler__set(s, 20, (struct sample_rule){0});
	for (uint64_t from = 5; from < 30; from += 5) {
		struct span probe = span_of(from, from, from + 2, true), other = probe;

		probe.root.probe = true;
		assert_int_equal(keeps(s, &v, &probe), from < 10 || from >= 20);
		assert_int_equal(keeps(s, &v, &probe), from < 10 || from >= 20); /* what it has caused */
		assert_true(keeps(s, &v, &other));
		assert_string_equal(v.tracestate, "");
	}
	assert_int_equal(sampler__counters(s)->out_probe, 4);
	assert_int_equal(sampler__counters(s)->spans, sampler__counters(s)->kept + 4);
	sampler__free(s);
}

static void tracestates(void **state)
{
	static const struct {
		const char *has;
		uint64_t threshold;
		const char *becomes;
	} table[] = {
		{NULL, HALF, "ot=th:8"},
		{"", HALF, "ot=th:8"},
		{"a=1,b=2", HALF, "ot=th:8,a=1,b=2"},
		{"a=1,ot=th:4,b=2", HALF, "ot=th:8,a=1,b=2"},
		{"ot=th:c", HALF, "ot=th:c"}, /* somebody else keeps fewer */
		{"ot=rv:6e6d1a75832a2f;th:4;x:y", HALF, "ot=th:8;rv:6e6d1a75832a2f;x:y"},
		{"ot=th:zz", HALF, "ot=th:8"},
		{"ot=", HALF, "ot=th:8"},
		{" a=1 , ot=rv:6e6d1a75832a2f ", 0xc0000000000001ull, "ot=th:c0000000000001;rv:6e6d1a75832a2f,a=1"},
		{"oth=th:f", 1, "ot=th:00000000000001,oth=th:f"},
	};
	const uint8_t id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16};
	char out[513], large[513];

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		assert_true(tracestate__with_threshold(table[i].has, table[i].threshold, out, sizeof(out)));
		assert_string_equal(out, table[i].becomes);
	}
	memset(large, 'a', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	assert_false(tracestate__with_threshold(large, HALF, out, sizeof(out)));
	assert_int_equal(trace__randomness(id, NULL), 0x10111213141516ull);
	assert_int_equal(trace__randomness(id, "a=b"), 0x10111213141516ull);
	assert_int_equal(trace__randomness(id, "a=b,ot=th:1;rv:6e6d1a75832a2f"), 0x6e6d1a75832a2full);
	assert_int_equal(trace__randomness(id, "ot=rv:6e6d"), 0x10111213141516ull); /* too short */
	assert_int_equal(trace__randomness(id, "ot=rv:6e6d1a75832a2f1"), 0x10111213141516ull); /* too long */
	assert_int_equal(trace__randomness(id, "ot=rv:6e6d1a75832a2x"), 0x10111213141516ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hash),
		cmocka_unit_test(by_pause),
		cmocka_unit_test(forgotten),
		cmocka_unit_test(by_worth),
		cmocka_unit_test(tracestates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
