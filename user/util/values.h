/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values.h - what the command line, the environment and the configuration file say of the settings, and
 * which of them counts: command line > environment > file > default, setting by setting.
 */
#ifndef UTIL_VALUES_H
#define UTIL_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct option_row;

enum origin { ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_LINE };

struct value {
	const struct option_row *row;
	char *text;  /* ours; NULL: a flag, or an empty sequence */
	char *given; /* the copy that set() got, and may have cut up */
	bool off;    /* "false", or an empty sequence */
	enum origin origin;
	int line;    /* in the file */
};

/* In the order in which they were found. Zero is an empty one. */
struct values {
	struct value *v;
	size_t n, room;
	char *path; /* of the file, for messages */
};

/* text is copied. Aborts without memory, as all that runs before the agent does. */
struct value *values__add(struct values *vs, const struct option_row *row, enum origin origin, const char *text);
void values__free(struct values *vs);
/* Of every setting only what its highest origin says stays; files come first, the command line last. */
void values__settle(struct values *vs);
/*
 * Gives each to its row's set(), variables of the file to environment__offer(). Texts may be kept by what
 * they were given to, as long as the values live. 0, or -errno; err then begins with where the value stands.
 */
int values__apply(struct values *vs, void *config, char *err, size_t err_size);
/* Do both say the same of that setting? */
bool values__same(const struct values *a, const struct values *b, const struct option_row *row);
/* A copy of `old`, but of settings that take effect at a reload what `fresh` says. */
struct values values__reload(const struct values *old, const struct values *fresh);

/*
 * The settings of a subcommand (its bit and its name) as a configuration file, with the origin of each behind it. Secrets and what
 * the secret parts of URLs are stay hidden: show gives what may be shown of a value.
 */
typedef void (*values_show)(const struct option_row *row, const char *text, char *out, size_t size);
void values__print(const struct values *vs, const struct option_row *rows, unsigned command, const char *name,
		   values_show show, FILE *out);

#endif
