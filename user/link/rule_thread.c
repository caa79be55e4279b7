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
 * Threads of Go programs run goroutines of all requests: not this rule's business.
 */
#include "link/context.h"
#include "meta/meta.h"

static uint64_t thread__identify(const struct process *p, const struct ws_actor *a)
{
	return p->ctx_kind == WS_CTX_THREAD ? hash__mix((uint64_t)a->tgid << 32 | a->tid) & ~1ull : 0;
}

static bool thread__serves(const struct context *c, const struct ws_actor *a)
{
	return !c->loop || c->turn == a->switches;
}

static bool thread__accept(const struct link_node *p, struct link_node *n)
{
	if (p->answerer && p->answerer != n->issuer)
		return false;
	n->evidence = p->overlapped || n->on_loop ? EV_EVENT_LOOP : EV_THREAD;
	return !p->overlapped || n->same_turn;
}

const struct context_rule rule_thread = {
	.name = "thread",
	.identify = thread__identify,
	.serves = thread__serves,
	.accept = thread__accept,
	.restores = true,
};
