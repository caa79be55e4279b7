/* SPDX-License-Identifier: Apache-2.0 */
/* sql_keywords.h - the words of SQL that tell what a statement does, and to what. */
#ifndef DECODE_SQL_KEYWORDS_H
#define DECODE_SQL_KEYWORDS_H

#include <stdint.h>

#include "util/slice.h"

enum keyword_flag {
	K_OP = 1 << 0,	      /* may begin a statement */
	K_NESTED = 1 << 1,    /* ... and an operation within one (a CTE, after EXPLAIN or AS) */
	K_ANYWHERE = 1 << 2,  /* reserved word: an operation wherever it stands */
	K_NAME = 1 << 3,      /* operation: its target follows */
	K_INTO = 1 << 4,      /* operation: its target follows INTO */
	K_FROM = 1 << 5,      /* operation: its targets follow FROM */
	K_USING = 1 << 6,     /* operation: more targets follow USING */
	K_LIST = 1 << 7,      /* operation: its target may be a list */
	K_MAKES = 1 << 8,     /* operation: the kind of object follows: CREATE TABLE */
	K_TRANSACTION = 1 << 9,
	K_OPAQUE = 1 << 10,   /* operation: the rest tells nothing (GRANT SELECT ON ...) */
	K_OBJECT = 1 << 11,   /* kind of object */
	K_SKIP = 1 << 12,     /* may stand before a target, or between CREATE and the kind */
	K_ENDS_FROM = 1 << 13,
	K_PREFIX = 1 << 14,   /* an operation may follow: EXPLAIN ANALYZE, ... AS */
	K_OTHER = 1 << 15,    /* operation or kind of object: the target is no table */
};

enum keyword_id { W_OTHER, W_FROM, W_JOIN, W_INTO, W_USING, W_WITH, W_BOOL, W_DISTINCT, W_STDIN, W_RECURSIVE, W_COPY, W_MATERIALIZED };

struct keyword {
	const char *s;
	uint8_t n;
	uint8_t id; /* enum keyword_id */
	uint16_t flags;
};

extern const struct keyword no_keyword;

/* s has at least one byte. &no_keyword: it is none. */
const struct keyword *keyword__of(struct slice s);

#endif
