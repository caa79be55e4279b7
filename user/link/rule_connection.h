/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_connection.h - evidence "connection": the two ends of the same bytes. Both ends of an exchange
 * have the same key, for what a client sends has the sequence numbers that the server reads; whichever
 * ends first waits for the other.
 */
#ifndef LINK_RULE_CONNECTION_H
#define LINK_RULE_CONNECTION_H

#include "link/node.h"
#include "util/table.h"

#define TWIN_NS (10ull * 1000000000) /* how long an end waits for the other */

struct twins {
	struct table clients, servers; /* nodes by key, waiting */
	struct list unmatched;	       /* clients, by the time they ended */
	uint64_t *evicted;	       /* the linker's counter */
};

void twins__init(struct twins *t);
void twins__free(struct twins *t);
/* Returns the server's end that has been waiting for n: it can go on now. NULL: n waits. */
struct link_node *twins__client_ended(struct twins *t, struct link_node *n);
/* Sets n->parent, or n->twin_wanted. Returns an older node of the same key that can wait no longer, or NULL. */
struct link_node *twins__server_ended(struct twins *t, struct link_node *n);
/* n waits no longer: twin_missing, if it did. */
void twins__give_up(struct twins *t, struct link_node *n);
/* Forgets clients that nobody has asked for. */
void twins__expire(struct twins *t, uint64_t now);

#endif
