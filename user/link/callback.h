/* SPDX-License-Identifier: Apache-2.0 */
/*
 * callback.h - evidence "callback": calls of Node.js where the kernel tells which callbacks it runs.
 *
 * Each send follows from a read, as scopes.h finds: from that of a request, which is then the cause; or
 * from that of a reply, and then the cause is that call's. And the reply to a call leads to an answer, or to the
 * next call.
 */
#ifndef LINK_CALLBACK_H
#define LINK_CALLBACK_H

#include "link/resolve.h"
#include "link/scopes.h"

struct callbacks {
	struct scopes scopes;
	struct table by_number; /* of reads */
	struct list by_age;
};

void callbacks__init(struct callbacks *cs);
void callbacks__free(struct callbacks *cs);
/* Some of the request n, or of the reply to the call n, was read. */
void callbacks__read(struct callbacks *cs, struct link_node *n, const struct ws_actor *a, uint64_t now);
/* The kernel tells of a scope. */
void callbacks__scope(struct callbacks *cs, const struct ws_rec_scope *s);
/* The call n was sent; the answer to the request n is. */
void callbacks__sent(struct callbacks *cs, struct link_node *n, const struct ws_actor *a, uint64_t now);
void callbacks__answered(struct callbacks *cs, struct link_node *n, const struct ws_actor *a, uint64_t now);
/* n has ended, and what its reply led to has been seen. */
void callback__claim(const struct resolver *r, struct link_node *n);
void callbacks__tick(struct callbacks *cs, uint64_t now);

#endif
