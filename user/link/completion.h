/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion.h - evidence "wake" and "answer": who completes shows for whom it worked.
 *
 * A pool's thread serves no request that it has read, so its calls go onto its tape. What it does next
 * tells whose they were: it wakes the thread that waits inside a request (wake: submit().get()), or it
 * writes the response of a request that another one read (answer: hand-off by a queue).
 *
 * The kernel does not see where one task ends and the next begins. So tapes are believed only while all
 * of a process are alike: if a task passes on to another thread, or completes unseen, some tapes
 * are too long and others empty.
 *
 * Where the runtime tells at which task a thread is (ThreadPoolExecutor of Java), tapes end with it, and
 * what the others are like does not matter: unless a task goes on after it has completed something, as
 * one does that takes its work from a queue of its own.
 */
#ifndef LINK_COMPLETION_H
#define LINK_COMPLETION_H

#include "link/context.h"
#include "link/resolve.h"

#define TAPE_NS (500ull * 1000000) /* how long a call that has ended waits for its completion */

struct tape;
struct pools {
	struct table by_pid;
	struct list by_use, exited; /* those of processes that have ended, as they did */
	unsigned epoch; /* moves when wakes begin or cease to be told: tapes that run then are half seen */
};

void pools__init(struct pools *ps);
void pools__free(struct pools *ps);
/* The program that ran there is gone: another of that number has other pools. */
void pools__exited(struct pools *ps, uint32_t pid, uint64_t now);
void pools__tick(struct pools *ps, uint64_t now);
void tape__free(struct tape *t);

/* c, which serves nothing that is known, has sent n. */
void completion__sent(const struct pools *ps, struct context *c, struct link_node *n);
/* `by` made `of` run, which may have waited for it: wait says for what (enum ws_java_wait). */
void completion__woke(struct pools *ps, const struct resolver *r, struct context *by, const struct context *of,
		      enum ws_java_wait wait, uint64_t now);
/* What p's own thread does next is a call on conn. If that is the pool's too, p may have waited for the connection. */
void completion__goes_on(struct link_node *p, const struct connection *conn);
/* c has begun to write the response of n. */
void completion__answered(struct pools *ps, const struct resolver *r, struct context *c, struct link_node *n, uint64_t now);
/* c has read a request itself: what it did before is another matter. */
void completion__began(struct context *c);
/* An inbound exchange has ended. */
void completion__ended(struct pools *ps, const struct link_node *n);

#endif
