/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cursor.h - the only way to read foreign bytes. Past the end every getter returns 0 (or an empty
 * slice) and sets `over`, which stays set: read a whole structure first, then ask once.
 */
#ifndef UTIL_CURSOR_H
#define UTIL_CURSOR_H

#include <stdint.h>

#include "util/slice.h"

struct cursor {
	const unsigned char *p, *end;
	bool over;
};

static inline struct cursor cursor__of(struct slice s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	return (struct cursor){p, s.n ? p + s.n : p, false};
}

static inline size_t cursor__left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

/* n bytes, or an empty slice and `over`. */
static inline struct slice cursor__bytes(struct cursor *c, size_t n)
{
	if (c->over || cursor__left(c) < n) {
		c->over = true;
		return (struct slice){NULL, 0};
	}
	c->p += n;
	return (struct slice){(const char *)c->p - n, n};
}

static inline uint8_t cursor__u8(struct cursor *c)
{
	struct slice s = cursor__bytes(c, 1);
	return s.n ? (uint8_t)s.p[0] : 0;
}

static inline uint16_t cursor__be16(struct cursor *c)
{
	struct slice s = cursor__bytes(c, 2);
	const unsigned char *b = (const unsigned char *)s.p;
	return s.n ? (uint16_t)(b[0] << 8 | b[1]) : 0;
}

static inline uint32_t cursor__be32(struct cursor *c)
{
	struct slice s = cursor__bytes(c, 4);
	const unsigned char *b = (const unsigned char *)s.p;
	return s.n ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

/* Up to, not with, the next `stop`, which is passed over; `over` if there is none. */
static inline struct slice cursor__until(struct cursor *c, char stop)
{
	const unsigned char *q = c->over || c->p == c->end ? NULL : memchr(c->p, stop, cursor__left(c));
	if (!q) {
		c->over = true;
		return (struct slice){NULL, 0};
	}
	struct slice s = {(const char *)c->p, (size_t)(q - c->p)};
	c->p = q + 1;
	return s;
}

/* A NUL-terminated string, without the NUL. */
static inline struct slice cursor__cstr(struct cursor *c)
{
	return cursor__until(c, '\0');
}

#endif
