/* SPDX-License-Identifier: Apache-2.0 */
/* proc.h - what /proc says of a process; proc(5). */
#ifndef UTIL_PROC_H
#define UTIL_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proc_stat {
	char state;
	uint32_t parent;
	unsigned flags; /* PF_* of include/linux/sched.h */
	unsigned long long start; /* clock ticks since boot */
};

/* Of a process, or, unless tid is 0, of one of its threads. Takes no lock that a process can hold for long. False, and all 0: gone. */
bool proc__stat(uint32_t pid, uint32_t tid, struct proc_stat *s);
/* The path of its executable, also one that was replaced, and so is no more. Its length; 0: gone, or a thread of the kernel. */
size_t proc__exe(uint32_t pid, char *exe, size_t size);
/* The one value that `format` (scanf(3)) has, of the first line of a file that it fits. False: there is none, and *value as before. */
bool proc__scan(const char *path, const char *format, void *value);
/* Tells this run of the kernel from others; "": not known. */
#define PROC_BOOT_SIZE 40
void proc__boot(char id[PROC_BOOT_SIZE]);

#endif
