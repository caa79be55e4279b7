// SPDX-License-Identifier: Apache-2.0
/*
 * events.c - where the stages begin and end: an event of the kernel goes to who understands it, a span
 * to who wants it.
 */
#include <stdlib.h>

#include "agent/state.h"
#include "util/log.h"

#define CLOCK_STEP_NS (5 * 1000000ll) /* a wall clock that moved by less is left alone */
#define CLOCK_LOOK_NS 1000000
#define IN_FLIGHT_NS 5000000 /* a record may come so much later than a younger one */
#define CLOCK_TOLD_NS (100 * 1000000ll)
#define POOLS_IDLE_NS (30ull * 1000000000)
#define META_TEXT_MAX 8192

/*
 * k8s.* are of the resource, so of who calls, and the conventions have no names for the other end's but
 * service.peer.*: these are ours.
 */
static const struct {
	const char *fact, *key;
} peer_facts[] = {
	{"k8s.namespace.name", "wirespan.peer.k8s.namespace.name"},
	{"k8s.service.name", "wirespan.peer.k8s.service.name"},
	{"k8s.pod.name", "wirespan.peer.k8s.pod.name"},
	{"k8s.deployment.name", "wirespan.peer.k8s.deployment.name"},
	{"k8s.statefulset.name", "wirespan.peer.k8s.statefulset.name"},
	{"k8s.daemonset.name", "wirespan.peer.k8s.daemonset.name"},
	{"k8s.job.name", "wirespan.peer.k8s.job.name"},
};

/* A call to a pod of this node, or to a service, names it; server.address stays what was dialled. */
static void agent__name_peer(const struct agent *a, const struct span *s)
{
	const struct identities *ids = meta__identities(a->meta);
	const struct container *c;
	unsigned rank;

	if (s->kind != SPAN_CLIENT || !identities__names_peers(ids))
		return;
	c = identities__peer(ids, attrs__get_str(s->attrs, "network.peer.address"));
	if (!c)
		return;
	attrs__str(s->attrs, "service.peer.name", container__service(c, &rank));
	attrs__str(s->attrs, "service.peer.namespace", attrs__get_str(&c->facts, "k8s.namespace.name"));
	for (size_t i = 0; i < sizeof(peer_facts) / sizeof(*peer_facts); i++) {
		const struct slice value = attrs__get_str(&c->facts, peer_facts[i].fact);

		if (value.n)
			attrs__str(s->attrs, peer_facts[i].key, value);
	}
}

void agent__span(void *ctx, const struct span *s)
{
	struct agent *a = ctx;

	agent__name_peer(a, s);
	if (a->export)
		export__span(a->export, s);
	if (a->cfg.outputs & OUTPUT_JSON)
		otlp_json__line(stdout, s);
	if (a->view)
		view__span(a->view, s);
}

void agent__budget(void *ctx, const struct connection *c, const struct ws_budget_pair *b, bool for_port)
{
	struct agent *a = ctx;
	uint16_t port = c->role == WS_ROLE_CONNECTED ? c->remote.port : c->local.port;

	if (!a->attach)
		return;
	attach__set_budget(a->attach, c->id, b);
	if (for_port)
		attach__set_port_budget(a->attach, c->role, port, b);
}

bool agent__knows(void *ctx, uint64_t conn)
{
	return conns__is_open(((struct agent *)ctx)->conns, conn);
}

/* A process that was not known yet: the kernel is told how to find its goroutines, the recording its name. */
void agent__new_process(void *ctx, struct process *p)
{
	struct agent *a = ctx;
	char text[META_TEXT_MAX];
	size_t n;

	if (a->runtimes)
		runtimes__add(a->runtimes, p);
	if (!a->recording)
		return;
	n = process__save(p, text, sizeof(text));
	recording__meta(a->recording, a->newest, p->pid, text, n);
}

/*
 * Another program, maybe in another container than its parent's, whose verdict it inherited: chooser is asked of
 * those as well that are traced already. True: it is traced.
 */
static bool agent__judge_exec(struct agent *a, const struct ws_rec_proc *r, struct slice path)
{
	const struct ws_process selected = {.selected = 1}, no = {.selected = 0};
	bool left_out = false, wanted = chooser__wants(a->chooser, r->tgid, &left_out);

	if (left_out) {
		if (r->selected)
			attach__set_process(a->attach, r->tgid, &no);
		return false;
	}
	if (a->cfg.selection.all) {
		attach__unset_process(a->attach, r->tgid);
		return r->selected || attach__is_selected(a->attach, r->tgid);
	}
	if (!r->selected && !wanted && !attach__exe_matches(a->attach, r->tgid, path))
		return false;
	if (!r->selected)
		attach__set_process(a->attach, r->tgid, &selected);
	return true;
}

static void agent__process_event(struct agent *a, const struct ws_rec_proc *r, struct slice path)
{
	if (r->what == WS_PROC_EXIT)
		linker__exited(a->linker, r->tgid, r->head.time_ns);
	if (r->what == WS_PROC_EXEC)
		linker__execed(a->linker, r->tgid, r->head.time_ns);
	if (a->cfg.replay)
		return; /* the recording tells by META records */
	if (r->what == WS_PROC_CGROUP_MADE || r->what == WS_PROC_CGROUP_GONE) {
		chooser__cgroup(a->chooser, (const struct ws_rec_cgroup *)r, path);
		return;
	}
	if (r->what != WS_PROC_FORK && a->runtimes)
		runtimes__forget(a->runtimes, r->tgid, r->what == WS_PROC_EXIT);
	if (r->what == WS_PROC_FORK)
		meta__forked(a->meta, r->tgid, r->ptgid);
	if (r->what == WS_PROC_EXIT)
		meta__ended(a->meta, r->tgid);
	if (r->what != WS_PROC_EXEC)
		return;
	meta__forget(a->meta, r->tgid);
	if (agent__judge_exec(a, r, path))
		meta__process(a->meta, r->tgid);
}

