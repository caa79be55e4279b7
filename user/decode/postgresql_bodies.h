/* SPDX-License-Identifier: Apache-2.0 */
/* postgresql_bodies.h - what is read of the bodies of messages, by their type, and the connection that it changes. */
#ifndef DECODE_POSTGRESQL_BODIES_H
#define DECODE_POSTGRESQL_BODIES_H

#include "decode/decode.h"
#include "decode/postgresql_cycle.h"
#include "util/cursor.h"

struct pg_side {
	uint64_t skip;		/* bytes left of the message being passed over */
	enum message_kind kind; /* of it */
	bool open;		/* a request or response has begun */
	bool ending;		/* ... and ends with this message */
	bool lone;		/* this message is one by itself: do not touch `open` */
};

struct pg {
	struct pg_side side[2];
	struct pg_cycle cycle;
	struct pg_statements statements;
	unsigned waiting; /* cycles begun and not answered by ReadyForQuery yet */
	bool asked_encryption, backslash, lost, failed;
	int64_t rows;
	char database[64];
};

/* Looks at the first bytes of a body (cut: more were wanted). True: request or response ends with it. */
typedef bool (*body_reader)(struct pg *pg, struct message *m, struct cursor *c, bool cut);

struct pg_reader {
	body_reader read;
	uint16_t want; /* bytes of the body to look at */
};

/* type: below 128. One without read: nothing of it is looked at. */
const struct pg_reader *pg_reader__of(enum decode_side side, uint8_t type);

#endif
