/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leaving.h - processes that the selection named, and names no more: after a reload, or when a container is judged
 * anew. What is under way in them is traced to its end, what begins is not (WS_SELECTED_LEAVING); after that, or
 * a minute at most, the kernel forgets them.
 */
#ifndef LEAVING_H
#define LEAVING_H

#include "agent/chooser.h"

struct leaving;
struct meta;
struct conns;

/* Borrowed; never NULL. */
struct leaving *leaving__new(const struct selection *sel, struct attach *a, struct meta *m, struct runtimes *runtimes,
			    struct conns *conns);
void leaving__free(struct leaving *l);
/*
 * Looks at every process that is traced: one stays that a rule names, or whose parent stays, as a child of a selected
 * process is selected. How many leave now. Not with --all. fewer: there are fewer rules than before; else nobody leaves
 * now, but who leaves already may be named again.
 */
size_t leaving__judge(struct leaving *l, bool fewer);
/* Every 50 ms: CLOCK_MONOTONIC. */
void leaving__tick(struct leaving *l, uint64_t now);

#endif
