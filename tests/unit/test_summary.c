// SPDX-License-Identifier: Apache-2.0
/* test_summary.c - services, percentiles, and calls that are missing, at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "view_rig.h"

struct figures {
	unsigned requests, errors;
	double p50, p95, p99;
};

static struct figures figures_of(const char *text, const char *service)
{
	struct figures f = {0};
	char name[64];

	snprintf(name, sizeof(name), "\n%s ", service);
	assert_int_equal(sscanf(line_of(text, service), "%63s %u %u %lf %lf %lf", name, &f.requests, &f.errors, &f.p50,
				&f.p95, &f.p99), 6);
	return f;
}

static void test_percentiles(void **state)
{
	for (uint32_t n = 1; n <= 120; n++) {
		struct figures f;
		struct world w;

		open_world(&w, false, true, false);
		/* 1 .. n ms, in an order of its own. */
		for (uint32_t i = 0; i < n; i++)
			add(&w, &(struct made){.id = 1, .trace = i, .to = 1 + i * 7919 % n, .message = i % 10 ? NULL : "x"});
		f = figures_of(finish(&w), "shop");
		assert_int_equal(f.requests, n);
		assert_int_equal(f.errors, (n + 9) / 10);
		/* 7919 is prime: i * 7919 % n is every number below n, unless n divides it. Nearest rank. */
		assert_true(f.p50 == (double)((n * 50 + 99) / 100));
		assert_true(f.p95 == (double)((n * 95 + 99) / 100));
		assert_true(f.p99 == (double)((n * 99 + 99) / 100));
		assert_true(f.p50 <= f.p95 && f.p95 <= f.p99 && f.p99 <= (double)n);
		close_world(&w);
	}
}

/* A call and its other end are one request of the one who answered. */
static void test_services(void **state)
{
	struct world w;
	const char *text;

	open_world(&w, false, true, false);
	for (size_t i = 0; i < sizeof(shop) / sizeof(*shop); i++)
		add(&w, &shop[i]);
	text = finish(&w);
	assert_int_equal(figures_of(text, "nginx").requests, 1);
	assert_int_equal(figures_of(text, "order").requests, 1);
	assert_int_equal(figures_of(text, "postgresql").errors, 1);
	assert_int_equal(figures_of(text, "10.0.0.9:80").requests, 1);
	assert_non_null(strstr(text, "LOST  POST /orders"));
	assert_null(strstr(text, "SLOWEST")); /* it is the same */
	assert_non_null(strstr(text, "12345 exchanges"));
	assert_non_null(strstr(text, "records 7 made = 6 seen + 1 lost"));
	close_world(&w);
}

static void test_missing_call(void **state)
{
	struct world w;
	const char *text;

	open_world(&w, false, true, false);
	for (uint32_t i = 0; i < 10; i++) {
		add(&w, &(struct made){.id = 1, .trace = i, .to = 10, .status = 200, .path = "/orders"});
		add(&w, &(struct made){.id = 2, .parent = 1, .trace = i, .to = 1, .kind = SPAN_CLIENT, .evidence = EV_THREAD,
				       .system = "redis", .message = i == 3 ? "OOM" : NULL});
		if (i != 3)
			add(&w, &(struct made){.id = 3, .parent = 1, .trace = i, .to = 2, .kind = SPAN_CLIENT,
					       .evidence = EV_THREAD, .address = "mail"});
		if (i < 5) /* half of them: nothing that is usual */
			add(&w, &(struct made){.id = 4, .parent = 1, .trace = i, .to = 2, .kind = SPAN_CLIENT,
					       .evidence = EV_THREAD, .address = "audit"});
	}
	text = finish(&w);
	assert_non_null(strstr(text, "mail:80 was not called (called in 9 of 10 GET /orders)"));
	assert_null(strstr(text, "redis was not called"));
	assert_null(strstr(text, "audit:80 was not called"));
	close_world(&w);
}

static void test_empty(void **state)
{
	struct world w;

	open_world(&w, true, true, false);
	assert_non_null(strstr(finish(&w), "records 7 made"));
	close_world(&w);
	view__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentiles), cmocka_unit_test(test_services),
		cmocka_unit_test(test_missing_call), cmocka_unit_test(test_empty),
	};
	return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
