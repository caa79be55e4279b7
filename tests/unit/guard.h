/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard.h - input that lies flush against an unmapped page: a parser that reads one byte too many
 * dies at once, in every build. The page before it is unmapped too.
 */
#ifndef TEST_GUARD_H
#define TEST_GUARD_H

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/slice.h"

struct guard {
	char *map;   /* page without access, size bytes, page without access */
	size_t size; /* multiple of the page size */
};

static inline struct guard guard__new(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct guard g = {.size = (size + page - 1) / page * page};
	g.map = mmap(NULL, g.size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g.map == MAP_FAILED || mprotect(g.map + page, g.size, PROT_READ | PROT_WRITE) != 0)
		abort();
	return g;
}

/* A copy of s whose end is the end of what is mapped. Valid until the next put. */
static inline struct slice guard__put(struct guard *g, struct slice s)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	if (s.n > g->size)
		abort();
	char *p = g->map + page + g->size - s.n;
	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct slice){p, s.n};
}

static inline void guard__free(struct guard *g)
{
	if (g->map)
		munmap(g->map, g->size + 2 * (size_t)sysconf(_SC_PAGESIZE));
	g->map = NULL;
}

#endif
