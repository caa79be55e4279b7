// SPDX-License-Identifier: Apache-2.0
/*
 * rule_goroutine.c - evidence "goroutine": the goroutine that sends the call is the one that read
 * the request and wrote its response. Goroutine ids are never reused in a process. A call that
 * another goroutine sends is not linked by this rule.
 */
#include "link/context.h"
#include "meta/meta.h"

static uint64_t goroutine__identify(const struct process *p, const struct ws_actor *a)
{
	if (p->ctx_kind != WS_CTX_GO || !a->user_ctx)
		return 0;
	return hash__mix((uint64_t)a->tgid << 32 ^ hash__mix(a->user_ctx)) | 1;
}

static bool goroutine__serves(const struct context *c, const struct ws_actor *a)
{
	return true;
}

static bool goroutine__accept(const struct link_node *p, struct link_node *n)
{
	n->evidence = EV_GOROUTINE;
	if (p->overlapped || p->reader != n->issuer)
		return false;
	return !p->answerer || p->answerer == n->issuer;
}

const struct context_rule rule_goroutine = {
	.name = "goroutine",
	.identify = goroutine__identify,
	.serves = goroutine__serves,
	.accept = goroutine__accept,
	.restores = false,
};
