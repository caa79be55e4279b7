/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.h - finds the other end of a connection among those that are traced. Both ends have the same two initial
 * sequence numbers, the other way round, whatever addresses each of them sees (NAT), and whoever else has the same
 * addresses and ports in another network namespace; the kernel can tell them of connections older than we are, too.
 * Where they are not known: same addresses and ports, the other way round; loopback addresses count per namespace.
 */
#ifndef CONN_PEER_H
#define CONN_PEER_H

#include "flow/connection.h"
#include "util/table.h"

/* IPv4-mapped addresses are printed as IPv4. */
void endpoint__print(const struct endpoint *e, char text[46]);

struct peers {
	struct table by_tuple, by_pair;
};

void peers__free(struct peers *p);
/* Sets c->peer and the peer's, if both ends are there. snd, rcv: the first sequence it sends, it reads. */
void peers__add(struct peers *p, struct connection *c, uint32_t snd, uint32_t rcv);
void peers__remove(struct peers *p, struct connection *c);

#endif
