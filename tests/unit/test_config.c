// SPDX-License-Identifier: Apache-2.0
/* test_config.c - configuration file, environment and command line: what is read, what counts, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/config.h"
#include "util/environment.h"

enum { RUN = 1, SHOW = 2 };

static int note(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	char *text = config;

	if (value && !strcmp(value, "bad")) {
		snprintf(err, size, "bad is bad");
		return -ERANGE;
	}
	sprintf(text + strlen(text), "%s=%s;", row->name, value ? value : "(flag)");
	return 0;
}

static const struct option_row rows[] = {
	{"port", 'p', "N", "ports", RUN | OPTION_LIST | OPTION_LIVE, note},
	{"ring-size", 0, "MIB", "ring buffer (8)", RUN, note},
	{"all", 0, NULL, "everything", RUN, note},
	{"colour", 0, NULL, "with colours", SHOW, note},
	{"config", 0, "FILE", "settings", RUN | OPTION_LINE, note},
	{"otel.exporter.otlp.endpoint", 0, "URL", "collector (http://localhost:4318)", RUN | OPTION_LIVE, NULL},
	{"otel.exporter.otlp.headers", 0, "LIST", "headers", RUN | OPTION_MAP | OPTION_SECRET, NULL},
	{"otel.bsp.schedule.delay", 0, "MS", "delay (5000)", RUN, NULL},
	{NULL, 0, NULL, NULL, 0, NULL},
};

static char path[] = "/tmp/test_config.XXXXXX";

static int read_text(const char *yaml, size_t n, struct values *vs, char *err, size_t size)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(yaml, 1, n, f), n);
	fclose(f);
	return config__read(rows, RUN, path, vs, err, size);
}

/* What the setters and the variables got. */
static void told(struct values *vs, char *set, size_t size)
{
	static const char *const names[] = {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_BSP_SCHEDULE_DELAY"};
	char err[256] = "";

	*set = '\0';
	assert_int_equal(values__apply(vs, set, err, sizeof(err)), 0);
	for (int i = 0; i < 3; i++)
		if (environment__get(names[i]))
			snprintf(set + strlen(set), size - strlen(set), "%s=%s;", names[i], environment__get(names[i]));
}

static void test_read(void **state)
{
	static const struct { const char *yaml, *set; } table[] = {
		{"", ""},
		{"# nothing\n", ""},
		{"~", ""},
		{"ring-size: 16", "ring-size=16;"},
		{"ring-size: \"16\"", "ring-size=16;"},
		{"ring-size:\nport: ~\nall: null", ""},
		{"port: 80", "port=80;"},
		{"port: [80, 81]", "port=80;port=81;"},
		{"port:\n- 80\n-\n- 81\n", "port=80;port=81;"},
		{"port: []", ""},
		{"all: true", "all=(flag);"},
		{"all: false", ""},
		{"colour: true", ""}, /* another subcommand's */
		{"{ring-size: 1, all: true}", "ring-size=1;all=(flag);"},
		{"otel.exporter.otlp.endpoint: http://c", "OTEL_EXPORTER_OTLP_ENDPOINT=http://c;"},
		{"otel: {exporter.otlp: {endpoint: http://c}, bsp: {schedule: {delay: 7}}}",
		 "OTEL_EXPORTER_OTLP_ENDPOINT=http://c;OTEL_BSP_SCHEDULE_DELAY=7;"},
		{"otel:\n  bsp:\n", ""},
		{"otel.exporter.otlp.headers: a=b,c=d", "OTEL_EXPORTER_OTLP_HEADERS=a=b,c=d;"},
		{"otel.exporter.otlp.headers: {a: b, c: 'x, y=z%'}", "OTEL_EXPORTER_OTLP_HEADERS=a=b,c=x%2C%20y%3Dz%25;"},
		{"otel.exporter.otlp.headers: {}", ""},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char set[512], err[256] = "";
		struct values vs = {0};

		if (read_text(table[i].yaml, strlen(table[i].yaml), &vs, err, sizeof(err)))
			fail_msg("row %zu: %s", i, err);
		told(&vs, set, sizeof(set));
		if (strcmp(set, table[i].set))
			fail_msg("row %zu: \"%s\"", i, set);
		values__free(&vs);
	}
}

static void test_refused(void **state)
{
	static const struct { const char *yaml; int line; const char *says; } table[] = {
		{"ring_size: 8", 1, "there is no setting 'ring_size'; did you mean 'ring-size'?"},
		{"\nrign-size: 8", 2, "'ring-size'"},
		{"otel: {exportr: {x: 1}}", 1, "did you mean 'otel.exporter'?"},
		{"otel:\n  exporter:\n    otlp:\n      endpont: x", 4, "'otel.exporter.otlp.endpoint'"},
		{"qqqqqqqqqqqq: 1", 1, "--print-config"},
		{"otel: 1", 1, "section"},
		{"ring-size: [8]", 1, "not a list"},
		{"ring-size: {a: b}", 1, "not a mapping"},
		{"all: yes", 1, "'yes' is neither true nor false"},
		{"all: [true]", 1, "not a list"},
		{"ring-size: 8\n# \nring-size: 9", 3, "a second time, after line 1"},
		{"otel.bsp.schedule.delay: 1\notel: {bsp: {schedule.delay: 2}}", 2, "a second time"},
		{"config: x", 1, "command line only"},
		{"port: [[1]]", 1, "where a value must stand"},
		{"port: [{a: 1}]", 1, "where a value must stand"},
		{"? [a]\n: 1", 1, "where a value must stand"},
		{"otel.exporter.otlp.headers: {a: [b]}", 1, "where a value must stand"},
		{"- 1", 1, "settings must stand here"},
		{"ring-size", 1, "settings must stand here"},
		{"ring-size: 8\n---\nport: 1", 2, "a second document"},
		{"port: &x 1\nring-size: *x", 2, "aliases"},
		{"port: b: c", 1, "this is no YAML"},
		{"ring-size: 8\n\tport: 1", 2, "this is no YAML"},
		{"{port: 1", 2, "this is no YAML"},
		{"ring-size: \"a\\0b\"", 1, "NUL"},
		{"otel: {a: {b: {c: {d: {e: {f: {g: {h: {i: 1}}}}}}}}}", 1, "no setting"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char err[512] = "", where[64];
		struct values vs = {0};

		assert_int_equal(read_text(table[i].yaml, strlen(table[i].yaml), &vs, err, sizeof(err)), -EINVAL);
		snprintf(where, sizeof(where), "%s:%d: ", path, table[i].line);
		if (strncmp(err, where, strlen(where)) || !strstr(err, table[i].says))
			fail_msg("row %zu: \"%s\"", i, err);
		values__free(&vs);
	}
}

/* Any beginning of a file, and any byte changed: understood or refused in words. */
static void test_any_bytes(void **state)
{
	static const char yaml[] = "port: [80, 81]\nall: true\notel: {exporter.otlp: {endpoint: 'x', headers: {a: \"b\\x41\"}}}\n";
	char text[sizeof(yaml)], err[512];

	for (size_t n = 0; n < sizeof(yaml); n++) {
		for (int c = 0; c < 256; c += n < sizeof(yaml) - 1 ? 5 : 256) {
			struct values vs = {0};
			int r;

			memcpy(text, yaml, sizeof(text));
			text[n] = (char)c;
			*err = '\0';
			r = read_text(text, sizeof(yaml) - 1, &vs, err, sizeof(err));
			assert_true(r == 0 || (r == -EINVAL && *err));
			values__free(&vs);
			r = read_text(yaml, n, &vs, err, sizeof(err));
			assert_true(r == 0 || r == -EINVAL);
			values__free(&vs);
		}
	}
}

static void test_files(void **state)
{
	struct values vs = {0};
	char err[256], *big = calloc(1, 1 << 20);

	assert_int_equal(config__read(rows, RUN, "/nowhere/x", &vs, err, sizeof(err)), -ENOENT);
	assert_string_equal(err, "/nowhere/x: No such file or directory");
	assert_int_equal(config__read(rows, RUN, "/tmp", &vs, err, sizeof(err)), -EINVAL);
	memset(big, '\n', 1 << 20);
	assert_int_equal(read_text(big, 1 << 20, &vs, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "larger than 1 MiB"));
	assert_int_equal(read_text(big, (1 << 20) - 1, &vs, err, sizeof(err)), 0);
	values__free(&vs);
	free(big);
	/* A pipe that nobody writes to. The alarm ends a test that waits for one. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(20);
	assert_int_equal(config__read(rows, RUN, path, &vs, err, sizeof(err)), -EINVAL);
	alarm(0);
	assert_non_null(strstr(err, "is no regular file"));
	assert_int_equal(unlink(path), 0);
}

static void test_environment(void **state)
{
	static const struct { char *env[4]; int r; const char *set, *says; } table[] = {
		{{"WIRESPAN_RING_SIZE=4", "RING_SIZE=5"}, 0, "ring-size=4;", ""},
		{{"WIRESPAN_ALL=true"}, 0, "all=(flag);", ""},
		{{"WIRESPAN_ALL=false"}, 0, "", ""},
		{{"WIRESPAN_ALL="}, 0, "", ""},
		{{"WIRESPAN_ALL=1"}, -EINVAL, "", "WIRESPAN_ALL '1' is neither true nor false"},
		{{"WIRESPAN_COLOUR=maybe"}, 0, "", ""},
		{{"WIRESPAN_RINGSIZE=4"}, 0, "", "WIRESPAN_RINGSIZE"},
		{{"WIRESPAN_E2E=4"}, 0, "", ""},
		{{"WIRESPAN_CONFIG=x"}, 0, "", ""},
		{{"OTEL_SDK_DISABLED=x", "HOME=/"}, 0, "", ""},
		{{"WIRESPAN_PORT=bad"}, -ERANGE, "", "environment WIRESPAN_PORT: bad is bad"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char set[256] = "", err[256] = "", unknown[64], nearest[64];
		struct values vs = {0};
		int r = options__environment(rows, RUN, (char **)table[i].env, &vs, unknown, nearest, err, sizeof(err));

		r = r ? r : values__apply(&vs, set, err, sizeof(err));
		if (r != table[i].r || strcmp(set, table[i].set) || strcmp(*err ? err : unknown, table[i].says))
			fail_msg("row %zu: %d, \"%s\", \"%s\", \"%s\"", i, r, set, err, unknown);
		values__free(&vs);
	}
}

static void read_all(struct values *vs, const char *yaml, char **env, int argc, char **argv)
{
	char err[256] = "", unknown[64], nearest[64];

	assert_int_equal(options__parse(rows, RUN, argc, argv, vs, err, sizeof(err)), argc);
	assert_int_equal(options__environment(rows, RUN, env, vs, unknown, nearest, err, sizeof(err)), 0);
	assert_int_equal(read_text(yaml, strlen(yaml), vs, err, sizeof(err)), 0);
	values__settle(vs);
}

/* Setting by setting: command line, else environment, else file. */
static void test_precedence(void **state)
{
	static const char yaml[] = "port: [1, 2]\nring-size: 3\nall: true\notel.bsp.schedule.delay: 9";
	char *env[] = {"WIRESPAN_RING_SIZE=4", "WIRESPAN_PORT=5", "WIRESPAN_ALL=false", NULL};
	char *argv[] = {"run", "--port", "7", "-p8"}, *nothing = NULL, set[256];
	struct values vs = {0};

	read_all(&vs, yaml, env, 4, argv);
	told(&vs, set, sizeof(set));
	assert_string_equal(set, "ring-size=4;port=7;port=8;OTEL_BSP_SCHEDULE_DELAY=9;");
	values__free(&vs);
	read_all(&vs, yaml, &nothing, 1, argv);
	told(&vs, set, sizeof(set));
	assert_string_equal(set, "port=1;port=2;ring-size=3;all=(flag);OTEL_BSP_SCHEDULE_DELAY=9;");
	values__free(&vs);
}

/* A variable of the environment itself wins; a message names the one that counts. */
static void test_variables(void **state)
{
	char where[64];
	struct values vs = {0};
	char *argv[] = {"run"}, *nothing = NULL, set[256];

	read_all(&vs, "\notel.exporter.otlp.endpoint: http://file", &nothing, 1, argv);
	told(&vs, set, sizeof(set));
	snprintf(where, sizeof(where), "%s:2: otel.exporter.otlp.endpoint", path);
	assert_string_equal(environment__name("OTEL_EXPORTER_OTLP_ENDPOINT"), where);
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://env", 1);
	assert_string_equal(environment__get("OTEL_EXPORTER_OTLP_ENDPOINT"), "http://env");
	assert_string_equal(environment__name("OTEL_EXPORTER_OTLP_ENDPOINT"), "OTEL_EXPORTER_OTLP_ENDPOINT");
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "", 1);
	assert_string_equal(environment__get("OTEL_EXPORTER_OTLP_ENDPOINT"), "http://file");
	unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
	values__free(&vs);
}

static void test_reload(void **state)
{
	char *argv[] = {"run", "--ring-size=2"}, *nothing = NULL, set[256];
	struct values old = {0}, fresh = {0}, both;

	read_all(&old, "port: 1\nall: true\notel.exporter.otlp.endpoint: a", &nothing, 2, argv);
	read_all(&fresh, "port: [1, 2]\notel.exporter.otlp.endpoint: a\notel.bsp.schedule.delay: 5", &nothing, 2, argv);
	assert_false(values__same(&old, &fresh, &rows[0]));
	assert_true(values__same(&old, &fresh, &rows[1]));
	assert_false(values__same(&old, &fresh, &rows[2]));
	assert_true(values__same(&old, &fresh, &rows[5]));
	assert_false(values__same(&old, &fresh, &rows[7]));
	both = values__reload(&old, &fresh);
	told(&both, set, sizeof(set));
	assert_string_equal(set, "all=(flag);ring-size=2;port=1;port=2;OTEL_EXPORTER_OTLP_ENDPOINT=a;");
	values__free(&old);
	values__free(&fresh);
	values__free(&both);
}

static void as_it_is(const struct option_row *row, const char *text, char *out, size_t size)
{
	snprintf(out, size, "%s", text);
}

/* What is printed is a configuration file that says the same. */
static void test_print(void **state)
{
	char *argv[] = {"run", "--port", "a b\"\\", "--port=-1", "--port", "null"}, *nothing = NULL, *text = NULL;
	char expect[512], before[256], after[256];
	struct values vs = {0}, again = {0};
	size_t n;
	FILE *f = open_memstream(&text, &n);

	read_all(&vs, "all: true\notel.exporter.otlp.headers: a=secret", &nothing, 6, argv);
	values__print(&vs, rows, RUN, "run", as_it_is, f);
	fclose(f);
	snprintf(expect, sizeof(expect),
		 "port: [\"a b\\\"\\\\\", \"-1\", \"null\"] # command line\n"
		 "ring-size: 8 # default\n"
		 "all: true # %s:1\n"
		 "otel.exporter.otlp.endpoint: http://localhost:4318 # default\n"
		 "otel.exporter.otlp.headers: REDACTED # %s:2\n"
		 "otel.bsp.schedule.delay: 5000 # default\n", path, path);
	assert_string_equal(text, expect);
	told(&vs, before, sizeof(before));
	assert_int_equal(read_text(text, n, &again, expect, sizeof(expect)), 0);
	told(&again, after, sizeof(after));
	assert_string_equal(before, "all=(flag);port=a b\"\\;port=-1;port=null;OTEL_EXPORTER_OTLP_HEADERS=a=secret;");
	assert_string_equal(after, "port=a b\"\\;port=-1;port=null;ring-size=8;all=(flag);OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318;"
				   "OTEL_EXPORTER_OTLP_HEADERS=REDACTED;OTEL_BSP_SCHEDULE_DELAY=5000;");
	values__free(&vs);
	values__free(&again);
	free(text);
}

static void test_nearest(void **state)
{
	static const struct { const char *name; bool section; const char *nearest; } table[] = {
		{"ringsize", false, "ring-size"}, {"RING-SIZE", false, NULL}, {"prot", false, "port"}, {"al", false, "all"},
		{"confg", false, NULL}, {"", false, NULL}, {"x", false, NULL}, {"otle", true, "otel"}, {"otel.bps", true, "otel.bsp"},
		{"otel.bsp.schedul.delay", false, "otel.bsp.schedule.delay"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char out[64] = "";

		if (options__nearest(rows, table[i].name, table[i].section, out, sizeof(out)) != !!table[i].nearest ||
		    strcmp(out, table[i].nearest ? table[i].nearest : ""))
			fail_msg("row %zu: '%s'", i, out);
	}
}

static int set_up(void **state)
{
	int fd = mkstemp(path);

	clearenv();
	setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1); /* it is read at the first message */
	return fd < 0 || close(fd);
}

static int tear_down(void **state)
{
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),	    cmocka_unit_test(test_refused),    cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_files),	    cmocka_unit_test(test_environment), cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_variables),   cmocka_unit_test(test_reload),     cmocka_unit_test(test_print),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests_name("config", tests, set_up, tear_down);
}
