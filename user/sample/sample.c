// SPDX-License-Identifier: Apache-2.0
/* sample.c - the verdict. Contract: sample.h. */
#include "sample/sample.h"

#include <stdlib.h>

#define ERAS 256			   /* eight minutes of pauses */
#define DOUBT_NS (10ull * 1000000000)	   /* after a pause: requests that began in it may still be served */
#define TRACESTATE_MAX 512		   /* W3C Trace Context: characters that must be kept */

/* A time during which one rule was in force; it ends where the next one begins. */
struct era {
	uint64_t from;
	uint64_t pause_end; /* of the last pause before it; 0: there was none */
	struct sample_rule rule;
};

struct sampler {
	span_fn *next;
	void *ctx;
	struct era eras[ERAS];
	unsigned n; /* ever begun */
	struct sample_counters counters;
};

struct sampler *sampler__new(span_fn *next, void *ctx)
{
	struct sampler *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->next = next;
	s->ctx = ctx;
	s->n = 1; /* everything, since ever */
	return s;
}

void sampler__free(struct sampler *s)
{
	free(s);
}

static struct era *sampler__era(struct sampler *s, unsigned i)
{
	return &s->eras[i % ERAS];
}

void sampler__set(struct sampler *s, uint64_t now, struct sample_rule rule)
{
	const struct era *last = sampler__era(s, s->n - 1);
	struct era next = {now, last->rule.paused ? now : last->pause_end, rule};

	if (last->rule.threshold == rule.threshold && last->rule.paused == rule.paused && last->rule.probes == rule.probes)
		return;
	*sampler__era(s, s->n++) = next;
}

enum verdict { KEEP, OUT_HASH, OUT_PAUSE, OUT_PROBE };

static enum verdict sampler__judge(struct sampler *s, const struct span *span, uint64_t *threshold)
{
	const unsigned oldest = s->n > ERAS ? s->n - ERAS : 0;
	unsigned i = s->n - 1;
	const struct era *era;

	while (i > oldest && sampler__era(s, i)->from > span->root.start_ns)
		i--;
	era = sampler__era(s, i);
	*threshold = era->rule.threshold;
	if (era->rule.paused || (era->from > span->root.start_ns && oldest))
		return OUT_PAUSE;
	if (era->pause_end && era->pause_end + DOUBT_NS > span->root.start_ns && !span->root.proved)
		return OUT_PAUSE;
	for (i++; i < s->n && sampler__era(s, i)->from < span->root.end_ns; i++)
		if (sampler__era(s, i)->rule.paused)
			return OUT_PAUSE;
	if (era->rule.probes && span->root.probe)
		return OUT_PROBE;
	if (*threshold && trace__randomness(span->trace_id, span->tracestate) < *threshold)
		return OUT_HASH;
	return KEEP;
}

void sampler__span(void *ctx, const struct span *span)
{
	struct sampler *s = ctx;
	char tracestate[TRACESTATE_MAX + 1];
	struct span kept = *span;
	uint64_t threshold;

	s->counters.spans++;
	switch (sampler__judge(s, span, &threshold)) {
	case OUT_HASH:
		s->counters.out_hash++;
		return;
	case OUT_PAUSE:
		s->counters.out_pause++;
		return;
	case OUT_PROBE:
		s->counters.out_probe++;
		return;
	case KEEP:
		s->counters.kept++;
	}
	if (threshold && tracestate__with_threshold(span->tracestate, threshold, tracestate, sizeof(tracestate)))
		kept.tracestate = tracestate;
	s->next(s->ctx, threshold ? &kept : span);
}

const struct sample_counters *sampler__counters(const struct sampler *s)
{
	return &s->counters;
}
