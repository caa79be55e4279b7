/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule.h - a rule says "this is the parent of that call", when something happens that speaks for it;
 * the resolver (resolve.c) asks it again when both have ended, and decides.
 *
 * A new rule is one file and one row in resolve.c. It claims from a step (link.c), from what its kind of
 * context serves (context.h), or from a tie between contexts (linker__tie). It may speak as often as it
 * likes; of two claims that hold for different parents none is believed.
 */
#ifndef LINK_RULE_H
#define LINK_RULE_H

#include "link/node.h"

struct callbacks;
struct pools;

/* What rules may ask about besides the two nodes. */
struct rule_world {
	const struct contexts *contexts;
	const struct pools *pools;
	const struct callbacks *callbacks;
};

struct link_rule {
	const char *name; /* for --why and --without-rule */
	enum evidence evidence;
	/* n and the claim's parent have ended: NULL if the claim holds, else why it does not (static). */
	const char *(*fault)(const struct claim *c, const struct link_node *n, const struct rule_world *w);
};

extern const struct link_rule rule_header, rule_connection, rule_goroutine, rule_thread, rule_event_loop;
extern const struct link_rule rule_turn, rule_wake, rule_waits, rule_answer, rule_handoff, rule_timer, rule_task, rule_coroutine;
extern const struct link_rule rule_callback;

/* What every rule asks for: p is not ambiguous, and n did not begin before it. NULL if so. */
const char *node__unfit(const struct link_node *p, const struct link_node *n);
/* And most do: n began while p was being served. NULL if so. */
const char *node__outside(const struct link_node *p, const struct link_node *n);

#endif
