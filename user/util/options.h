/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - one table of settings: the command line, the environment, the configuration file, --help and
 * --print-config come from the same rows.
 *
 * A row "ring-size" is --ring-size on the command line, WIRESPAN_RING_SIZE in the environment and ring-size
 * in the file. One whose name begins with "otel." is a variable of OpenTelemetry: OTEL_EXPORTER_OTLP_ENDPOINT
 * is otel.exporter.otlp.endpoint in the file, as OpenTelemetry's Java agent writes it, and no option.
 */
#ifndef UTIL_OPTIONS_H
#define UTIL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "util/values.h"

/* Beside the bits of the subcommands in option_row.commands, which are below these. */
enum {
	OPTION_LIST = 1 << 16,	 /* given several times: the values add up; a sequence in the file */
	OPTION_MAP = 1 << 17,	 /* "k=v,k=v"; a mapping in the file */
	OPTION_SECRET = 1 << 18, /* the value is never shown */
	OPTION_LINE = 1 << 19,	 /* on the command line only */
	OPTION_LIVE = 1 << 20,	 /* takes effect at a reload; the others need a restart */
};

struct option_row {
	const char *name; /* "pid": --pid */
	char letter;	  /* 'o': -o; 0 none */
	const char *arg;  /* "N" as --help shows it; NULL: a flag */
	const char *help; /* a default stands last, in brackets, one word: "ring buffer in MiB (8)", or "(agent: 8)" */
	unsigned commands; /* bits of the subcommands that know it, and of the enum above */
	/*
	 * What to do with it: 0, or -errno and a message in err. value is NULL for a flag, else may be cut up.
	 * NULL for variables of OpenTelemetry: they are read by environment__get().
	 */
	int (*set)(void *config, const struct option_row *row, char *value, char *err, size_t err_size);
	size_t at; /* for `set`: where in config, if one member takes the value as it is */
};

bool option__is_variable(const struct option_row *row); /* "otel...." */
/* WIRESPAN_RING_SIZE, OTEL_BSP_SCHEDULE_DELAY. */
void option__variable(const struct option_row *row, char *name, size_t size);
/* What stands in brackets at the end of help, "(8)", or "(agent: 8)" for that command, copied; false: no default. */
bool option__default(const struct option_row *row, const char *command, char *text, size_t size);
/* "true" or "false"; false and a message otherwise. */
bool option__flag(const char *text, bool *on);

/* The row of exactly that name, or NULL. */
const struct option_row *options__find(const struct option_row *rows, const char *name, size_t n);
/*
 * For "did you mean": the name with the smallest edit distance (Damerau's, of adjacent swaps too), in out.
 * section: name is one; rows are compared as far as they have as many dots. false: nothing resembles it.
 */
bool options__nearest(const struct option_row *rows, const char *name, bool section, char *out, size_t size);

/*
 * Reads argv[1..] for one subcommand into values. Returns the index of the first operand (after "--" or the
 * first word that is no option), or -EINVAL with a message in err, or OPTIONS_HELP.
 */
#define OPTIONS_HELP (-10000)
int options__parse(const struct option_row *rows, unsigned command, int argc, char **argv, struct values *values,
		   char *err, size_t err_size);
/* The variables of these rows that are set. 0, or -EINVAL with a message. unknown: a WIRESPAN_* that looks like a mistake for nearest, or "". */
int options__environment(const struct option_row *rows, unsigned command, char **environment, struct values *values,
			 char unknown[64], char nearest[64], char *err, size_t err_size);
/* The options of one subcommand, a line each. */
void options__help(const struct option_row *rows, unsigned command, FILE *out);

#endif
