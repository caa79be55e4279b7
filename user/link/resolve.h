/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve.h - the one place that decides who the parent of a node is: late, from the claims of all
 * rules, with the reasons against those that lost.
 */
#ifndef LINK_RESOLVE_H
#define LINK_RESOLVE_H

#include "link/rule.h"

struct resolver {
	struct rule_world world;
	unsigned without; /* bits: rules that stay silent (--without-rule) */
	bool why;	  /* say on the span what every rule said */
	uint64_t rejected;
};

/* The rule believes that p is the parent of n. p NULL: it was asked and knows of none, because of `fault` (static). */
void resolver__claim(const struct resolver *r, struct link_node *n, const struct link_rule *rule, struct link_node *p,
		     const char *fault, uint64_t at_ns);
/* Has any rule named a parent? */
bool node__is_claimed(const struct link_node *n);
bool node__is_claimed_by(const struct link_node *n, const struct link_rule *rule);
/* A claim's parent that has not ended: n waits for it. NULL: all have. */
struct link_node *node__open_claim(const struct link_node *n);
/* All have ended: sets n->parent and n->evidence, or leaves both. The claims are gone afterwards. */
void resolver__settle(struct resolver *r, struct link_node *n);
/* Forgets what was claimed. */
void node__drop_claims(struct link_node *n);

#endif
