/* SPDX-License-Identifier: Apache-2.0 */
/* slice.h - bytes that somebody else owns. Not NUL-terminated; valid as long as their owner says. */
#ifndef UTIL_SLICE_H
#define UTIL_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
	const char *p;
	size_t n;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

static inline struct slice slice__of(const char *s)
{
	return (struct slice){s, s ? strlen(s) : 0};
}

static inline bool slice__eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII case is ignored. */
static inline bool slice__eq_nocase(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static inline bool slice__starts(struct slice a, struct slice prefix)
{
	return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

static inline struct slice slice__sub(struct slice a, size_t from, size_t n)
{
	if (from > a.n)
		from = a.n;
	if (n > a.n - from)
		n = a.n - from;
	return (struct slice){from ? a.p + from : a.p, n}; /* nothing may be added to NULL, not even 0 (C11 6.5.6) */
}

/* Without spaces and tabs at both ends. */
static inline struct slice slice__trim(struct slice a)
{
	while (a.n && (a.p[0] == ' ' || a.p[0] == '\t'))
		a.p++, a.n--;
	while (a.n && (a.p[a.n - 1] == ' ' || a.p[a.n - 1] == '\t'))
		a.n--;
	return a;
}

/* The last part of a path: what follows its last slash, or all of it. */
static inline struct slice slice__leaf(struct slice path)
{
	const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;

	return slash ? slice__sub(path, (size_t)(slash + 1 - path.p), path.n) : path;
}

/* Position of c, or a.n. */
static inline size_t slice__find(struct slice a, char c)
{
	const char *q = a.n ? memchr(a.p, c, a.n) : NULL;
	return q ? (size_t)(q - a.p) : a.n;
}

#endif
