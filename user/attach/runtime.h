/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime.h - probes at the runtimes of traced processes: which processes get which, and when.
 *
 * They are attached when a process has been sent its first request, and taken away when it has not
 * been sent one for a minute, or is gone. A process that cannot have them is traced without.
 */
#ifndef ATTACH_RUNTIME_H
#define ATTACH_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct attach;
struct process;
struct runtimes;

/* off: no probes for anybody. */
struct runtimes *runtimes__new(struct attach *a, bool off);
void runtimes__free(struct runtimes *r);
/* A selected process has become known: tells the kernel what runs in it. */
void runtimes__add(struct runtimes *r, struct process *p);
/* It has exec'ed, is not selected any more, or is gone. */
void runtimes__forget(struct runtimes *r, uint32_t pid, bool gone);
void runtimes__tick(struct runtimes *r, uint64_t now);

/* `wirespan doctor --pid`: what was recognised in the process, how it is followed, what is not seen. 0, or 1: it cannot be read. */
int runtimes__explain(FILE *out, uint32_t pid);

#endif
