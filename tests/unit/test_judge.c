// SPDX-License-Identifier: Apache-2.0
/* test_judge.c - which container a selector names, and which ones are left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>

#include "attach/judge.h"

static struct container *container__make(const char *id, const char *name, const char *image, const char *ns, const char *pod)
{
	struct container *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	list__init(&c->processes);
	snprintf(c->ref.id, sizeof(c->ref.id), "%s", id);
	container__fact(c, "container.name", slice__of(name));
	container__image(c, slice__of(image));
	container__fact(c, "k8s.namespace.name", slice__of(ns));
	container__fact(c, "k8s.pod.name", slice__of(pod));
	container__label(c, SLICE("app"), SLICE("order"));
	container__label(c, SLICE("empty"), SLICE(""));
	return c;
}

static void container__end(struct container *c)
{
	attrs__free(&c->facts);
	free(c->labels);
	free(c);
}

static void test_matches(void **state)
{
	static const struct {
		const char *kind, *value;
		bool matches;
	} rows[] = {
		{"container", "web", true},	   {"container", "we", false},	      {"container", "w*", true},
		{"container", "abcdef", true},	   {"container", "abc", false},	      {"container", "abcdef0123", true},
		{"container", "bcdef", false},	   {"container", "", false},	      {"image", "nginx", true},
		{"image", "nginx:1.25", true},	   {"image", "library/nginx", true},  {"image", "docker.io/library/nginx:1.25", true},
		{"image", "docker.io/*", true},	   {"image", "nginx:*", true},	      {"image", "nginx:1.24", false},
		{"image", "*/nginx", true},	   {"image", "ginx", false},	      {"image", "*", true},
		{"pod", "order-1", true},	   {"pod", "order-*", true},	      {"pod", "shop/order-1", true},
		{"pod", "shop/*", true},	   {"pod", "*/order-1", true},	      {"pod", "other/order-1", false},
		{"pod", "order", false},	   {"pod", "/order-1", false},	      {"namespace", "shop", true},
		{"namespace", "s*", true},	   {"namespace", "sho", false},	      {"label", "app=order", true},
		{"label", "app=o*", true},	   {"label", "app", true},	      {"label", "app=", false},
		{"label", "empty=", true},	   {"label", "empty", true},	      {"label", "ap", false},
		{"label", "no", false},		   {"label", "no=", false},	      {"label", "app=order=x", false},
	};
	struct container *c = container__make("abcdef0123", "web", "docker.io/library/nginx:1.25", "shop", "order-1");
	struct container *bare = calloc(1, sizeof(*bare));

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (judge__matches(rows[i].kind, rows[i].value, c) != rows[i].matches)
			fail_msg("--%s %s", rows[i].kind, rows[i].value);
		assert_false(judge__matches(rows[i].kind, rows[i].value, bare)); /* nothing is known of it */
	}
	free(bare);
	container__end(c);
}

#define ROW_OPTIONS 4

