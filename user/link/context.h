/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context.h - what runs the code: a thread or a goroutine, and the inbound exchange it serves.
 * The rules (rule_*.c) follow steps through contexts and judge candidates when both have ended.
 */
#ifndef LINK_CONTEXT_H
#define LINK_CONTEXT_H

#include "link/node.h"
#include "util/table.h"

struct process;

struct context {
	uint64_t id; /* hash of process and thread or goroutine; never 0 */
	const struct context_rule *rule;
	struct link_node *serving; /* counted; NULL: none, or not known */
	struct link_node *reply;   /* counted; the call whose reply it handled last in this turn */
	uint64_t turn;		   /* thread's count of sleeps when that was learned */
	uint64_t overlaps;	   /* how often an inbound exchange began while another was open */
	unsigned open;		   /* inbound exchanges that it read and that have not ended */
	bool loop;		   /* an event loop: it read a request from a socket in an epoll set, or several at a time */
	/* Loop: calls and answers it sent lately; of these such as do not follow from what it had handled last. */
	unsigned acts, doubtful;
	bool after_opaque; /* what it handled last was bytes that nobody understood */
	bool watched; /* it reads requests from sockets in epoll sets: may be a loop, or a pool of one */
	uint64_t last_ns;
	struct list by_use;
};

/* How a kind of context is followed. One file each: rule_thread.c, rule_goroutine.c. */
struct context_rule {
	const char *name;
	/* The context of this actor; 0 if this rule does not know it. */
	uint64_t (*identify)(const struct process *p, const struct ws_actor *a);
	/* May what `c` serves be the cause of something that `a` does now? */
	bool (*serves)(const struct context *c, const struct ws_actor *a);
	/* Both have ended: is p the parent of n? Sets n->evidence. */
	bool (*accept)(const struct link_node *p, struct link_node *n);
	/* Such a context may be an event loop: connect() and replies carry the owner over to a later turn. */
	bool restores;
};

extern const struct context_rule rule_goroutine, rule_thread;

struct contexts {
	struct table by_id;
	struct list by_use;
};

void contexts__init(struct contexts *cs);
void contexts__free(struct contexts *cs);
/* NULL where no rule knows the actor's context. */
struct context *contexts__of(struct contexts *cs, struct process *p, const struct ws_actor *a, uint64_t now);
/* The context serves n from now on (NULL: nothing that is known), because of that reply (NULL: none). */
void context__serve(struct context *c, struct link_node *n, struct link_node *reply, const struct ws_actor *a);
/* The open inbound exchange that the actor may be working for, or NULL. Borrowed. */
struct link_node *context__cause(const struct context *c, const struct ws_actor *a);
/* A loop has sent a call or an answer. */
void context__count_act(struct context *c, bool doubtful);
/* Does what this loop handled last tell the cause of what it sends? Not where timers or queues send much of it. */
bool context__is_regular(const struct context *c);
/* Forgets contexts that have been idle for a minute. */
void contexts__tick(struct contexts *cs, uint64_t now);

/* Time and state that every rule asks for: n began while p was being served, p is not ambiguous. */
bool node__within(const struct link_node *p, const struct link_node *n);

#endif
