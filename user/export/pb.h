/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pb.h - appends protobuf wire format (protobuf.dev, "Encoding") to a growing buffer. Lengths of
 * submessages are reserved as varints of fixed width and filled in later.
 */
#ifndef EXPORT_PB_H
#define EXPORT_PB_H

#include <stdint.h>

#include "util/slice.h"

struct pb {
	unsigned char *p;
	size_t n, size;
};

enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_LEN = 2, PB_FIXED32 = 5 };

void pb__free(struct pb *b);
/* Room for n more bytes: where they go. */
unsigned char *pb__grow(struct pb *b, size_t n);
static inline unsigned char *pb__room(struct pb *b, size_t n)
{
	return b->n + n <= b->size ? b->p + b->n : pb__grow(b, n);
}

/* For what is sized before it is written: no bound is looked at. They return the end of what they wrote. */
static inline size_t pb__varint_size(uint64_t v)
{
	return (70u - (unsigned)__builtin_clzll(v | 1)) / 7;
}

static inline unsigned char *pb__put_varint(unsigned char *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (unsigned char)(v | 0x80);
	*p++ = (unsigned char)v;
	return p;
}

static inline unsigned char *pb__put_tag(unsigned char *p, unsigned field, enum pb_wire wire)
{
	return pb__put_varint(p, (uint64_t)field << 3 | wire);
}

static inline unsigned char *pb__put_bytes(unsigned char *p, unsigned field, const char *bytes, size_t n)
{
	p = pb__put_varint(pb__put_tag(p, field, PB_LEN), n);
	if (n)
		memcpy(p, bytes, n);
	return p + n;
}

void pb__varint_field(struct pb *b, unsigned field, uint64_t value);
void pb__fixed64_field(struct pb *b, unsigned field, uint64_t value);
void pb__fixed32_field(struct pb *b, unsigned field, uint32_t value);
void pb__bytes_field(struct pb *b, unsigned field, struct slice value);
void pb__append(struct pb *b, const void *p, size_t n);
/* Opens a submessage of less than 2^28 bytes; returns what close wants. */
size_t pb__open(struct pb *b, unsigned field);
void pb__close(struct pb *b, size_t opened);

#endif
