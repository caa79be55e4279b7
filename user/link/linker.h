/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linker.h - what the files of link/ that see every exchange share: in: steps of exchanges, ties between
 * contexts, ends of exchanges; out: spans.
 *
 * While exchanges run, rules claim parents (step.c). When an exchange has ended, its parent is settled in this
 * order, each step waiting for what it needs: the client's end of the same bytes has been seen; all
 * that was claimed has ended too, and the resolver has judged; the parent has been decided, so
 * that its trace id is known. Then the span is emitted and whoever waited for it goes on (decide.c).
 */
#ifndef LINK_LINKER_H
#define LINK_LINKER_H

#include "link/callback.h"
#include "link/completion.h"
#include "link/coroutine.h"
#include "link/handoff.h"
#include "link/rule_connection.h"
#include "link/turn.h"
#include "meta/meta.h"

#define CLOCKS_MAX 8

struct linker {
	struct contexts contexts;
	struct pools pools;
	struct handoffs handoffs;
	struct coroutines coroutines;
	struct callbacks callbacks;
	struct resolver resolver;
	struct twins twins;
	bool no_headers;
	struct list waiting; /* by the time they ended */
	span_fn *fn;
	void *ctx;
	struct {
		uint64_t since_ns;
		int64_t offset;
	} clocks[CLOCKS_MAX]; /* how far the wall clock was ahead, the newest last */
	unsigned n_clocks;
	uint64_t now; /* of the last tick */
	uint64_t probes_until; /* roots that began until then may be left out as health checks; 0: none */
	uint64_t turns_ns; /* since then threads are seen to wait in epoll_wait; 0: not known */
	struct link_counters counters;
};

/* Those that wait for time to pass go on. */
void linker__expire(struct linker *l);

#endif
