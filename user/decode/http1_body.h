/* SPDX-License-Identifier: Apache-2.0 */
/* http1_body.h - where the body of an HTTP/1 message ends (RFC 9112, 6 and 7). */
#ifndef DECODE_HTTP1_BODY_H
#define DECODE_HTTP1_BODY_H

#include <stdint.h>

#include "util/slice.h"

enum http1_phase {
	BODY_NONE,	 /* between messages */
	BODY_LENGTH,	 /* `left` bytes */
	BODY_CLOSE,	 /* until the connection is closed */
	BODY_CHUNK_SIZE, /* at a chunk's size line */
	BODY_CHUNK_DATA, /* `left` bytes of a chunk */
	BODY_CHUNK_END,	 /* at the line end after them */
	BODY_TRAILER,	 /* at a line of the trailer; `left`: bytes of it so far */
};

struct http1_body {
	enum http1_phase phase;
	uint64_t left;
	uint64_t size; /* of the content, so far */
};

/*
 * Goes as far as bytes and missing let it. *used: how many it passed over, 0 if none. The phase is
 * BODY_NONE when the body has ended. False: this is no chunked coding.
 */
bool http1_body__advance(struct http1_body *b, struct slice bytes, uint64_t missing, uint64_t *used);

#endif
