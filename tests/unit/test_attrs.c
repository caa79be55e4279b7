/* SPDX-License-Identifier: Apache-2.0 */
/* test_attrs.c - the list of attributes: replacement, bounds, UTF-8. And util/redact.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "guard.h"
#include "util/attrs.h"
#include "util/redact.h"

static void assert_text(const struct attrs *a, const char *key, const char *expected)
{
	struct slice got = attrs__get_str(a, key);
	assert_int_equal(got.n, strlen(expected));
	if (got.n)
		assert_memory_equal(got.p, expected, got.n);
}

static void test_set_and_replace(void **state)
{
	struct attrs a = {0};
	char key[] = "k1"; /* equal text at another address is the same key */
	attrs__str(&a, "k1", SLICE("one"));
	attrs__int(&a, "k2", -7);
	attrs__bool(&a, "k3", true);
	attrs__double(&a, "k4", 0.5);
	attrs__str(&a, key, SLICE("two"));
	assert_int_equal(a.n, 4);
	assert_text(&a, "k1", "two");
	assert_int_equal(attrs__get_int(&a, "k2", 0), -7);
	assert_int_equal(attrs__get_int(&a, "k1", 5), 5);
	assert_int_equal(attrs__get_str(&a, "k2").n, 0);
	assert_null(attrs__find(&a, "k5"));
	attrs__int(&a, "k1", 3);
	assert_int_equal(attrs__get_int(&a, "k1", 0), 3);
	attrs__str(&a, "empty", (struct slice){NULL, 0});
	assert_non_null(attrs__find(&a, "empty"));
	assert_text(&a, "empty", "");
	attrs__free(&a);
	attrs__free(&a);
	attrs__free(NULL);
}

static void test_merge(void **state)
{
	struct attrs a = {0}, b = {0};
	attrs__str(&a, "x", SLICE("old"));
	attrs__str(&b, "x", SLICE("new"));
	attrs__double(&b, "d", 1.5);
	attrs__bool(&b, "b", false);
	attrs__merge(&a, &b);
	assert_int_equal(a.n, 3);
	assert_text(&a, "x", "new");
	assert_true(attrs__find(&a, "d")->d == 1.5);
	attrs__free(&a);
	attrs__free(&b);
}

static void test_bounds(void **state)
{
	static char keys[ATTRS_MAX + 2][8], big[ATTR_VALUE_MAX + 100];
	struct attrs a = {0};
	for (int i = 0; i < ATTRS_MAX + 2; i++) {
		keys[i][0] = (char)('a' + i / 10);
		keys[i][1] = (char)('0' + i % 10);
		attrs__int(&a, keys[i], i);
	}
	assert_int_equal(a.n, ATTRS_MAX);
	assert_int_equal(a.dropped, 2);
	attrs__clear(&a);
	memset(big, 'x', sizeof(big));
	for (int i = 0; i < 5; i++)
		attrs__str(&a, keys[i], (struct slice){big, sizeof(big)});
	assert_int_equal(a.n, 4);
	assert_int_equal(a.dropped, 1);
	assert_int_equal(attrs__get_str(&a, keys[3]).n, ATTR_VALUE_MAX);
	/* No room for the new value: the old one goes as well. */
	attrs__int(&a, keys[4], 4);
	attrs__str(&a, keys[4], SLICE("small"));
	assert_null(attrs__find(&a, keys[4]));
	assert_int_equal(a.n, 4);
	assert_int_equal(a.dropped, 2);
	/* What takes no more than it did has room. */
	attrs__str(&a, keys[0], SLICE("small"));
	assert_text(&a, keys[0], "small");
	/* And what was in a hole. */
	attrs__str(&a, keys[4], SLICE("large"));
	assert_text(&a, keys[4], "large");
	assert_int_equal(attrs__get_str(&a, keys[3]).n, ATTR_VALUE_MAX);
	attrs__free(&a);
}

/* Values of all lengths that replace each other, among others that stay: nothing is lost, nothing mixed up. */
static void test_set_again(void **state)
{
	static const char *const keys[] = {"a", "b", "c", "d", "e"};
	static char value[5][400];
	struct attrs a = {0};
	attrs__str(&a, "stays", SLICE("put"));
	attrs__list(&a, "tags", (struct slice){"x\0y", 4});
	for (unsigned i = 0; i < 1000; i++) {
		unsigned k = i * 7 % 5, n = i * 131 % 399;
		memset(value[k], 'a' + (int)(i % 26), n);
		if (i % 3 == 0 && n >= 3)
			memcpy(value[k], "\xe2\x82\xac", 3);
		value[k][n] = '\0';
		if (i % 11 == 0)
			attrs__int(&a, keys[k], 1);
		if (i % 13 == 0)
			attrs__remove(&a, keys[k]);
		attrs__str(&a, keys[k], slice__of(value[k]));
		for (unsigned j = 0; j < 5 && i >= 5; j++)
			assert_text(&a, keys[j], value[j]);
	}
	assert_text(&a, "stays", "put");
	assert_memory_equal(attr__text(&a, attrs__find(&a, "tags")).p, "x\0y", 4);
	assert_int_equal(a.dropped, 0);
	assert_int_equal(a.n, 7);
	assert_true(a.size <= 4096); /* of at most 2006 bytes */
	attrs__free(&a);
}

