/* SPDX-License-Identifier: Apache-2.0 */
/* reading.h - what the kernel numbered as one read of Node.js, and what it led to; shared by reading.c and rule_callback.c. */
#ifndef LINK_READING_H
#define LINK_READING_H

#include "link/callback.h"

/* What was read then. */
struct reading {
	uint64_t number;
	uint64_t at_ns;
	struct link_node *node; /* counted */
	bool several;
	struct link_node **others; /* heap; counted */
	uint64_t *resumed;	   /* heap: reads that had led to the code that it resumed */
	unsigned n_others, n_resumed, others_room, resumed_room;
	unsigned unknown; /* and code of which that is not known */
	bool vague;	  /* and there were more */
	struct list by_age;
};

/* By its number; 0 is none. NULL: it is not known, or was forgotten. Valid until the next one is told of. */
static inline struct reading *callbacks__reading(const struct callbacks *cs, uint64_t number)
{
	return number ? table__get(&cs->by_number, number) : NULL;
}

#endif
