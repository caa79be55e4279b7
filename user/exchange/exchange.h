/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange.h - messages -> exchanges: pairs responses with requests per connection, keeps the
 * clocks, marks what is incomplete. Tells link of every step that a rule may want to know.
 */
#ifndef EXCHANGE_EXCHANGE_H
#define EXCHANGE_EXCHANGE_H

#include "flow/message.h"
#include "link/link.h"

struct exchange_counters {
	uint64_t seen;	     /* begun */
	uint64_t ended;	     /* handed to link */
	uint64_t silent;     /* of these: no span wanted */
	uint64_t no_response, no_request, cut, lost, shed, timeout;
	uint64_t open;	     /* now */
	uint64_t pushes;
	uint64_t crowded;    /* given up for room: too many open on one connection, or on all */
	uint64_t strays;     /* parts of messages whose beginning belongs to no exchange */
};

struct exchanges;

struct exchanges *exchanges__new(struct linker *l); /* l is borrowed */
void exchanges__free(struct exchanges *x);

/* m is valid during the call only. */
void exchanges__message(struct exchanges *x, struct connection *conn, const struct message *m);
/* Bytes that no parser understood were moved: contexts must not be trusted beyond them. */
void exchanges__opaque(struct exchanges *x, struct connection *conn, enum ws_dir dir, const struct stamp *at);
/* `bytes` of that direction were lost: what is open there is marked. */
void exchanges__lost(struct exchanges *x, struct connection *conn, enum ws_dir dir, uint64_t bytes);
/* connect() was just called, by conn->owner. */
void exchanges__connecting(struct exchanges *x, struct connection *conn);
/* The reply to what was sent last on it went to a context that works for the request of that number. */
void exchanges__handed(struct exchanges *x, struct connection *conn, uint64_t cause, uint64_t time_ns);
/* The request of that number is one of several that the call was made for whose reply came on it by then. */
void exchanges__batched(struct exchanges *x, struct connection *conn, uint64_t cause, uint64_t replied_ns);
/* The goroutine of that timer (WS_CAUSE_TIMER) has ended, which worked for the request of that number and no other. */
void exchanges__timer_ended(struct exchanges *x, uint64_t timer, uint64_t cause, uint64_t time_ns);
/* Ends what is open on it. time_ns 0: it was not closed, tracing ends. */
void exchanges__closed(struct exchanges *x, struct connection *conn, uint64_t time_ns);
/* Gives up on exchanges that have been open for ten minutes without a byte. */
void exchanges__tick(struct exchanges *x, uint64_t now);
const struct exchange_counters *exchanges__counters(const struct exchanges *x);

#endif
