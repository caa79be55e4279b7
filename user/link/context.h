/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context.h - what runs the code: a thread, a goroutine, a coroutine; and the inbound exchange it serves.
 *
 * A context serves one inbound exchange at a time, or is known to be a loop, which serves several. It
 * may have been made by another one, and is woken by others. That is what all rules share.
 */
#ifndef LINK_CONTEXT_H
#define LINK_CONTEXT_H

#include "link/node.h"
#include "util/table.h"

#define EXITED_NS 1000000000ull /* so long a process that has ended is known: late records may ask */

struct process;
struct tape;
struct turn;

struct context {
	uint64_t id; /* hash of process and thread or goroutine; never 0 */
	const struct context_kind *kind;
	uint64_t maker; /* the context that made it; 0 not known */
	uint64_t waker; /* the one that woke it last; 0 not known */
	struct link_node *serving; /* counted; NULL: none, or not known */
	struct link_node *reply;   /* counted; the call whose reply it handled last in this turn */
	uint64_t turn;		   /* thread's count of sleeps when that was learned */
	uint64_t overlaps;	   /* how often an inbound exchange began while another was open */
	unsigned open;		   /* inbound exchanges that it read and that have not ended */
	bool loop;		   /* an event loop: it read a request from a socket in an epoll set, or several at a time */
	/* Loop: calls and answers it sent lately; of these such as do not follow from what it had handled last. By node.by_queue. */
	struct {
		unsigned n, doubtful;
	} acts[2];
	bool after_opaque; /* what it handled last was bytes that nobody understood */
	bool watched; /* it reads requests from sockets in epoll sets: may be a loop, or a pool of one */
	struct turn *now; /* loop: what it has read and answered since it slept last (turn.h); or NULL */
	unsigned turn_calls, turn_empty; /* loop: calls, and those that found no request in both their turns */
	uint64_t task;	   /* that the thread was at last, if its kind tells (WS_USER_TASK); else 0 */
	struct tape *tape; /* calls it made while it served nothing that is known (completion.h); or NULL */
	uint64_t last_ns;
	bool exited;	     /* its process has: the next one of that number is somebody else */
	struct list by_use;  /* of contexts.by_use, or .exited */
};

/* A kind of context: rule_thread.c, rule_goroutine.c. */
struct context_kind {
	const char *name;
	/* The context of this actor; 0 if it is not of this kind. */
	uint64_t (*identify)(const struct process *p, const struct ws_actor *a);
	/* NULL: what `c` serves may be the cause of something that `a` does now; else why not (static). */
	const char *(*silent)(const struct context *c, const struct ws_actor *a);
	/* Those that claim what it serves as the cause of a call; ends with NULL. */
	const struct link_rule *const *rules;
	/* Such a context may be an event loop: connect() and replies carry the owner over to a later turn. */
	bool restores;
	/* It may work for another one that waits for it: a pool's (completion.h). */
	bool pools;
};

extern const struct context_kind kind_goroutine, kind_thread;

struct contexts {
	struct table by_id;
	struct list by_use;
	struct list exited; /* as they did; nobody will use them again, but late records may ask for them */
	uint64_t *evicted; /* the linker's counter */
};

void contexts__init(struct contexts *cs);
void contexts__free(struct contexts *cs);
/* NULL where no kind knows the actor's context. */
struct context *contexts__of(struct contexts *cs, const struct process *p, const struct ws_actor *a, uint64_t now);
struct context *contexts__get(const struct contexts *cs, uint64_t id);
/* The context serves n from now on (NULL: nothing that is known), because of that reply (NULL: none). */
void context__serve(struct context *c, struct link_node *n, struct link_node *reply, const struct ws_actor *a);
/* The thread is at this task (ws_actor.user_ctx): what it served in another one it serves no longer. */
void context__at(struct context *c, const struct ws_actor *a);
/* The open inbound exchange that the actor may be working for, or NULL and why not, if it serves one. Borrowed. */
struct link_node *context__cause(const struct context *c, const struct ws_actor *a, const char **why_not);
/* A loop has sent a call, or an answer that follows from a call's reply: by_queue is the call's. */
void context__count_act(struct context *c, bool doubtful, bool by_queue);
/* Does what this loop handled last tell the cause of what it sends? Not where timers or queues send much of it. */
bool context__is_regular(const struct context *c, bool by_queue);
/* That process has ended. Its first thread is forgotten soon; others are like any that are idle. */
void contexts__exited(struct contexts *cs, uint32_t pid, uint64_t now);
/* Forgets contexts that have been idle for a minute. */
void contexts__tick(struct contexts *cs, uint64_t now);

#endif
