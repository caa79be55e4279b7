/* SPDX-License-Identifier: Apache-2.0 */
/* running.h - the processes that run already, from /proc. */
#ifndef ATTACH_RUNNING_H
#define ATTACH_RUNNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach/selection.h"

struct running;

/* Every process and its parent. NULL with errno. */
struct running *running__new(void);
void running__free(struct running *r);
size_t running__count(const struct running *r);
uint32_t running__pid(const struct running *r, size_t i);
uint64_t running__start(const struct running *r, size_t i);
uint32_t running__parent(const struct running *r, uint32_t pid); /* 0: none that is known */
/* Is it one of the selection's pids or a descendant of one? */
bool running__is_wanted(const struct running *r, size_t i, const struct selection *sel);

/* Does a pattern of the selection match /proc/PID/exe, or, when that is gone, `path`? path may be NULL. */
bool running__exe_matches(uint32_t pid, const char *path, const struct selection *sel);

/* When it was started (clock ticks, never 0), which tells it from others of the same pid; 0: there is none. */
uint64_t process__start(uint32_t pid);
/*
 * Is it there, started then, with a thread that has not begun to exit? PF_EXITING is set before
 * signal->live is counted down (do_exit), so proc__exit has not run yet for that process.
 */
bool process__lives(uint32_t pid, uint64_t start);
/* Are our pids the kernel's, those of the initial pid namespace? Else they name strangers. */
bool running__sees_all(void);
#define RUNNING_SEES_ALL_ADVICE "run in the host's pid namespace (Kubernetes: hostPID: true; Docker, Podman: --pid=host)"

/* Calls fn in every network namespace that some process is in, our own included; the number of those entered. */
int running__each_netns(const struct running *r, int (*fn)(void *ctx), void *ctx);

#endif
