/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attrs.c - the list of attributes: one array of entries, one buffer of text, both grown on demand
 * up to the bounds of attrs.h and kept by clear, so a list that is used again allocates nothing. A value
 * that is replaced leaves a hole; holes are closed before the buffer grows, so that what is set again and
 * again, as a process's resource is, takes no more room than what is in the list.
 *
 * Text is made valid UTF-8 on the way in (OTLP strings must be): each maximal ill-formed part
 * becomes one U+FFFD, as Unicode 15, section 3.9, recommends.
 */
#include "util/attrs.h"

#include <stdlib.h>

#define ATTRS_USUAL 24 /* entries that most spans do with */
#define REPLACEMENT "\xEF\xBF\xBD"

void attrs__free(struct attrs *a)
{
	if (!a)
		return;
	free(a->v);
	free(a->text);
	*a = (struct attrs){0};
}

void attrs__clear(struct attrs *a)
{
	a->n = 0;
	a->used = 0;
	a->dropped = 0;
}

/*
 * Length of the well-formed sequence at p, or 0 and in *bad how many bytes make the ill-formed part.
 * Unicode 15, table 3-7.
 */
static size_t utf8__sequence(const unsigned char *p, size_t n, size_t *bad)
{
	unsigned char lo = 0x80, hi = 0xBF;
	size_t len;
	*bad = 1;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		len = 2;
	else if ((p[0] & 0xF0) == 0xE0)
		len = 3;
	else if (p[0] >= 0xF0 && p[0] <= 0xF4)
		len = 4;
	else
		return 0;
	/* No overlong forms, no surrogates, nothing past U+10FFFF. */
	switch (p[0]) {
	case 0xE0: lo = 0xA0; break;
	case 0xED: hi = 0x9F; break;
	case 0xF0: lo = 0x90; break;
	case 0xF4: hi = 0x8F; break;
	}
	for (size_t i = 1; i < len; i++) {
		if (i == n || p[i] < lo || p[i] > hi) {
			*bad = i;
			return 0;
		}
		lo = 0x80;
		hi = 0xBF;
	}
	return len;
}

static uint64_t load8(const char *p)
{
	uint64_t w;
	memcpy(&w, p, 8);
	return w;
}

static size_t ascii__prefix(const char *p, size_t n)
{
	const uint64_t high = 0x8080808080808080ull;
	size_t i = 0;
	while (i + 8 <= n && !(load8(p + i) & high))
		i += 8;
	/* Most texts end here: what is left, and some of what was looked at. */
	if (n >= 8 && i + 8 > n && !(load8(p + n - 8) & high))
		return n;
	while (i < n && !((unsigned char)p[i] & 0x80))
		i++;
	return i;
}

/* Copies `in` to `out` (room for `room` bytes) as UTF-8; cut before the sequence that does not fit. */
static size_t utf8__copy(char *out, size_t room, struct slice in)
{
	size_t at = 0, w = 0;
	while (at < in.n && w < room) {
		size_t n = in.n - at < room - w ? in.n - at : room - w, bad;
		size_t plain = ascii__prefix(in.p + at, n);
		if (plain) {
			memcpy(out + w, in.p + at, plain);
			at += plain;
			w += plain;
			continue;
		}
		size_t len = utf8__sequence((const unsigned char *)in.p + at, in.n - at, &bad);
		const char *from = len ? in.p + at : REPLACEMENT;
		size_t put = len ? len : 3;
		if (put > room - w)
			break;
		memcpy(out + w, from, put);
		w += put;
		at += len ? len : bad;
	}
	return w;
}

static bool attr__is_text(const struct attr *at)
{
	return at->type == ATTR_STR || at->type == ATTR_LIST;
}

/* Moves the texts together, in the order in which they lie. */
static void attrs__compact(struct attrs *a)
{
	uint32_t to = 0, from = 0;
	for (;;) {
		struct attr *next = NULL;
		for (unsigned i = 0; i < a->n; i++) {
			struct attr *at = &a->v[i];
			if (attr__is_text(at) && at->str.len && at->str.off >= from && (!next || at->str.off < next->str.off))
				next = at;
		}
		if (!next)
			break;
		from = next->str.off + next->str.len;
		memmove(a->text + to, a->text + next->str.off, next->str.len);
		next->str.off = to;
		to += next->str.len;
	}
	a->used = to;
}

static bool attrs__reserve_text(struct attrs *a, size_t need)
{
	uint32_t size = a->size ? a->size : 512;
	if (a->used + need > a->size && a->used)
		attrs__compact(a);
	if (a->used + need > ATTRS_BYTES)
		return false;
	while (size < a->used + need)
		size *= 2;
	if (size == a->size)
		return true;
	char *t = realloc(a->text, size);
	if (!t)
		return false;
	a->text = t;
	a->size = size;
	return true;
}

