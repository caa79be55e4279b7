/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.h - events -> ordered streams. Keeps the table of connections, puts transfers in the order
 * of their TCP sequence, names gaps, pairs the two ends of a local connection.
 */
#ifndef CONN_CONN_H
#define CONN_CONN_H

#include "decode/decode.h"
#include "flow/event.h"
#include "meta/meta.h"

struct conn_counters {
	uint64_t opened, closed, evicted;
	uint64_t gaps, gap_bytes; /* bytes that no record told of */
	uint64_t shed_gaps, shed_bytes; /* bytes that the kernel left out on purpose */
	uint64_t missed_gaps, missed_bytes; /* bytes that were moved before we were there to be told */
	uint64_t reordered, duplicates;
	uint64_t announced_again; /* the kernel's half had forgotten them: its table by address was full */
	uint64_t unknown; /* transfers on connections without a CONN record */
};

struct conns;

/* All borrowed. x is told directly what no bytes tell: opened, lost at the end. budget is called when decode wants another budget for a connection. */
typedef void budget_fn(void *ctx, const struct connection *c, const struct ws_budget_pair *b, bool for_port);
struct conns *conns__new(struct decode *d, struct exchanges *x, struct meta *m, budget_fn *budget, void *ctx);
void conns__free(struct conns *c);

void conns__event(struct conns *c, const struct event *e);
/* Gives up waiting for transfers that are out of order. now: CLOCK_MONOTONIC ns. Call every 50 ms. */
void conns__tick(struct conns *c, uint64_t now);
/* End of input: what waits is passed on with its gaps, connections count as closed. */
void conns__finish(struct conns *c);
/*
 * What a socket has moved in its life, by enum ws_dir, and a number that it has as long as it lives, whoever looks
 * at it: of its addresses, its network namespace and its initial sequence numbers. Never 0.
 */
struct conn_moved {
	uint64_t key;
	uint64_t bytes[2];
};
/* When this record was made; false: that is not known. */
bool record__moved(const struct ws_rec_conn *r, struct conn_moved *m);
/* Of the open connections, as far as we have been told; the last used first. */
void conns__each_moved(const struct conns *c, void (*fn)(void *ctx, const struct conn_moved *m), void *ctx);
bool conns__is_open(const struct conns *c, uint64_t conn);
/* That process is not traced any more: should it be again, what its connections moved meanwhile is no loss. */
void conns__left(struct conns *c, uint32_t pid, uint64_t now);
/* A connection that is known now has moved that many bytes that nobody was there to be told of. */
void conns__missed(struct conns *c, uint64_t conn, const uint64_t bytes[2]);
const struct conn_counters *conns__counters(const struct conns *c);

#endif
