// SPDX-License-Identifier: Apache-2.0
/*
 * rule_header.c - evidence "header": trace context on the wire (W3C Trace Context, B3). What the
 * request says wins over what is inferred, but for two cases: the client's end of the same bytes is
 * at hand, which stands between the two; or the parent got the very same header and passed it on.
 */
#include "link/node.h"

static bool same_span(const struct trace_context *a, const struct trace_context *b)
{
	return a->valid && b->valid && a->has_span && b->has_span && !memcmp(a->span_id, b->span_id, 8);
}

bool header__takes(struct link_node *n, uint64_t *conflicts)
{
	const struct trace_context *t = &n->x->trace;
	struct link_node *p = n->parent;

	if (!t->valid)
		return false;
	if (p && (n->x->inbound || same_span(t, &p->trace)))
		return false;
	if (p && memcmp(p->trace_id, t->trace_id, 16))
		++*conflicts;
	n->evidence = EV_HEADER;
	return true;
}
