/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coroutine.h - evidence "coroutine": calls of tasks that an event loop runs, where the kernel tells the
 * context (contextvars of Python) that the thread was in. A task that serves a request answers it in the
 * context in which it makes its calls; so who answers next shows for whom they were.
 *
 * Where the kernel tells as well which context made which, calls of contexts that were made for the request
 * belong to it, too: those of gather(), create_task() and to_thread().
 */
#ifndef LINK_COROUTINE_H
#define LINK_COROUTINE_H

#include "link/resolve.h"
#include "util/table.h"

struct coroutine;

struct coroutines {
	struct table by_id;
	struct list by_use;
};

void coroutines__init(struct coroutines *cs);
void coroutines__free(struct coroutines *cs);
/*
 * A context was made, in another one (whose user_ctx is 0 where there was none), by a thread that serves made_for alone
 * (NULL: none, or not known): who had its address before is gone.
 */
void coroutines__made(struct coroutines *cs, const struct process *p, const struct ws_actor *by, const struct ws_actor *of,
		      struct link_node *made_for, uint64_t now);
void coroutines__sent(struct coroutines *cs, const struct resolver *r, struct link_node *n, const struct ws_actor *a,
		      uint64_t now);
void coroutines__answered(struct coroutines *cs, const struct resolver *r, struct link_node *n, const struct ws_actor *a,
			  uint64_t now);
/* n is about to be decided: it is counted. */
void coroutines__decided(struct link_node *n);
/* Forgets those that have been idle for a minute. */
void coroutines__tick(struct coroutines *cs, uint64_t now);

void coroutine__unref(struct coroutine *c);

#endif
