/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.h - born in conn, referred to by everything downstream: one socket's end of a TCP
 * connection. Identity is the socket cookie; a loopback connection is two of these, each the
 * other's `peer`. Reference-counted: exchanges outlive the socket.
 */
#ifndef FLOW_CONNECTION_H
#define FLOW_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "wirespan/record.h"

struct process;
struct decoder;
struct turn;

struct endpoint {
	uint8_t addr[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
	uint16_t port;
};

struct connection {
	uint64_t id;	   /* socket cookie */
	enum ws_role role; /* ACCEPTED: requests come IN; CONNECTED: requests go OUT */
	enum ws_origin origin;
	struct endpoint local, remote;
	char local_text[46], remote_text[46]; /* addresses as people write them; empty: not known */
	uint32_t netns;
	uint32_t refs;
	struct process *process; /* meta: who uses it; NULL until known */
	struct ws_actor owner;	 /* who called connect(), or used it first */
	uint64_t connect_ns, established_ns;
	struct connection *peer; /* the other end, if it is traced too; not counted in refs; NULL after close */
	bool had_peer;		 /* there was one at some time */
	uint64_t pair;		 /* client's and server's first sequence: the same at both ends; 0: not known */
	bool closed;
	bool closed_here;	 /* by our end, before the other one did */
	uint64_t lost_bytes[2];	    /* by enum ws_dir: gaps in the sequence so far */
	uint8_t missing_for; /* enum ws_cap: why bytes of the chunk under way are missing */
	bool shed; /* the gap before the chunk that is under way was left out on purpose: it is no loss */
	struct decoder *decoder;    /* owned by conn, made by decode */
	struct exchange_queue *pairing; /* owned by exchange: what is open on this connection */
	struct link_node *connect_owner;	/* owned by link: the request that called connect() */
	struct link_node *connect_via;		/* owned by link: the call whose reply led to connect() */
	struct turn *connect_turn;		/* owned by link: the turn of the loop that called connect() */
	uint64_t connector;			/* id of the context that called connect(), as link knows it */
	bool connect_seen, used;		/* link: connect() was seen; a request was sent */
	bool unsent;				/* conn: nothing had been sent on it when it became known */
	struct link_node *last_inbound;		/* owned by link: the request read last */
	bool pooled;				/* link: a thread that served nobody has sent calls on it (completion.h) */
	struct link_node *last_call, *call_before; /* owned by link: calls sent last, where replies tell (handoff.h) */
	void (*release)(struct connection *c); /* conn's destructor */
};

static inline struct connection *connection__ref(struct connection *c)
{
	c->refs++;
	return c;
}

static inline void connection__unref(struct connection *c)
{
	if (c && --c->refs == 0)
		c->release(c);
}

/* Which direction carries requests. */
static inline enum ws_dir connection__request_dir(const struct connection *c)
{
	return c->role == WS_ROLE_CONNECTED ? WS_DIR_OUT : WS_DIR_IN;
}

#endif
