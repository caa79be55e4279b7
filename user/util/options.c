// SPDX-License-Identifier: Apache-2.0
#include "util/options.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define PREFIX "WIRESPAN_"
#define NAME_LIMIT 64

bool option__is_variable(const struct option_row *row)
{
	return !strncmp(row->name, "otel.", 5);
}

void option__variable(const struct option_row *row, char *name, size_t size)
{
	snprintf(name, size, "%s%s", option__is_variable(row) ? "" : PREFIX, row->name);
	for (; *name; name++)
		*name = isalnum((unsigned char)*name) ? (char)toupper((unsigned char)*name) : '_';
}

bool option__default(const struct option_row *row, const char *command, char *text, size_t size)
{
	const char *open = strrchr(row->help, '('), *close = open ? strchr(open, ')') : NULL, *from;
	size_t n = strlen(command);

	if (!close || close[1])
		return false;
	from = open + 1;
	if (!strncmp(from, command, n) && !strncmp(from + n, ": ", 2))
		from += n + 2;
	if (memchr(from, ' ', (size_t)(close - from)))
		return false;
	snprintf(text, size, "%.*s", (int)(close - from), from);
	return true;
}

bool option__flag(const char *text, bool *on)
{
	*on = !strcmp(text, "true");
	return *on || !strcmp(text, "false");
}

const struct option_row *options__find(const struct option_row *rows, const char *name, size_t n)
{
	for (; rows->name; rows++)
		if (strlen(rows->name) == n && !memcmp(rows->name, name, n))
			return rows;
	return NULL;
}

/* Of a[0..n) and b[0..m), both at most NAME_LIMIT long: insertions, deletions, changes, swaps of neighbours. */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t d[3][NAME_LIMIT + 1];

	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *row = d[i % 3], *above = d[(i - 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);

			best = above[j] + 1 < best ? above[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[(i - 2) % 3][j - 2] + 1 < best)
				best = d[(i - 2) % 3][j - 2] + 1;
			row[j] = best;
		}
	}
	return d[n % 3][m];
}

/* How much of b has as many dots as a. */
static size_t as_many_parts(const char *a, const char *b)
{
	size_t dots = 0, n = 0;

	for (; *a; a++)
		dots += *a == '.';
	while (b[n] && (b[n] != '.' || dots--))
		n++;
	return n;
}

bool options__nearest(const struct option_row *rows, const char *name, bool section, char *out, size_t size)
{
	size_t n = strlen(name), best = n / 2 + 1;
	bool found = false;

	for (; rows->name && n <= NAME_LIMIT; rows++) {
		size_t m = section ? as_many_parts(name, rows->name) : strlen(rows->name), d;

		if (rows->commands & OPTION_LINE || m > NAME_LIMIT || (section && !rows->name[m]))
			continue;
		d = edit_distance(name, n, rows->name, m);
		if (d >= best)
			continue;
		best = d;
		found = true;
		snprintf(out, size, "%.*s", (int)m, rows->name);
	}
	return found;
}

/* As options__nearest for a variable WIRESPAN_..., which must be nearer: others may use that prefix too, as Kubernetes does for services. */
static bool options__nearest_variable(const struct option_row *rows, const char *name, char *out, size_t size)
{
	size_t n = strlen(name), best = (n - strlen(PREFIX)) / 4 + 1;
	char variable[NAME_LIMIT * 2];
	bool found = false;

	for (; rows->name && n <= NAME_LIMIT; rows++) {
		size_t d, m;

		option__variable(rows, variable, sizeof(variable));
		m = strlen(variable);
		d = m >= NAME_LIMIT || rows->commands & OPTION_LINE ? best : edit_distance(name, n, variable, m);
		if (d >= best)
			continue;
		best = d;
		found = true;
		snprintf(out, size, "%s", variable);
	}
	return found;
}

static const struct option_row *row__letter(const struct option_row *rows, unsigned command, char c)
{
	for (; rows->name; rows++)
		if ((rows->commands & command) && rows->letter && rows->letter == c)
			return rows;
	return NULL;
}

static const struct option_row *row__option(const struct option_row *rows, unsigned command, const char *name, size_t n)
{
	const struct option_row *row = options__find(rows, name, n);

	return row && row->commands & command && !option__is_variable(row) ? row : NULL;
}

int options__parse(const struct option_row *rows, unsigned command, int argc, char **argv, struct values *values,
		   char *err, size_t err_size)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		const char *name = argv[i] + 1, *value = NULL;
		const struct option_row *row;

		if (!strcmp(argv[i], "--"))
			return i + 1;
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return OPTIONS_HELP;
		if (*name == '-') {
			size_t n = strcspn(++name, "=");

			row = row__option(rows, command, name, n);
			value = name[n] ? name + n + 1 : NULL;
		} else {
			row = row__letter(rows, command, *name);
			value = name[1] ? name + 1 : NULL;
		}
		if (!row) {
			snprintf(err, err_size, "unknown option '%s'", argv[i]);
			return -EINVAL;
		}
		if (row->arg && !value)
			value = ++i < argc ? argv[i] : NULL;
		if (!row->arg != !value) {
			snprintf(err, err_size, row->arg ? "option --%s needs %s" : "option --%s takes no value", row->name,
				 row->arg ? row->arg : "");
			return -EINVAL;
		}
		values__add(values, row, ORIGIN_LINE, value);
	}
	return i;
}

int options__environment(const struct option_row *rows, unsigned command, char **environment, struct values *values,
			 char unknown[64], char nearest[64], char *err, size_t err_size)
{
	*unknown = '\0';
	for (; *environment; environment++) {
		size_t n = strcspn(*environment, "=");
		const char *text = *environment + n + 1;
		const struct option_row *row = rows;
		char name[NAME_LIMIT * 2];
		struct value *v;
		bool on = true;

		if (strncmp(*environment, PREFIX, strlen(PREFIX)) && strncmp(*environment, "OTEL_", 5))
			continue;
		for (; row->name; row++) {
			option__variable(row, name, sizeof(name));
			if (strlen(name) == n && !memcmp(name, *environment, n) && !(row->commands & OPTION_LINE))
				break;
		}
		if (!row->name && **environment == *PREFIX && !*unknown && n < 64) {
			snprintf(unknown, 64, "%.*s", (int)n, *environment);
			if (!options__nearest_variable(rows, unknown, nearest, 64))
				*unknown = '\0';
		}
		if (!row->name || !(row->commands & command) || !(*environment)[n] || !*text)
			continue; /* empty is unset, as OpenTelemetry has it */
		if (!row->arg && !option__flag(text, &on)) {
			snprintf(err, err_size, "%s '%s' is neither true nor false", name, text);
			return -EINVAL;
		}
		v = values__add(values, row, ORIGIN_ENVIRONMENT, row->arg ? text : NULL);
		v->off = !row->arg && !on;
	}
	return 0;
}

void options__help(const struct option_row *rows, unsigned command, FILE *out)
{
	for (; rows->name; rows++) {
		char left[48];

		if (!(rows->commands & command) || option__is_variable(rows))
			continue;
		snprintf(left, sizeof(left), "%s%c%s--%s%s%s", rows->letter ? "-" : "", rows->letter ? rows->letter : ' ',
			 rows->letter ? ", " : "   ", rows->name, rows->arg ? " " : "", rows->arg ? rows->arg : "");
		fprintf(out, "  %-24s %s\n", left, rows->help);
	}
}
