// SPDX-License-Identifier: Apache-2.0
/* runtime.c - the processes that are followed in their runtimes, and have probes. Contract: runtime.h. */
#include "attach/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach/attach.h"
#include "attach/haproxy.h"
#include "attach/java.h"
#include "attach/nodejs.h"
#include "attach/python.h"
#include "attach/running.h"
#include "attach/runtime_table.h"
#include "attach/tokio.h"
#include "attach/uprobe.h"
#include "meta/meta.h"
#include "util/clock.h"
#include "util/list.h"
#include "util/log.h"

#define IDLE_NS (60ull * 1000000000)
#define JAVA_PAUSE_NS (250ull * 1000000)
#define JAVA_PAUSE_MAX_NS (300ull * 1000000000)
#define COUNT_NS (1000ull * 1000000)
#define SWEEP_NS (1000ull * 1000000)
#define MANY 8	 /* calls without a parent in that time, or among MANY * SHARE_GO if that takes longer; and */
#define SHARE 20 /* one in so many: then probes are worth their cost; */
#define SHARE_GO 100 /* of Go's, whose first stage costs half of what the others do: more of them */

struct followed {
	struct list all;
	struct process *p; /* counted */
	uint64_t start;	   /* which of all those of its pid it is (running.h) */
	const struct runtime *runtime; /* NULL: looked at again when it serves, for libraries are mapped after exec */
	struct uprobes *stages[STAGES_MAX]; /* or NULL */
	unsigned stage; /* so many are attached */
	bool failed;	/* the next one cannot be */
	struct uprobes *promises; /* Node.js; or NULL */
	bool no_promises;
	uint8_t time; /* ws_process.handoffs */
	uint64_t counted_ns; /* since then calls are counted */
	uint64_t look_ns, pause_ns; /* Java: when it is looked at again, for classes are loaded late */
};

struct runtimes {
	struct attach *attach;
	bool off;
	uint8_t times; /* how often probes were attached: ws_process.handoffs */
	bool ended;    /* somebody's were taken away: what the kernel keeps for them can go */
	uint64_t swept_ns;
	struct list all;
};

struct runtimes *runtimes__new(struct attach *a, bool off)
{
	struct runtimes *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	r->attach = a;
	r->off = off;
	list__init(&r->all);
	return r;
}

static void followed__forget_promises(struct runtimes *r, struct followed *f, void (*end)(struct uprobes *u))
{
	if (f->promises)
		attach__drop_node_waits(r->attach, f->p->pid);
	end(f->promises);
	f->promises = NULL;
}

static void followed__free(struct runtimes *r, struct followed *f, bool gone)
{
	void (*const end)(struct uprobes *u) = gone ? uprobes__abandon : uprobes__free;

	followed__forget_promises(r, f, end);
	for (unsigned i = 0; i < STAGES_MAX; i++)
		end(f->stages[i]);
	list__remove(&f->all);
	process__unref(f->p);
	free(f);
}

void runtimes__free(struct runtimes *r)
{
	if (!r)
		return;
	while (!list__empty(&r->all))
		followed__free(r, LIST_ENTRY(r->all.next, struct followed, all), false);
	free(r);
}

/* The two below speak only of a process that is traced, and that is still the one that was started then. */
static void process__tell(struct runtimes *r, const struct followed *f)
{
	const struct process *p = f->p;
	struct ws_process kernel = {.selected = 1, .ctx_kind = (uint8_t)f->runtime->kind, .goid_offset = p->goid_offset,
				    .curg_offset = p->curg_offset, .handoffs = f->stage ? f->time : 0, .stage = (uint8_t)f->stage};

	attach__tell_process(r->attach, p->pid, f->start, &kernel);
}

/* It runs that runtime; whether it needs to be followed in it, its calls tell. */
static void followed__becomes(struct runtimes *r, struct followed *f, enum ws_ctx_kind kind)
{
	f->runtime = runtime__of(kind);
	f->p->counts_calls = true;
	process__tell(r, f);
}

/* It has threads like others; the kernel reads the context that each is in besides. */
static bool followed__is_python(struct runtimes *r, struct followed *f)
{
	struct ws_python python;

	if (!python__find(f->p->pid, &python) || attach__set_python(r->attach, f->p->pid, &python))
		return false;
	followed__becomes(r, f, WS_CTX_PYTHON);
	return true;
}

static bool followed__is_haproxy(struct runtimes *r, struct followed *f)
{
	const struct ws_process kernel = {.selected = 1, .ctx_kind = WS_CTX_HAPROXY, .goid_offset = haproxy__find(f->p->pid)};

	if (!kernel.goid_offset || attach__tell_process(r->attach, f->p->pid, f->start, &kernel))
		return false;
	f->p->ctx_kind = WS_CTX_HAPROXY;
	return true;
}

