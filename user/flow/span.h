/* SPDX-License-Identifier: Apache-2.0 */
/*
 * span.h - link -> sample -> export / view: an OpenTelemetry span, finished. Valid during the call
 * only. Ids are binary; times are wall clock, nanoseconds since 1970.
 */
#ifndef FLOW_SPAN_H
#define FLOW_SPAN_H

#include "util/attrs.h"

struct process;

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER = 2, SPAN_CLIENT = 3 }; /* OTLP's numbers */
enum span_status { SPAN_UNSET = 0, SPAN_OK = 1, SPAN_ERROR = 2 };	 /* OTLP's numbers */

/* Why the parent is believed to be the parent. */
enum evidence {
	EV_ROOT,       /* no parent, and that is known: came from outside what is traced */
	EV_UNKNOWN,    /* no parent found that could be proved */
	EV_HEADER,     /* trace context on the wire */
	EV_CONNECTION, /* the two ends of the same bytes */
	EV_THREAD,     /* one thread, one request at a time */
	EV_EVENT_LOOP, /* last inbound read on this loop turn; reply restores; connect remembers */
	EV_GOROUTINE,  /* the same goroutine */
	EV_MAX
};
const char *evidence__name(enum evidence e); /* "root", "unknown", "header", ... (wirespan.link.evidence) */

struct span {
	uint8_t trace_id[16], span_id[8], parent_id[8];
	bool has_parent;
	uint8_t trace_flags;
	const char *tracestate; /* or NULL */
	enum span_kind kind;
	const char *name;
	uint64_t start_ns, end_ns; /* CLOCK_REALTIME */
	enum span_status status;
	const char *status_message; /* or NULL */
	struct attrs *attrs;	    /* not the resource's */
	const struct process *process; /* whose resource it is; never NULL */
	enum evidence evidence;
	const char *protocol;	/* "http", "postgresql", "redis" */
	bool lost, cut;		/* a loss, a truncation touched it */
};

#endif
