/* SPDX-License-Identifier: Apache-2.0 */
/* pod.h - what is kept of a pod of the Kubernetes API, and what it tells of its containers. */
#ifndef META_POD_H
#define META_POD_H

#include <jansson.h>

#include "meta/identity.h"
#include "util/table.h"

struct pod {
	char uid[40];	  /* as the cgroup has it: of a static pod the hash of its file */
	char ip[46];	  /* its own; empty: it has the node's, none yet, or none any more */
	struct container as_peer; /* what is told of it where it is the other end of a call */
	uint64_t listing; /* source_kubernetes.c */
	json_t *kept;	  /* metadata: name, namespace, labels, owner; annotations of ours; containers by id */
};

/* o: a Pod, as the API gives it. NULL: it is none, or has no uid. */
struct pod *pod__new(const json_t *o);
void pod__free(struct pod *p);
/* Sets the facts and labels of one of its containers. */
void pod__tell(const struct pod *p, struct container *c);

/* Takes back what its labels, annotations and owner have told, as far as it is still there: they have changed. */
void pod__untell(const struct pod *p, struct container *c);
/* Are these told alike by both? */
bool pod__says_the_same(const struct pod *a, const struct pod *b);

static inline uint64_t pod__key(struct slice uid)
{
	return hash__bytes(2, uid.p, uid.n);
}

#endif