/* The same for Java. Is there nothing to be looked at again? */
static bool process__tell_java(struct runtimes *r, struct followed *f, uint64_t now)
{
	const struct ws_process kernel = {.selected = 1, .ctx_kind = WS_CTX_JAVA};
	struct ws_java java;
	char why[128];

	if (r->off || !java__find(f->p->pid, &java, why, sizeof(why)) || attach__set_java(r->attach, f->p->pid, &java) ||
	    attach__tell_process(r->attach, f->p->pid, f->start, &kernel))
		return true;
	f->p->ctx_kind = WS_CTX_JAVA;
	f->pause_ns = f->pause_ns ? f->pause_ns * 2 : JAVA_PAUSE_NS;
	f->look_ns = now + f->pause_ns;
	return java__is_complete(&java) || f->pause_ns > JAVA_PAUSE_MAX_NS;
}

void runtimes__add(struct runtimes *r, struct process *p)
{
	struct followed *f;

	if (!attach__is_selected(r->attach, p->pid))
		return;
	runtimes__forget(r, p->pid, false);
	f = calloc(1, sizeof(*f));
	if (!f)
		abort();
	f->p = process__ref(p);
	f->start = process__start(p->pid);
	f->runtime = runtime__of(p->ctx_kind);
	f->failed = r->off || (f->runtime && !p->curg_offset);
	list__append(&r->all, &f->all);
	if (f->runtime)
		process__tell(r, f);
	else if (r->off || (!followed__is_python(r, f) && followed__is_haproxy(r, f)))
		followed__free(r, f, false);
}

void runtimes__forget(struct runtimes *r, uint32_t pid, bool gone)
{
	struct list *l, *next;

	for (l = r->all.next; l != &r->all; l = next) {
		struct followed *f = LIST_ENTRY(l, struct followed, all);

		next = l->next;
		if (f->p->pid != pid)
			continue;
		r->ended |= f->stage > 0;
		followed__free(r, f, gone);
	}
}

static struct uprobes *followed__first_probes(struct runtimes *r, struct followed *f, char *err, size_t err_size)
{
	const struct runtime *t = f->runtime;
	struct uprobe_point v[POINTS_MAX];
	char path[32];
	size_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", f->p->pid);
	if (t->find) {
		n = t->find(f->p->pid, v, POINTS_MAX, err, err_size);
		for (size_t i = 0; i < n; i++)
			v[i].program = attach__find_program(r->attach, v[i].symbol);
	} else {
		n = runtime__points(t, 0, r->attach, v);
		if (uprobes__try(path, v, n, err, err_size))
			return NULL;
	}
	if (!n || (t->prepare && t->prepare(r->attach, f->p, path, err, err_size)))
		return NULL;
	return uprobes__attach(f->p->pid, path, v, n, err, err_size);
}

/* What was sent seemed to be sent in the contexts of others. */
static void process__contexts_told(struct process *p)
{
	p->contexts_ns = clock__ns(CLOCK_MONOTONIC);
	p->shares_contexts = p->calls_on = p->calls_first = p->starts_workers = false;
}

static struct uprobes *followed__more_probes(struct runtimes *r, struct followed *f, char *err, size_t err_size)
{
	struct uprobe_point v[POINTS_MAX];
	size_t n = runtime__points(f->runtime, f->stage, r->attach, v);
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/exe", f->p->pid);
	return uprobes__attach(f->p->pid, path, v, n, err, err_size);
}

/* What an earlier time left in the kernel's maps is of no use, nor what was learned of Go while only replies were followed. */
static void followed__begin_time(struct runtimes *r, struct followed *f)
{
	bool go = f->runtime->kind == WS_CTX_GO;

	if (f->stage > (go ? 2 : 1))
		return;
	r->times = r->times % (WS_HANDOFFS_REPLIES - 1) + 1;
	f->time = r->times | (go && f->stage == 1 ? WS_HANDOFFS_REPLIES : 0);
	r->ended |= f->stage > 1;
}

static void followed__attach(struct runtimes *r, struct followed *f)
{
	char err[256] = "";
	struct uprobes *u = f->stage ? followed__more_probes(r, f, err, sizeof(err)) : followed__first_probes(r, f, err, sizeof(err));

	f->failed = !u;
	if (f->failed) {
		log__info("%s (%u): hand-offs in its %s runtime are not followed%s: %s", f->p->service, f->p->pid,
			  f->runtime->name, f->stage ? " further" : "", err);
		return;
	}
	f->stages[f->stage++] = u;
	log__info("%s (%u): hand-offs in its %s runtime are followed, stage %u", f->p->service, f->p->pid, f->runtime->name, f->stage);
	followed__begin_time(r, f);
	process__tell(r, f);
	if (f->stage == 1 && f->p->sends_later)
		process__contexts_told(f->p);
}

static struct uprobes *followed__promise_probes(struct runtimes *r, const struct followed *f, const char *path,
						struct uprobe_point *v, char *err, size_t err_size)
{
	int rc = attach__add_node_waits(r->attach, f->p->pid);
	struct uprobes *u = rc ? NULL : uprobes__attach(f->p->pid, path, v, NODEJS_PROMISES, err, err_size);

