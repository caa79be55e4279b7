// SPDX-License-Identifier: Apache-2.0
/* account.c - the counters of all stages as they stand: for the log at the end, and for /metrics. */
#include "agent/state.h"
#include "util/log.h"

#define ALIVE_NS (10ull * 1000000000)

void agent__ledger(struct agent *a, struct ledger *l)
{
	*l = (struct ledger){
		.capture = capture__counters(a->capture),
		.conn = conns__counters(a->conns),
		.decode = decode__counters(a->decode),
		.exchange = exchanges__counters(a->exchanges),
		.link = linker__counters(a->linker),
		.sample = sampler__counters(a->sampler),
		.shed = govern__counters(a->govern),
		.export = a->export ? export__counters(a->export) : NULL,
		.meta = meta__counters(a->meta),
		.gap = gap__counters(a->gap),
		.cpu_us_at_start = a->cpu_us_at_start,
	};
	ledger__measure(&a->own);
	if (a->attach) {
		attach__counters(a->attach, a->kernel);
		a->own.map_bytes = attach__map_bytes(a->attach);
		a->own.ring_bytes = a->cfg.attach.ring_bytes;
		a->own.ring_fill_bytes = attach__ring_fill(a->attach);
	}
	l->agent = a->own;
	memcpy(l->kernel, a->kernel, sizeof(l->kernel));
}

static void metrics__ledger(void *ctx, struct ledger *l)
{
	struct agent *a = ctx;

	agent__ledger(a, l);
	if (a->attach)
		l->n_programs = attach__programs(a->attach, l->programs, LEDGER_PROGRAMS);
	/* Nobody has run: kernel.bpf_stats_enabled is off. */
	for (size_t i = 0; i < l->n_programs; i++)
		if (l->programs[i].runs)
			return;
	l->n_programs = 0;
}

/* The loop answers, so it turns; its timer must have been heard lately as well. */
static const char *metrics__alive(void *ctx)
{
	struct agent *a = ctx;

	return clock__ns(CLOCK_MONOTONIC) - a->ticked < ALIVE_NS ? NULL : "the timer was not heard for ten seconds";
}

static const char *metrics__attached(void *ctx)
{
	struct agent *a = ctx;

	return a->capture && !a->stop ? NULL : "not tracing";
}

/* The default address may be taken, by another agent: that is no reason not to trace. */
int agent__open_metrics(struct agent *a, char *err, size_t size)
{
	const struct metrics_source source = {a, metrics__ledger, metrics__alive, metrics__attached};
	const char *where = a->cfg.metrics;
	int rc;

	if (!where)
		where = a->cfg.serves ? METRICS_DEFAULT : "off";
	if (!strcmp(where, "off"))
		return 0;
	a->metrics = metrics__new(where, a->epoll_fd, &source, &rc, err, size);
	if (!a->metrics && !a->cfg.metrics) {
		log__warn("no metrics: %s is taken, by another agent perhaps; --metrics ADDRESS:PORT chooses another",
			  METRICS_DEFAULT);
		return 0;
	}
	if (!a->metrics)
		return rc;
	log__info("metrics: http://%s/metrics", metrics__where(a->metrics));
	if (!metrics__is_local(a->metrics))
		log__warn("metrics: %s can be reached from other machines, by anybody", metrics__where(a->metrics));
	return 0;
}
