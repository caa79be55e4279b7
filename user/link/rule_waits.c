// SPDX-License-Identifier: Apache-2.0
/*
 * rule_waits.c - evidence "wake" for virtual threads of Java, which the kernel does not see wake each other: while one
 * runs a task and calls, another one waits in Future.get() for that task alone, and serves a request. Its result names
 * them both (java__awaits in bpf/java.bpf.c), at the call or when its reply is read.
 *
 * Where several wait for the task, it may be for all of them.
 */
#include "link/waits.h"

#include "link/linker.h"
#include "meta/meta.h"

void linker__awaited(struct linker *l, struct link_node *n, const struct ws_actor *a, uint64_t now)
{
	const struct process *p = n->x->conn->process;
	const struct ws_actor waiter = {.tgid = a->tgid, .user_ctx = a->cause};
	struct link_node *request;
	struct context *c;

	if (!a->cause || !p || p->ctx_kind != WS_CTX_JAVA || n->cause)
		return;
	n->awaited_by_several |= a->cause == WS_CAUSE_SEVERAL;
	c = contexts__get(&l->contexts, kind_thread.identify(p, &waiter));
	request = c ? c->serving : NULL;
	if (request && request->state == NODE_OPEN && request->reader == c->id && !c->loop)
		resolver__claim(&l->resolver, n, &rule_waits, request, NULL, now);
}

static const char *waits__fault(const struct claim *c, const struct link_node *n, const struct rule_world *w)
{
	const struct link_node *p = c->parent;

	if (n->awaited_by_several)
		return "several threads wait for its task";
	if (p->overlapped)
		return "the thread that waits read another request meanwhile";
	if (p->answerer && p->answerer != p->reader)
		return "the thread that waits did not answer";
	return node__outside(p, n);
}

const struct link_rule rule_waits = {"waits", EV_WAKE, waits__fault};
