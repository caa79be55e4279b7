/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turn.h - evidence "turn", for event loops that read several requests before they handle them
 * (HAProxy: all reads of a turn, then all tasks), so that what was read last tells nothing.
 *
 * A call is sent in the turn in which its request was read, or connect() was called for it; and the
 * request is answered in the turn in which the reply was read. Often only one request is in both. That
 * is believed while nearly every call of the loop finds one at all: where timers and queues of the
 * program decide when things are sent, most find none.
 */
#ifndef LINK_TURN_H
#define LINK_TURN_H

#include "link/context.h"
#include "link/resolve.h"

struct turn;

void turn__unref(struct turn *t);
/* The loop c has read (some of) a request; has sent a call; has called connect(); has read some of a reply; begins to answer. */
void turn__read(struct context *c, struct link_node *n, const struct ws_actor *a);
void turn__sent(struct context *c, struct link_node *n, const struct ws_actor *a, struct turn *of_connect);
struct turn *turn__connects(struct context *c, const struct ws_actor *a);
void turn__replied(struct context *c, struct link_node *n, const struct ws_actor *a);
void turn__answers(struct context *c, struct link_node *n, const struct ws_actor *a);
/* n has ended, and what follows its reply has been seen. */
void turn__claim(const struct resolver *r, struct link_node *n);

#endif
