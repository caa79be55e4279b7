/* SPDX-License-Identifier: Apache-2.0 */
/* mapped.h - the files that a process has mapped: its executable, and libraries. */
#ifndef ATTACH_MAPPED_H
#define ATTACH_MAPPED_H

#include <stdint.h>

/* path: as we can open it, whatever the process's root is. bias: where its address 0 lies, if it can lie anywhere. Not 0: enough. */
typedef int mapped_fn(void *ctx, const char *path, uint64_t bias);

/* Calls fn for the executable, and for files whose name contains `part`, until it returns other than 0, which is returned. */
int mapped__each(uint32_t pid, const char *part, mapped_fn *fn, void *ctx);

#endif
