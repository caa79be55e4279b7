/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_commands.h - the commands of Redis: which arguments are keys, which change the connection;
 * and how a command is shown: name and keys as they are, every value as ?.
 *
 * Redis command reference; OpenTelemetry semantic conventions for Redis, db.query.text.
 */
#ifndef DECODE_REDIS_COMMANDS_H
#define DECODE_REDIS_COMMANDS_H

#include <stdint.h>

#include "util/slice.h"

#define REDIS_TEXT_MAX 1024
#define REDIS_NAME_MAX 64

enum redis_command_flag {
	CMD_CONTAINER = 1,    /* a second word belongs to its name: CONFIG GET */
	CMD_SUBSCRIBE = 2,    /* answered by pushes, one an argument */
	CMD_UNSUBSCRIBE = 4,
	CMD_MONITOR = 8,      /* pushes follow its answer */
	CMD_SELECT = 16,
	CMD_RESET = 32,
	CMD_CLIENT = 64,      /* CLIENT REPLY switches answers off */
	CMD_REPLICATION = 128, /* another protocol follows */
	CMD_PROCEDURE = 256,  /* its first argument names a script or function */
	CMD_AMBIGUOUS = 512,  /* as an inline command it might be another protocol's: HTTP, memcached, SMTP */
};

/*
 * args, one character an argument: k key or other name, shown; n how many keys follow, shown; ? a
 * value. After : the rest repeats. A final $ means that the last argument of all is a value. What is
 * longer than the pattern is values.
 */
struct redis_command {
	const char *name;
	uint8_t len;
	uint16_t flags;
	const char *args;
};

/* NULL: unknown. */
const struct redis_command *redis_command__of(struct slice name);

/* A command as it is shown, built argument by argument. */
struct redis_text {
	const struct redis_command *command; /* NULL: unknown */
	uint64_t count, seen;		     /* arguments, the name being the first */
	uint64_t keys;			     /* that are to come, after n */
	const char *at;			     /* in command->args */
	uint16_t name_n, text_n;
	bool full;
	char name[REDIS_NAME_MAX];
	char text[REDIS_TEXT_MAX];
	char first[REDIS_NAME_MAX]; /* the first argument, if it is short */
	uint8_t first_n;
};

void redis_text__begin(struct redis_text *t, uint64_t count);
/* whole: all bytes of the argument are there. False: the name is none of a command. */
bool redis_text__arg(struct redis_text *t, struct slice arg, bool whole);
/* Arguments that will not be seen follow. */
void redis_text__rest(struct redis_text *t);

#endif
