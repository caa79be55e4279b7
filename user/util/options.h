/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - command lines from a table: parsing and --help come from the same rows.
 */
#ifndef UTIL_OPTIONS_H
#define UTIL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct option_row {
	const char *name; /* "pid": --pid */
	char letter;	  /* 'o': -o; 0 none */
	const char *arg;  /* "N" as --help shows it; NULL: a flag */
	const char *help;
	unsigned commands; /* bits of the subcommands that know it */
	/* What to do with it: 0, or -errno and a message in err. value is NULL for a flag, else may be cut up. */
	int (*set)(void *config, const char *name, char *value, char *err, size_t err_size);
};

/*
 * Reads argv[1..] for one subcommand. Returns the index of the first operand (after "--" or the
 * first word that is no option), or -EINVAL with a message in err, or OPTIONS_HELP.
 */
#define OPTIONS_HELP (-10000)
int options__parse(const struct option_row *rows, unsigned command, int argc, char **argv, void *config, char *err,
		   size_t err_size);
/* The rows of one subcommand, a line each. */
void options__help(const struct option_row *rows, unsigned command, FILE *out);

#endif