/* Keys of the conventions begin alike, but are of many lengths. */
static struct attr *attrs__lookup(const struct attrs *a, struct slice key)
{
	for (unsigned i = 0; i < a->n; i++) {
		const struct attr *at = &a->v[i];
		if (at->key == key.p || (at->key_len == key.n && memcmp(at->key, key.p, key.n) == 0))
			return &a->v[i];
	}
	return NULL;
}

/* A new entry of a key that the list does not have; NULL (counted) when there is no room. */
static struct attr *attrs__append(struct attrs *a, struct slice key)
{
	struct attr *at;
	if (a->n == a->cap) {
		unsigned cap = a->cap ? ATTRS_MAX : ATTRS_USUAL;
		struct attr *v = cap > a->cap ? realloc(a->v, cap * sizeof(*v)) : NULL;
		if (!v) {
			a->dropped++;
			return NULL;
		}
		a->v = v;
		a->cap = (uint16_t)cap;
	}
	at = &a->v[a->n++];
	at->key = key.p;
	at->key_len = (uint16_t)key.n;
	at->type = ATTR_BOOL;
	at->i = 0;
	return at;
}

void attrs__set_text(struct attrs *a, struct slice key, enum attr_type type, struct slice value, bool add)
{
	struct attr *at = add ? NULL : attrs__lookup(a, key);
	char clean[ATTR_VALUE_MAX];
	if (value.n > ATTR_VALUE_MAX || ascii__prefix(value.p, value.n) != value.n)
		value = (struct slice){clean, utf8__copy(clean, sizeof(clean), value)};
	if (at && attr__is_text(at) && value.n <= at->str.len) {
		if (value.n)
			memmove(a->text + at->str.off, value.p, value.n);
		at->type = (uint8_t)type;
		at->str.len = (uint32_t)value.n;
		return;
	}
	if (at) { /* its text is a hole from now on */
		at->type = ATTR_BOOL;
		at->i = 0;
	}
	if (!attrs__reserve_text(a, value.n)) {
		/* An old value would be a lie. */
		if (at)
			*at = a->v[--a->n];
		a->dropped++;
		return;
	}
	if (!at)
		at = attrs__append(a, key);
	if (!at)
		return;
	if (value.n)
		memcpy(a->text + a->used, value.p, value.n);
	at->type = (uint8_t)type;
	at->str.off = a->used;
	at->str.len = (uint32_t)value.n;
	a->used += (uint32_t)value.n;
}

void attrs__set_number(struct attrs *a, struct slice key, enum attr_type type, int64_t bits, bool add)
{
	struct attr *at = add ? NULL : attrs__lookup(a, key);
	if (!at)
		at = attrs__append(a, key);
	if (!at)
		return;
	at->type = (uint8_t)type;
	at->i = bits;
}

void attrs__remove(struct attrs *a, const char *key)
{
	struct attr *at = attrs__lookup(a, slice__of(key));

	if (at)
		*at = a->v[--a->n];
}

/* Into an empty list: nothing to look up, nothing to check again. */
static bool attrs__copy(struct attrs *a, const struct attrs *from)
{
	if (a->n || a->used || from->n > ATTRS_MAX || !attrs__reserve_text(a, from->used))
		return false;
	if (a->cap < from->n || !a->cap) {
		uint16_t cap = from->n > ATTRS_USUAL ? ATTRS_MAX : ATTRS_USUAL;
		struct attr *v = realloc(a->v, cap * sizeof(*v));
		if (!v)
			return false;
		a->v = v;
		a->cap = cap;
	}
	if (from->n)
		memcpy(a->v, from->v, from->n * sizeof(*a->v));
	if (from->used)
		memcpy(a->text, from->text, from->used);
	a->n = from->n;
	a->used = from->used;
	a->dropped += from->dropped;
	return true;
}

void attrs__merge(struct attrs *a, const struct attrs *from)
{
	if (attrs__copy(a, from))
		return;
	for (unsigned i = 0; i < from->n; i++) {
		const struct attr *at = &from->v[i];
		struct slice key = {at->key, at->key_len};
		if (attr__is_text(at))
			attrs__set_text(a, key, at->type, attr__text(from, at), false);
		else
			attrs__set_number(a, key, at->type, at->i, false);
	}
	a->dropped += from->dropped;
}

const struct attr *attrs__find(const struct attrs *a, const char *key)
{
	return attrs__lookup(a, slice__of(key));
}

struct slice attrs__get_str(const struct attrs *a, const char *key)
{
	const struct attr *at = attrs__lookup(a, slice__of(key));
	if (!at || at->type != ATTR_STR)
		return (struct slice){NULL, 0};
	return attr__text(a, at);
}

int64_t attrs__get_int(const struct attrs *a, const char *key, int64_t otherwise)
{
	const struct attr *at = attrs__lookup(a, slice__of(key));
	return at && at->type == ATTR_INT ? at->i : otherwise;
}
