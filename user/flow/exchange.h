/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange.h - exchange -> link: one request with its response on one end of one connection, and
 * its clocks. Made in exchange, changed by link only in the part that says so.
 *
 * Clocks (CLOCK_MONOTONIC ns, 0 unknown), server's end / client's end:
 *   request_first   first byte readable          / first send call began
 *   request_read    first byte read              / first send call done
 *   request_last    last byte read               / last byte sent
 *   response_first  first send call began        / first byte readable
 *   response_last   last send call began         / last byte read
 *   closed          no response came: the connection's end, for then the wait was over
 */
#ifndef FLOW_EXCHANGE_H
#define FLOW_EXCHANGE_H

#include "flow/connection.h"
#include "flow/message.h"

enum exchange_flag {
	XCHG_NO_REQUEST_BYTES = 1, /* a response without the request that caused it */
	XCHG_NO_RESPONSE = 2,	   /* connection closed, or time ran out, before it came */
	XCHG_CUT = 4,		   /* headers or text longer than what was captured */
	XCHG_LOST = 8,		   /* the kernel or a queue of ours lost bytes of it */
	XCHG_ONE_WAY = 16,	   /* none was to come */
	XCHG_ERROR = 32,
	XCHG_CLIENT_ERROR = 64,	   /* an error for the client's span only */
	XCHG_TIMEOUT = 256,	   /* given up after a long wait */
	XCHG_SILENT = 512,
	XCHG_SHED = 2048,	   /* bytes of it were left out on purpose: the agent sheds load */
	XCHG_CROWDED = 1024,	   /* given up: a table of ours was full */
};

/* What identifies one exchange at both ends: NAT leaves it alone. */
struct exchange_key {
	uint32_t request_seq;  /* TCP sequence of the request's first byte */
	uint32_t response_seq; /* of the response's first byte, or where it would have begun */
};

struct exchange {
	struct connection *conn; /* counted */
	const char *protocol; /* name, static */
	bool inbound; /* we are the server's end */
	unsigned flags; /* enum exchange_flag */
	uint8_t cut_for; /* XCHG_CUT: enum ws_cap */
	struct exchange_key key;
	uint64_t request_first, request_read, request_last, response_first, response_last, closed;
	uint64_t request_bytes, response_bytes;
	uint64_t response_from; /* offset in the response's direction when the request began: it can't begin before */
	struct ws_actor reader;	 /* inbound: who read the request's last bytes; outbound: who sent its first */
	struct ws_actor answerer; /* inbound: who sent the response's first byte; outbound: who read it */
	struct attrs attrs;
	char name[96], error_type[48];
	char *error_message; /* or NULL */
	struct trace_context trace;
	char *tracestate; /* or NULL */
	struct exchange *next; /* queue of its connection */
	struct link_node *node; /* link's own */
};

static inline uint64_t exchange__ended(const struct exchange *x)
{
	return x->response_last ? x->response_last : x->closed > x->request_last ? x->closed : x->request_last;
}

#endif
