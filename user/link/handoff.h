/* SPDX-License-Identifier: Apache-2.0 */
/* handoff.h - requests by the number that the kernel gave them (ws_actor.cause): rule_handoff.c. */
#ifndef LINK_HANDOFF_H
#define LINK_HANDOFF_H

#include "link/resolve.h"
#include "util/table.h"

struct handoffs {
	struct table by_cause; /* inbound nodes that are not decided; borrowed */
	struct table by_timer; /* outbound, not decided: the newest call of each (same_timer); borrowed */
};

void handoffs__free(struct handoffs *hs);
/* n, inbound, was read and got this number; 0: none. */
void handoffs__read(struct handoffs *hs, struct link_node *n, uint64_t cause);
/* n was sent by a goroutine that works for that request; 0: not known. */
void handoffs__sent(struct handoffs *hs, const struct resolver *r, struct link_node *n, uint64_t cause);
/* The reply to the call sent last was handed to a goroutine that works for that request. */
void handoffs__tied(struct handoffs *hs, const struct resolver *r, struct connection *conn, uint64_t cause, uint64_t now);
/* The goroutine of that timer (WS_CAUSE_TIMER) has ended: it has worked for that request and for no other. */
void handoffs__timer_ended(struct handoffs *hs, const struct resolver *r, uint64_t timer, uint64_t cause, uint64_t now);
/* That request is one of several that the call was made for whose reply had come on conn by then. */
void handoffs__batched(struct handoffs *hs, struct connection *conn, uint64_t cause, uint64_t replied_ns);
/* n is about to be decided. */
void handoffs__forget(struct handoffs *hs, struct link_node *n);

#endif
