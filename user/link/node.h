/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h - what the files of link/ share: one exchange as a vertex of the tree that is being found.
 *
 * A node is OPEN while its exchange runs, WAITING when it has ended but its parent is not settled,
 * DECIDED when its span has been emitted. Counted: a parent is kept by its children.
 */
#ifndef LINK_NODE_H
#define LINK_NODE_H

#include "link/link.h"
#include "util/list.h"

enum node_state { NODE_OPEN, NODE_WAITING, NODE_DECIDED };

#define READERS_MAX 4 /* of one request; with more of them nothing can be said */

struct link_node {
	uint32_t refs;
	enum node_state state;
	struct exchange *x; /* NULL when DECIDED */

	/* Outbound: the candidate, then the parent. Inbound: the client's end. Counted. */
	struct link_node *parent;
	enum evidence evidence; /* for that parent */
	bool on_loop;		/* outbound: sent by a thread that is known to run an event loop */
	bool same_turn;		/* outbound: nothing else can have run on the loop since the cause */
	uint64_t issuer;	/* outbound: context that sent the request */
	struct link_node *via;	/* outbound: the call whose reply led to this one. Counted */
	bool contradicted;	/* outbound: its reply led to the answer of another request than its parent */

	/* Inbound: what completion must confirm. */
	uint64_t reader, answerer; /* contexts; 0 unknown */
	uint64_t overlaps;	   /* context's count of overlaps when this began */
	bool overlapped, ambiguous;
	uint64_t readers[READERS_MAX]; /* contexts that read some of it */
	unsigned n_readers;

	bool judged;	   /* outbound: the candidate was accepted or dropped */
	bool twin_wanted;  /* inbound: waits for the client's end */
	bool twin_missing; /* inbound: it never came */
	uint64_t twin_key;
	uint64_t began_at, answered_at, ended_at; /* answered_at 0: no response; kept when x has gone */
	struct list waiting;	      /* linker.waiting, by the time they ended */
	struct list twin;	      /* twins.unmatched: client's ends that no server's end has asked for */
	struct link_node *waiters, *next_waiter; /* nodes that wait for this one to go on */
	struct link_node *waits_for;

	uint8_t trace_id[16], span_id[8];
	uint8_t trace_flags;
	struct trace_context trace; /* what came on the wire; copied when decided */
	const char *tracestate; /* heap, owned; or NULL */
};

struct link_node *node__ref(struct link_node *n);
void node__unref(struct link_node *n);
void exchange__free(struct exchange *x);

/* Is trace context on the wire n's parent? Sets its evidence; counts where it contradicts n->parent (rule_header.c). */
bool header__takes(struct link_node *n, uint64_t *conflicts);

/* Ids from the exchange's key: the same at both ends of the connection. */
void node__span_id(const struct exchange_key *key, bool inbound, uint8_t id[8]);
void node__trace_id(const struct exchange *x, uint8_t id[16]);
static inline uint64_t exchange_key__hash(const struct exchange_key *k)
{
	return (uint64_t)k->request_seq << 32 | k->response_seq;
}

/* Builds the span of a node whose ids and parent are settled and passes it on (span.c). */
void node__emit(const struct link_node *n, int64_t wall_offset, span_fn *fn, void *ctx);

#endif
