// SPDX-License-Identifier: Apache-2.0
/* node.c - the life of nodes: counted, and with the last count their exchange goes too. */
#include "link/coroutine.h"
#include "link/turn.h"
#include "meta/meta.h"

#include <stdlib.h>

struct link_node *node__of(struct exchange *x)
{
	if (!x->node) {
		x->node = malloc(sizeof(*x->node));
		if (!x->node)
			abort();
		/* One reference, the exchange's; given up when decided. */
		*x->node = (struct link_node){
			.refs = 1, .x = x, .inbound = x->inbound, .conn = x->conn->id, .evidence = EV_UNKNOWN,
			.pid = x->conn->process ? x->conn->process->pid : 0};
	}
	return x->node;
}

struct link_node *node__ref(struct link_node *n)
{
	n->refs++;
	return n;
}

void node__link(struct link_node *n, struct link_node *request)
{
	for (unsigned i = 0; i < n->n_links; i++)
		if (n->links[i] == request)
			return;
	if (n->n_links == LINKS_MAX) {
		n->links_dropped++;
		return;
	}
	if (!n->links)
		n->links = malloc(LINKS_MAX * sizeof(*n->links));
	if (!n->links)
		abort();
	n->links[n->n_links++] = node__ref(request);
}

struct link_node *node__undecided_link(const struct link_node *n)
{
	for (unsigned i = 0; i < n->n_links; i++)
		if (n->links[i]->state != NODE_DECIDED)
			return n->links[i];
	return NULL;
}

void node__drop_links(struct link_node *n)
{
	while (n->n_links)
		node__unref(n->links[--n->n_links]);
	free(n->links);
	n->links = NULL;
}

void exchange__free(struct exchange *x)
{
	if (!x)
		return;
	connection__unref(x->conn);
	attrs__free(&x->attrs);
	free(x->error_message);
	free(x->tracestate);
	free(x);
}

void node__unref(struct link_node *n)
{
	struct link_node *via;

	/* Chains of calls may be long: no recursion along them. */
	for (; n && --n->refs == 0; n = via) {
		via = n->via;
		node__drop_claims(n);
		coroutine__unref(n->coroutine);
		list__remove(&n->open);
		node__drop_links(n);
		node__unref(n->cause);
		node__unref(n->answer);
		node__unref(n->late_answer);
		turn__unref(n->sent_in);
		turn__unref(n->replied_in);
		node__unref(n->parent);
		exchange__free(n->x);
		free(n->why);
		free((char *)n->tracestate);
		free(n);
	}
}

