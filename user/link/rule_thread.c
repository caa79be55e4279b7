// SPDX-License-Identifier: Apache-2.0
/*
 * rule_thread.c - evidence "thread" and "event-loop".
 *
 * thread: the thread that read the request sends the call and writes the response, and reads no
 * other request in between. event-loop: it does read others, so the cause of a call is what the
 * loop handled last in the same turn: an inbound read; a reply, which restores the request that
 * issued the call; or the request that called connect(). A thread that has slept since has begun
 * another turn, in which a timer may run: then nothing is known.
 *
 * Tasks of tokio move between threads that are loops each: then the reply must have led to the answer.
 *
 * Threads of Go programs run goroutines of all requests: not this rule's business.
 */
#include "link/context.h"
#include "link/rule.h"
#include "meta/meta.h"

/* A virtual thread of Java is one like others, whatever thread carries it. */
static uint64_t thread__identify(const struct process *p, const struct ws_actor *a)
{
	if (a->user_ctx & WS_USER_VIRTUAL)
		return hash__mix((uint64_t)a->tgid << 32 ^ hash__mix(a->user_ctx)) & ~1ull;
	return p->ctx_kind != WS_CTX_GO ? hash__mix((uint64_t)a->tgid << 32 | a->tid) & ~1ull : 0;
}

static const char *thread__silent(const struct context *c, const struct ws_actor *a)
{
	return c->loop && c->turn != a->switches ? "the loop has slept since it handled a request or a reply" : NULL;
}

static const char *thread__fault(const struct claim *c, const struct link_node *n, const struct rule_world *w)
{
	const struct link_node *p = c->parent;

	if (n->on_loop || (n->may_loop && n->x->conn->process && n->x->conn->process->loops))
		return "the thread is an event loop";
	if (n->contradicted)
		return "the reply led to the answer of another request";
	if (p->overlapped)
		return "the thread read another request meanwhile";
	if (p->answerer && p->answerer != n->issuer)
		return "another thread answered";
	return node__outside(p, n);
}

/*
 * Netty calls connect() from the loop's queue of tasks, after all that was read. Node.js runs timers next to what
 * it has read, without a sleep in between; where that leaves calls without a parent, its callbacks are followed.
 */
static bool process__must_confirm(const struct process *p)
{
	return p && (p->ctx_kind == WS_CTX_JAVA || p->counts_calls);
}

static const char *loop__fault(const struct claim *c, const struct link_node *n, const struct rule_world *w)
{
	const struct link_node *p = c->parent;
	const struct context *loop = contexts__get(w->contexts, n->issuer);

	if (!n->on_loop && !p->overlapped)
		return "no event loop";
	if (n->contradicted)
		return "the reply led to the answer of another request";
	if (n->handed_on_to)
		return "it follows on the connection whose reply came: another one may have waited for that";
	if (!n->on_loop && !n->confirmed)
		return "it was not known yet that the thread is a loop";
	if (loop && n->on_loop && !context__is_regular(loop, n->by_queue))
		return "timers or queues send much of what this loop sends";
	if (p->answerer && p->answerer != n->issuer && !n->confirmed)
		return "another thread answered";
	if (!n->confirmed && process__must_confirm(n->x->conn->process))
		return "its reply did not lead to the answer";
	if (p->overlapped && !n->same_turn)
		return "the thread has slept since it read the request";
	return node__outside(p, n);
}

const struct link_rule rule_thread = {"thread", EV_THREAD, thread__fault};
const struct link_rule rule_event_loop = {"event-loop", EV_EVENT_LOOP, loop__fault};

static const struct link_rule *const rules[] = {&rule_thread, &rule_event_loop, NULL};

const struct context_kind kind_thread = {
	.name = "thread",
	.identify = thread__identify,
	.silent = thread__silent,
	.rules = rules,
	.restores = true,
	.pools = true,
};
