/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine.h - an agent gives up for good what only its start needed (seccomp(2), no new privileges).
 *
 * It is root, and CAP_SYS_PTRACE with the host's pids opens the host's files to it (/proc/1/root), whatever
 * its own mounts are: a fault in a parser must not be able to use that. What stays: reading, BPF, sockets.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include <stdbool.h>

/*
 * From now on this thread and those that it starts can't run a program, trace or write into a process, listen,
 * load a module, change mounts; nor, without `files`, change anything in a file system: opening for writing,
 * making, removing, renaming, changing rights. They get EPERM. 0, or -errno (EINVAL: the kernel has no filters).
 */
int confine__now(bool files);

#endif
