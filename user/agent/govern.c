// SPDX-License-Identifier: Apache-2.0
/*
 * govern.c - contract: govern.h.
 *
 * Windows begin at multiples of SHED_PERIOD_NS of the wall clock, and a smaller one is the beginning of a
 * larger one: agents of several nodes that pause trace at the same moments, as those that sample by hash
 * keep the same traces.
 */
#include "agent/govern.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/process_use.h"

#define SAMPLE_NS (1000ull * 1000000)
#define PROGRAMS_MAX 64
#define SETTLING 4 /* one part of a window in that many: no trace that begins in it is kept */

struct govern {
	struct attach *attach;
	struct sampler *sampler;
	struct shed shed;
	struct shed_counters n;
	uint64_t sampled_ns;
	uint64_t paused_at; /* 0: not paused */
	unsigned told;	    /* bits of the steps that were told of */
	int timer_fd;
};

void govern__set_budget(struct govern *g, const struct shed_budget *b)
{
	g->shed.budget = *b;
	g->n.budget_cpu_ns = (uint64_t)(b->cpu * 1e9);
	g->n.budget_memory = b->memory;
	g->told = 0;
}

struct govern *govern__new(const struct shed_budget *b, struct attach *a, struct sampler *s, int epoll_fd)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct govern *g;

	if (b->cpu <= 0 && !b->memory)
		return NULL;
	g = calloc(1, sizeof(*g));
	if (!g)
		abort();
	g->attach = a;
	g->sampler = s;
	shed__init(&g->shed, b);
	govern__set_budget(g, b);
	g->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	ev.data.ptr = g;
	if (g->timer_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, g->timer_fd, &ev)) {
		govern__free(g);
		return NULL;
	}
	return g;
}

void govern__free(struct govern *g)
{
	if (!g)
		return;
	if (g->timer_fd >= 0)
		close(g->timer_fd);
	free(g);
}

static void govern__arm(struct govern *g, uint64_t in_ns)
{
	const struct itimerspec at = {.it_value = {(time_t)(in_ns / 1000000000), (long)(in_ns % 1000000000)}};

	timerfd_settime(g->timer_fd, 0, &at, NULL);
}

/*
 * The sampler first when tracing stops, the kernel's half first when it goes on: a trace that seems to lie
 * within a window does.
 */
static void govern__switch(struct govern *g, bool paused)
{
	const struct shed_step *step = &shed_steps[g->shed.step];
	const struct attach_shed s = {paused, step->low_value, step->head};
	const struct sample_rule rule = {.threshold = step->threshold, .paused = paused, .probes = step->low_value};
	uint64_t now, settled;

	if (paused)
		sampler__set(g->sampler, clock__ns(CLOCK_MONOTONIC), rule);
	attach__shed(g->attach, &s);
	now = clock__ns(CLOCK_MONOTONIC);
	/* Requests that began in the pause go on for a while, and are in the way of links. */
	settled = g->paused_at ? now + (SHED_PERIOD_NS >> step->pause) / SETTLING : now;
	if (!paused)
		sampler__set(g->sampler, settled, rule);
	if (g->paused_at && !paused) {
		g->n.paused_ns += now - g->paused_at;
		g->paused_at = 0;
	} else if (paused && !g->paused_at) {
		g->n.pauses++;
		g->paused_at = now;
	}
}

/* Where in its period is the wall clock? Switches, and waits for the next edge. */
static void govern__window(struct govern *g)
{
	const struct shed_step *step = &shed_steps[g->shed.step];
	uint64_t at = clock__ns(CLOCK_REALTIME) % SHED_PERIOD_NS, open = SHED_PERIOD_NS >> step->pause;

	govern__switch(g, at >= open);
	if (step->pause)
		govern__arm(g, at < open ? open - at : SHED_PERIOD_NS - at);
}

/* What the BPF programs took; known while kernel.bpf_stats_enabled is on. */
static uint64_t govern__bpf_ns(const struct govern *g)
{
	struct attach_program p[PROGRAMS_MAX];
	uint64_t sum = 0;

	for (size_t i = 0, n = attach__programs(g->attach, p, PROGRAMS_MAX); i < n; i++)
		sum += p[i].run_ns;
	return sum;
}

/* Each step once at its first time; what it is undone by, as often as it is. */
static void govern__tell(struct govern *g, unsigned before, double cores, uint64_t rss)
{
	const struct shed *s = &g->shed;
	const char *what = shed_steps[s->step].what;

	if (s->step < before) {
		log__info("load has fallen: step %u of %u, %s", s->step, shed_steps_n - 1, what);
		return;
	}
	if (g->told & 1u << s->step)
		return;
	g->told |= 1u << s->step;
	if (s->for_memory)
		log__warn("%.0f MiB of memory, more than %.0f: step %u of %u, %s; raise --max-memory", (double)rss / 1048576,
			  (double)s->budget.memory / 1048576, s->step, shed_steps_n - 1, what);
	else
		log__warn("the agent took %.1f %% of a core, more than %.1f: step %u of %u, %s; raise --max-cpu", cores * 100,
			  s->budget.cpu * 100, s->step, shed_steps_n - 1, what);
}

void govern__tick(struct govern *g, uint64_t now)
{
	struct shed_load l = {.now_ns = now};
	unsigned before;
	double cores;

	if (!g || now < g->sampled_ns + SAMPLE_NS)
		return;
	g->sampled_ns = now;
	before = g->shed.step;
	l.cpu_ns = clock__ns(CLOCK_PROCESS_CPUTIME_ID) + govern__bpf_ns(g);
	l.rss_bytes = process_use__rss();
	/* What lies about in malloc's pools is no use of memory. */
	if (g->shed.budget.memory && l.rss_bytes > g->shed.budget.memory) {
		malloc_trim(0);
		l.rss_bytes = process_use__rss();
	}
	cores = shed__cores(&g->shed);
	if (shed__load(&g->shed, &l)) {
		govern__tell(g, before, cores, l.rss_bytes);
		g->n.steps_up += g->shed.step > before;
		g->n.steps_down += g->shed.step < before;
		govern__window(g);
	}
	cores = shed__cores(&g->shed);
	g->n.used_cpu_ns = cores > 0 ? (uint64_t)(cores * 1e9) : g->n.used_cpu_ns;
	g->n.step = g->shed.step;
}

void govern__ready(struct govern *g)
{
	uint64_t expirations;

	if (read(g->timer_fd, &expirations, sizeof(expirations)) == sizeof(expirations))
		govern__window(g);
}

void govern__stop(struct govern *g)
{
	if (!g)
		return;
	govern__arm(g, 0);
	g->shed.step = 0;
	govern__switch(g, false);
}

struct shed_counters govern__counters(const struct govern *g)
{
	struct shed_counters none = {0};

	if (!g)
		return none;
	none = g->n;
	if (g->paused_at)
		none.paused_ns += clock__ns(CLOCK_MONOTONIC) - g->paused_at;
	return none;
}
