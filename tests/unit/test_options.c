// SPDX-License-Identifier: Apache-2.0
/* test_options.c - command lines from a table: what is set, what is refused and in which words, --help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/options.h"

#define ARGS_MAX 8
enum { RUN = 1, SHOW = 2 };

/* Writes "name=value;" down. */
static int note(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	char *text = config;

	if (value && !strcmp(value, "bad")) {
		snprintf(err, size, "--%s: \"bad\" is bad", row->name);
		return -ERANGE;
	}
	sprintf(text + strlen(text), "%s=%s;", row->name, value ? value : "(flag)");
	if (value && *value)
		value[0] = '#'; /* as promised, it may be cut up */
	return 0;
}

static const struct option_row rows[] = {
	{"port", 'p', "N", "ports", RUN | SHOW, note},
	{"all", 'a', NULL, "everything", RUN, note},
	{"allow", 0, "WHO", "some", SHOW, note},
	{NULL, 0, NULL, NULL, 0, NULL},
};

static const struct parse_row {
	unsigned command;
	const char *args[ARGS_MAX]; /* after the subcommand's name */
	int result;
	const char *set, *err;
} table[] = {
	{RUN, {NULL}, 1, "", ""},
	{RUN, {"--port", "80"}, 3, "port=80;", ""},
	{RUN, {"--port=80", "x"}, 2, "port=80;", ""},
	{RUN, {"--port=a=b"}, 2, "port=a=b;", ""},
	{RUN, {"--port="}, 2, "port=;", ""},
	{RUN, {"-p", "80", "-a"}, 4, "port=80;all=(flag);", ""},
	{RUN, {"-p80", "--all", "cmd", "--port", "1"}, 3, "port=80;all=(flag);", ""},
	{RUN, {"-p", "-a"}, 3, "port=-a;", ""},
	{RUN, {"--", "--all"}, 2, "", ""},
	{RUN, {"-a", "--", "-a"}, 3, "all=(flag);", ""},
	{RUN, {"-", "-a"}, 1, "", ""},
	{RUN, {""}, 1, "", ""},
	{RUN, {"--help", "--nonsense"}, OPTIONS_HELP, "", ""},
	{RUN, {"-a", "-h"}, OPTIONS_HELP, "all=(flag);", ""},
	{SHOW, {"--allow", "x"}, 3, "allow=x;", ""},
	/* Refused. */
	{RUN, {"--port"}, -EINVAL, "", "option --port needs N"},
	{RUN, {"-p"}, -EINVAL, "", "option --port needs N"},
	{RUN, {"--all=yes"}, -EINVAL, "", "option --all takes no value"},
	{RUN, {"-ax"}, -EINVAL, "", "option --all takes no value"},
	{RUN, {"--allow", "x"}, -EINVAL, "", "unknown option '--allow'"}, /* of another subcommand */
	{SHOW, {"-a"}, -EINVAL, "", "unknown option '-a'"},
	{RUN, {"--al"}, -EINVAL, "", "unknown option '--al'"},
	{RUN, {"--allx"}, -EINVAL, "", "unknown option '--allx'"},
	{RUN, {"--=x"}, -EINVAL, "", "unknown option '--=x'"},
	{RUN, {"-a", "-x", "-a"}, -EINVAL, "all=(flag);", "unknown option '-x'"},
	{RUN, {"--port", "bad", "-a"}, -ERANGE, "", "--port: \"bad\" is bad"},
};

/* Parses, then applies what was understood, also before a mistake. */
static int parse(unsigned command, int argc, char **argv, char *set, char *err, size_t size)
{
	struct values vs = {0};
	int r = options__parse(rows, command, argc, argv, &vs, err, size), applied = values__apply(&vs, set, err, size);

	values__free(&vs);
	return applied ? applied : r;
}

static void test_parse(void **state)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const struct parse_row *row = &table[i];
		char *argv[ARGS_MAX + 2] = {strdup("run")}, set[256] = "", err[256] = "";
		int argc = 1, r;

		for (; row->args[argc - 1]; argc++)
			argv[argc] = strdup(row->args[argc - 1]);
		r = parse(row->command, argc, argv, set, err, sizeof(err));
		if (r != row->result || strcmp(set, row->set) || strcmp(err, row->err))
			fail_msg("row %zu (%s ...): %d, \"%s\", \"%s\"", i, row->args[0] ? row->args[0] : "", r, set, err);
		while (argc)
			free(argv[--argc]);
	}
}

/* A message longer than the room for it is cut, not written past the end. */
static void test_long_message(void **state)
{
	char *argv[] = {"run", "--there-is-no-option-of-so-long-a-name", NULL}, set[16] = "", err[16];

	memset(err, '!', sizeof(err));
	assert_int_equal(parse(RUN, 2, argv, set, err, 10), -EINVAL);
	assert_string_equal(err, "unknown o");
	assert_int_equal(err[10], '!');
}

static void test_help(void **state)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	options__help(rows, RUN, f);
	fclose(f);
	assert_string_equal(text, "  -p, --port N             ports\n"
				  "  -a, --all                everything\n");
	free(text);
}

static void test_default(void **state)
{
	static const struct { const char *help, *is; } texts[] = {
		{"ring buffer in MiB (8)", "8"}, {"no default", NULL}, {"of a name (15 at most)", NULL}, {"(a) is no default", NULL},
		{"of one command (run: 5)", "5"}, {"of another (show: 5)", NULL}, {"(run: 5) is none", NULL},
		{"URL (http://localhost:4318)", "http://localhost:4318"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct option_row row = {.name = "x", .help = texts[i].help};
		char text[64] = "";

		assert_int_equal(option__default(&row, "run", text, sizeof(text)), texts[i].is != NULL);
		assert_string_equal(text, texts[i].is ? texts[i].is : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_long_message),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_default),
	};
	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