static void agent__set_clock(struct agent *a, uint64_t mono, int64_t offset)
{
	a->wall_offset = offset;
	linker__set_clock(a->linker, mono, offset);
}

static void agent__tie(struct agent *a, const struct ws_rec_tie *r)
{
	const struct ws_actor by = {.tgid = r->tgid, .tid = r->by_tid, .user_ctx = r->by_ctx};
	const struct ws_actor of = {.tgid = r->tgid, .tid = r->of_tid, .user_ctx = r->of_ctx};

	if (r->what == WS_TIE_SCOPE || r->what == WS_TIE_PROMISE) {
		linker__scope(a->linker, meta__process(a->meta, r->tgid), (const struct ws_rec_scope *)r);
		return;
	}
	linker__tie(a->linker, r->what == WS_TIE_MADE ? LINK_MADE : LINK_WOKE, meta__process(a->meta, r->tgid), &by, &of,
		    r->head.time_ns);
}

/* Wakes cost every thread of the machine something: told only while pools make calls. */
static void agent__watch_pools(struct agent *a, uint64_t now)
{
	uint64_t n = linker__counters(a->linker)->pool_calls;

	if (n > a->pool_calls) {
		if (!a->pools_seen && attach__watch_wakes(a->attach, true) == 0)
			linker__wakes_told(a->linker);
		a->pools_seen = now;
	} else if (a->pools_seen && a->pools_seen + POOLS_IDLE_NS < now) {
		attach__watch_wakes(a->attach, false);
		linker__wakes_told(a->linker);
		a->pools_seen = 0;
	}
	a->pool_calls = n;
}

void agent__tick(struct agent *a, uint64_t now)
{
	a->ticked = now;
	conns__tick(a->conns, now);
	exchanges__tick(a->exchanges, now);
	linker__tick(a->linker, a->cfg.replay ? now : a->read_until);
	if (a->view)
		view__tick(a->view, now);
	if (a->runtimes)
		runtimes__tick(a->runtimes, now);
	if (!a->attach || a->stop)
		return; /* what attach__stop() took away stays away */
	attach__sweep_words(a->attach);
	attach__sweep_written(a->attach);
	if (!a->watching_turns && linker__counters(a->linker)->loop_calls) {
		a->watching_turns = true;
		attach__watch_turns(a->attach);
		linker__turns_told(a->linker, now);
	}
	agent__watch_pools(a, now);
}

void agent__event(void *ctx, const struct event *e)
{
	struct agent *a = ctx;

	if (e->head->time_ns > a->newest)
		a->newest = e->head->time_ns;
	switch (e->type) {
	case WS_REC_PROC:
		agent__process_event(a, e->proc, e->text);
		break;
	case WS_REC_TIE:
		agent__tie(a, e->tie);
		break;
	case WS_REC_META:
		meta__load(a->meta, e->meta->tgid, e->text);
		break;
	case WS_REC_CLOCK:
		agent__set_clock(a, e->clock->head.time_ns, (int64_t)(e->clock->wall_ns - e->clock->head.time_ns));
		break;
	case WS_REC_COUNTERS:
		record__counters(e, a->kernel);
		break;
	default:
		conns__event(a->conns, e);
		gap__event(a->gap, e, a->conns);
	}
	if (a->recording && e->type < WS_REC_KERNEL_MAX)
		recording__event(a->recording, e);
	if (a->cfg.replay && a->newest > a->ticked + TICK_NS)
		agent__tick(a, a->newest);
	/* What waits for time to pass, and for probes, need not wait until a long backlog has been read. */
	if (!a->cfg.replay && a->newest > a->read_until + TICK_NS) {
		a->read_until = a->newest - IN_FLIGHT_NS;
		linker__tick(a->linker, a->read_until);
		if (a->runtimes)
			runtimes__tick(a->runtimes, a->read_until);
	}
}

/*
 * The wall clock against the monotonic one; told again when somebody has set it. Between the two looks we may
 * have been off the CPU: then there will be better ones.
 */
void agent__check_clock(struct agent *a)
{
	uint64_t mono = clock__ns(CLOCK_MONOTONIC), wall = clock__ns(CLOCK_REALTIME);
	int64_t offset = (int64_t)(wall - mono), moved = offset - a->wall_offset;
	bool first = !a->wall_offset;

	if (!first && clock__ns(CLOCK_MONOTONIC) - mono > CLOCK_LOOK_NS)
		return;
	if (moved < CLOCK_STEP_NS && moved > -CLOCK_STEP_NS)
		return;
	agent__set_clock(a, mono, offset);
	if (!first && (moved >= CLOCK_TOLD_NS || moved <= -CLOCK_TOLD_NS))
		log__warn("the wall clock was set %s by %.3f s: traces that had begun keep the time that it showed",
			  moved > 0 ? "forward" : "back", (double)llabs(moved) / 1e9);
	if (a->recording)
		recording__clock(a->recording, mono, wall);
}
