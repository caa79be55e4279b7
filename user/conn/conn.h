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
	uint64_t reordered, duplicates;
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
const struct conn_counters *conns__counters(const struct conns *c);

#endif
