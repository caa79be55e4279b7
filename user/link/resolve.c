// SPDX-License-Identifier: Apache-2.0
#include "link/resolve.h"

#include <stdio.h>
#include <stdlib.h>

/* In order of preference. */
static const struct link_rule *const rules[] = {
	&rule_header,    &rule_connection, &rule_goroutine, &rule_handoff, &rule_timer, &rule_task,
	&rule_thread, &rule_coroutine,  &rule_callback,  &rule_event_loop, &rule_turn,  &rule_wake, &rule_waits,
	&rule_answer,
};
#define RULES (sizeof(rules) / sizeof(*rules))

const char *rule__name(unsigned i)
{
	return i < RULES ? rules[i]->name : NULL;
}

unsigned rule__bit(const char *name)
{
	for (unsigned i = 0; i < RULES; i++)
		if (!strcmp(rules[i]->name, name))
			return 1u << i;
	return 0;
}

static unsigned rule__rank(const struct link_rule *rule)
{
	unsigned i = 0;

	while (i < RULES - 1 && rules[i] != rule)
		i++;
	return i;
}

void resolver__claim(const struct resolver *r, struct link_node *n, const struct link_rule *rule, struct link_node *p,
		     const char *fault, uint64_t at_ns)
{
	if (n->state == NODE_DECIDED || n->judged || r->without & 1u << rule__rank(rule))
		return;
	for (unsigned i = 0; i < n->n_claims; i++)
		if (n->claims[i].rule == rule && n->claims[i].parent == p)
			return;
	if (n->n_claims == CLAIMS_MAX) {
		n->crowded = true;
		return;
	}
	n->claims[n->n_claims++] = (struct claim){rule, p ? node__ref(p) : NULL, p ? NULL : fault, at_ns};
}

bool node__is_claimed(const struct link_node *n)
{
	for (unsigned i = 0; i < n->n_claims; i++)
		if (n->claims[i].parent)
			return true;
	return false;
}

bool node__is_claimed_by(const struct link_node *n, const struct link_rule *rule)
{
	for (unsigned i = 0; i < n->n_claims; i++)
		if (n->claims[i].parent && n->claims[i].rule == rule)
			return true;
	return false;
}

struct link_node *node__open_claim(const struct link_node *n)
{
	for (unsigned i = 0; i < n->n_claims; i++)
		if (n->claims[i].parent && n->claims[i].parent->state == NODE_OPEN)
			return n->claims[i].parent;
	return NULL;
}

void node__drop_claims(struct link_node *n)
{
	while (n->n_claims)
		node__unref(n->claims[--n->n_claims].parent);
}

/* The best claim that holds; NULL if there is none, or if two that hold name different parents. */
static struct claim *node__winner(struct link_node *n)
{
	struct claim *best = NULL;
	bool contradicted = n->crowded;

	for (unsigned i = 0; i < n->n_claims; i++) {
		struct claim *c = &n->claims[i];

		if (c->fault || !c->parent)
			continue;
		contradicted |= best && best->parent != c->parent;
		if (!best || rule__rank(c->rule) < rule__rank(best->rule))
			best = c;
	}
	for (unsigned i = 0; contradicted && i < n->n_claims; i++)
		if (!n->claims[i].fault)
			n->claims[i].fault = n->crowded ? "too many were named" : "another was named as well";
	return contradicted ? NULL : best;
}

/* "thread: 00f067aa0ba902b7, holds; wake: 5bf2..., another was named as well" */
static void node__note_claims(struct link_node *n)
{
	char text[640] = "";
	size_t at = 0;

	for (unsigned i = 0; i < n->n_claims && at < sizeof(text); i++) {
		const struct claim *c = &n->claims[i];
		char parent[20] = "";

		if (c->parent)
			snprintf(parent, sizeof(parent), "%016llx, ",
				 (unsigned long long)__builtin_bswap64(*(const uint64_t *)c->parent->span_id));
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s: %s%s; ", c->rule->name, parent,
				       c->fault ? c->fault : "holds");
	}
	free(n->why);
	n->why = strdup(text);
}

void resolver__settle(struct resolver *r, struct link_node *n)
{
	const struct claim *winner;

	for (unsigned i = 0; i < n->n_claims; i++) {
		struct claim *c = &n->claims[i];

		if (!c->fault && n->coroutine && (c->rule == &rule_event_loop || c->rule == &rule_turn))
			c->fault = "the loop runs coroutines, which go on in another order than it reads";
		if (!c->fault && n->of_callback && (c->rule == &rule_event_loop || c->rule == &rule_turn))
			c->fault = "the loop's callbacks are followed";
		if (!c->fault && n->of_task && c->rule != &rule_task)
			c->fault = "the program's tasks are followed, which move between threads";
		if (!c->fault)
			c->fault = c->rule->fault(c, n, &r->world);
	}
	winner = node__winner(n);
	n->judged = true;
	if (r->why)
		node__note_claims(n);
	if (winner) {
		n->parent = node__ref(winner->parent);
		n->evidence = winner->rule->evidence;
	} else if (n->n_claims) {
		r->rejected++;
	}
	node__drop_claims(n);
}
