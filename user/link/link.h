/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.h - exchanges -> spans: which request caused which call, with evidence, never guessed.
 *
 * Rules (one file each) follow contexts while exchanges are open and name a candidate parent; the
 * candidate is accepted only when both have ended and nothing contradicts it (late binding).
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
	uint64_t spans;
	uint64_t by_evidence[EV_MAX];
	uint64_t rejected;  /* candidates that completion contradicted */
	uint64_t conflicts; /* header and inference disagree */
	uint64_t evicted;   /* decided early: too many were waiting */
	uint64_t waiting;   /* now */
	uint64_t loop_calls; /* calls sent by event loops, or by threads that may be some */
};

struct linker;
typedef void span_fn(void *ctx, const struct span *s);

/* Spans go to fn. mono + wall_offset = wall clock, ns. */
struct linker *linker__new(span_fn *fn, void *ctx);
void linker__free(struct linker *l);
void linker__set_clock(struct linker *l, int64_t wall_offset_ns);

void linker__step(struct linker *l, enum link_step step, struct exchange *x, const struct stamp *at);
void linker__opaque(struct linker *l, const struct connection *conn, enum ws_dir dir, const struct stamp *at);
void linker__connect(struct linker *l, struct connection *conn);
void linker__conn_free(struct linker *l, struct connection *conn);
/* Takes ownership of x. */
void linker__ended(struct linker *l, struct exchange *x);
/* now: CLOCK_MONOTONIC ns (a replay: time of the newest event). */
void linker__tick(struct linker *l, uint64_t now);
/* Decides everything that waits. */
void linker__finish(struct linker *l);
const struct link_counters *linker__counters(const struct linker *l);

#endif
