// SPDX-License-Identifier: Apache-2.0
/* test_settings.c - the OTEL_* environment: what each variable does, which one wins, what is refused in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/export.h"

#define E "OTEL_EXPORTER_OTLP_"
#define T "OTEL_EXPORTER_OTLP_TRACES_"
#define VARS 4

struct var {
	const char *name, *value;
};

/* No OTEL_* variable is set. */
static void clear_env(void)
{
	for (char **e = environ; *e;) {
		char *name = strncmp(*e, "OTEL_", 5) ? NULL : strndup(*e, strcspn(*e, "="));

		if (name)
			unsetenv(name); /* moves the rest here */
		else
			e++;
		free(name);
	}
}

static int set_up(void **state)
{
	clear_env();
	return 0;
}

static void set_all(const struct var *v)
{
	clear_env();
	for (size_t i = 0; i < VARS && v[i].name; i++)
		setenv(v[i].name, v[i].value, 1);
}

static void read_env(struct export_settings *s)
{
	char err[512] = "";

	if (export_settings__from_env(s, err, sizeof(err)))
		fail_msg("refused: %s", err);
}

static void test_defaults(void **state)
{
	struct export_settings s;

	read_env(&s);
	assert_string_equal(s.endpoint, "http://localhost:4318/v1/traces");
	assert_int_equal(s.protocol, OTLP_HTTP_PROTOBUF);
	assert_false(s.gzip);
	assert_null(s.headers[0]);
	assert_null(s.certificate);
	assert_null(s.client_certificate);
	assert_null(s.client_key);
	assert_int_equal(s.timeout_ms, 10000);
	assert_int_equal(s.schedule_delay_ms, 5000);
	assert_int_equal(s.export_timeout_ms, 30000);
	assert_int_equal(s.max_queue, 16384);
	assert_int_equal(s.max_batch, 512);
	export_settings__free(&s);
}