static void test_judgements(void **state)
{
	static const struct {
		const char *options[ROW_OPTIONS][2];
		const char *image, *ns, *pod;
		enum judgement judgement;
	} rows[] = {
		{{{"container", "web"}}, "nginx", "shop", "p", JUDGED_WANTED},
		{{{"container", "other"}}, "nginx", "shop", "p", JUDGED_OTHER},
		{{{"container", "other,web"}}, "nginx", "shop", "p", JUDGED_WANTED},
		/* of each kind given, one */
		{{{"container", "web"}, {"namespace", "shop"}}, "nginx", "shop", "p", JUDGED_WANTED},
		{{{"container", "web"}, {"namespace", "other"}}, "nginx", "shop", "p", JUDGED_OTHER},
		{{{"label", "app=order"}, {"image", "nginx"}}, "nginx", "shop", "p", JUDGED_WANTED},
		/* --not wins */
		{{{"container", "web"}, {"not", "image=nginx"}}, "nginx", "shop", "p", JUDGED_LEFT_OUT},
		{{{"container", "web"}, {"not", "label=app=o*"}}, "nginx", "shop", "p", JUDGED_LEFT_OUT},
		{{{"comm", "nginx"}, {"not", "pod=shop/p"}}, "nginx", "shop", "p", JUDGED_LEFT_OUT},
		{{{"comm", "nginx"}, {"not", "pod=shop/q"}}, "nginx", "shop", "p", JUDGED_OTHER},
		/* kube-system, when it is not named */
		{{{"namespace", "*"}}, "dns", "kube-system", "p", JUDGED_LEFT_OUT},
		{{{"namespace", "kube-system"}}, "dns", "kube-system", "p", JUDGED_WANTED},
		{{{"pod", "*"}}, "dns", "kube-system", "p", JUDGED_LEFT_OUT},
		{{{"pod", "kube-system/*"}}, "dns", "kube-system", "p", JUDGED_WANTED},
		{{{"pod", "p"}}, "dns", "kube-system", "p", JUDGED_WANTED},
		{{{"container", "web"}}, "dns", "kube-system", "p", JUDGED_WANTED},
		{{{"comm", "nginx"}}, "dns", "kube-system", "p", JUDGED_LEFT_OUT},
		/* a collector */
		{{{"namespace", "shop"}}, "docker.io/otel/opentelemetry-collector-contrib:0.1", "shop", "p", JUDGED_LEFT_OUT},
		{{{"image", "*collector*"}}, "docker.io/otel/opentelemetry-collector-contrib:0.1", "shop", "p", JUDGED_WANTED},
		{{{"comm", "nginx"}}, "nginx", "shop", "p", JUDGED_OTHER},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct container *c = container__make("abcdef0123", "web", rows[i].image, rows[i].ns, rows[i].pod);
		struct selection s = {0};
		const char *why;
		char err[256], values[ROW_OPTIONS][64];

		for (size_t k = 0; k < ROW_OPTIONS && rows[i].options[k][0]; k++) {
			snprintf(values[k], sizeof(values[k]), "%s", rows[i].options[k][1]);
			assert_int_equal(selection__add(&s, rows[i].options[k][0], values[k], err, sizeof(err)), 0);
		}
		if (judge__container(&s, c, &why) != rows[i].judgement)
			fail_msg("row %zu: %d (%s)", i, judge__container(&s, c, NULL), why);
		assert_true((rows[i].judgement == JUDGED_WANTED) == !*why);
		/* While a source has yet to answer, --not leaves out what it might name. */
		c->asked = 1;
		if (s.n_nots)
			assert_int_equal(judge__container(&s, c, NULL), JUDGED_LEFT_OUT);
		container__end(c);
	}
}

static void test_pause_container(void **state)
{
	struct container *c = container__make("abcdef0123", "web", "pause", "shop", "p");
	struct selection s = {.pods = {"p"}, .n_pods = 1};

	c->sandbox = true;
	assert_int_equal(judge__container(&s, c, NULL), JUDGED_OTHER);
	container__end(c);
}

static void test_errors(void **state)
{
	static const struct { const char *option, *value, *quoted; } rows[] = {
		{"container", "", "\"\""}, {"image", "a,,b", "\"\""}, {"label", "=x", "\"=x\""}, {"label", "", "\"\""},
		{"not", "pod", "\"pod\""}, {"not", "pod=", "\"pod=\""}, {"not", "pid=1", "\"pid=1\""}, {"not", "label==x", "\"label==x\""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct selection s = {0};
		char value[32], err[256] = "";

		snprintf(value, sizeof(value), "%s", rows[i].value);
		assert_int_not_equal(selection__add(&s, rows[i].option, value, err, sizeof(err)), 0);
		assert_non_null(strstr(err, rows[i].quoted));
		assert_non_null(strstr(err, rows[i].option));
	}
}

/* --not selects nothing by itself. */
static void test_empty(void **state)
{
	struct selection s = {.nots = {"pod=a"}, .n_nots = 1};

	assert_true(selection__empty(&s));
	assert_false(selection__has_containers(&s));
	s.images[s.n_images++] = "a";
	assert_false(selection__empty(&s));
	assert_true(selection__has_containers(&s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),	      cmocka_unit_test(test_judgements),
		cmocka_unit_test(test_pause_container), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
