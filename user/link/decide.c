// SPDX-License-Identifier: Apache-2.0
/*
 * decide.c - exchanges that have ended: each is settled as far as it can be, waits, and becomes a span.
 */
#include <stdio.h>
#include <stdlib.h>

#include "link/linker.h"
#include "link/probe.h"
#include "util/text.h"

#define WAITING_MAX 16384
#define ANSWER_NS (30ull * 1000000000) /* between a call's end and the answer that tells whose it was */
#define LOOPS_NS (300ull * 1000000) /* so long after its first request, threads of a process that are loops have shown it */
#define REPLY_NS (50ull * 1000000) /* between a reply and what a loop does because of it */

static void node__try(struct linker *l, struct link_node *n);

static void node__wait_for(struct link_node *n, struct link_node *other)
{
	n->waits_for = other;
	n->next_waiter = other->waiters;
	other->waiters = n;
}

static void node__stop_waiting(struct link_node *n)
{
	struct link_node **at;

	if (!n->waits_for)
		return;
	for (at = &n->waits_for->waiters; *at != n; at = &(*at)->next_waiter)
		;
	*at = n->next_waiter;
	n->waits_for = n->next_waiter = NULL;
}

/* Whoever waited for n tries again. */
static void node__wake(struct linker *l, struct link_node *n)
{
	struct link_node *w, *all = n->waiters;

	n->waiters = NULL;
	while ((w = all)) {
		all = w->next_waiter;
		w->waits_for = w->next_waiter = NULL;
		node__try(l, w);
	}
}

/* Nothing that is traced can have caused it: a request from outside, or a call of a program that serves nobody. */
static bool node__is_root(const struct link_node *n)
{
	const struct process *p = n->x->conn->process;

	return n->x->inbound ? !n->twin_missing : p && !p->serves;
}

static void node__say_why(struct link_node *n, bool header)
{
	char text[768], id[20] = "a trace";

	if (n->x->trace.has_span)
		snprintf(id, sizeof(id), "%016llx",
			 (unsigned long long)__builtin_bswap64(*(const uint64_t *)n->x->trace.span_id));
	snprintf(text, sizeof(text), "%s%s%s%s%s", header ? "header: " : "", header ? id : "", header ? ", holds; " : "",
		 n->why ? n->why : "", header ? "believed: header" : n->parent ? "believed: " : "no rule is believed");
	if (!header && n->parent)
		text__copy(text + strlen(text), sizeof(text) - strlen(text), slice__of(evidence__name(n->evidence)));
	attrs__add_str(&n->x->attrs, "wirespan.link.why", slice__of(text));
}

/* That of this moment; of what is older than we know, the oldest. */
static int64_t linker__offset(const struct linker *l, uint64_t mono_ns)
{
	unsigned i = l->n_clocks;

	while (i > 1 && l->clocks[i - 1].since_ns > mono_ns)
		i--;
	return i ? l->clocks[i - 1].offset : 0;
}

static void node__set_ids(struct linker *l, struct link_node *n)
{
	struct exchange *x = n->x;
	bool header = !l->no_headers && header__takes(n, &l->counters.conflicts);

	/* Somebody may set the clock at any time: a trace keeps that of its beginning, and its order. */
	n->wall_offset = n->parent ? n->parent->wall_offset : linker__offset(l, x->request_first);
	n->trace = x->trace;
	if (l->resolver.why)
		node__say_why(n, header);
	if (n->parent)
		n->root = n->parent->root;
	if (header) {
		node__unref(n->parent);
		n->parent = NULL;
		memcpy(n->trace_id, x->trace.trace_id, 16);
		n->trace_flags = x->trace.flags;
	} else if (n->parent) {
		memcpy(n->trace_id, n->parent->trace_id, 16);
		n->trace_flags = n->parent->trace_flags;
	} else {
		node__trace_id(x, n->trace_id);
		n->trace_flags = 1;
		n->evidence = node__is_root(n) ? EV_ROOT : EV_UNKNOWN;
	}
	if (!n->root.end_ns)
		/* Of what was left out in part nobody knows the end. */
		n->root = (struct local_root){n->began_at, x->flags & XCHG_SHED ? UINT64_MAX : n->ended_at,
					      n->evidence == EV_ROOT || (n->evidence == EV_HEADER && x->inbound),
					      n->began_at <= l->probes_until && exchange__is_probe(x)};
	if (!n->parent && x->tracestate)
		n->tracestate = strdup(x->tracestate);
	else if (n->parent && n->parent->tracestate)
		n->tracestate = strdup(n->parent->tracestate);
}

