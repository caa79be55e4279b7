/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgresql_cycle.h - what a client asks for up to a Sync, and how the span of it is described.
 *
 *   cycle of             name of the span
 *   Query, Execute       the summary of the statement; BATCH in front if there are several
 *   Parse, no Execute    PREPARE and the summary (a round trip that only prepares)
 *   Describe, Close      DESCRIBE, DEALLOCATE and the summary
 *   nothing of that      SYNC
 *
 * BEGIN, COMMIT and their like, which drivers put in front of a statement, are shown in the text of
 * a cycle but neither counted nor named if there is anything else.
 */
#ifndef DECODE_POSTGRESQL_CYCLE_H
#define DECODE_POSTGRESQL_CYCLE_H

#include "decode/postgresql_statements.h"
#include "flow/message.h"

#define CYCLE_QUERIES 8 /* of a batch whose text is shown */

/* What a cycle does, the most telling last. */
enum cycle_what { CYCLE_SYNC, CYCLE_CLOSE, CYCLE_DESCRIBE, CYCLE_PREPARE, CYCLE_EXECUTE, CYCLE_OTHER, CYCLE_UNKNOWN };

struct pg_cycle {
	enum cycle_what what;
	const char *other;     /* CYCLE_OTHER: its name */
	unsigned executes;     /* those that only open or close a transaction apart */
	unsigned transactions; /* those */
	bool mixed;	       /* not all of one summary */
	bool simple;	       /* a Query, which needs no Sync */
	bool copy_in, copy_done;
	unsigned n;
	struct pg_query *query[CYCLE_QUERIES]; /* different ones in a row; references */
	struct pg_query *main;		       /* the first that is more than BEGIN or COMMIT; one of them */
	struct pg_query *bound;		       /* by the last Bind; a reference */
};

/* Drops the references. */
void pg_cycle__clear(struct pg_cycle *cy);
void pg_cycle__is(struct pg_cycle *cy, enum cycle_what what);
/* A query plays a part in the cycle; it takes its own reference. NULL: an unknown one. */
void pg_cycle__query(struct pg_cycle *cy, struct pg_query *q);
/* ... is executed. What was only prepared or described so far does not count any more. */
void pg_cycle__execute(struct pg_cycle *cy, struct pg_query *q);
/* Name and attributes. database may be empty. */
void pg_cycle__describe(const struct pg_cycle *cy, struct slice database, struct message *m);
/* Cut between words if it is too long. */
void pg_message__name(struct message *m, struct slice name);

#endif
