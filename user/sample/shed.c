// SPDX-License-Identifier: Apache-2.0
/* shed.c - the ladder and who climbs it. Contract: shed.h. */
#include "sample/shed.h"

#define DOWN_SHARE 0.8 /* of the budget: what the step below may cost for us to go there */
#define DOWN_ALL 0.5   /* what no step at all may cost for us to go there at once */
#define UNTOLD (-1.0)

#define HALF (1ull << 55)

const struct shed_step shed_steps[] = {
	{"everything is traced", 1, 0, false, 0, 0},
	{"heads of 1 KiB at most", .95, SHED_HEAD, false, 0, 0},
	{"connections that nobody understands, and health checks that succeed, are passed over", .9, SHED_HEAD, true, 0, 0},
	{"half of the traces are kept", .8, SHED_HEAD, true, HALF, 0},
	{"half of the time is traced", .5, SHED_HEAD, true, 0, 1},
	{"a quarter of the time is traced", .25, SHED_HEAD, true, 0, 2},
	{"an eighth of the time is traced", .125, SHED_HEAD, true, 0, 3},
	{"1/16 of the time is traced", .0625, SHED_HEAD, true, 0, 4},
	{"1/32 of the time is traced", .03125, SHED_HEAD, true, 0, 5},
};
const unsigned shed_steps_n = sizeof(shed_steps) / sizeof(*shed_steps);

void shed__init(struct shed *s, const struct shed_budget *b)
{
	*s = (struct shed){.budget = *b};
}

static const struct shed_load *shed__newest(const struct shed *s)
{
	return &s->samples[(s->n - 1) % SHED_SAMPLES];
}

/* The oldest sample that says something of this step, and is not older than the average wants. */
static const struct shed_load *shed__oldest(const struct shed *s)
{
	const struct shed_load *now = shed__newest(s), *found = now;

	for (unsigned i = 2; i <= s->n && i <= SHED_SAMPLES; i++) {
		const struct shed_load *l = &s->samples[(s->n - i) % SHED_SAMPLES];

		if (l->now_ns < s->changed_ns)
			break;
		found = l;
		if (now->now_ns - l->now_ns >= SHED_AVERAGE_NS)
			break;
	}
	return found;
}

/* How long it looks back now. */
static uint64_t shed__seen_ns(const struct shed *s)
{
	return s->n ? shed__newest(s)->now_ns - shed__oldest(s)->now_ns : 0;
}

double shed__cores(const struct shed *s)
{
	uint64_t ns = shed__seen_ns(s);

	return ns ? (double)(shed__newest(s)->cpu_ns - shed__oldest(s)->cpu_ns) / (double)ns : UNTOLD;
}

/* What another step would cost, from what this one does. */
static double shed__predict(const struct shed *s, unsigned step)
{
	return shed__cores(s) * shed_steps[step].cost / shed_steps[s->step].cost;
}

static bool shed__take(struct shed *s, unsigned step)
{
	s->step = step;
	s->changed_ns = shed__newest(s)->now_ns;
	return true;
}

/* The first step that will do; of memory nobody knows what a step saves. */
static bool shed__up(struct shed *s)
{
	const bool cpu = s->budget.cpu > 0 && shed__cores(s) > s->budget.cpu;
	const bool memory = s->budget.memory && shed__newest(s)->rss_bytes > s->budget.memory;
	unsigned step = s->step + 1;

	/* Ten seconds at first: a burst is no load. */
	if (shed__seen_ns(s) < (s->step || !cpu ? SHED_SETTLE_NS : SHED_AVERAGE_NS) || (!cpu && !memory) ||
	    step >= shed_steps_n)
		return false;
	while (cpu && step + 1 < shed_steps_n && shed__predict(s, step) > s->budget.cpu)
		step++;
	s->for_memory = !cpu;
	return shed__take(s, step);
}

static bool shed__down(struct shed *s)
{
	const bool cpu = s->budget.cpu > 0;

	if (!s->step || shed__seen_ns(s) < SHED_AVERAGE_NS)
		return false;
	if (s->budget.memory && (double)shed__newest(s)->rss_bytes > DOWN_SHARE * (double)s->budget.memory)
		return false;
	if (!cpu || shed__predict(s, 0) <= DOWN_ALL * s->budget.cpu)
		return shed__take(s, 0);
	if (shed__predict(s, s->step - 1) <= DOWN_SHARE * s->budget.cpu)
		return shed__take(s, s->step - 1);
	return false;
}

bool shed__load(struct shed *s, const struct shed_load *l)
{
	if (!s->n)
		s->changed_ns = l->now_ns;
	s->samples[s->n++ % SHED_SAMPLES] = *l;
	return shed__up(s) || shed__down(s);
}