static void node__decide(struct linker *l, struct link_node *n)
{
	struct exchange *x = n->x;

	node__set_ids(l, n);
	if (!x->inbound && x->conn->process && x->conn->process->counts_calls) {
		x->conn->process->calls++;
		x->conn->process->lone_calls += n->evidence == EV_UNKNOWN;
		if (n->evidence == EV_UNKNOWN && n->of_callback) {
			x->conn->process->untold_calls += !n->trail.from[0] && !n->trail.from[2];
			x->conn->process->loose_calls += n->trail.from[0] || n->trail.from[2];
		}
	}
	handoffs__forget(&l->handoffs, n);
	coroutines__decided(n);
	list__remove(&n->waiting);
	l->counters.waiting--;
	if (x->flags & XCHG_NO_REQUEST_BYTES) {
		l->counters.no_request++;
	} else if (x->flags & XCHG_SILENT) {
		l->counters.silent++;
	} else {
		l->counters.spans++;
		l->counters.by_evidence[n->evidence]++;
		node__emit(n, l->fn, l->ctx);
		l->counters.attributes_dropped += x->attrs.dropped;
	}
	n->state = NODE_DECIDED;
	exchange__free(x);
	n->x = NULL;
	node__wake(l, n);
	node__unref(n);
}

/* Is a request still open that its process has read before the call? */
static bool node__may_be_answered(const struct link_node *n)
{
	const struct process *p = n->x->conn->process;

	return p && !list__empty(&p->open) &&
	       LIST_ENTRY(p->open.next, struct link_node, open)->head_read <= n->x->request_first;
}

