// SPDX-License-Identifier: Apache-2.0
/*
 * rule_header.c - evidence "header": trace context on the wire (W3C Trace Context, B3). What the
 * request says wins over what is inferred, but for two cases: the client's end of the same bytes is
 * at hand, which stands between the two; or the parent got the very same header and passed it on.
 *
 * A conflict: the inferred parent's calls are in another trace than this one's header says.
 */
#include <stdio.h>

#include "link/rule.h"

static bool same_span(const struct trace_context *a, const struct trace_context *b)
{
	return a->valid && b->valid && a->has_span && b->has_span && !memcmp(a->span_id, b->span_id, 8);
}

/* The trace that p's calls are in: the one p came with, else that of the first of them that says one. */
static bool node__expects(struct link_node *p, const struct trace_context *t)
{
	if (!p->calls_trace.valid)
		p->calls_trace = p->trace.valid ? p->trace : *t;
	return !memcmp(p->calls_trace.trace_id, t->trace_id, 16);
}

/* Shown on the span: the cheapest test of the inference there is. */
static void node__show_conflict(struct link_node *n)
{
	char text[64];

	snprintf(text, sizeof(text), "%s: %016llx", evidence__name(n->evidence),
		 (unsigned long long)__builtin_bswap64(*(const uint64_t *)n->parent->span_id));
	attrs__add_str(&n->x->attrs, "wirespan.link.conflict", slice__of(text));
}

bool header__takes(struct link_node *n, uint64_t *conflicts)
{
	const struct trace_context *t = &n->x->trace;
	struct link_node *p = n->parent;

	if (!t->valid)
		return false;
	if (p && (n->x->inbound || same_span(t, &p->trace)))
		return false;
	if (p && !node__expects(p, t)) {
		++*conflicts;
		node__show_conflict(n);
	}
	n->evidence = EV_HEADER;
	return true;
}

static const char *header__fault(const struct claim *c, const struct link_node *n, const struct rule_world *w)
{
	return NULL; /* it names an id, not a node: header__takes() */
}

const struct link_rule rule_header = {"header", EV_HEADER, header__fault};
