// SPDX-License-Identifier: Apache-2.0
/* test_view.c - trees of requests: who stands below whom, bars, widths, colours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "view_rig.h"

static void test_tree(void **state)
{
	struct world w;
	const char *text;

	open_world(&w, true, false, false);
	for (size_t i = sizeof(shop) / sizeof(*shop); i-- > 0;)
		add(&w, &shop[i]);
	text = finish(&w);
	assert_string_equal(text,
		"POST /orders  200 to the customer, an error inside             40.0 ms  trace 00000000000000000000000000000001\n"
		"service                    operation                0 ms       20           40    total      own  link\n"
		"nginx                      POST /orders             ██████████████████████████     40.0      2.0  root\n"
		"└ order                    POST /orders             ▐████████████████████████      38.0     18.0  event-loop\n"
		"  ├ postgresql             INSERT payments                ▐██████                  10.0     10.0  thread\n"
		"  │    error duplicate key\n"
		"  └ 10.0.0.9:80            GET /                             ▐█████████▌           15.0     15.0  thread\n"
		"\n");
	check_bars(text);
	close_world(&w);
}

static void test_colour(void **state)
{
	struct world w;
	const char *text;

	open_world(&w, true, true, true);
	for (size_t i = 0; i < sizeof(shop) / sizeof(*shop); i++)
		add(&w, &shop[i]);
	text = finish(&w);
	assert_true(count(text, "\033[31m") >= 2);
	assert_int_equal(count(text, "\033[0m"), count(text, "\033[31m") + count(text, "\033[1m") + count(text, "\033[2m"));
	check_plain(text, true);
	close_world(&w);
}

/* A trace is shown when its root has come and it has been quiet; or when its root never comes. */
static void test_when(void **state)
{
	struct world w;

	open_world(&w, true, false, false);
	add(&w, &(struct made){.id = 2, .parent = 1, .evidence = EV_THREAD, .to = 1});
	view__tick(w.v, T0 + 4900 * MS);
	fflush(w.out);
	assert_int_equal(w.size, 0);
	add(&w, &(struct made){.id = 1, .to = 2});
	view__tick(w.v, T0 + 5100 * MS);
	fflush(w.out);
	assert_int_equal(w.size, 0);
	view__tick(w.v, T0 + 5200 * MS);
	fflush(w.out);
	assert_int_equal(count(w.text, "GET"), 3); /* the title and two rows */
	add(&w, &(struct made){.id = 4, .parent = 99, .evidence = EV_THREAD, .trace = 2, .name = "ORPHAN"});
	view__tick(w.v, T0 + 10100 * MS);
	fflush(w.out);
	assert_int_equal(count(w.text, "ORPHAN"), 0);
	view__tick(w.v, T0 + 10300 * MS);
	fflush(w.out);
	assert_int_equal(count(w.text, "ORPHAN"), 2);
	close_world(&w);
}

/* Each named row is there exactly once, in this order. */
static void check_rows(const char *text, const char *const *names, size_t n)
{
	const char *rows = rows_of(text), *at = rows;

	for (size_t i = 0; i < n; i++) {
		if (count(rows, names[i]) != 1)
			fail_msg("\"%s\" is there %u times:\n%s", names[i], count(rows, names[i]), text);
		at = strstr(at, names[i]);
		if (!at)
			fail_msg("\"%s\" comes too early:\n%s", names[i], text);
	}
}

#define R(i, p, n, f, t, k, e) {.id = i, .parent = p, .name = n, .from = f, .to = t, .kind = SPAN_##k, .evidence = EV_##e}

