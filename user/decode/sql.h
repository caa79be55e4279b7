/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql.h - the text of a statement -> what may be shown of it. One pass, no allocation, any bytes.
 *
 * text     literals (strings, numbers, booleans) become ?, comments and surplus space go, parameters
 *          ($1) and names stay: OpenTelemetry semantic conventions, database spans, "Sanitization".
 * summary  "{operation} {target} {target} {operation} ..." in the order of the text, same document,
 *          "Generating a summary"; keywords in upper case, names as written, never cut within a word.
 *
 * Lexical rules: PostgreSQL manual, chapter 4.1 (quoting, dollar quotes, nested comments).
 */
#ifndef DECODE_SQL_H
#define DECODE_SQL_H

#include <stdint.h>

#include "util/slice.h"

#define SQL_INPUT_MAX 8192 /* longer text is read up to here */
#define SQL_TEXT_MAX 2048
#define SQL_SUMMARY_MAX 255
#define SQL_NAME_MAX 128

enum sql_flag {
	SQL_CUT = 1,	     /* more text than was read or kept */
	SQL_COPY_IN = 2,     /* COPY ... FROM STDIN: data will follow from the client */
	SQL_TRANSACTION = 4, /* only BEGIN, COMMIT and their like */
};

struct sql {
	unsigned flags;	     /* enum sql_flag */
	unsigned statements; /* separated by ; */
	uint16_t text_n, summary_n, operation_n, collection_n;
	char text[SQL_TEXT_MAX];
	char summary[SQL_SUMMARY_MAX];
	char operation[48];	       /* of the only statement; empty if there are several */
	char collection[SQL_NAME_MAX]; /* the only target; empty if there are several */
};

/* backslash: standard_conforming_strings is off, a backslash escapes within plain '...' too. */
void sql__read(struct sql *q, struct slice text, bool backslash);
/* Does a statement begin like that? 0 no, 1 perhaps, 2 a known command. */
int sql__begins(struct slice text);

#endif
