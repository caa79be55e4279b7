// SPDX-License-Identifier: Apache-2.0
/* test_text.c - text into arrays that are too small, or onto a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>

#include "util/text.h"

static void test_shown(void **state)
{
	static const struct { const char *in; size_t size; const char *out; } rows[] = {
		{"plain", 64, "plain"}, {"caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80", 64, "caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80"},
		{"\033[m", 64, "?[m"}, {"\xc2\x85", 64, "??"}, {"\xc2\xa0", 64, "\xc2\xa0"}, {"\xc3", 64, "?"},
		{"\xe6\x97", 64, "??"}, {"\xc0\x9b", 64, "??"}, {"\xed\xa0\x80", 64, "???"}, {"\xf4\x90\x80\x80", 64, "????"},
		{"\xfc\x80\x80\x80", 64, "????"}, {"\xe2\x81\xa6", 64, "???"}, {"\xef\xbb\xbf", 64, "???"},
		{"abc", 4, "abc"}, {"abcd", 4, "abc"}, {"ab\xc3\xa9", 4, "ab"}, {"a\xc3\xa9", 4, "a\xc3\xa9"}, {"x", 1, ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char out[66];

		memset(out, '!', sizeof(out));
		text__shown(out, rows[i].size, slice__of(rows[i].in));
		assert_string_equal(out, rows[i].out);
		assert_int_equal(out[rows[i].size], '!');
	}
}

/* Cut at a character: what a fixed array holds stays UTF-8; of what is none, as much as fits. */
static void test_copy(void **state)
{
	static const struct { const char *in; size_t size; const char *out; } rows[] = {
		{"abc", 8, "abc"}, {"abc", 4, "abc"}, {"abc", 3, "ab"}, {"abc", 1, ""}, {"", 1, ""},
		{"a\xc3\xa9", 3, "a"}, {"a\xc3\xa9", 4, "a\xc3\xa9"}, {"\xf0\x9f\x98\x80", 4, ""}, {"\xf0\x9f\x98\x80", 5, "\xf0\x9f\x98\x80"},
		{"\x80\x80\x80\x80", 3, "\x80\x80"}, {"\x80\x80\x80\x80\x80\x80", 6, "\x80\x80\x80\x80\x80"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char out[16];

		memset(out, '!', sizeof(out));
		text__copy(out, rows[i].size, slice__of(rows[i].in));
		assert_string_equal(out, rows[i].out);
		assert_int_equal(out[rows[i].size], '!');
	}
}

static void test_one_of(void **state)
{
	static const char *const names[] = {"auto", "ring", ""};

	assert_int_equal(text__one_of("ring", names, 3), 1);
	assert_int_equal(text__one_of("", names, 3), 2);
	assert_int_equal(text__one_of("rin", names, 3), -EINVAL);
	assert_int_equal(text__one_of("", names, 2), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shown), cmocka_unit_test(test_copy), cmocka_unit_test(test_one_of),
	};
	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
