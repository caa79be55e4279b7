// SPDX-License-Identifier: Apache-2.0
#include "export/pb.h"

#include <stdlib.h>

#define LENGTH_BYTES 4 /* of a reserved length: 4 * 7 bits */

unsigned char *pb__grow(struct pb *b, size_t n)
{
	size_t size = b->size ? b->size : 1024;

	while (size < b->n + n)
		size *= 2;
	b->p = realloc(b->p, size);
	if (!b->p)
		abort();
	b->size = size;
	return b->p + b->n;
}

void pb__free(struct pb *b)
{
	free(b->p);
	*b = (struct pb){0};
}

void pb__varint_field(struct pb *b, unsigned field, uint64_t value)
{
	unsigned char *p = pb__room(b, 20);

	b->n = (size_t)(pb__put_varint(pb__put_tag(p, field, PB_VARINT), value) - b->p);
}

static unsigned char *put_little_endian(unsigned char *p, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		*p++ = (unsigned char)(v >> (8 * i));
	return p;
}

void pb__fixed64_field(struct pb *b, unsigned field, uint64_t value)
{
	unsigned char *p = pb__room(b, 18);

	b->n = (size_t)(put_little_endian(pb__put_tag(p, field, PB_FIXED64), value, 8) - b->p);
}

void pb__fixed32_field(struct pb *b, unsigned field, uint32_t value)
{
	unsigned char *p = pb__room(b, 14);

	b->n = (size_t)(put_little_endian(pb__put_tag(p, field, PB_FIXED32), value, 4) - b->p);
}

void pb__append(struct pb *b, const void *p, size_t n)
{
	if (n)
		memcpy(pb__room(b, n), p, n);
	b->n += n;
}

void pb__bytes_field(struct pb *b, unsigned field, struct slice value)
{
	unsigned char *p = pb__room(b, 20 + value.n);

	b->n = (size_t)(pb__put_bytes(p, field, value.p, value.n) - b->p);
}

size_t pb__open(struct pb *b, unsigned field)
{
	unsigned char *p = pb__room(b, 10 + LENGTH_BYTES);

	b->n = (size_t)(pb__put_tag(p, field, PB_LEN) - b->p) + LENGTH_BYTES;
	return b->n;
}

void pb__close(struct pb *b, size_t opened)
{
	size_t length = b->n - opened;
	unsigned char *p = b->p + opened - LENGTH_BYTES;

	/* A varint may be longer than it needs to be. */
	for (int i = 0; i < LENGTH_BYTES; i++)
		p[i] = (unsigned char)((length >> (7 * i) & 0x7f) | (i < LENGTH_BYTES - 1 ? 0x80 : 0));
}
