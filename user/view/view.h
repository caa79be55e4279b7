/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.h - what a person looks at. Keeps spans by trace until the trace is quiet, prints trees, and
 * at the end a summary: services, the most telling traces, the truth about the capture.
 */
#ifndef VIEW_VIEW_H
#define VIEW_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "flow/span.h"

struct view_options {
	FILE *out;
	bool colour;	/* a terminal, and NO_COLOR is not set */
	unsigned width; /* columns, 60 at least; 0: as the terminal has, up to 160, or 110 if it is none */
	bool live;	/* print each trace when it is complete */
	bool summary;	/* print services and notable traces at the end */
};

/* The one line of truth; filled by the agent from the counters of all stages. */
struct view_truth {
	uint64_t exchanges, lost, truncated, unlinked, spans;
	uint64_t records_made, records_seen, records_lost;
	double agent_us_per_exchange;
	uint64_t rss_bytes, map_bytes;
};

struct view;
struct view *view__new(const struct view_options *o);
void view__free(struct view *v);
void view__span(struct view *v, const struct span *s);
/* Prints traces whose root has come and that have been quiet for 300 ms. */
void view__tick(struct view *v, uint64_t now_ns);
/* Prints the rest, and the summary. */
void view__finish(struct view *v, const struct view_truth *t);

#endif
