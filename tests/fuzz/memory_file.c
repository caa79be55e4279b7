/* SPDX-License-Identifier: Apache-2.0 */
#include "memory_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void memory_file__open(struct memory_file *f)
{
	f->fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (f->fd < 0)
		abort();
	snprintf(f->path, sizeof(f->path), "/proc/self/fd/%d", f->fd);
}

void memory_file__fill(struct memory_file *f, const void *p, size_t n)
{
	if (n && pwrite(f->fd, p, n, 0) != (ssize_t)n)
		abort();
	if (n < f->size && ftruncate(f->fd, (off_t)n))
		abort();
	f->size = n;
}
