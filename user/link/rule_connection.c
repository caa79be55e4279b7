// SPDX-License-Identifier: Apache-2.0
#include "link/rule_connection.h"

#include "link/rule.h"

#define TWINS_MAX 16384 /* client's ends kept for a server's end that may come */

void twins__init(struct twins *t)
{
	*t = (struct twins){0};
	list__init(&t->unmatched);
}

void twins__free(struct twins *t)
{
	table__free(&t->clients);
	table__free(&t->servers);
}

static const char *connection__fault(const struct claim *c, const struct link_node *n, const struct rule_world *w)
{
	return NULL; /* the same bytes */
}

const struct link_rule rule_connection = {"connection", EV_CONNECTION, connection__fault};

static void node__set_client(struct link_node *server, struct link_node *client)
{
	server->claims[server->n_claims++] = (struct claim){.rule = &rule_connection, .parent = node__ref(client)};
}

static void client__forget(struct link_node *n)
{
	list__remove(&n->twin);
	node__unref(n);
}

/* The sequences of the exchange, on that very connection: other connections may come by the same sequences. */
static uint64_t twin__key(const struct link_node *n)
{
	return hash__mix(exchange_key__hash(&n->x->key) + n->x->conn->pair);
}

struct link_node *twins__client_ended(struct twins *t, struct link_node *n)
{
	uint64_t key = twin__key(n);
	struct link_node *server = table__remove(&t->servers, key), *old;

	if (server) {
		node__set_client(server, n);
		server->twin_wanted = false;
		return server;
	}
	n->twin_key = key;
	old = table__set(&t->clients, key, node__ref(n));
	if (old)
		client__forget(old);
	list__append(&t->unmatched, &n->twin);
	if (t->clients.n > TWINS_MAX) {
		++*t->evicted;
		n = LIST_ENTRY(t->unmatched.next, struct link_node, twin);
		table__remove(&t->clients, n->twin_key);
		client__forget(n);
	}
	return NULL;
}

struct link_node *twins__server_ended(struct twins *t, struct link_node *n)
{
	uint64_t key = twin__key(n);
	struct link_node *client = table__remove(&t->clients, key), *old;

	if (client) {
		list__remove(&client->twin);
		node__set_client(n, client);
		node__unref(client);
		return NULL;
	}
	n->twin_wanted = true;
	n->twin_key = key;
	old = table__set(&t->servers, key, n);
	if (old) {
		old->twin_wanted = false;
		old->twin_missing = true;
	}
	return old;
}

void twins__give_up(struct twins *t, struct link_node *n)
{
	if (!n->twin_wanted)
		return;
	table__remove(&t->servers, n->twin_key);
	n->twin_wanted = false;
	n->twin_missing = true;
}

void twins__expire(struct twins *t, uint64_t now)
{
	while (!list__empty(&t->unmatched)) {
		struct link_node *n = LIST_ENTRY(t->unmatched.next, struct link_node, twin);

		if (n->ended_at + TWIN_NS > now)
			break;
		table__remove(&t->clients, n->twin_key);
		client__forget(n);
	}
}
