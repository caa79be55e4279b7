// SPDX-License-Identifier: Apache-2.0
/*
 * test_shed.c - the controller of load shedding as a table: a made-up agent whose use of CPU depends on
 * the step it is on, second by second; and the step that comes out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sample/shed.h"

#define SECOND 1000000000ull
#define MIB (1ull << 20)

/* For so many seconds the load would take `cores` on step 0, and that much memory whatever the step. */
struct phase {
	unsigned seconds;
	double cores;
	uint64_t rss;
	unsigned step; /* at its end */
};

static const struct story {
	const char *name;
	double cpu; /* budget */
	uint64_t memory;
	struct phase phases[6];
	unsigned changes; /* at most */
} stories[] = {
	{"no budget: nothing is ever shed", 0, 0, {{100, 4, 1000 * MIB, 0}}, 0},
	{"within the budget", .05, 0, {{100, .0499, 0, 0}}, 0},
	{"a burst of two seconds at four times the budget is free", .05, 0, {{20, .01, 0, 0}, {2, .2, 0, 0}, {60, .01, 0, 0}}, 0},
	{"a little too much: the first step", .05, 0, {{60, .052, 0, 1}}, 1},
	{"four times the budget: a quarter of the time, at once", .05, 0, {{12, .2, 0, 5}, {30, .2, 0, 5}}, 1},
	{"a load beyond every step: the last one, and no further", .01, 0, {{60, 4, 0, 8}}, 1},
	{"undone when the load has gone", .05, 0, {{30, .2, 0, 5}, {25, 0, 0, 0}, {60, .01, 0, 0}}, 3},
	{"halved: one step down, then it stays", .05, 0, {{30, .19, 0, 5}, {60, .07, 0, 4}}, 2},
	{"just below the budget: what sheds goes on, without a change", .05, 0, {{30, .2, 0, 5}, {300, .19, 0, 5}}, 1},
	{"memory over the budget: up, a step every four seconds", 0, 100 * MIB, {{5, 0, 101 * MIB, 1}, {4, 0, 101 * MIB, 2}, {60, 0, 101 * MIB, 8}}, 8},
	{"memory falls a little: stays; a lot: undone", 0, 100 * MIB, {{5, 0, 101 * MIB, 1}, {60, 0, 90 * MIB, 1}, {12, 0, 79 * MIB, 0}}, 2},
	{"memory keeps up what CPU would undo", .05, 100 * MIB, {{20, .2, 90 * MIB, 5}, {60, 0, 90 * MIB, 5}, {12, 0, 10 * MIB, 0}}, 3},
};

static void tell(void **state)
{
	for (size_t i = 0; i < sizeof(stories) / sizeof(*stories); i++) {
		const struct story *t = &stories[i];
		const struct shed_budget b = {t->cpu, t->memory};
		struct shed_load l = {.now_ns = 77 * SECOND};
		unsigned changes = 0;
		struct shed s;

		shed__init(&s, &b);
		for (const struct phase *p = t->phases; p->seconds; p++) {
			for (unsigned n = 0; n < p->seconds; n++) {
				l.now_ns += SECOND + 37 * n % 11 * 1000000; /* a timer is never early */
				l.cpu_ns += (uint64_t)(p->cores * 1e9 * shed_steps[s.step].cost);
				l.rss_bytes = p->rss;
				changes += shed__load(&s, &l);
			}
			if (s.step != p->step)
				fail_msg("%s: step %u after phase %zu, expected %u", t->name, s.step, p - t->phases, p->step);
		}
		if (changes > t->changes)
			fail_msg("%s: %u changes, expected %u", t->name, changes, t->changes);
	}
}

/* The same loads give the same steps; a load that swings every few seconds does not swing the step. */
static void swings(void **state)
{
	const struct shed_budget b = {.05, 0};
	struct shed_load l = {0};
	unsigned changes = 0;
	struct shed s;

	shed__init(&s, &b);
	for (int n = 0; n < 600; n++) {
		l.now_ns += SECOND;
		l.cpu_ns += (uint64_t)((n / 3 % 2 ? .15 : .01) * 1e9 * shed_steps[s.step].cost);
		changes += shed__load(&s, &l);
	}
	assert_true(s.step >= 3);
	assert_in_range(changes, 1, 3);
}

/* Each step costs less than the one before, and never undoes what that left out but for the hash. */
static void ladder(void **state)
{
	for (unsigned i = 1; i < shed_steps_n; i++) {
		const struct shed_step *a = &shed_steps[i - 1], *b = &shed_steps[i];

		assert_true(b->cost < a->cost);
		assert_true(b->head && b->low_value >= a->low_value && b->pause >= a->pause);
		assert_true(b->threshold >= a->threshold || b->pause);
		assert_true(b->threshold < 1ull << 56);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(tell), cmocka_unit_test(swings), cmocka_unit_test(ladder)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
