/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_context.h - header fields -> struct trace_context. Used by every protocol that carries
 * them as names and values.
 *
 * W3C Trace Context (traceparent, tracestate), W3C Baggage (only that it was there: its values are
 * the application's own data and are never exported), B3 single and multiple headers
 * (openzipkin/b3-propagation). traceparent is stronger than b3, b3 than X-B3-*. What is malformed
 * is ignored, as the specifications ask, and counted.
 */
#ifndef DECODE_TRACE_CONTEXT_H
#define DECODE_TRACE_CONTEXT_H

#include "flow/message.h"

struct trace_headers {
	struct trace_context w3c, single, multi;
	unsigned traceparents; /* lines of it; more than one is malformed */
	unsigned malformed;
	bool baggage;
	bool state_bad; /* tracestate is malformed or longer than what is kept */
	uint16_t state_n;
	char state[512]; /* 3.3.1.5: at least that many are to be passed on */
};

void trace_headers__init(struct trace_headers *t);
/* One header field, value without surrounding blanks. True: it was one of ours. */
bool trace_headers__take(struct trace_headers *t, struct slice name, struct slice value);
/* Sets m->trace and m->tracestate. */
void trace_headers__finish(const struct trace_headers *t, struct message *m);

/* The parsers behind it. False: malformed, *tc is not valid. */
bool traceparent__parse(struct slice value, struct trace_context *tc);
bool b3__parse(struct slice value, struct trace_context *tc);
/* Is this a well-formed tracestate list, of one line or several combined by commas? */
bool tracestate__valid(struct slice list);

#endif
