// SPDX-License-Identifier: Apache-2.0
/* test_fastcgi.c - dialogues of a web server with PHP-FPM. */
#include "parser_harness.h"

#define P &protocol_fastcgi
#define BEGIN "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"
#define END "\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"
#define PARAMS                                                                                                         \
	"\1\4\0\1\0\100\3\0"                                                                                           \
	"\16\3REQUEST_METHODGET" "\13\14REQUEST_URI/a?id=7&b=cd" "\11\11HTTP_HOSTshop:8080" "\0\0\0"
#define NO_PARAMS "\1\4\0\1\0\0\0\0"
#define NO_STDIN "\1\5\0\1\0\0\0\0"
#define GET                                                                                                            \
	"request GET http.request.method=\"GET\" url.path=\"/a\" url.query=\"id=7&b=cd\" url.scheme=\"http\""             \
	" server.address=\"shop\" server.port=8080 network.protocol.name=\"http\" network.protocol.version=\"1.1\""

static void get(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT(BEGIN PARAMS NO_PARAMS NO_STDIN),
				TURN_SERVER("\1\6\0\1\0\27\2\0Content-type: a/b\r\n\r\nok" "xx" "\1\6\0\1\0\0\0\0" END),
				TURN_CLIENT(BEGIN PARAMS NO_PARAMS "\1\5\0\1\0\3\1\0abcx" NO_STDIN),
				TURN_SERVER("\1\6\0\1\0\22\0\0Status: 404 No\r\n\r\n" END)),
		       GET " n=107\nresponse http.response.status_code=200 n=57\n" GET
			   " n=119\nresponse http.response.status_code=404 n=42 error=404 \"\" client-error\n");
}

/* PHP-FPM tells what it logs before it answers: the head comes later, in a record of its own. */
static void errors_first(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT(BEGIN PARAMS NO_PARAMS NO_STDIN),
				TURN_SERVER("\1\7\0\1\0\6\2\0PHP: axx" "\1\7\0\1\0\0\0\0" "\1\6\0\1\0\0\0\0"
					    "\1\6\0\1\0\22\0\0Status: 500 No\r\n\r\n"
					    "\1\6\0\1\0\17\0\0Status: 404\r\n\r\n" END), /* body */
				TURN_CLIENT(BEGIN PARAMS NO_PARAMS NO_STDIN),
				TURN_SERVER("\1\6\0\1\0\22\0\0Status: 404 No\r\n\r\n" END)),
		       GET " n=107\nresponse http.response.status_code=500 n=97 error=500 \"\"\n" GET
			   " n=107\nresponse http.response.status_code=404 n=42 error=404 \"\" client-error\n");
}

/* RFC 3875, 6.3.3. Without a field it is 200; what is no status is not guessed at. */
static void status_line(void **state)
{
	static const struct {
		const char *head, *expected;
	} rows[] = {
		{"Status:404 Not Found\r\n\r\n", " http.response.status_code=404 n=%zu error=404 \"\" client-error"},
		{"Status: 404\n\n", " http.response.status_code=404 n=%zu error=404 \"\" client-error"},
		{"A: b\nstatus: \t503\t \n\n", " http.response.status_code=503 n=%zu error=503 \"\""},
		{"Status: 404", " http.response.status_code=404 n=%zu error=404 \"\" client-error"},
		{"A: b\n\nStatus: 404\n", " http.response.status_code=200 n=%zu"},
		{"A: b\r\n\r\nStatus: 404\r\n", " http.response.status_code=200 n=%zu"},
		{"Status: abc\r\n\r\n", " n=%zu"},
		{"Status: 40\r\n\r\n", " n=%zu"},
		{"Status: 4040\r\n\r\n", " n=%zu"},
		{"Status:\r\n\r\n", " n=%zu"},
		{"Status: -12 a\n\n", " n=%zu"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char bytes[128] = "\1\6\0\1\0", expected[256] = "request n=32\nresponse";
		size_t n = strlen(rows[i].head);

		bytes[5] = (char)n;
		memcpy(bytes + 8, rows[i].head, n);
		memcpy(bytes + 8 + n, END, 16);
		snprintf(expected + strlen(expected), 200, rows[i].expected, n + 24);
		strcat(expected, "\n");
		harness__check(P, TURNS(TURN_CLIENT(BEGIN NO_PARAMS NO_STDIN), {SIDE_SERVER, {bytes, n + 24}, 0}), expected);
	}
}

static void overloaded(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT(BEGIN NO_PARAMS NO_STDIN), TURN_SERVER("\1\3\0\1\0\10\0\0\0\0\0\0\2\0\0\0")),
		       "request n=32\nresponse n=16 error=overloaded \"\"\n");
}

static void recognised(void **state)
{
	static const struct beginning rows[] = {
		{SIDE_CLIENT, 2, SLICE(BEGIN)},
		{SIDE_CLIENT, 0, SLICE("\1\1\0\1\0\10\0\0\0\4\0")},
		{SIDE_CLIENT, 1, SLICE("\1\1")},
		{SIDE_CLIENT, 0, SLICE("GET / HTTP/1.1\r\n")},
		{SIDE_SERVER, 2, SLICE(END)},
		{SIDE_SERVER, 1, SLICE("\1\6\0\1\0\26\2\0Cont")},
		{SIDE_SERVER, 1, SLICE("\1\7\0\1\0\26\2\0PHP ")},
		{SIDE_SERVER, 0, SLICE("+OK\r\n")},
	};

	harness__recognise(P, rows, sizeof(rows) / sizeof(*rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(get), cmocka_unit_test(errors_first), cmocka_unit_test(status_line),
					   cmocka_unit_test(overloaded), cmocka_unit_test(recognised)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
