/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.h - finds the other end of a connection among those that are traced: same addresses and
 * ports, the other way round. Loopback addresses count per network namespace.
 */
#ifndef CONN_PEER_H
#define CONN_PEER_H

#include "flow/connection.h"
#include "util/table.h"

/* IPv4-mapped addresses are printed as IPv4. */
void endpoint__print(const struct endpoint *e, char text[46]);

struct peers {
	struct table by_tuple;
};

void peers__free(struct peers *p);
/* Sets c->peer and the peer's, if both ends are there. */
void peers__add(struct peers *p, struct connection *c);
void peers__remove(struct peers *p, struct connection *c);

#endif