/* A variable that is set but empty counts as not set (specification, "Environment Variables"). */
static void test_empty_is_unset(void **state)
{
	static const char *const names[] = {
		E "ENDPOINT", T "ENDPOINT", E "PROTOCOL", T "PROTOCOL", E "COMPRESSION", T "COMPRESSION", E "HEADERS",
		T "HEADERS", E "TIMEOUT", T "TIMEOUT", E "CERTIFICATE", T "CERTIFICATE", E "CLIENT_CERTIFICATE",
		T "CLIENT_CERTIFICATE", E "CLIENT_KEY", T "CLIENT_KEY", "OTEL_BSP_SCHEDULE_DELAY",
		"OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		setenv(names[i], "", 1);
	test_defaults(NULL);
}

static void test_endpoint(void **state)
{
	static const struct { struct var v[VARS]; const char *url; } rows[] = {
		{{{E "ENDPOINT", "http://c:4318"}}, "http://c:4318/v1/traces"},
		{{{E "ENDPOINT", "http://c:4318/"}}, "http://c:4318/v1/traces"},
		{{{E "ENDPOINT", "https://c/otlp"}}, "https://c/otlp/v1/traces"},
		{{{T "ENDPOINT", "http://t/exact"}}, "http://t/exact"},
		{{{T "ENDPOINT", "http://t/"}}, "http://t/"},
		{{{E "ENDPOINT", "http://c"}, {T "ENDPOINT", "https://t/x"}}, "https://t/x"},
		{{{E "ENDPOINT", "http://c"}, {T "ENDPOINT", ""}}, "http://c/v1/traces"},
		{{{E "ENDPOINT", "no url"}, {T "ENDPOINT", "http://t"}}, "http://t"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct export_settings s;

		set_all(rows[i].v);
		read_env(&s);
		assert_string_equal(s.endpoint, rows[i].url);
		export_settings__free(&s);
	}
}

static void test_protocol_and_compression(void **state)
{
	static const struct { struct var v[VARS]; enum otlp_protocol protocol; bool gzip; } rows[] = {
		{{{E "PROTOCOL", "http/protobuf"}}, OTLP_HTTP_PROTOBUF, false},
		{{{E "PROTOCOL", "http/json"}}, OTLP_HTTP_JSON, false},
		{{{E "PROTOCOL", "http/json"}, {T "PROTOCOL", "http/protobuf"}}, OTLP_HTTP_PROTOBUF, false},
		{{{E "PROTOCOL", "grpc"}, {T "PROTOCOL", "http/json"}}, OTLP_HTTP_JSON, false},
		{{{E "COMPRESSION", "gzip"}}, OTLP_HTTP_PROTOBUF, true},
		{{{E "COMPRESSION", "none"}}, OTLP_HTTP_PROTOBUF, false},
		{{{E "COMPRESSION", "gzip"}, {T "COMPRESSION", "none"}}, OTLP_HTTP_PROTOBUF, false},
		{{{E "COMPRESSION", "none"}, {T "COMPRESSION", "gzip"}}, OTLP_HTTP_PROTOBUF, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct export_settings s;

		set_all(rows[i].v);
		read_env(&s);
		assert_int_equal(s.protocol, rows[i].protocol);
		assert_int_equal(s.gzip, rows[i].gzip);
		export_settings__free(&s);
	}
}

static void test_numbers(void **state)
{
	static const struct { struct var v[VARS]; uint64_t timeout, delay, give_up, queue, batch; } rows[] = {
		{{{E "TIMEOUT", "7"}}, 7, 5000, 30000, 16384, 512},
		{{{E "TIMEOUT", "7"}, {T "TIMEOUT", "9"}}, 9, 5000, 30000, 16384, 512},
		{{{E "TIMEOUT", "x"}, {T "TIMEOUT", "9"}}, 9, 5000, 30000, 16384, 512},
		{{{"OTEL_BSP_SCHEDULE_DELAY", "0"}}, 10000, 0, 30000, 16384, 512},
		{{{"OTEL_BSP_EXPORT_TIMEOUT", "2147483647"}}, 10000, 5000, 2147483647, 16384, 512},
		{{{"OTEL_BSP_MAX_QUEUE_SIZE", "2048"}}, 10000, 5000, 30000, 2048, 512},
		{{{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"}}, 10000, 5000, 30000, 16384, 1},
		{{{"OTEL_BSP_MAX_QUEUE_SIZE", "9"}, {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "9"}}, 10000, 5000, 30000, 9, 9},
		/* A small queue alone is no mistake: a batch is never larger than it. */
		{{{"OTEL_BSP_MAX_QUEUE_SIZE", "100"}}, 10000, 5000, 30000, 100, 100},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct export_settings s;

		set_all(rows[i].v);
		read_env(&s);
		assert_int_equal(s.timeout_ms, rows[i].timeout);
		assert_int_equal(s.schedule_delay_ms, rows[i].delay);
		assert_int_equal(s.export_timeout_ms, rows[i].give_up);
		assert_int_equal(s.max_queue, rows[i].queue);
		assert_int_equal(s.max_batch, rows[i].batch);
		export_settings__free(&s);
	}
}

/* A file of that name, in a directory of its own: dir/name. */
static char *file_made(const char *dir, const char *name)
{
	char *path = NULL;
	FILE *f;

	if (asprintf(&path, "%s/%s", dir, name) < 0 || !(f = fopen(path, "w")))
		fail();
	else
		fclose(f);
	return path;
}

static void test_files(void **state)
{
	static const char *const names[] = {E "CERTIFICATE", E "CLIENT_CERTIFICATE", E "CLIENT_KEY",
					    T "CERTIFICATE", T "CLIENT_CERTIFICATE", T "CLIENT_KEY"};
	char dir[] = "/tmp/test_settings.XXXXXX", *paths[6];
	struct export_settings s;

	assert_non_null(mkdtemp(dir));
	for (int i = 0; i < 6; i++)
		paths[i] = file_made(dir, names[i]);
	for (int i = 0; i < 6; i += 3) { /* the general ones first, then those of the signal as well */
		for (int k = i; k < i + 3; k++)
			setenv(names[k], paths[k], 1);
		read_env(&s);
		assert_string_equal(s.certificate, paths[i]);
		assert_string_equal(s.client_certificate, paths[i + 1]);
		assert_string_equal(s.client_key, paths[i + 2]);
		export_settings__free(&s);
	}
	for (int i = 0; i < 6; i++) {
		unlink(paths[i]);
		free(paths[i]);
	}
	rmdir(dir);
}

static void test_headers(void **state)
{
	static const struct { struct var v[VARS]; const char *lines[4]; } rows[] = {
		{{{E "HEADERS", "a=b"}}, {"a: b"}},
		{{{E "HEADERS", " a = b ,\tx-y\t=\tz "}}, {"a: b", "x-y: z"}},
		{{{E "HEADERS", ",,a=b,,"}}, {"a: b"}},
		{{{E "HEADERS", "auth=Basic%20dXNlcjpwdw=="}}, {"auth: Basic dXNlcjpwdw=="}},
		{{{E "HEADERS", "a=1%2C2%3d3%41"}}, {"a: 1,2=3A"}},
		{{{E "HEADERS", "a=100%,b=%4,c=%zz,d=% 1"}}, {"a: 100%", "b: %4", "c: %zz", "d: % 1"}},
		{{{E "HEADERS", "a=1"}, {T "HEADERS", "b=2"}}, {"b: 2"}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct export_settings s;
		size_t k = 0;

		set_all(rows[i].v);
		read_env(&s);
		for (; k < 4 && rows[i].lines[k]; k++) {
			assert_non_null(s.headers[k]);
			assert_string_equal(s.headers[k], rows[i].lines[k]);
		}
		assert_null(s.headers[k]);
		export_settings__free(&s);
	}
}

/* What is refused: the message names the variable that is wrong, and quotes it unless it may hold a secret. */
static void test_refused(void **state)
{
	static const struct { struct var v[VARS]; const char *says[2]; } rows[] = {
		{{{E "ENDPOINT", "localhost:4318"}}, {E "ENDPOINT ", "'localhost:4318'"}},
		{{{E "ENDPOINT", "ftp://c"}}, {E "ENDPOINT ", "'ftp://c'"}},
		{{{E "ENDPOINT", "http://c"}, {T "ENDPOINT", "/x"}}, {T "ENDPOINT ", "'/x'"}},
		{{{E "PROTOCOL", "grpc"}}, {E "PROTOCOL ", "'grpc'"}},
		{{{E "PROTOCOL", "http/json"}, {T "PROTOCOL", "http"}}, {T "PROTOCOL ", "'http'"}},
		{{{E "COMPRESSION", "zstd"}}, {E "COMPRESSION ", "'zstd'"}},
		{{{T "COMPRESSION", "GZIP"}}, {T "COMPRESSION ", "'GZIP'"}},
		{{{E "TIMEOUT", "10s"}}, {E "TIMEOUT ", "'10s'"}},
		{{{E "TIMEOUT", "-1"}}, {E "TIMEOUT ", "'-1'"}},
		{{{E "TIMEOUT", " 1"}}, {E "TIMEOUT ", "' 1'"}},
		{{{E "TIMEOUT", "2147483648"}}, {E "TIMEOUT ", "'2147483648'"}},
		{{{T "TIMEOUT", "99999999999999999999"}}, {T "TIMEOUT ", "'99999999999999999999'"}},
		{{{"OTEL_BSP_SCHEDULE_DELAY", "1.5"}}, {"OTEL_BSP_SCHEDULE_DELAY ", "'1.5'"}},
		{{{"OTEL_BSP_EXPORT_TIMEOUT", "x"}}, {"OTEL_BSP_EXPORT_TIMEOUT ", "'x'"}},
		{{{"OTEL_BSP_MAX_QUEUE_SIZE", "0"}}, {"OTEL_BSP_MAX_QUEUE_SIZE ", "'0'"}},
		{{{"OTEL_BSP_MAX_QUEUE_SIZE", "10000001"}}, {"OTEL_BSP_MAX_QUEUE_SIZE ", "'10000001'"}},
		{{{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0"}}, {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE ", "'0'"}},
		{{{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "6"}, {"OTEL_BSP_MAX_QUEUE_SIZE", "5"}},
		 {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE '6'", "OTEL_BSP_MAX_QUEUE_SIZE"}},
		{{{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "16385"}, {"OTEL_BSP_MAX_QUEUE_SIZE", "20000"}},
		 {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE '16385'", "16384"}},
		{{{E "CERTIFICATE", "/nowhere/ca"}}, {E "CERTIFICATE '/nowhere/ca'", "No such file"}},
		{{{E "CERTIFICATE", "/dev/null"}, {T "CERTIFICATE", "/nowhere/ca"}}, {T "CERTIFICATE '/nowhere/ca'", "read"}},
		{{{E "CLIENT_CERTIFICATE", "/nowhere/c"}}, {E "CLIENT_CERTIFICATE '/nowhere/c'", "read"}},
		{{{T "CLIENT_KEY", "/nowhere/k"}, {E "CERTIFICATE", "/dev/null"}}, {T "CLIENT_KEY '/nowhere/k'", "read"}},
		{{{E "CERTIFICATE", "/tmp"}}, {E "CERTIFICATE '/tmp'", "directory"}},
		{{{E "HEADERS", "a=b,nothing"}}, {E "HEADERS:", "item 2 (7 characters)"}},
		{{{E "HEADERS", "=b"}}, {E "HEADERS:", "item 1 (2 characters)"}},
		{{{T "HEADERS", "a b=c"}}, {T "HEADERS:", "item 1 (5 characters)"}},
		{{{E "HEADERS", "a=b%0d%0aEvil: 1"}}, {E "HEADERS:", "item 1"}},
		{{{E "HEADERS", "a=b%00c"}}, {E "HEADERS:", "item 1"}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct export_settings s;
		char err[512] = "";

		set_all(rows[i].v);
		assert_int_equal(export_settings__from_env(&s, err, sizeof(err)), -EINVAL);
		for (int k = 0; k < 2; k++)
			if (!strstr(err, rows[i].says[k]))
				fail_msg("row %zu: \"%s\" says nothing of %s", i, err, rows[i].says[k]);
		assert_null(s.headers);
		assert_null(s.certificate);
	}
}

static void test_too_long(void **state)
{
	char url[600] = "http://", err[512];
	struct export_settings s;

	memset(url + 7, 'a', sizeof(url) - 8);
	setenv(E "ENDPOINT", url, 1);
	assert_int_equal(export_settings__from_env(&s, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, E "ENDPOINT"));
	clear_env();
	setenv(T "ENDPOINT", url, 1);
	assert_int_equal(export_settings__from_env(&s, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, T "ENDPOINT"));
	url[511] = '\0';
	setenv(T "ENDPOINT", url, 1);
	read_env(&s);
	assert_string_equal(s.endpoint, url);
	export_settings__free(&s);
}

static void test_too_many_headers(void **state)
{
	char list[65 * 4 + 1] = "", err[512];
	struct export_settings s;

	for (int i = 0; i < 64; i++)
		strcat(list, "a=b,");
	setenv(E "HEADERS", list, 1);
	read_env(&s);
	assert_string_equal(s.headers[63], "a: b");
	assert_null(s.headers[64]);
	export_settings__free(&s);
	strcat(list, "a=b");
	setenv(E "HEADERS", list, 1);
	assert_int_equal(export_settings__from_env(&s, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "64"));
}

/* Wherever a user can put a secret, no message repeats it. */
static void test_no_secret(void **state)
{
	static const struct var rows[] = {
		{E "HEADERS", "authorization Bearer hunter2"},
		{E "HEADERS", "x=y,hunter2"},
		{E "HEADERS", "x=hunter2%0a"},
		{E "ENDPOINT", "ftp://me:hunter2@c/x"},
		{E "ENDPOINT", "me:hunter2@c"},
		{E "ENDPOINT", "c?key=hunter2"},
		{T "ENDPOINT", "ftp://me:hun@hunter2@c/x?y=z"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct export_settings s;
		char err[512] = "";

		clear_env();
		setenv(rows[i].name, rows[i].value, 1);
		assert_int_equal(export_settings__from_env(&s, err, sizeof(err)), -EINVAL);
		assert_non_null(strstr(err, rows[i].name));
		if (strstr(err, "hun"))
			fail_msg("row %zu: \"%s\"", i, err);
	}
}

static void test_show(void **state)
{
	static const struct { const char *url, *shown; } rows[] = {
		{"http://c:4318/v1/traces", "http://c:4318/v1/traces"},
		{"http://u:p@c:4318/v1", "http://REDACTED@c:4318/v1"},
		{"http://u:p@x@c", "http://REDACTED@c"},
		{"http://c/a@b", "http://c/a@b"},
		{"http://c/x?key=1", "http://c/x?REDACTED"},
		{"u@c", "REDACTED@c"},
		{"", ""},
	};
	char text[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		endpoint__show(rows[i].url, text, sizeof(text));
		assert_string_equal(text, rows[i].shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_defaults, set_up),	cmocka_unit_test_setup(test_empty_is_unset, set_up),
		cmocka_unit_test_setup(test_endpoint, set_up),	cmocka_unit_test_setup(test_protocol_and_compression, set_up),
		cmocka_unit_test_setup(test_numbers, set_up),	cmocka_unit_test_setup(test_files, set_up),
		cmocka_unit_test_setup(test_headers, set_up),	cmocka_unit_test_setup(test_refused, set_up),
		cmocka_unit_test_setup(test_too_long, set_up),	cmocka_unit_test_setup(test_too_many_headers, set_up),
		cmocka_unit_test_setup(test_no_secret, set_up), cmocka_unit_test_setup(test_show, set_up),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
