/* SPDX-License-Identifier: Apache-2.0 */
/* redis.h - shared by redis.c (the parser), redis_request.c and redis_recognise.c. */
#ifndef DECODE_REDIS_H
#define DECODE_REDIS_H

#include "decode/decode.h"
#include "decode/redis_reply.h"

#define REDIS_PREFIX 4096 /* bytes of a command that are looked at; of a push that are waited for */
#define REDIS_MARKS 16

enum mark_kind { MARK_SUBSCRIBE, MARK_UNSUBSCRIBE, MARK_MONITOR, MARK_SELECT };

struct mark {
	uint64_t at; /* replies before it */
	enum mark_kind kind;
	int64_t n; /* SUBSCRIBE: confirmations to come; SELECT: the database before */
};

enum { REPLY_ON, REPLY_OFF, REPLY_SKIP_NEXT };
enum { DATABASE_NEW, DATABASE_KNOWN, DATABASE_UNKNOWN };

struct redis {
	/* client */
	uint64_t skip, args; /* bytes left of this argument, arguments after it */
	bool in_command;
	int reply_mode;
	int database_is;
	int64_t database;
	/* server */
	struct redis_reply reply;
	bool in_reply;
	enum message_kind kind; /* of the reply */
	bool subscribed, monitoring;
	bool resp3; /* pushes have a type of their own */
	/* both */
	uint64_t sent, answered;
	struct mark marks[REDIS_MARKS];
	unsigned mark_first, mark_n;
};

/* Parses what the client sends, as struct protocol's parse(). */
enum decode_status redis__command(struct redis *rd, const struct parse_input *in, struct message *m, uint64_t *used);

int redis__recognise(enum decode_side side, struct slice begin);

#endif
