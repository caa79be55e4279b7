/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - spans kept by trace, and the rows a person sees: a call and the server's end of it are
 * one row, named after who answered.
 */
#ifndef VIEW_STORE_H
#define VIEW_STORE_H

#include "flow/span.h"
#include "util/list.h"
#include "util/table.h"

/* What is shown of a span; copied, and made fit for a terminal: the wire may hold escape sequences. */
struct vspan {
	uint8_t span_id[8], parent_id[8];
	bool has_parent, error, incomplete;
	enum span_kind kind;
	enum evidence evidence;
	uint64_t start_ns, end_ns;
	char service[40]; /* whose span it is; of a call to somebody untraced: who is called */
	char operation[64];
	char code[16];	   /* HTTP status, SQLSTATE; empty if none */
	char message[200]; /* error: the reason */
	char why[400];	   /* --why: what the rules said of its parent */
	struct vspan *next;
	unsigned nth; /* of its trace, as they came */
	/* As a row; set by vtrace__arrange. */
	struct vspan *server;	       /* CLIENT: the other end of the same call */
	struct vspan *client;	       /* SERVER: the row that it is part of; NULL: it is a row itself */
	struct vspan *up;	       /* the row above, NULL for those at the top */
	struct vspan *child, *sibling; /* rows below, and beside it, by start */
	uint64_t own_ns;
	unsigned walk; /* arranging: the walk that came by */
};

struct vtrace {
	uint8_t id[16];
	struct vspan *spans, *root;
	unsigned n;
	uint64_t touched_ns; /* when its last span came: view's clock */
	struct list all;
};

struct store {
	struct table by_id;
	struct list all; /* by age */
	unsigned spans;
};

void store__init(struct store *s);
void store__free(struct store *s);
/* The trace the span went to. */
struct vtrace *store__add(struct store *s, const struct span *span, uint64_t now);
void store__drop(struct store *s, struct vtrace *t);
/*
 * Builds rows. root: the earliest without a parent here; others of that kind are its siblings, so every
 * span is reached once from there, whatever parents they claim.
 */
void vtrace__arrange(struct vtrace *t);
bool vtrace__has_error(const struct vtrace *t);

static inline uint64_t vspan__duration(const struct vspan *s)
{
	return s->end_ns > s->start_ns ? s->end_ns - s->start_ns : 0;
}
/* Of a row: who did the work. */
static inline const struct vspan *vspan__far(const struct vspan *s)
{
	return s->server ? s->server : s;
}

#endif
