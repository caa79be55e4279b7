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
#include "link/scopes.h"
#include "util/list.h"

enum node_state { NODE_OPEN, NODE_WAITING, NODE_DECIDED };

#define READERS_MAX 4 /* of one request; with more of them nothing can be said */
#define CLAIMS_MAX 6
#define LINKS_MAX 8
#define REPLIES_MAX 6

struct link_rule;
struct turn;
struct coroutine;

/* What a rule has said about a node's parent (rule.h). */
struct claim {
	const struct link_rule *rule;
	struct link_node *parent; /* counted; NULL: the rule was asked, and knows of none */
	const char *fault;	  /* static: why it is not so */
	uint64_t at_ns;		  /* when that was seen; 0: when n began */
};

struct link_node {
	uint32_t refs;
	enum node_state state;
	uint32_t pid; /* whose end this is; 0 not known */
	bool inbound;
	uint64_t conn; /* its connection */
	struct exchange *x; /* NULL when DECIDED */

	struct claim claims[CLAIMS_MAX]; /* until it is judged */
	unsigned n_claims;
	bool crowded;		  /* there were more claims than that */
	char *why;		  /* heap: what they were; or NULL */
	struct link_node *parent; /* when judged. Counted */
	enum evidence evidence;	  /* for that parent */
	struct link_node **links; /* outbound: requests that it was made for together. Heap, LINKS_MAX; counted; or NULL */
	unsigned n_links, links_dropped;

	struct link_node *cause; /* outbound: what its issuer served when it was sent. Counted */
	bool on_loop;		/* outbound: sent by a thread that is known to run an event loop */
	bool may_loop;		/* outbound: or may be one: it reads requests from sockets in epoll sets */
	bool same_turn;		/* outbound: nothing else can have run on the loop since the cause */
	uint64_t issuer;	/* outbound: context that sent the request */
	struct link_node *via;	/* outbound: the call whose reply led to this one. Counted */
	bool contradicted;	/* outbound: its reply led to the answer of another request than its cause */
	bool confirmed;		/* outbound: its reply led to the answer of its cause */
	bool by_queue;		/* outbound: it, or the one that led to it, waited for a connect() that a queue of the program's called */
	bool awaited_by_several; /* outbound: several threads waited for the task that sent it (waits.h) */
	bool replied;		/* outbound: some of the reply was read */
	struct turn *sent_in, *replied_in; /* outbound, of a loop: turns (turn.h). Counted; or NULL */
	unsigned reads_before, answers_before; /* in these: requests read by then, answered by then */
	uint64_t number;	/* of the request itself, or for which a call was sent: ws_actor.cause */
	struct coroutine *coroutine; /* outbound: the context that it was sent in, if that is known (coroutine.h). Counted */
	bool by_thread;		/* outbound: which a thread has made that serves one request (coroutine.h) */
	bool in_kept_context;	/* outbound: which had answered another request before (coroutine.h) */
	bool of_callback, learned; /* outbound: sent where callbacks are followed (callback.h); and counted */
	struct trail trail;	   /* outbound: what led to it */
	uint64_t replies[REPLIES_MAX]; /* outbound: numbers of the reads of its reply; */
	unsigned n_replies;	       /* if there were more than that, one more */
	struct link_node *answer, *late_answer; /* outbound: that its reply led to; by way of further calls. Counted */
	bool answers, late_answers; /* outbound: there are several */
	bool handed_on_to; /* outbound: sent on the very connection whose reply led to it, as by who has waited for a pool's */
	bool late_guessed;	    /* outbound: it was no resource of theirs that led from call to call */
	bool untold;		/* outbound: who gets its reply may yet tell whose it is */
	bool of_task;		/* outbound: sent where tasks of tokio are followed; */
	bool told;		/* and who got its reply is known */
	bool handed_elsewhere;	/* outbound: its reply went to who works for another request than it was sent for */
	bool piped;		/* outbound: sent before anything answered the one before it on the connection */
	struct link_node *same_timer; /* outbound: another call of it; not counted */
	uint64_t task;		/* outbound: of its issuer, if that is known (context.h) */
	unsigned on_tape;	/* outbound: its issuer's tapes (completion.h) that have it */
	unsigned completes[2];	/* outbound: calls that were completed together with it, itself counted, by wake and by answer */

	/* Inbound: what completion must confirm. */
	uint64_t head_read; /* its head was there, or all that there is of it */
	uint64_t reader, answerer; /* contexts; 0 unknown */
	uint64_t overlaps;	   /* context's count of overlaps when this began */
	bool overlapped, ambiguous;
	bool called;		   /* calls were made while its context served it */
	bool woken;		   /* its thread was woken by one that had made calls */
	bool woken_now;		   /* and has called nobody since */
	bool handed_on;		   /* its thread was, and went on with a call on a connection of a pool's */
	bool followed, closed;	   /* its connection has had another request; has gone */
	uint64_t readers[READERS_MAX]; /* contexts that read some of it */
	unsigned n_readers;

	bool judged;	   /* the claims were weighed */
	bool twin_wanted;  /* inbound: waits for the client's end */
	bool twin_missing; /* inbound: it never came */
	uint64_t twin_key;
	uint64_t began_at, answered_at, ended_at; /* answered_at 0: no response; kept when x has gone */
	struct list open;	      /* inbound: process.open, until it has ended */
	struct list waiting;	      /* linker.waiting, by the time they ended */
	struct list twin;	      /* twins.unmatched: client's ends that no server's end has asked for */
	struct link_node *waiters, *next_waiter; /* nodes that wait for this one to go on */
	struct link_node *waits_for;

	struct local_root root; /* once it is decided */
	int64_t wall_offset; /* when settled: of its trace */
	uint8_t trace_id[16], span_id[8];
	uint8_t trace_flags;
	struct trace_context trace; /* what came on the wire; copied when decided */
	struct trace_context calls_trace; /* inbound: that of its calls, as far as headers said */
	const char *tracestate; /* heap, owned; or NULL */
};

/* That of x, made at its first step; x holds it. */
struct link_node *node__of(struct exchange *x);
struct link_node *node__ref(struct link_node *n);
void node__unref(struct link_node *n);
void exchange__free(struct exchange *x);

/* The call was made for that request among others. */
void node__link(struct link_node *n, struct link_node *request);
/* One that is linked and whose trace is not known yet; NULL: there is none. */
struct link_node *node__undecided_link(const struct link_node *n);
void node__drop_links(struct link_node *n);

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
void node__emit(const struct link_node *n, span_fn *fn, void *ctx);

#endif