/* Parents that are missing, oneself, one's child, or one's client's child: nothing hangs, and nobody is left out. */
static void test_odd_parents(void **state)
{
	static const struct {
		struct made m[5];
		const char *rows[5];
	} cases[] = {
		{{R(1, 0, "ROOT", 0, 9, SERVER, ROOT), R(2, 77, "LOSTCHILD", 1, 2, SERVER, THREAD)}, {"ROOT", "LOSTCHILD"}},
		{{R(1, 77, "LATER", 5, 9, SERVER, HEADER), R(2, 78, "SOONER", 1, 2, SERVER, HEADER)}, {"SOONER", "LATER"}},
		{{R(1, 1, "SELF", 0, 9, SERVER, THREAD)}, {"SELF"}},
		{{R(1, 1, "SELF", 0, 9, SERVER, HEADER), R(2, 1, "CHILD", 1, 2, SERVER, THREAD)}, {"SELF", "CHILD"}},
		{{R(1, 2, "AA", 0, 9, SERVER, THREAD), R(2, 1, "BB", 1, 8, SERVER, THREAD)}, {"AA", "BB"}},
		{{R(1, 0, "ROOT", 0, 9, SERVER, ROOT), R(2, 3, "XX", 1, 8, SERVER, THREAD), R(3, 4, "YY", 2, 8, SERVER, THREAD),
		  R(4, 2, "ZZ", 3, 8, SERVER, THREAD), R(5, 4, "BELOW", 4, 8, SERVER, THREAD)}, {"ROOT", "BELOW"}},
		/* The client's span below its own server's. */
		{{R(1, 2, "CC", 0, 9, CLIENT, THREAD), R(2, 1, "SS", 1, 8, SERVER, CONNECTION)}, {"SS"}},
		/* Two servers' ends of one call: one of them is a row of its own. */
		{{R(1, 0, "CC", 0, 9, CLIENT, ROOT), R(2, 1, "S1", 1, 8, SERVER, CONNECTION),
		  R(3, 1, "S2", 1, 8, SERVER, CONNECTION), R(4, 2, "K1", 2, 3, SERVER, THREAD),
		  R(5, 3, "K2", 3, 4, SERVER, THREAD)}, {"K1"}},
		/* The same id twice. */
		{{R(1, 0, "T1", 0, 9, SERVER, ROOT), R(1, 0, "T2", 1, 9, SERVER, ROOT), R(2, 1, "KID", 2, 9, SERVER, THREAD)}, {"T1", "KID"}},
		/* A server whose client is not here. */
		{{R(2, 1, "SS", 1, 8, SERVER, CONNECTION)}, {"SS"}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (int order = 0; order < 2; order++) {
			size_t n = 0, rows = 0;
			struct world w;

			while (n < 5 && cases[i].m[n].id)
				n++;
			while (rows < 5 && cases[i].rows[rows])
				rows++;
			open_world(&w, true, true, false);
			for (size_t k = 0; k < n; k++)
				add(&w, &cases[i].m[order ? n - 1 - k : k]);
			check_rows(finish(&w), cases[i].rows, rows);
			check_bars(w.text);
			close_world(&w);
		}
	}
}

/* Every span of a trace is in a row, or is one, and is reached once from the top. */
static unsigned reach(const struct vspan *row)
{
	unsigned n = 0;

	for (; row; row = row->sibling)
		n += 1 + !!row->server + reach(row->child);
	return n;
}

static void test_random_parents(void **state)
{
	unsigned random = 1;

	for (int round = 0; round < 300; round++) {
		struct store st;
		struct vtrace *t = NULL;
		unsigned n = 1 + (unsigned)round % 40;

		store__init(&st);
		for (uint32_t i = 1; i <= n; i++) {
			struct process p = {.service = "s"};
			struct attrs a = {0};
			uint32_t parent;
			struct span s = {.name = "x", .attrs = &a, .process = &p};

			random = random * 1103515245 + 12345;
			parent = random >> 16 & 0xffff;
			s.evidence = parent % 3 ? EV_THREAD : EV_CONNECTION;
			s.kind = parent % 2 ? SPAN_CLIENT : SPAN_SERVER;
			s.has_parent = parent % 7;
			s.start_ns = parent % 13;
			s.end_ns = random % 31;
			parent = parent % (n + 2);
			memcpy(s.span_id, &i, 4);
			memcpy(s.parent_id, &parent, 4);
			t = store__add(&st, &s, 0);
		}
		for (int again = 0; again < 2; again++) {
			vtrace__arrange(t);
			assert_int_equal(reach(t->root), n);
		}
		for (const struct vspan *v = t->spans; v; v = v->next)
			assert_true(v->own_ns <= vspan__duration(v));
		store__free(&st);
	}
}

static void test_deep(void **state)
{
	struct world w;
	const char *text;

	open_world(&w, true, true, false);
	for (uint32_t i = 1; i <= 200; i++)
		add(&w, &(struct made){.id = i, .parent = i - 1, .from = i, .to = 1000 - i, .evidence = i > 1 ? EV_THREAD : EV_ROOT});
	text = finish(&w);
	assert_non_null(strstr(text, "deeper calls are not shown"));
	check_bars(text);
	close_world(&w);
}

static void test_wide(void **state)
{
	struct world w;
	const char *text;

	open_world(&w, true, false, false);
	for (uint32_t i = 1000; i >= 1; i--) {
		char name[16];

		snprintf(name, sizeof(name), "n%04u", i);
		add(&w, &(struct made){.id = i + 1, .parent = 1, .name = name, .from = i, .to = i + 1, .evidence = EV_THREAD});
	}
	add(&w, &(struct made){.id = 1, .name = "ROOT", .to = 2000});
	text = finish(&w);
	assert_int_equal(count(text, "├ "), 999);
	assert_int_equal(count(text, "└ "), 1);
	assert_true(strstr(text, "n0001") < strstr(text, "n0002"));
	assert_non_null(strstr(line_of(text, "└ "), "n1000"));
	assert_non_null(strstr(line_of(rows_of(text), "ROOT  "), " 1000.0")); /* own: what no child covers */
	check_bars(text);
	close_world(&w);
}

/* More spans than are kept: the oldest trace goes, and it is said. */
static void test_too_many(void **state)
{
	struct world w;
	const char *text;

	open_world(&w, false, true, false);
	for (uint32_t i = 1; i <= 60100; i++)
		add(&w, &(struct made){.id = i, .trace = (i - 1) / 1000, .to = 1});
	text = finish(&w);
	assert_non_null(strstr(text, "1000 spans are not in these figures"));
	close_world(&w);
}

/* A trace id's first half may be zero (64-bit ids of b3): that alone makes no two traces one. */
static void test_short_trace_ids(void **state)
{
	struct world w;
	const char *text;

	open_world(&w, true, false, false);
	add(&w, &(struct made){.id = 1, .trace = 1, .name = "ONE", .to = 1});
	add(&w, &(struct made){.id = 1, .trace = 2, .name = "TWO", .to = 1});
	text = finish(&w);
	assert_int_equal(count(text, "trace 0000000000000000"), 2);
	close_world(&w);
}

static void test_own_time(void **state)
{
	static const struct {
		uint64_t kids[3][2];
		const char *own;
	} rows[] = {
		{{{10, 20}, {30, 40}}, "     80.0"},
		{{{10, 30}, {20, 40}}, "     70.0"}, /* together for a while */
		{{{10, 90}, {20, 30}, {40, 50}}, "     20.0"},
		{{{0, 100}, {0, 100}}, "      0.0"},
		{{{50, 150}}, "     50.0"},		     /* outlives the parent */
		{{{200, 300}}, "    100.0"},		     /* after it */
		{{{10, 10}}, "    100.0"},
		{{{30, 10}}, "    100.0"},		     /* ends before it begins */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world w;

		open_world(&w, true, false, false);
		add(&w, &(struct made){.id = 1, .name = "ROOT", .to = 100});
		for (uint32_t k = 0; k < 3; k++)
			if (rows[i].kids[k][0] || rows[i].kids[k][1])
				add(&w, &(struct made){.id = 2 + k, .parent = 1, .from = rows[i].kids[k][0],
						       .to = rows[i].kids[k][1], .evidence = EV_THREAD});
		finish(&w);
		if (!strstr(line_of(rows_of(w.text), "ROOT  "), rows[i].own))
			fail_msg("row %zu: %s", i, line_of(rows_of(w.text), "ROOT  "));
		check_bars(w.text);
		close_world(&w);
	}
}

/* Clocks that make no sense: the text stays in its columns, nothing is negative. */
static void test_odd_times(void **state)
{
	static const uint64_t times[][2] = {
		{0, 0}, {5, 5}, {9, 3}, {0, UINT64_MAX}, {UINT64_MAX, 0}, {UINT64_MAX, UINT64_MAX}, {UINT64_MAX - 1, UINT64_MAX},
		{1ull << 63, 1ull << 62}, {T0, T0 + 1},
	};
	enum { N = sizeof(times) / sizeof(*times) };

	for (int root = 0; root < N; root++) {
		struct world w;

		open_world(&w, true, true, false);
		add_ns(w.v, &(struct made){.id = 1}, times[root][0], times[root][1]);
		for (uint32_t k = 0; k < N; k++)
			add_ns(w.v, &(struct made){.id = 2 + k, .parent = 1, .evidence = EV_THREAD}, times[k][0], times[k][1]);
		finish(&w);
		assert_null(strchr(line_of(w.text, "└ "), '-'));
		check_plain(w.text, false);
		if (root < 3)
			check_bars(w.text); /* others have figures wider than a column */
		close_world(&w);
	}
}

/* Whatever comes over the wire: the terminal is not spoken to. */
static void test_escapes(void **state)
{
	static const char *const evil[] = {
		"\033[2J\033[H", "\033]0;title\007", "\x9b" "31m", "\xc2\x9b" "31m", "a\rb", "a\nb", "a\tb", "\x7f\b\b",
		"\033Pq#0\033\\", "\xff\xfe", "caf\xc3", "\xe2\x80\xae" "evil", "\xe0\x82\x9b" "31m", "\x0e\x0f",
	};

	for (size_t i = 0; i < sizeof(evil) / sizeof(*evil); i++) {
		char url[64];
		struct world w;
		const char *text;

		snprintf(url, sizeof(url), "http://h/%s", evil[i]);
		open_world(&w, true, true, false);
		add(&w, &(struct made){.id = 1, .service = evil[i], .name = evil[i], .path = "/x", .to = 9, .status = 200});
		add(&w, &(struct made){.id = 2, .parent = 1, .name = "x", .message = evil[i], .evidence = EV_THREAD, .to = 8});
		add(&w, &(struct made){.id = 3, .parent = 1, .kind = SPAN_CLIENT, .path = url, .system = evil[i], .to = 8});
		add(&w, &(struct made){.id = 4, .parent = 1, .kind = SPAN_CLIENT, .name = evil[i], .address = evil[i], .to = 8});
		text = finish(&w);
		check_plain(text, false);
		check_bars(text);
		assert_null(strstr(text, "\xe2\x80\xae"));
		assert_int_equal(count(text, "a\nb"), 0);
		close_world(&w);
	}
}

static void open_narrow(struct world *w, unsigned width)
{
	*w = (struct world){0};
	w->out = open_memstream(&w->text, &w->size);
	w->v = view__new(&(struct view_options){.out = w->out, .width = width, .live = true});
	view__tick(w->v, T0);
}

/* Whatever the width, from 60 columns: no line is wider, bars are below each other, and figures are whole. */
static void test_widths(void **state)
{
	for (unsigned width = 60; width <= 160; width++) {
		unsigned from, to, n = 0;
		struct world w;

		open_narrow(&w, width);
		for (size_t i = 0; i < sizeof(shop) / sizeof(*shop); i++)
			add(&w, &shop[i]);
		finish(&w);
		for (const char *line = w.text; *line; line += strcspn(line, "\n") + 1, n++)
			if (columns(line, strcspn(line, "\n")) > width)
				fail_msg("wider than %u: %.*s", width, (int)strcspn(line, "\n"), line);
		assert_int_equal(n, width < 96 ? 9 : 8);
		assert_non_null(strstr(w.text, "trace 00000000000000000000000000000001\n"));
		assert_int_equal(!!strstr(w.text, " 20 "), width >= 98);
		assert_non_null(strstr(w.text, "     38.0     18.0  event-loop\n"));
		bar_of(line_of(rows_of(w.text), "  root"), &from, &to);
		assert_int_equal(to - from + 1, width < 72 ? 8 : width < 96 ? 12 : width - 84);
		assert_non_null(strstr(w.text, "└ order"));
		close_world(&w);
	}
}

/* Less than 60 columns: as for 60. */
static void test_too_narrow(void **state)
{
	struct world w[2];

	for (int i = 0; i < 2; i++) {
		open_narrow(&w[i], i ? 1 : 60);
		for (size_t k = 0; k < sizeof(shop) / sizeof(*shop); k++)
			add(&w[i], &shop[k]);
		finish(&w[i]);
	}
	assert_string_equal(w[0].text, w[1].text);
	close_world(&w[0]);
	close_world(&w[1]);
}

/* Names longer than their column, also where a character would be cut: the bar stays where it is. */
static void test_long_names(void **state)
{
	char name[300] = "", path[300] = "/";
	struct world w;

	while (strlen(name) + 3 < sizeof(name))
		strcat(name, "日");
	while (strlen(path) + 2 < sizeof(path))
		strcat(path, "é");
	for (int pad = 0; pad < 4; pad++) {
		open_world(&w, true, true, false);
		add(&w, &(struct made){.id = 1, .service = name + 3 * pad, .name = name, .path = path, .to = 9});
		add(&w, &(struct made){.id = 2, .parent = 1, .name = "GE\xc3\xa9" + pad % 2, .path = path, .to = 9, .message = name,
				       .evidence = EV_THREAD});
		check_bars(finish(&w));
		check_plain(w.text, false);
		close_world(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree), cmocka_unit_test(test_colour), cmocka_unit_test(test_when),
		cmocka_unit_test(test_odd_parents), cmocka_unit_test(test_random_parents),
		cmocka_unit_test(test_deep), cmocka_unit_test(test_wide), cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_short_trace_ids), cmocka_unit_test(test_own_time),
		cmocka_unit_test(test_odd_times), cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_widths), cmocka_unit_test(test_too_narrow),
		cmocka_unit_test(test_long_names),
	};
	return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
