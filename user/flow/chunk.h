/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chunk.h - conn -> decode: the next piece of one direction of a connection, in order, with the
 * clocks and the actor of the transfer that moved it. Bytes that crossed the socket without being
 * captured are there as a length, so offsets are always right.
 */
#ifndef FLOW_CHUNK_H
#define FLOW_CHUNK_H

#include <linux/types.h>

#include "flow/connection.h"
#include "util/slice.h"

/* When, and by whom, a byte was moved. */
struct stamp {
	uint64_t start_ns; /* OUT: the send call began; IN: the byte became readable; 0 unknown */
	uint64_t end_ns;   /* the call had moved it */
	struct ws_actor actor;
	bool polls;   /* the thread is known to wait in epoll_wait */
	bool watched; /* IN: the socket is in an epoll set: an event loop reads it */
};

struct chunk {
	enum ws_dir dir;
	uint64_t offset;    /* of bytes.p[0] in this direction: TCP sequence extended to 64 bits */
	uint64_t peer_offset; /* next offset of the other direction at this moment */
	struct slice bytes; /* captured */
	uint64_t missing;   /* bytes that follow them on the wire and were not captured */
	uint8_t cap;	    /* enum ws_cap: why they are missing */
	uint64_t lost_before; /* bytes lost between the previous chunk and this one (a gap: loss, not budget) */
	bool turned;	    /* the other direction spoke since the previous chunk of this one */
	struct stamp at;
};

#endif
