/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.h - exchanges -> spans: which request caused which call, with evidence, never guessed.
 *
 * Rules (rule.h, one file each) follow contexts (context.h) while exchanges are open and claim parents;
 * the resolver (resolve.h) believes one only when both have ended and nothing contradicts it.
 */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include "flow/exchange.h"
#include "flow/span.h"

enum link_step {
	LINK_REQUEST_READ,  /* inbound: the actor read bytes of the request */
	LINK_REQUEST_SENT,  /* outbound: the actor sent bytes of the request */
	LINK_RESPONSE_SENT, /* inbound: the actor sent bytes of the response; see x->flags for its end */
	LINK_RESPONSE_READ, /* outbound: the actor read bytes of the response */
};

struct link_counters {
	/* Every exchange that was handed over ends in one of these, or waits. */
	uint64_t spans;
	uint64_t silent;     /* no span wanted */
	uint64_t no_request; /* no span possible: a response without its request */
	uint64_t by_evidence[EV_MAX];
	uint64_t rejected;  /* candidates that completion contradicted */
	uint64_t conflicts; /* header and inference disagree */
	uint64_t evicted;   /* decided early: too many were waiting */
	uint64_t waiting;   /* now */
	uint64_t contexts_evicted; /* forgotten: too many threads and goroutines */
	uint64_t twins_evicted;	   /* client's ends forgotten before their server's end came: too many */
	uint64_t attributes_dropped; /* attributes of spans that had no room */
	uint64_t loop_calls; /* calls sent by event loops, or by threads that may be some */
	uint64_t pool_calls; /* calls sent by threads that serve nothing that is known, of processes that serve */
};

struct link_options {
	bool no_headers;  /* infer only: trace context on the wire is not looked at */
	bool why;	  /* every span says what the rules said: wirespan.link.why */
	unsigned without; /* rules that stay silent: bits of rule__bit() */
};

/* What ties two contexts of a process. */
enum link_tie {
	LINK_WOKE, /* `by` woke `of` */
	LINK_MADE, /* `by` made `of` */
};

struct linker;

/* Spans go to fn. */
struct linker *linker__new(span_fn *fn, void *ctx);
void linker__free(struct linker *l);
void linker__set_options(struct linker *l, const struct link_options *o);
/* The bit of the rule of this name; 0: there is none. */
unsigned rule__bit(const char *name);
/* NULL: there are no more. */
const char *rule__name(unsigned i);
/* That process has ended. */
void linker__exited(struct linker *l, uint32_t pid, uint64_t now);
/* It runs another program. */
void linker__execed(struct linker *l, uint32_t pid, uint64_t now);
/* mono + wall_offset = wall clock, ns, from that monotonic moment on. */
void linker__set_clock(struct linker *l, uint64_t since_ns, int64_t wall_offset_ns);

void linker__step(struct linker *l, enum link_step step, struct exchange *x, const struct stamp *at);
void linker__opaque(struct linker *l, const struct connection *conn, enum ws_dir dir, const struct stamp *at);
/* Threads that wait in epoll_wait are told from now on. */
void linker__turns_told(struct linker *l, uint64_t now);
/* Whether requests that begin from now on are health checks is wanted (local_root.probe), or no longer. Call it at each tick. */
void linker__judge_probes(struct linker *l, bool on, uint64_t now);
/* Wakes are told from now on, or no longer. */
void linker__wakes_told(struct linker *l);
void linker__tie(struct linker *l, enum link_tie tie, const struct process *p, const struct ws_actor *by,
		 const struct ws_actor *of, uint64_t now);
/* A thread of p enters a callback scope. */
void linker__scope(struct linker *l, struct process *p, const struct ws_rec_scope *r);
/* The reply to the call sent last on conn went to a context that works for the request of that number. */
void linker__handed(struct linker *l, struct connection *conn, uint64_t cause, uint64_t now);
/* The goroutine of that timer (WS_CAUSE_TIMER) has ended, which worked for that request and for no other. */
void linker__timer_ended(struct linker *l, uint64_t timer, uint64_t cause, uint64_t now);
/* The request is one of several that the call was made for whose reply had come on it by then. */
void linker__batched(struct linker *l, struct connection *conn, uint64_t cause, uint64_t replied_ns);
void linker__connect(struct linker *l, struct connection *conn);
void linker__conn_free(struct linker *l, struct connection *conn);
/* Takes ownership of x. */
void linker__ended(struct linker *l, struct exchange *x);
/* now: CLOCK_MONOTONIC ns (a replay: time of the newest event). */
void linker__tick(struct linker *l, uint64_t now);
/* Decides everything that waits. */
void linker__finish(struct linker *l);
const struct link_counters *linker__counters(struct linker *l);

#endif
