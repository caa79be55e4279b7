/* SPDX-License-Identifier: Apache-2.0 */
/* test_selection.c - what --pid and its like accept, and what they say of what they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "meta/golang.h"
#include "attach/attach.h"
#include "attach/hooks.h"
#include "attach/selection.h"

static void test_values(void **state)
{
	char pids[] = "1,4194304", comms[] = "nginx,fifteen-letters", ports[] = "80,65535";
	char groups[] = "/sys/fs/cgroup/a", exes[] = "/usr/bin/python3*,*/java";
	struct selection s = {0};
	char err[256];

	assert_true(selection__empty(&s));
	assert_int_equal(selection__add(&s, "pid", pids, err, sizeof(err)), 0);
	assert_false(selection__empty(&s));
	assert_int_equal(selection__add(&s, "comm", comms, err, sizeof(err)), 0);
	assert_int_equal(selection__add(&s, "port", ports, err, sizeof(err)), 0);
	assert_int_equal(selection__add(&s, "cgroup", groups, err, sizeof(err)), 0);
	assert_int_equal(selection__add(&s, "exe", exes, err, sizeof(err)), 0);
	assert_int_equal(s.n_pids, 2);
	assert_int_equal(s.pids[1], 4194304);
	assert_string_equal(s.comms[1], "fifteen-letters");
	assert_int_equal(s.ports[1], 65535);
	assert_string_equal(s.cgroups[0], "/sys/fs/cgroup/a");
	assert_string_equal(s.exes[1], "*/java");
}

static void test_all_is_not_empty(void **state)
{
	struct selection s = {.all = true};

	assert_false(selection__empty(&s));
}

static void test_errors(void **state)
{
	static const struct { const char *option, *value, *quoted; } rows[] = {
		{"pid", "", "\"\""},	       {"pid", "12x", "\"12x\""},     {"pid", "0", "\"0\""},
		{"pid", "-1", "\"-1\""},       {"pid", " 1", "\" 1\""},	      {"pid", "4194305", "\"4194305\""},
		{"pid", "1,,2", "\"\""},       {"pid", "99999999999999999999", "\"99999999999999999999\""},
		{"port", "65536", "\"65536\""}, {"port", "http", "\"http\""}, {"port", "80,", "\"\""},
		{"comm", "", "\"\""},	       {"comm", "sixteen-letters-", "\"sixteen-letters-\""},
		{"cgroup", "a/b", "\"a/b\""},  {"exe", "", "\"\""},	      {"nonsense", "1", "--nonsense"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct selection s = {0};
		char err[256] = "", value[64];

		snprintf(value, sizeof(value), "%s", rows[i].value);
		assert_int_equal(selection__add(&s, rows[i].option, value, err, sizeof(err)), -EINVAL);
		if (!strstr(err, rows[i].quoted) || !strstr(err, rows[i].option))
			fail_msg("row %zu: \"%s\" does not quote %s", i, err, rows[i].quoted);
	}
}

static void test_too_many(void **state)
{
	struct selection s = {0};
	char err[256], one[16];

	for (int i = 0; i < SELECT_MAX; i++) {
		snprintf(one, sizeof(one), "%d", i + 1);
		assert_int_equal(selection__add(&s, "pid", one, err, sizeof(err)), 0);
	}
	strcpy(one, "77");
	assert_int_equal(selection__add(&s, "pid", one, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "\"77\""));
	assert_int_equal(s.n_pids, SELECT_MAX);
}

static void test_plans(void **state)
{
	static const struct { const char *text; enum attach_plan plan; } rows[] = {
		{"auto", ATTACH_PLAN_AUTO}, {"sock", ATTACH_PLAN_SOCK}, {"syscall", ATTACH_PLAN_SYSCALL},
	};
	struct attach_options o;
	char err[256];

	attach__defaults(&o);
	assert_int_equal(o.plan, ATTACH_PLAN_AUTO);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(attach__parse_plan(rows[i].text, &o.plan, err, sizeof(err)), 0);
		assert_int_equal(o.plan, rows[i].plan);
	}
	assert_int_equal(attach__parse_plan("socks", &o.plan, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "\"socks\""));
	assert_int_equal(o.plan, ATTACH_PLAN_SYSCALL); /* as it was */
}

/* Every program belongs to a plan, and each plan has its own for what moves bytes. */
static void test_hooks(void **state)
{
	unsigned all = 1u << ATTACH_PLAN_SOCK | 1u << ATTACH_PLAN_SYSCALL, own = 0;

	for (size_t i = 0; i < hooks_n; i++) {
		assert_int_equal(hooks[i].plans & ~all, 0);
		assert_int_not_equal(hooks[i].plans, 0);
		if (hooks[i].required && hooks[i].plans != all)
			own |= hooks[i].plans;
	}
	assert_int_equal(own, all);
}

static void test_no_go(void **state)
{
	assert_int_equal(golang__goid_offset("/nonexistent"), -ENOENT);
	assert_int_equal(golang__goid_offset("/dev/null"), 0);
	assert_int_equal(golang__goid_offset("/proc/self/exe"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),	 cmocka_unit_test(test_all_is_not_empty),
		cmocka_unit_test(test_errors),	 cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_plans),	 cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_no_go),
	};
	return cmocka_run_group_tests_name("selection", tests, NULL, NULL);
}
