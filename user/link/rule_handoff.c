// SPDX-License-Identifier: Apache-2.0
/*
 * rule_handoff.c - evidence "goroutine" for calls that another goroutine sends than the one which read
 * the request: the kernel has followed the work from hand to hand (bpf/handoff.bpf.h), and gives each
 * request a number when it is read, and each call the number of the request that it is made for.
 *
 * Where the sender took its work from a queue unseen, the call has no number; the goroutine that gets
 * the reply has one then (handoffs__tied). If both have, they must agree. Where it made the call for
 * several, each of them is linked (bpf/batch.bpf.h), and none is the parent.
 *
 * What a timer does (Go's time.AfterFunc) has a number of its own. If the request that set it is the only one to
 * whose goroutine the timer's has given anything when it ends, it has worked for that one.
 */
#include "link/handoff.h"
#include "link/rule.h"
#include "meta/meta.h"

void handoffs__free(struct handoffs *hs)
{
	table__free(&hs->by_cause);
	table__free(&hs->by_timer);
}

static bool is_timer(uint64_t cause)
{
	return cause & WS_CAUSE_TIMER;
}

static void timer__add(struct handoffs *hs, struct link_node *n, uint64_t timer)
{
	n->number = timer;
	n->same_timer = table__get(&hs->by_timer, timer);
	table__set(&hs->by_timer, timer, n);
}

static void timer__remove(struct handoffs *hs, struct link_node *n)
{
	struct link_node *first = table__get(&hs->by_timer, n->number), *before = first;

	while (before && before != n && before->same_timer != n)
		before = before->same_timer;
	if (!before)
		return;
	if (before != n)
		before->same_timer = n->same_timer;
	else if (n->same_timer)
		table__set(&hs->by_timer, n->number, n->same_timer);
	else
		table__remove(&hs->by_timer, n->number);
	n->same_timer = NULL;
}

/* Of Go the kernel follows goroutines, of others tasks. */
static const struct link_rule *node__rule(const struct link_node *n, const struct link_rule *of_go)
{
	return n->of_task ? &rule_task : of_go;
}

void handoffs__timer_ended(struct handoffs *hs, const struct resolver *r, uint64_t timer, uint64_t cause, uint64_t now)
{
	struct link_node *parent = table__get(&hs->by_cause, cause), *call = cause ? NULL : table__get(&hs->by_timer, timer);

	if (call && call->x->conn->process)
		call->x->conn->process->shares_tasks = true;
	for (struct link_node *n = parent ? table__get(&hs->by_timer, timer) : NULL; n; n = n->same_timer) {
		n->untold = false;
		resolver__claim(r, n, node__rule(n, &rule_timer), parent, NULL, now);
	}
}

void handoffs__read(struct handoffs *hs, struct link_node *n, uint64_t cause)
{
	if (!cause || n->number == cause)
		return;
	handoffs__forget(hs, n);
	n->number = cause;
	table__set(&hs->by_cause, cause, n);
	if (n->x->conn->process)
		n->x->conn->process->hands_off = true;
}

void handoffs__forget(struct handoffs *hs, struct link_node *n)
{
	if ((n->untold || n->handed_elsewhere) && !n->parent && n->x->conn->process)
		n->x->conn->process->untold_calls++;
	if (is_timer(n->number))
		timer__remove(hs, n);
	else if (n->number && table__get(&hs->by_cause, n->number) == n)
		table__remove(&hs->by_cause, n->number);
}

void handoffs__sent(struct handoffs *hs, const struct resolver *r, struct link_node *n, uint64_t cause)
{
	struct connection *conn = n->x->conn;
	const struct process *p = conn->process;
	struct link_node *parent = cause ? table__get(&hs->by_cause, cause) : NULL;

	if (!p || !p->hands_off)
		return;
	n->piped = conn->last_call && !conn->last_call->replied;
	node__unref(conn->call_before);
	conn->call_before = conn->last_call;
	conn->last_call = node__ref(n);
	n->of_task = p->ctx_kind != WS_CTX_GO;
	n->number = cause;
	n->untold = !cause || is_timer(cause);
	if (is_timer(cause))
		timer__add(hs, n, cause);
	else if (parent)
		resolver__claim(r, n, node__rule(n, &rule_handoff), parent, NULL, 0);
	else if (cause)
		resolver__claim(r, n, node__rule(n, &rule_handoff), NULL, "the request that it was made for has ended", 0);
}

void handoffs__tied(struct handoffs *hs, const struct resolver *r, struct connection *conn, uint64_t cause, uint64_t now)
{
	struct link_node *n = conn->last_call, *parent = table__get(&hs->by_cause, cause);

	/* The connection may be at work for the next one before the reply is handed on. */
	if (n && !n->replied)
		n = conn->call_before;
	if (!n || n->judged || n->state == NODE_DECIDED || !n->replied || n->piped)
		return;
	if (n->of_task && cause && !n->told && is_timer(n->number)) { /* that of the task which sent it: it was asked to */
		timer__remove(hs, n);
		n->number = 0;
	}
	n->told = true;
	if (!n->untold || !cause) {
		n->handed_elsewhere |= n->number != cause || !cause;
		return;
	}
	if (is_timer(n->number)) {
		n->handed_elsewhere |= n->number != cause;
		return;
	}
	if (is_timer(cause)) {
		timer__add(hs, n, cause);
		return;
	}
	n->untold = false;
	n->number = cause;
	if (parent)
		resolver__claim(r, n, node__rule(n, &rule_handoff), parent, NULL, now);
}

void handoffs__batched(struct handoffs *hs, struct connection *conn, uint64_t cause, uint64_t replied_ns)
{
	struct link_node *n = conn->last_call, *request = table__get(&hs->by_cause, cause);

	/* The connection may have had another call since. */
	if (!n || n->judged || n->state == NODE_DECIDED || !n->replied || n->x->request_first > replied_ns)
		return;
	if (!request || !n->untold || n->x->request_first < request->x->request_first)
		return;
	node__link(n, request);
}

static const char *handoff__fault(const struct claim *c, const struct link_node *n, const struct rule_world *w)
{
	if (n->handed_elsewhere)
		return "the reply went to a goroutine that works for another request";
	return node__outside(c->parent, n);
}

static const char *task__fault(const struct claim *c, const struct link_node *n, const struct rule_world *w)
{
	if (n->handed_elsewhere)
		return "the reply woke tasks of several requests";
	if (is_timer(n->number) && n->x->conn->process && n->x->conn->process->shares_tasks)
		return "tasks that requests of this program make work for others, too";
	return node__outside(c->parent, n);
}

const struct link_rule rule_handoff = {"handoff", EV_GOROUTINE, handoff__fault};
const struct link_rule rule_timer = {"timer", EV_GOROUTINE, handoff__fault};
const struct link_rule rule_task = {"task", EV_COROUTINE, task__fault};
