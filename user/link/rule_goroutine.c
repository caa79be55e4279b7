// SPDX-License-Identifier: Apache-2.0
/*
 * rule_goroutine.c - evidence "goroutine": the goroutine that sends the call is the one that read
 * the request and wrote its response. Goroutine ids are never reused in a process. A call that
 * another goroutine sends is not linked by this rule.
 */
#include "link/context.h"
#include "link/rule.h"
#include "meta/meta.h"

static uint64_t goroutine__identify(const struct process *p, const struct ws_actor *a)
{
	if (p->ctx_kind != WS_CTX_GO || !a->user_ctx)
		return 0;
	return hash__mix((uint64_t)a->tgid << 32 ^ hash__mix(a->user_ctx)) | 1;
}

static const char *goroutine__silent(const struct context *c, const struct ws_actor *a)
{
	return NULL;
}

static const char *goroutine__fault(const struct claim *c, const struct link_node *n, const struct rule_world *w)
{
	const struct link_node *p = c->parent;

	if (p->overlapped)
		return "the goroutine read another request meanwhile";
	if (p->reader != n->issuer)
		return "another goroutine read the request's end";
	if (p->answerer && p->answerer != n->issuer)
		return "another goroutine answered";
	return node__outside(p, n);
}

const struct link_rule rule_goroutine = {"goroutine", EV_GOROUTINE, goroutine__fault};

static const struct link_rule *const rules[] = {&rule_goroutine, NULL};

const struct context_kind kind_goroutine = {
	.name = "goroutine",
	.identify = goroutine__identify,
	.silent = goroutine__silent,
	.rules = rules,
};
