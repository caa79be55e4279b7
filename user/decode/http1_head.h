/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_head.h - the head of an HTTP/1 message: start line and header fields, as far as a tracer
 * wants to know them. In: bytes. Out: struct http1_head, whose slices point into these bytes.
 *
 * Beside it: http1_body.c finds the end of the body, http1_message.c turns a head into attributes,
 * http1.c is the row of the table that puts them together.
 */
#ifndef DECODE_HTTP1_HEAD_H
#define DECODE_HTTP1_HEAD_H

#include "decode/decode.h"
#include "decode/trace_context.h"

enum http1_method {
	HTTP1_UNKNOWN, /* not seen */
	HTTP1_OTHER,   /* seen, but none of these */
	HTTP1_GET,
	HTTP1_HEAD,
	HTTP1_POST,
	HTTP1_PUT,
	HTTP1_DELETE,
	HTTP1_CONNECT,
	HTTP1_OPTIONS,
	HTTP1_TRACE,
	HTTP1_PATCH,
	HTTP1_QUERY,
	HTTP1_METHODS
};

enum http1_coding { CODING_NONE, CODING_CHUNKED, CODING_OTHER }; /* the last transfer coding */

struct http1_head {
	size_t size;	/* bytes of a whole head, with its empty line */
	bool line_done; /* the start line was there to its end */
	uint8_t minor;	/* HTTP/1.minor */
	/* request */
	enum http1_method method;
	struct slice method_text, target; /* target: as far as it goes if !line_done */
	/* response */
	unsigned status;
	/* fields */
	struct slice host, user_agent;
	bool has_length;
	uint64_t length;
	enum http1_coding coding;
	bool broken; /* framing that RFC 9112 calls an error */
	struct trace_headers trace;
};

enum http1_answer { HEAD_WHOLE, HEAD_PART, HEAD_BAD };

/* HEAD_PART: all that `bytes` holds is in h, and is no head yet. */
enum http1_answer http1_head__parse(struct http1_head *h, enum decode_side side, struct slice bytes);

/* GET or the like, by its letters; HTTP1_OTHER if it is none that is known. */
enum http1_method http1__method(struct slice name);
struct slice http1__method_name(enum http1_method m);

#endif
