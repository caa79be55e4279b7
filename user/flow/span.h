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
	EV_TURN,       /* of a loop: the one request read in the turn of the call and answered in that of its reply */
	EV_GOROUTINE,  /* the same goroutine, or one that it handed the work to */
	EV_CALLBACK,   /* a callback that the request, or the reply to its call, led to sent it */
	EV_COROUTINE,  /* the coroutine that made the call answered the request next; or, tokio: it was asked by one that serves the request */
	EV_WAKE,       /* the thread that made the call woke the one that waited for it */
	EV_ANSWER,     /* the thread that made the call wrote the response of a request that another one read */
	EV_MAX
};
const char *evidence__name(enum evidence e); /* "root", "unknown", "header", ... (wirespan.link.evidence) */

/* The topmost span of the same tree that is known here, which may be the span itself. */
struct local_root {
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
	bool proved;		   /* nothing that is traced has caused it, or trace context on the wire says what did */
	bool probe;		   /* it is a health check that succeeded, if that was wanted (linker__judge_probes) */
};

/* A request that a call was made for together with others: it is none's child. */
struct span_link {
	uint8_t trace_id[16], span_id[8];
	uint8_t trace_flags;
	enum evidence evidence;
};

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
	const struct span_link *links;
	unsigned n_links, links_dropped;
	const struct process *process; /* whose resource it is; never NULL */
	enum evidence evidence;
	const char *protocol;	/* "http", "postgresql", "redis" */
	bool lost, cut;		/* a loss, a truncation touched it */
	struct local_root root;
};
typedef void span_fn(void *ctx, const struct span *s);

#endif
