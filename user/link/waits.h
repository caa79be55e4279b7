/* SPDX-License-Identifier: Apache-2.0 */
/* waits.h - virtual threads of Java that wait for each other's tasks: see rule_waits.c. */
#ifndef LINK_WAITS_H
#define LINK_WAITS_H

#include "link/node.h"

struct linker;

/* The actor has sent n, or read some of its reply. */
void linker__awaited(struct linker *l, struct link_node *n, const struct ws_actor *a, uint64_t now);

#endif
