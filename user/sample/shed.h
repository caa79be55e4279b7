/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shed.h - how much to leave out. In: what the agent used so far, once a second; out: a step of the
 * ladder. No clock and no effect of its own: the same loads give the same steps.
 *
 * Each step leaves out what those before it do (whole traces by hash apart, which pauses replace, for they
 * save more of what is lost for them):
 *
 *   1      payload: heads of SHED_HEAD bytes, not up to 16 KiB
 *   2      what is worth least: connections that nobody understands (no record at all), and traces of health
 *          checks that have succeeded (link/probe.h; that only saves what comes after link)
 *   3      half of the traces, chosen by a hash of their id (sample.h): saves what comes after link
 *   4 - 8  tracing pauses: of every SHED_PERIOD_NS only 1/2, 1/4 ... 1/32 is traced, and of that only
 *          traces that lie wholly within. Saves everything, in the kernel as well.
 */
#ifndef SAMPLE_SHED_H
#define SAMPLE_SHED_H

#include <stdbool.h>
#include <stdint.h>

#define SHED_HEAD 1024
#define SHED_PERIOD_NS (2000ull * 1000000)
#define SHED_AVERAGE_NS (10000ull * 1000000) /* over which the budget holds: bursts are free */
#define SHED_SETTLE_NS (2 * SHED_PERIOD_NS)  /* before a step is judged */

struct shed_step {
	const char *what;   /* for the log */
	double cost;	    /* share of the agent's CPU that is left, as measured (man page, LOAD) */
	uint32_t head;	    /* bytes of a head; 0: as the budgets say */
	bool low_value;	    /* leave these out */
	uint64_t threshold; /* of 2^56: traces whose random number is below are left out */
	unsigned pause;	    /* n: one part in 2^n of the time is traced */
};
extern const struct shed_step shed_steps[];
extern const unsigned shed_steps_n;

struct shed_load {
	uint64_t now_ns;
	uint64_t cpu_ns; /* so far: the agent's and, where it is known, that of the BPF programs */
	uint64_t rss_bytes;
};

struct shed_budget {
	double cpu;	 /* cores: 0.05; 0: none */
	uint64_t memory; /* bytes; 0: none */
};

/* What came of it (agent/govern.c). */
struct shed_counters {
	uint64_t step, steps_up, steps_down;
	uint64_t pauses, paused_ns;
	uint64_t budget_cpu_ns;	   /* of a second */
	uint64_t used_cpu_ns;	   /* of a second, on average */
	uint64_t budget_memory;
};

#define SHED_SAMPLES 16

struct shed {
	struct shed_budget budget;
	unsigned step;
	uint64_t changed_ns; /* when it was taken */
	struct shed_load samples[SHED_SAMPLES];
	unsigned n; /* ever taken */
	bool for_memory; /* what the last step up was for */
};

/* step 0. */
void shed__init(struct shed *s, const struct shed_budget *b);
/* Once a second. True: s->step has changed. */
bool shed__load(struct shed *s, const struct shed_load *l);
/* Cores used on average over the last ten seconds, or since the last step if that is later; -1: too early to tell. */
double shed__cores(const struct shed *s);

#endif