	if (rc)
		snprintf(err, err_size, "no memory in the kernel for what waits for promises: %s", strerror(-rc));
	else if (!u)
		attach__drop_node_waits(r->attach, f->p->pid);
	return u;
}

/* Calls that follow from replies need them. */
static void followed__attach_promises(struct runtimes *r, struct followed *f)
{
	struct uprobe_point v[NODEJS_PROMISES];
	char err[256] = "V8's functions for promises are not found, as in a stripped program";
	struct nodejs n;

	if (nodejs__find(f->p->pid, &n) && n.promises[0]) {
		for (unsigned i = 0; i < NODEJS_PROMISES; i++)
			v[i] = (struct uprobe_point){.symbol = nodejs__promise_program(i), .offset = n.promises[i],
						     .program = attach__find_program(r->attach, nodejs__promise_program(i))};
		f->promises = followed__promise_probes(r, f, n.path, v, err, sizeof(err));
	}
	log__info("%s (%u): %s", f->p->service, f->p->pid, f->promises ? "promises in its Node.js runtime are followed" : err);
	f->no_promises = !f->promises;
}

static void followed__detach(struct runtimes *r, struct followed *f)
{
	f->stage = 0;
	process__tell(r, f);
	for (unsigned i = 0; i < STAGES_MAX; i++) {
		uprobes__free(f->stages[i]);
		f->stages[i] = NULL;
	}
	followed__forget_promises(r, f, uprobes__free);
	f->failed = false;
	f->p->hands_off = false;
	r->ended = true;
}

/* Probes where calls would have no parent without them: a program whose requests make their calls themselves needs none. */
static bool followed__wants_more(const struct followed *f)
{
	const struct process *p = f->p;
	uint32_t n = f->stage ? p->untold_calls : p->lone_calls;

	if (f->failed || (f->stage && (f->stage == STAGES_MAX || !f->runtime->stages[f->stage][0].symbol)))
		return false;
	return n >= MANY && n * (f->stage && f->runtime->kind == WS_CTX_GO ? SHARE_GO : SHARE) >= p->calls;
}

static void followed__look(struct runtimes *r, struct followed *f, uint64_t now)
{
	struct process *p = f->p;

	if (followed__wants_more(f))
		followed__attach(r, f);
	else if (f->stage && !f->promises && !f->no_promises && f->runtime->kind == WS_CTX_NODE &&
		 p->loose_calls >= MANY && p->loose_calls * SHARE >= p->calls)
		followed__attach_promises(r, f);
	else if (f->counted_ns + COUNT_NS > now || p->calls < MANY * SHARE_GO)
		return;
	p->calls = p->lone_calls = p->untold_calls = p->loose_calls = 0;
	f->counted_ns = now;
}

/* It serves: is it Node.js, whose callbacks may be followed? */
static bool followed__is_node(struct runtimes *r, struct followed *f)
{
	struct nodejs n;

	if (!nodejs__find(f->p->pid, &n))
		return false;
	followed__becomes(r, f, WS_CTX_NODE);
	return true;
}

/* Does it run tasks of tokio? */
static bool followed__is_tokio(struct runtimes *r, struct followed *f)
{
	if (!tokio__is(f->p->pid))
		return false;
	followed__becomes(r, f, WS_CTX_TOKIO);
	return true;
}

static bool runtimes__follows(void *ctx, uint32_t pid, uint32_t time)
{
	const struct runtimes *r = ctx;

	for (const struct list *l = r->all.next; l != &r->all; l = l->next) {
		const struct followed *f = LIST_ENTRY(l, struct followed, all);

		if (f->p->pid == pid && f->stage)
			return f->time == time;
	}
	return false;
}

/* What values wait in channels is swept while every send is seen; the rest when somebody is followed no more. */
static void runtimes__sweep(struct runtimes *r, uint64_t now)
{
	bool sends = false;

	for (const struct list *l = r->all.next; l != &r->all && !sends; l = l->next)
		sends = LIST_ENTRY(l, struct followed, all)->stage >= WS_GO_SENDS;
	if ((!sends && !r->ended) || r->swept_ns + SWEEP_NS > now)
		return;
	attach__sweep_go(r->attach, r->ended, runtimes__follows, r);
	r->ended = false;
	r->swept_ns = now;
}

void runtimes__tick(struct runtimes *r, uint64_t now)
{
	struct list *l, *next;

	for (l = r->all.next; l != &r->all; l = next) {
		struct followed *f = LIST_ENTRY(l, struct followed, all);
		bool serves = f->p->serves && f->p->served_ns + IDLE_NS > now;

		next = l->next;
		if (!f->runtime) {
			if (serves && f->look_ns <= now && !followed__is_python(r, f) && !followed__is_node(r, f) &&
			    !followed__is_tokio(r, f) && (followed__is_haproxy(r, f) || process__tell_java(r, f, now)))
				followed__free(r, f, false);
			continue;
		}
		if (!serves && f->stage)
			followed__detach(r, f);
		else if (serves)
			followed__look(r, f, now);
	}
	runtimes__sweep(r, now);
}
