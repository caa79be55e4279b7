/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container.h - which container a cgroup belongs to, by its path alone: what the runtimes call their
 * cgroups is their own custom, not an interface, so each custom is a row of a table (container.c).
 */
#ifndef META_CONTAINER_H
#define META_CONTAINER_H

#include <stdbool.h>

#include "util/slice.h"

#define CONTAINER_ID_MAX 128

struct container_ref {
	char id[CONTAINER_ID_MAX + 1];
	const char *runtime; /* container.runtime.name: static; "" if the path does not tell */
	char pod_uid[40];    /* with dashes; a static pod's is 32 hex digits; empty: no pod */
};

/*
 * path: one field of /proc/PID/cgroup, or what the tracepoint cgroup_mkdir tells; "/.." in front (seen from
 * another cgroup namespace) does no harm. The innermost container counts. False: none that can be told.
 */
bool container__of_path(struct slice path, struct container_ref *ref);
/* All of a /proc/PID/cgroup: the first hierarchy that tells. *path gets that line's path, or the longest one. */
bool container__of_file(struct slice text, struct container_ref *ref, struct slice *path);

#endif
