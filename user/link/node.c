// SPDX-License-Identifier: Apache-2.0
/* node.c - the life of nodes: counted, and with the last count their exchange goes too. */
#include "link/node.h"

#include <stdlib.h>

struct link_node *node__ref(struct link_node *n)
{
	n->refs++;
	return n;
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
		node__unref(n->parent);
		exchange__free(n->x);
		free((char *)n->tracestate);
		free(n);
	}
}

