/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h - the agent's own HTTP endpoint, inside its epoll loop (libmicrohttpd without a thread):
 *
 *   /metrics   the ledger as Prometheus text, version 0.0.4
 *   /healthz   200 while the loop turns
 *   /readyz    200 while hooks are attached, else 503
 *
 * It tells numbers only: no payload, no names of what is traced.
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include "ledger/ledger.h"

#define METRICS_DEFAULT "127.0.0.1:9465"

struct metrics;

struct metrics_source {
	void *ctx;
	void (*ledger)(void *ctx, struct ledger *l);
	/* NULL: it is; else what is amiss. */
	const char *(*alive)(void *ctx);
	const char *(*ready)(void *ctx);
};

/*
 * Listens at ADDRESS:PORT (numbers; IPv6 in brackets; port 0: any) and adds a descriptor to epoll_fd,
 * whose data.ptr is the struct metrics. NULL with a message and -errno in *rc.
 */
struct metrics *metrics__new(const char *where, int epoll_fd, const struct metrics_source *s, int *rc, char *err,
			     size_t err_size);
void metrics__free(struct metrics *m);
/* What is listened at: "127.0.0.1:9465". */
const char *metrics__where(const struct metrics *m);
/* After an epoll event; and every tick, for timeouts. */
void metrics__ready(struct metrics *m);
/* Only this machine can reach it. */
bool metrics__is_local(const struct metrics *m);

/* The ledger in the text format, to out. */
void prometheus__print(FILE *out, const struct ledger *l);

#endif
