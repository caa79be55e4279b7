/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgresql.h - shared by postgresql.c (the parser) and postgresql_recognise.c: the kinds of
 * messages of protocol 3 and how long they may be.
 *
 * PostgreSQL manual, chapters 55.2 "Message Flow", 55.7 "Message Formats". A message is one byte of
 * type, a length that counts itself but not the type, and the body. Start-up messages have no type;
 * their first byte is 0, which no type is.
 */
#ifndef DECODE_POSTGRESQL_H
#define DECODE_POSTGRESQL_H

#include "decode/decode.h"

#define PG_MESSAGE_MAX 0x3FFFFFFFu /* PQ_LARGE_MESSAGE_LIMIT: below the first printable letter as top byte, so no text passes */
#define PG_STARTUP_MAX 10000u	   /* MAX_STARTUP_PACKET_LENGTH */
#define PG_HEADER 5u

enum pg_startup { PG_CANCEL = 80877102, PG_SSL = 80877103, PG_GSSENC = 80877104, PG_VERSION_3 = 196608 };

/* Bounds of the length field; max 0: no such type. */
struct pg_bounds {
	uint32_t min, max;
};

extern const struct pg_bounds pg_bounds[2][128]; /* by enum decode_side, type */

static inline bool pg_header__valid(enum decode_side side, uint8_t type, uint32_t len)
{
	const struct pg_bounds *b = &pg_bounds[side][type & 127];

	return type < 128 && len >= b->min && len <= b->max && b->max;
}

/* Is it the beginning of a start-up message? 0 no, 1 perhaps (fewer than 8 bytes), 2 yes. */
int pg_startup__recognise(struct slice s);
int pg__recognise(enum decode_side side, struct slice begin);

#endif
