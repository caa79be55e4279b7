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
void pb__varint_field(struct pb *b, unsigned field, uint64_t value);
void pb__fixed64_field(struct pb *b, unsigned field, uint64_t value);
void pb__fixed32_field(struct pb *b, unsigned field, uint32_t value);
void pb__bytes_field(struct pb *b, unsigned field, struct slice value);
void pb__append(struct pb *b, const void *p, size_t n);
/* Opens a submessage of less than 2^28 bytes; returns what close wants. */
size_t pb__open(struct pb *b, unsigned field);
void pb__close(struct pb *b, size_t opened);

#endif
