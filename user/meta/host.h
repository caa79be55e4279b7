/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.h - files of the machine, wherever the agent runs: as they are seen here, below WIRESPAN_HOST_ROOT
 * if that is set, and, from within a container that has the host's pids (hostPID) and CAP_SYS_PTRACE,
 * through /proc/1/root.
 */
#ifndef META_HOST_H
#define META_HOST_H

#include <jansson.h>
#include <stdbool.h>

#include "util/slice.h"

#define HOST_FILE_MAX (4u << 20)

/* Parsed, or NULL: not there, not JSON, longer than HOST_FILE_MAX. A reference of the caller's. */
json_t *host__json(const char *path);
bool host__exists(const char *path);
/* Is there a socket at that very path? */
bool host__is_socket(const char *path);
/* Calls fn for every name in a folder (not "." and ".."), until it returns true, which is returned. */
bool host__each(const char *dir, bool (*fn)(void *ctx, const char *name), void *ctx);

/* The text of a member, through a chain of names ended by NULL (of `o` itself where that is empty); empty if there is none. */
struct slice json__at(const json_t *o, ...);

#endif
