/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scopes.h - which read led to what Node.js does now: for threads whose callback scopes the kernel tells.
 *
 * A scope that follows a read handles it. Any other is of a resource (a request for a file, a hash, a
 * connection to be made), and each resource has an id, given out in ascending order: so the scope in which it was
 * made is known by the id alone, and what led to that one led to this one. Timers and immediates run many in one
 * scope; which of them runs is read from the process at the send itself.
 *
 * Where promises are followed as well, the kernel tells for whom the microtasks of a scope go on, whatever led to the
 * scope: for those who were at work when they were told to (bpf/node_promise.bpf.c).
 */
#ifndef LINK_SCOPES_H
#define LINK_SCOPES_H

#include <stdbool.h>

#include "util/list.h"
#include "util/table.h"
#include "wirespan/record.h"

#define TRAIL_MAX 3

struct scopes {
	struct table by_thread;
	struct list by_use;
};

/* What may have led to a send: numbers of reads (ws_actor.cause). */
struct trail {
	uint64_t from[TRAIL_MAX]; /* 0: none. The scope's own comes first */
	bool strange;		  /* and something that is not known besides */
	uint64_t job;		  /* what was sent goes on for whom that read led to; 0: not known */
	bool direct;		  /* it was sent by the very callback that handles the first of them, or by a tick of its own */
};

/* A read has led to the scope in which code goes on that had waited. */
struct resumption {
	uint64_t read;	  /* 0: none did */
	uint64_t context; /* number of the read that had led to what goes on; 0: it is not known */
	bool corrects;	  /* that is what was not known a moment ago */
	bool lost;	  /* and there was more, which nobody knows */
};

void scopes__init(struct scopes *s);
void scopes__free(struct scopes *s);
/* A scope begins, or in it something is resumed. */
struct resumption scopes__enter(struct scopes *s, const struct ws_rec_scope *r);
/* The actor sends now. */
struct trail scopes__sends(struct scopes *s, const struct ws_actor *a, uint64_t now);
/* Forgets threads that have been idle for a minute. */
void scopes__tick(struct scopes *s, uint64_t now);

#endif
