/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.h - a cgroup's folder as the kernel knows it. */
#ifndef ATTACH_CGROUP_H
#define ATTACH_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Hierarchy number (0: version 2; /proc/self/cgroup) and kernfs id (the inode) of a folder.
 * 0, or -errno with a message that quotes the path.
 */
int cgroup__find(const char *path, uint32_t *hierarchy, uint64_t *id, char *err, size_t err_size);

/* The hierarchy in which containers are looked for: version 2 where it is alone, else one that every runtime uses. */
uint32_t cgroup__hierarchy(void);
/* The id of the cgroup of a process in that hierarchy, and its path; 0: it has gone, or the cgroup cannot be seen from here. */
uint64_t cgroup__of_pid(uint32_t pid, uint32_t hierarchy, char *path, size_t size);
/* Is a process in the group of that id, or below it? */
bool cgroup__holds(uint32_t hierarchy, uint64_t id, uint32_t pid);

#endif
