// SPDX-License-Identifier: Apache-2.0
#include "util/options.h"

#include <errno.h>
#include <string.h>

static const struct option_row *row__find(const struct option_row *rows, unsigned command, const char *name, size_t n)
{
	for (; rows->name; rows++)
		if ((rows->commands & command) && strlen(rows->name) == n && !memcmp(rows->name, name, n))
			return rows;
	return NULL;
}

static const struct option_row *row__letter(const struct option_row *rows, unsigned command, char c)
{
	for (; rows->name; rows++)
		if ((rows->commands & command) && rows->letter && rows->letter == c)
			return rows;
	return NULL;
}

int options__parse(const struct option_row *rows, unsigned command, int argc, char **argv, void *config, char *err,
		   size_t err_size)
{
	int i, r;

	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		char *name = argv[i] + 1, *value = NULL;
		const struct option_row *row;

		if (!strcmp(argv[i], "--"))
			return i + 1;
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return OPTIONS_HELP;
		if (*name == '-') {
			size_t n = strcspn(++name, "=");

			row = row__find(rows, command, name, n);
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
		r = row->set(config, row->name, value, err, err_size);
		if (r)
			return r;
	}
	return i;
}

void options__help(const struct option_row *rows, unsigned command, FILE *out)
{
	for (; rows->name; rows++) {
		char left[48];

		if (!(rows->commands & command))
			continue;
		snprintf(left, sizeof(left), "%s%c%s--%s%s%s", rows->letter ? "-" : "", rows->letter ? rows->letter : ' ',
			 rows->letter ? ", " : "   ", rows->name, rows->arg ? " " : "", rows->arg ? rows->arg : "");
		fprintf(out, "  %-24s %s\n", left, rows->help);
	}
}
