/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_reply.h - follows one reply of RESP2 or RESP3 through its bytes, however they are cut and
 * however deep it is nested, and says where it ends. Nothing is kept but a stack of counts.
 *
 * RESP specification ("Redis serialization protocol specification"), RESP3 specification (streamed
 * strings and aggregates, attributes).
 */
#ifndef DECODE_REDIS_REPLY_H
#define DECODE_REDIS_REPLY_H

#include <stdint.h>

#include "util/slice.h"

#define REPLY_DEPTH 64
#define REPLY_LINE_MAX 512 /* of a line or an error that are looked at */

struct redis_reply {
	uint64_t skip;		    /* bytes left of a bulk string, with its CRLF */
	uint64_t left[REPLY_DEPTH]; /* elements to come */
	uint64_t attributes;	    /* bit by depth: an attribute, which is no element of its parent */
	uint8_t depth;
	bool line;    /* within a line whose end is not there yet */
	bool element; /* skip or line belongs to an element, which ends with it */
};

enum reply_status { REPLY_DONE, REPLY_GOES_ON, REPLY_MORE, REPLY_BAD };

/*
 * Takes bytes, and of what was not captured as much as its lengths allow; *used says how many.
 * DONE: the reply ended there. GOES_ON: all that could be taken is. MORE: nothing could. An error
 * at the top is put into *error (of the input; cut at REPLY_LINE_MAX), else that stays as it was.
 */
enum reply_status redis_reply__walk(struct redis_reply *r, struct slice bytes, uint64_t missing, uint64_t *used,
				    struct slice *error);

/* The number in a line such as "$12\r\n". 0 not all there, -1 it is none, else the bytes of the line. */
int redis__number(struct slice s, int64_t *n);

#endif
