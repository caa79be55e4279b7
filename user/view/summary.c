// SPDX-License-Identifier: Apache-2.0
#include "view/summary.h"

#include <stdlib.h>
#include <string.h>

#include "view/tree.h"

#define SERVICES_MAX 256
#define CALLS_MAX 1024
#define USUAL 0.5 /* a call that more than half of the like requests make is usual */

struct service {
	char name[40];
	uint64_t *durations;
	unsigned n, cap, errors;
};

/* How many traces with this root operation make that call. */
struct call {
	char root[64], callee[40];
	unsigned traces;
	const struct vtrace *counted; /* the last one */
};

struct summary {
	struct service services[SERVICES_MAX];
	struct call calls[CALLS_MAX];
	unsigned n_services, n_calls;
};

static struct service *service__get(struct summary *s, const char *name)
{
	for (unsigned i = 0; i < s->n_services; i++)
		if (!strcmp(s->services[i].name, name))
			return &s->services[i];
	if (s->n_services == SERVICES_MAX)
		return &s->services[SERVICES_MAX - 1];
	snprintf(s->services[s->n_services].name, sizeof(s->services[0].name), "%s", name);
	return &s->services[s->n_services++];
}

static void service__add(struct service *s, uint64_t duration, bool error)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->durations = realloc(s->durations, s->cap * sizeof(*s->durations));
		if (!s->durations)
			abort();
	}
	s->durations[s->n++] = duration;
	s->errors += error;
}

static struct call *call__get(struct summary *s, const char *root, const char *callee)
{
	for (unsigned i = 0; i < s->n_calls; i++)
		if (!strcmp(s->calls[i].root, root) && !strcmp(s->calls[i].callee, callee))
			return &s->calls[i];
	if (s->n_calls == CALLS_MAX)
		return NULL;
	snprintf(s->calls[s->n_calls].root, sizeof(s->calls[0].root), "%s", root);
	snprintf(s->calls[s->n_calls].callee, sizeof(s->calls[0].callee), "%s", callee);
	return &s->calls[s->n_calls++];
}

static void summary__count(struct summary *s, struct vtrace *t)
{
	vtrace__arrange(t);
	if (!t->root)
		return;
	for (const struct vspan *v = t->spans; v; v = v->next) {
		const struct vspan *far = vspan__far(v);
		struct call *c;

		if (v->client)
			continue;
		service__add(service__get(s, far->service), vspan__duration(far), far->error);
		c = v == t->root ? NULL : call__get(s, vspan__far(t->root)->operation, far->service);
		if (c && c->counted != t) {
			c->counted = t;
			c->traces++;
		}
	}
}

static bool vtrace__calls(const struct vtrace *t, const char *service)
{
	for (const struct vspan *v = t->spans; v; v = v->next)
		if (!strcmp(vspan__far(v)->service, service))
			return true;
	return false;
}

static unsigned traces_of(struct store *st, const char *operation)
{
	unsigned n = 0;

	for (struct list *l = st->all.next; l != &st->all; l = l->next) {
		struct vtrace *t = LIST_ENTRY(l, struct vtrace, all);

		n += t->root && !strcmp(vspan__far(t->root)->operation, operation);
	}
	return n;
}

/* What requests like this one usually call and this one did not. */
static bool missing_calls(struct summary *s, struct store *st, const struct vtrace *t, char *text, size_t size)
{
	const char *operation = vspan__far(t->root)->operation;
	unsigned all = traces_of(st, operation);
	size_t n = 0;

	for (unsigned i = 0; i < s->n_calls && n < size; i++) {
		const struct call *c = &s->calls[i];

		if (strcmp(c->root, operation) || c->traces < 2 || c->traces <= USUAL * all || vtrace__calls(t, c->callee))
			continue;
		n += (size_t)snprintf(text + n, size - n, "%s%s was not called (called in %u of %u %s)",
				      n ? "; " : "", c->callee, c->traces, all, operation);
	}
	return n;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Nearest rank: never above the maximum. */
static double percentile(const struct service *s, unsigned percent)
{
	unsigned rank = (s->n * percent + 99) / 100;

	return ms_of(s->durations[rank ? rank - 1 : 0]);
}

static void print__services(const struct view_options *o, struct summary *s)
{
	fprintf(o->out, "%s%-26s %8s %8s %10s %10s %10s%s\n", colour__on(o, COLOUR_DIM), "service", "requests", "errors",
		"p50 ms", "p95 ms", "p99 ms", colour__off(o));
	for (unsigned i = 0; i < s->n_services; i++) {
		struct service *v = &s->services[i];

		qsort(v->durations, v->n, sizeof(*v->durations), by_value);
		fprintf(o->out, "%-26s %8u %s%8u%s %10.1f %10.1f %10.1f\n", v->name, v->n,
			colour__on(o, v->errors ? COLOUR_RED : COLOUR_NONE), v->errors,
			v->errors ? colour__off(o) : "", percentile(v, 50), percentile(v, 95), percentile(v, 99));
		free(v->durations);
	}
	fputc('\n', o->out);
}

/* The request whose customer was told that all is well, and it was not. */
static struct vtrace *find__lost(struct store *st)
{
	for (struct list *l = st->all.next; l != &st->all; l = l->next) {
		struct vtrace *t = LIST_ENTRY(l, struct vtrace, all);

		if (t->root && t->n > 1 && !vspan__far(t->root)->error && vtrace__has_error(t))
			return t;
	}
	return NULL;
}

static struct vtrace *find__slowest(struct store *st)
{
	struct vtrace *slowest = NULL;

	for (struct list *l = st->all.next; l != &st->all; l = l->next) {
		struct vtrace *t = LIST_ENTRY(l, struct vtrace, all);

		if (t->root && (!slowest || vspan__duration(t->root) > vspan__duration(slowest->root)))
			slowest = t;
	}
	return slowest;
}

static void print__truth(const struct view_options *o, const struct view_truth *t)
{
	fprintf(o->out,
		"capture: %llu exchanges, %llu lost, %llu truncated, %llu unlinked; records %llu made = %llu seen + %llu lost; "
		"agent %.1f us CPU an exchange, %.0f MiB + %.0f MiB in the kernel\n",
		(unsigned long long)t->exchanges, (unsigned long long)t->lost, (unsigned long long)t->truncated,
		(unsigned long long)t->unlinked, (unsigned long long)t->records_made,
		(unsigned long long)t->records_seen, (unsigned long long)t->records_lost, t->agent_us_per_exchange,
		(double)t->rss_bytes / 1048576, (double)t->map_bytes / 1048576);
}

void summary__print(const struct view_options *o, struct store *st, const struct view_truth *truth)
{
	struct summary *s = calloc(1, sizeof(*s));
	struct vtrace *lost, *slow;
	char remark[512];

	if (!s)
		abort();
	for (struct list *l = st->all.next; l != &st->all; l = l->next)
		summary__count(s, LIST_ENTRY(l, struct vtrace, all));
	print__services(o, s);
	lost = find__lost(st);
	slow = find__slowest(st);
	if (lost)
		tree__print(o, lost, "LOST", missing_calls(s, st, lost, remark, sizeof(remark)) ? remark : NULL);
	if (slow && slow != lost)
		tree__print(o, slow, "SLOWEST", NULL);
	print__truth(o, truth);
	free(s);
}