/* Whether the threads of its process are event loops will be known then. */
static uint64_t node__early_until(const struct linker *l, const struct link_node *n)
{
	const struct process *p = n->x->conn->process;
	uint64_t since = p && p->first_ns > l->turns_ns ? p->first_ns : l->turns_ns;

	return n->may_loop && !n->on_loop && n->ended_at < since + LOOPS_NS ? since + LOOPS_NS : 0;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* What has ended may yet be told of: until when? */
static uint64_t node__patience(const struct linker *l, const struct link_node *n)
{
	if (n->x->inbound)
		return 0;
	if (n->of_callback)
		return n->ended_at + (n->answer || n->trail.from[0] || n->trail.from[2] ? REPLY_NS : TAPE_NS);
	if (n->untold) /* a timer's goroutine may have more to do */
		return n->ended_at + (n->number && node__may_be_answered(n) ? TAPE_NS : REPLY_NS);
	if (n->told && n->of_task) /* another task may yet be woken */
		return n->ended_at + REPLY_NS;
	if (n->coroutine && !node__is_claimed_by(n, &rule_coroutine))
		return n->ended_at + (node__may_be_answered(n) ? ANSWER_NS : TAPE_NS);
	if (n->coroutine)
		return n->ended_at + REPLY_NS;
	if (n->on_tape && !node__is_claimed(n))
		return n->ended_at + TAPE_NS;
	/* The reply of a loop's call may yet tell whose it was; a pool's thread may yet wake another one. */
	return (n->may_loop && (node__is_claimed(n) || n->sent_in)) || n->on_tape ?
		       later(n->ended_at + REPLY_NS, node__early_until(l, n)) : 0;
}

/* Goes on with a node that has ended as far as it can. */
static void node__try(struct linker *l, struct link_node *n)
{
	struct link_node *p = n->judged ? NULL : node__open_claim(n);

	if (n->twin_wanted)
		return;
	if (p) {
		node__wait_for(n, p);
		return;
	}
	if (!n->judged) {
		if (node__patience(l, n) > l->now)
			return;
		turn__claim(&l->resolver, n);
		callback__claim(&l->resolver, n);
		p = node__open_claim(n);
		if (p) {
			node__wait_for(n, p);
			return;
		}
		resolver__settle(&l->resolver, n);
		node__unref(n->via);
		n->via = NULL;
	}
	p = n->parent && n->parent->state == NODE_WAITING ? n->parent : node__undecided_link(n);
	if (p)
		node__wait_for(n, p);
	else
		node__decide(l, n);
}

/* Its contexts are free for the next request. */
static void node__leave_contexts(struct linker *l, struct link_node *n)
{
	for (unsigned i = 0; i < n->n_readers; i++) {
		struct context *c = contexts__get(&l->contexts, n->readers[i]);

		if (!c)
			continue;
		if (c->open)
			c->open--; /* it may have been made anew since */
		n->overlapped |= n->readers[i] == n->reader && c->overlaps != n->overlaps;
		if (c->serving == n) {
			c->serving = NULL;
			node__unref(n);
		}
	}
	n->n_readers = 0;
}

/* why: of enum exchange_flag. */
static void linker__evict(struct linker *l, unsigned why)
{
	struct link_node *n = LIST_ENTRY(l->waiting.next, struct link_node, waiting);

	l->counters.evicted += why == XCHG_CROWDED;
	node__stop_waiting(n);
	twins__give_up(&l->twins, n);
	n->twin_missing = true;
	n->x->flags |= why;
	n->judged = true;
	node__drop_claims(n);
	node__drop_links(n);
	node__unref(n->parent);
	node__unref(n->via);
	n->parent = n->via = NULL;
	n->evidence = EV_UNKNOWN;
	node__decide(l, n);
}

void linker__ended(struct linker *l, struct exchange *x)
{
	struct link_node *n = node__of(x);
	struct link_node *other = NULL;
	bool twin = x->conn->had_peer && !(x->flags & (XCHG_NO_REQUEST_BYTES | XCHG_SILENT)) &&
		    !(l->resolver.without & rule__bit("connection"));

	list__remove(&n->open);
	n->state = NODE_WAITING;
	n->began_at = x->request_first;
	n->answered_at = x->response_last;
	n->ended_at = exchange__ended(x);
	node__span_id(&x->key, x->inbound, n->span_id);
	node__leave_contexts(l, n);
	if (x->inbound)
		completion__ended(&l->pools, n);
	list__append(&l->waiting, &n->waiting);
	if (++l->counters.waiting > WAITING_MAX)
		linker__evict(l, XCHG_CROWDED);
	node__ref(n);
	node__wake(l, n); /* they judge n while its exchange is at hand, and wait on */
	if (twin)
		other = x->inbound ? twins__server_ended(&l->twins, n) : twins__client_ended(&l->twins, n);
	if (other)
		node__try(l, other);
	if (n->state == NODE_WAITING && !n->waits_for)
		node__try(l, n);
	node__unref(n);
}

/* The next one that waits, counted, or NULL. */
static struct link_node *waiting__after(struct linker *l, struct list *at)
{
	return at->next == &l->waiting ? NULL : node__ref(LIST_ENTRY(at->next, struct link_node, waiting));
}

/*
 * Those that wait for time to pass: calls of loops, for what follows their reply; server's ends
 * whose client's end was lost or is not understood.
 */
void linker__expire(struct linker *l)
{
	struct link_node *n, *next;

	twins__expire(&l->twins, l->now);
	for (n = waiting__after(l, &l->waiting); n; n = next) {
		bool due = n->ended_at + REPLY_NS <= l->now;

		next = due ? waiting__after(l, &n->waiting) : NULL;
		if (due && n->twin_wanted && n->ended_at + TWIN_NS <= l->now)
			twins__give_up(&l->twins, n);
		if (due && !n->twin_wanted && !n->waits_for)
			node__try(l, n);
		node__unref(n);
		if (next && !list__in_one(&next->waiting)) {
			/* It was decided with n, which is rare: from the start. */
			node__unref(next);
			next = waiting__after(l, &l->waiting);
		}
	}
}

void linker__finish(struct linker *l)
{
	l->now = UINT64_MAX;
	linker__expire(l);
	while (!list__empty(&l->waiting))
		linker__evict(l, XCHG_TIMEOUT);
}
