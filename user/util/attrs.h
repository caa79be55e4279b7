/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attrs.h - a short list of OpenTelemetry attributes: key, typed value.
 *
 * Keys are static strings (the names of the semantic conventions); values are copied into the
 * list's own buffer. Bounded: at most ATTRS_MAX entries and ATTRS_BYTES of text; what does not fit
 * is cut or left out and counted in `dropped` (OTLP's droppedAttributesCount).
 */
#ifndef UTIL_ATTRS_H
#define UTIL_ATTRS_H

#include <stdint.h>

#include "util/slice.h"

#define ATTRS_MAX 40
#define ATTRS_BYTES 8192
#define ATTR_VALUE_MAX 2048 /* a longer string is cut at a UTF-8 boundary */

enum attr_type { ATTR_STR, ATTR_INT, ATTR_BOOL, ATTR_DOUBLE, ATTR_LIST /* of strings, each ended by NUL */ };

struct attr {
	const char *key;
	uint16_t key_len;
	uint8_t type; /* enum attr_type */
	union {
		struct { uint32_t off, len; } str; /* into attrs.text */
		int64_t i;
		double d;
	};
};

struct attrs {
	struct attr *v;
	char *text;
	uint16_t n, cap;
	uint32_t used, size;
	uint32_t dropped;
};

/* All zero is an empty list. free leaves it empty again. */
void attrs__free(struct attrs *a);
/* Forgets the entries, keeps the memory. */
void attrs__clear(struct attrs *a);

/* What is set: `add` is for a key that the list does not have yet, and saves the look-up. */
void attrs__set_text(struct attrs *a, struct slice key, enum attr_type type, struct slice value, bool add);
void attrs__set_number(struct attrs *a, struct slice key, enum attr_type type, int64_t bits, bool add);

/*
 * Setting a key that is there already replaces its value. Invalid UTF-8 becomes U+FFFD. Inline, for
 * then the length of a literal key costs nothing.
 */
static inline void attrs__str(struct attrs *a, const char *key, struct slice value)
{
	attrs__set_text(a, slice__of(key), ATTR_STR, value, false);
}

/* items: strings, each ended by NUL. */
static inline void attrs__list(struct attrs *a, const char *key, struct slice items)
{
	attrs__set_text(a, slice__of(key), ATTR_LIST, items, false);
}

static inline void attrs__int(struct attrs *a, const char *key, int64_t value)
{
	attrs__set_number(a, slice__of(key), ATTR_INT, value, false);
}

static inline void attrs__bool(struct attrs *a, const char *key, bool value)
{
	attrs__set_number(a, slice__of(key), ATTR_BOOL, value, false);
}

static inline void attrs__double(struct attrs *a, const char *key, double value)
{
	int64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	attrs__set_number(a, slice__of(key), ATTR_DOUBLE, bits, false);
}

static inline void attrs__add_str(struct attrs *a, const char *key, struct slice value)
{
	attrs__set_text(a, slice__of(key), ATTR_STR, value, true);
}

static inline void attrs__add_int(struct attrs *a, const char *key, int64_t value)
{
	attrs__set_number(a, slice__of(key), ATTR_INT, value, true);
}

/* Every entry of `from` set in `a`. */
void attrs__merge(struct attrs *a, const struct attrs *from);

const struct attr *attrs__find(const struct attrs *a, const char *key);
/* Takes an entry away, if it is there. */
void attrs__remove(struct attrs *a, const char *key);
/* The text of a string entry; empty if there is none of that key or it is no string. Valid until the list changes. */
struct slice attrs__get_str(const struct attrs *a, const char *key);
/* The number of an int entry, or `otherwise`. */
int64_t attrs__get_int(const struct attrs *a, const char *key, int64_t otherwise);

static inline struct slice attr__text(const struct attrs *a, const struct attr *at)
{
	return (struct slice){a->text + at->str.off, at->str.len};
}

#endif
