// SPDX-License-Identifier: Apache-2.0
/* test_address.c - ADDRESS:PORT, and what looks like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>

#include "util/address.h"

static void test_good(void **state)
{
	static const struct { const char *text; int family; uint16_t port; } rows[] = {
		{"127.0.0.1:9465", AF_INET, 9465}, {"0.0.0.0:0", AF_INET, 0}, {"10.0.0.1:65535", AF_INET, 65535},
		{"[::1]:9465", AF_INET6, 9465}, {"[::]:1", AF_INET6, 1}, {"[fd00:1:2:3:4:5:6:7]:80", AF_INET6, 80},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sockaddr_storage a;
		socklen_t size = 0;

		assert_int_equal(address__parse(rows[i].text, &a, &size), 0);
		assert_int_equal(a.ss_family, rows[i].family);
		assert_int_equal(size, rows[i].family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		/* The port is at the same place in both. */
		assert_int_equal(ntohs(((struct sockaddr_in *)&a)->sin_port), rows[i].port);
	}
}

static void test_bad(void **state)
{
	static const char *const rows[] = {
		"", ":", ":80", "80", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:70000", "127.0.0.1:x", "127.0.0.1:-1",
		"127.0.0.1: 1", "localhost:80", "256.0.0.1:80", "::1:80", "[::1]80", "[]:80", "[::1:80", "[::1]:99999999999999999999",
		"[xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]:80",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sockaddr_storage a;
		socklen_t size;

		if (address__parse(rows[i], &a, &size) != -EINVAL)
			fail_msg("\"%s\" is taken", rows[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad)};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
