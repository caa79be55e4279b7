/* SPDX-License-Identifier: Apache-2.0 */
/* memory_file.h - bytes under a path, for what reads files: made once, filled anew for every input. */
#ifndef FUZZ_MEMORY_FILE_H
#define FUZZ_MEMORY_FILE_H

#include <stddef.h>
#include <stdint.h>

struct memory_file {
	int fd;
	size_t size;
	char path[32]; /* /proc/self/fd/N */
};

/* Aborts where there is none to be had. */
void memory_file__open(struct memory_file *f);
void memory_file__fill(struct memory_file *f, const void *p, size_t n);

#endif
