/* SPDX-License-Identifier: Apache-2.0 */
/* named.h - does a selection name a process that runs, by something other than its container? What the kernel's rules say, read from /proc. */
#ifndef ATTACH_NAMED_H
#define ATTACH_NAMED_H

#include "attach/running.h"
#include "attach/sockets.h"

#define NAMED_COMM 16

/* The name of its first thread; "": it has gone. */
void named__comm(uint32_t pid, char comm[NAMED_COMM]);
/* The option that names process number `at`, in the order in which the agent decides; NULL: none does. listens: the ports of its sockets. */
const char *named__by(const struct running *r, size_t at, const struct socket_counts *listens, const struct selection *sel);

#endif