static void test_memory_is_kept(void **state)
{
	struct attrs a = {0};
	attrs__str(&a, "k", SLICE("value"));
	const void *v = a.v, *text = a.text;
	attrs__clear(&a);
	attrs__str(&a, "j", SLICE("other"));
	assert_ptr_equal(a.v, v);
	assert_ptr_equal(a.text, text);
	attrs__free(&a);
}

/* Examples of Unicode 15, 3.9, table 3-8 and following. */
static const struct {
	const char *in, *out;
} utf8[] = {
	{"plain", "plain"},
	{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
	{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
	{"\xff", "\xef\xbf\xbd"},
	{"a\xc3", "a\xef\xbf\xbd"},
	{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
	{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	{"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x41"},
	{"\xf4\x90\x80\x80z", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz"},
	{"12345678\xe2\x82\xac" "12345678", "12345678\xe2\x82\xac" "12345678"},
};

static void test_utf8(void **state)
{
	struct guard g = guard__new(4096);
	for (size_t i = 0; i < sizeof(utf8) / sizeof(utf8[0]); i++) {
		struct attrs a = {0};
		attrs__str(&a, "k", guard__put(&g, slice__of(utf8[i].in)));
		assert_text(&a, "k", utf8[i].out);
		attrs__free(&a);
	}
	guard__free(&g);
}

static void test_cut_at_boundary(void **state)
{
	static char in[ATTR_VALUE_MAX + 2];
	struct attrs a = {0};
	memset(in, 'x', sizeof(in));
	memcpy(in + ATTR_VALUE_MAX - 2, "\xe2\x82\xac", 3);
	attrs__str(&a, "k", (struct slice){in, sizeof(in)});
	assert_int_equal(attrs__get_str(&a, "k").n, ATTR_VALUE_MAX - 2);
	attrs__free(&a);
}

#define JWT "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N"

static const struct {
	const char *in, *out;
} queries[] = {
	{"", ""},
	{"id=7&page=2", "id=7&page=2"},
	{"token=abc", "token=REDACTED"},
	{"a=1&API_KEY=x&b=2", "a=1&API_KEY=REDACTED&b=2"},
	{"user%5Bpassword%5D=x", "user%5Bpassword%5D=REDACTED"},
	{"acc%65ss_tok%65n=x;c=3", "acc%65ss_tok%65n=REDACTED;c=3"},
	{"X-Amz-Credential=A&X-Amz-Date=1", "X-Amz-Credential=REDACTED&X-Amz-Date=REDACTED"},
	{"X-Goog-Signature=s&AWSAccessKeyId=k&sig=s&Signature=q",
	 "X-Goog-Signature=REDACTED&AWSAccessKeyId=REDACTED&sig=REDACTED&Signature=REDACTED"},
	{"passwd=&x", "passwd=&x"},
	{"q=" JWT, "q=REDACTED"},
	{JWT, "REDACTED"},
	{"h=d41d8cd98f00b204e9800998ecf8427e", "h=REDACTED"},
	{"id=123e4567-e89b-12d3-a456-426614174000", "id=123e4567-e89b-12d3-a456-426614174000"},
	{"k1=wJalrXUtnFEMI%2FK7MDENG%2FbPxRfiCYEXAMPLEKEY", "k1=REDACTED"},
	{"name=a-rather-long-name-of-a-product-that-is-no-secret", "name=a-rather-long-name-of-a-product-that-is-no-secret"},
	{"n=1234567890123456789012345678901234567890", "n=1234567890123456789012345678901234567890"},
	{"t=2024-01-01T00:00:00Z&keyboard=de&author=x", "t=2024-01-01T00:00:00Z&keyboard=de&author=x"},
	{"=&&%", "=&&%"},
};

static void test_redact(void **state)
{
	struct guard g = guard__new(4096);
	char out[512];
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		size_t n = redact__query(guard__put(&g, slice__of(queries[i].in)), out, sizeof(out) - 1);
		out[n] = '\0';
		assert_string_equal(out, queries[i].out);
	}
	/* A full buffer cuts, it does not overflow. */
	for (size_t size = 0; size < 24; size++)
		assert_true(redact__query(SLICE("a=1&token=abc&b=22222"), out, size) <= size);
	guard__free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_replace), cmocka_unit_test(test_merge),
		cmocka_unit_test(test_bounds),		cmocka_unit_test(test_memory_is_kept),
		cmocka_unit_test(test_utf8),		cmocka_unit_test(test_cut_at_boundary),
		cmocka_unit_test(test_redact),		cmocka_unit_test(test_set_again),
	};
	return cmocka_run_group_tests_name("attrs", tests, NULL, NULL);
}
