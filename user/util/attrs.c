/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attrs.c - the list of attributes: one array of entries, one buffer of text, both grown on demand
 * up to the bounds of attrs.h and kept by clear, so a list that is used again allocates nothing.
 *
 * Text is made valid UTF-8 on the way in (OTLP strings must be): each maximal ill-formed part
 * becomes one U+FFFD, as Unicode 15, section 3.9, recommends.
 */
#include "util/attrs.h"

#include <stdlib.h>

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

static size_t ascii__prefix(const char *p, size_t n)
{
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		uint64_t w;
		memcpy(&w, p + i, 8);
		if (w & 0x8080808080808080ull)
			break;
	}
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

static bool attrs__reserve_text(struct attrs *a, size_t need)
{
	uint32_t size = a->size ? a->size : 512;
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
static struct attr *attrs__lookup(const struct attrs *a, const char *key)
{
	size_t n = strlen(key);
	for (unsigned i = 0; i < a->n; i++) {
		const struct attr *at = &a->v[i];
		if (at->key == key || (at->key_len == n && memcmp(at->key, key, n) == 0))
			return &a->v[i];
	}
	return NULL;
}

/* A new entry of a key that the list does not have; NULL (counted) when there is no room. */
static struct attr *attrs__append(struct attrs *a, const char *key)
{
	struct attr *at;
	if (a->n == a->cap) {
		unsigned cap = a->cap ? a->cap * 2u : 16;
		if (cap > ATTRS_MAX)
			cap = ATTRS_MAX;
		struct attr *v = cap > a->cap ? realloc(a->v, cap * sizeof(*v)) : NULL;
		if (!v) {
			a->dropped++;
			return NULL;
		}
		a->v = v;
		a->cap = (uint16_t)cap;
	}
	at = &a->v[a->n++];
	*at = (struct attr){.key = key, .key_len = (uint16_t)strlen(key), .type = ATTR_BOOL};
	return at;
}

/* The entry of that key, made if need be. */
static struct attr *attrs__entry(struct attrs *a, const char *key)
{
	struct attr *at = attrs__lookup(a, key);
	return at ? at : attrs__append(a, key);
}

/* at: the entry to fill, NULL for a new one. */
static void attrs__set_str(struct attrs *a, struct attr *at, const char *key, struct slice value)
{
	/* Each ill-formed byte may become three; what is longer than the bound is cut anyway. */
	size_t plain = ascii__prefix(value.p, value.n);
	size_t room = plain == value.n ? value.n : value.n * 3;
	if (room > ATTR_VALUE_MAX)
		room = ATTR_VALUE_MAX;
	if (!attrs__reserve_text(a, room)) {
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
	size_t n = room ? utf8__copy(a->text + a->used, room, value) : 0;
	at->type = ATTR_STR;
	at->str.off = a->used;
	at->str.len = (uint32_t)n;
	a->used += (uint32_t)n;
}

void attrs__str(struct attrs *a, const char *key, struct slice value)
{
	attrs__set_str(a, attrs__lookup(a, key), key, value);
}

void attrs__add_str(struct attrs *a, const char *key, struct slice value)
{
	attrs__set_str(a, NULL, key, value);
}

void attrs__add_int(struct attrs *a, const char *key, int64_t value)
{
	struct attr *at = attrs__append(a, key);
	if (!at)
		return;
	at->type = ATTR_INT;
	at->i = value;
}

void attrs__int(struct attrs *a, const char *key, int64_t value)
{
	struct attr *at = attrs__entry(a, key);
	if (!at)
		return;
	at->type = ATTR_INT;
	at->i = value;
}

void attrs__bool(struct attrs *a, const char *key, bool value)
{
	struct attr *at = attrs__entry(a, key);
	if (!at)
		return;
	at->type = ATTR_BOOL;
	at->i = value;
}

void attrs__double(struct attrs *a, const char *key, double value)
{
	struct attr *at = attrs__entry(a, key);
	if (!at)
		return;
	at->type = ATTR_DOUBLE;
	at->d = value;
}

/* Into an empty list: nothing to look up, nothing to check again. */
static bool attrs__copy(struct attrs *a, const struct attrs *from)
{
	if (a->n || a->used || from->n > ATTRS_MAX || !attrs__reserve_text(a, from->used))
		return false;
	if (a->cap < from->n) {
		struct attr *v = realloc(a->v, from->n * sizeof(*v));
		if (!v)
			return false;
		a->v = v;
		a->cap = from->n;
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
		switch (at->type) {
		case ATTR_STR: attrs__str(a, at->key, attr__text(from, at)); break;
		case ATTR_INT: attrs__int(a, at->key, at->i); break;
		case ATTR_BOOL: attrs__bool(a, at->key, at->i != 0); break;
		case ATTR_DOUBLE: attrs__double(a, at->key, at->d); break;
		}
	}
	a->dropped += from->dropped;
}

const struct attr *attrs__find(const struct attrs *a, const char *key)
{
	return attrs__lookup(a, key);
}

struct slice attrs__get_str(const struct attrs *a, const char *key)
{
	const struct attr *at = attrs__lookup(a, key);
	if (!at || at->type != ATTR_STR)
		return (struct slice){NULL, 0};
	return attr__text(a, at);
}

int64_t attrs__get_int(const struct attrs *a, const char *key, int64_t otherwise)
{
	const struct attr *at = attrs__lookup(a, key);
	return at && at->type == ATTR_INT ? at->i : otherwise;
}
