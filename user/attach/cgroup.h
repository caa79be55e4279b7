/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.h - a cgroup's folder as the kernel knows it. */
#ifndef ATTACH_CGROUP_H
#define ATTACH_CGROUP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Hierarchy number (0: version 2; /proc/self/cgroup) and kernfs id (the inode) of a folder.
 * 0, or -errno with a message that quotes the path.
 */
int cgroup__find(const char *path, uint32_t *hierarchy, uint64_t *id, char *err, size_t err_size);

#endif
