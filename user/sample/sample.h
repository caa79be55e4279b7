/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample.h - keeps or drops a local trace as a whole. In: spans from link; out: those of kept traces.
 *
 * Nothing is remembered of a trace: every span names the ends of its local root (struct span), and the
 * verdict is a function of these, of the trace id, and of what was in force when the root began. So all
 * spans of a trace get the same one, whenever they come.
 *
 *   by hash    the random part of the trace id against a threshold, as OpenTelemetry's "TraceState:
 *              Probability Sampling" has it: agents and SDKs with the same or a lower one keep the same
 *              traces. What is kept carries th in its tracestate, so that counts can be scaled.
 *   by worth   traces of health checks that have succeeded (struct local_root)
 *   by pause   a trace is kept if tracing was on from its root's beginning to its end, and if its root is
 *              known to be one: what follows from a request that was not seen is no whole trace.
 */
#ifndef SAMPLE_SAMPLE_H
#define SAMPLE_SAMPLE_H

#include "flow/span.h"

struct sample_counters {
	uint64_t spans; /* = kept + the rest */
	uint64_t kept, out_hash, out_pause, out_probe;
};

struct sampler;
struct sampler *sampler__new(span_fn *next, void *ctx);
void sampler__free(struct sampler *s);
/* s: a struct sampler; a span_fn. */
void sampler__span(void *s, const struct span *span);
/* What is left out. All zero: nothing. */
struct sample_rule {
	uint64_t threshold; /* 0 to 2^56 */
	bool paused, probes;
};
/* From now (CLOCK_MONOTONIC ns, as struct span's root) on. */
void sampler__set(struct sampler *s, uint64_t now, struct sample_rule rule);
const struct sample_counters *sampler__counters(const struct sampler *s);

/* --- tracestate.c --- */

/* What decides: rv of the tracestate's ot member, else the last 56 bits of the trace id. */
uint64_t trace__randomness(const uint8_t trace_id[16], const char *tracestate);
/* tracestate (or NULL) with ot=th:THRESHOLD, or with the higher one that it has already. False: it does not fit. */
bool tracestate__with_threshold(const char *tracestate, uint64_t threshold, char *out, size_t size);

#endif
