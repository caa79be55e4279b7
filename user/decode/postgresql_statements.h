/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgresql_statements.h - what a connection's prepared statements and portals stand for.
 *
 * A query is the sanitised text of one statement, shared by reference: a statement that is forgotten
 * or closed lives on in the portals and cycles that still use it. Names are kept as 64-bit hashes.
 */
#ifndef DECODE_POSTGRESQL_STATEMENTS_H
#define DECODE_POSTGRESQL_STATEMENTS_H

#include "decode/sql.h"
#include "util/list.h"
#include "util/table.h"

#define PG_STATEMENTS_MAX 256	       /* per connection; the least recently used goes first */
#define PG_STATEMENT_BYTES_MAX 131072  /* of their text */
#define PG_PORTALS_MAX 8	       /* named ones */

struct pg_query {
	unsigned refs;
	unsigned flags; /* enum sql_flag */
	struct slice text, summary, operation, collection; /* into data */
	char data[];
};

struct pg_statements {
	struct table named;
	struct list used; /* least recently used first; set up at the first use */
	size_t n, bytes;
	struct pg_query *unnamed;
	struct pg_query *unnamed_portal;
	struct { uint64_t name; struct pg_query *query; } portal[PG_PORTALS_MAX];
	unsigned next_portal;
	unsigned forgotten; /* names that had to go for others, since it was set back */
};

/* NULL when out of memory. The caller owns one reference. */
struct pg_query *pg_query__new(struct slice text, bool cut, bool backslash);
struct pg_query *pg_query__ref(struct pg_query *q); /* accepts NULL */
void pg_query__unref(struct pg_query *q);	    /* accepts NULL */

/* Takes over the caller's reference. An empty name is the unnamed statement. */
void pg_statements__set(struct pg_statements *s, struct slice name, struct pg_query *q);
/* Borrowed; NULL if the name is not known. */
struct pg_query *pg_statements__get(struct pg_statements *s, struct slice name);
void pg_statements__close(struct pg_statements *s, struct slice name);

/* The portal is borrowed from, and keeps a reference to, q (may be NULL). */
void pg_portals__set(struct pg_statements *s, struct slice name, struct pg_query *q);
struct pg_query *pg_portals__get(const struct pg_statements *s, struct slice name);

void pg_statements__free(struct pg_statements *s);

#endif
