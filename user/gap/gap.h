/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gap.h - what was moved while no agent ran is counted, by comparing what the agent before has left (state.h)
 * with what is found now:
 *
 *   a connection that both have known    the bytes between its two totals: a gap on that connection
 *   one that is new, and has been used   all its bytes; if both agents have the same selection
 *   one that is no longer there          that it has ended; what it had moved until then nobody knows
 *   those that came and went             an upper bound: what the namespace's counters of opened connections tell
 *
 * Another boot, and a namespace that is not surely the same, say so and count nothing.
 */
#ifndef GAP_GAP_H
#define GAP_GAP_H

#include "gap/state.h"

struct gap_counters {
	uint64_t duration_ns;
	uint64_t continued, begun, ended; /* connections */
	uint64_t continued_bytes, begun_bytes;
	uint64_t accepted, connected; /* opened in namespaces of traced processes, at most */
	uint64_t refused;	      /* files that are no state */
	uint64_t waiting;	      /* 1: for another agent to end */
	uint64_t unwritten;	      /* times that the state could not be written */
};

struct gap;

/* sel and dir are borrowed. NULL with a message in err. All below take NULL for none. */
struct gap *gap__new(const char *dir, const struct selection *sel, char *err, size_t err_size);
/*
 * It is our turn, and what was left has been read: 0. -EWOULDBLOCK: another agent has the state, which must have ended
 * before we begin, for then nothing is told twice; ask again. Else -errno.
 */
int gap__take(struct gap *g);
void gap__free(struct gap *g);
/* Tracing has begun, with all that is selected by now. */
void gap__ready(struct gap *g, const struct attach *a);
/* An event that conns has got. */
void gap__event(struct gap *g, const struct event *e, struct conns *cs);
/* Every 50 ms: CLOCK_MONOTONIC. Two seconds after the start it says what was found; then the state is kept. */
void gap__tick(struct gap *g, uint64_t now, const struct attach *a, const struct conns *cs);
/* Before tracing ends, and when all has been read: then another agent may begin. */
void gap__ending(struct gap *g, const struct attach *a);
void gap__ended(struct gap *g, const struct attach *a, const struct conns *cs);
/* All zero for NULL. */
struct gap_counters gap__counters(const struct gap *g);

#endif
