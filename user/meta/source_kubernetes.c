// SPDX-License-Identifier: Apache-2.0
/*
 * source_kubernetes.c - the pods of this node, from the Kubernetes API (kube_list.h). What is kept of a pod is a few
 * hundred bytes (pod.c). Which node: NODE_NAME, by the downward API, else the host's name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "meta/host.h"
#include "meta/kube_list.h"
#include "meta/pod.h"
#include "meta/source.h"
#include "util/log.h"
#include "util/table.h"

#define PODS_MAX 2048

struct kube {
	struct identities *ids;
	struct kube_list *list;
	unsigned row;
	char node[256];
	struct table pods; /* struct pod by uid */
	struct table ips;  /* those with an address of their own, by it */
};

bool source_kubernetes__there(void)
{
	return kube__there();
}

static void kube__tell(void *ctx, struct container *c)
{
	struct kube *k = ctx;
	const struct pod *p = table__get(&k->pods, pod__key(slice__of(c->ref.pod_uid)));

	if (!p)
		return;
	pod__tell(p, c);
	identities__told(k->ids, c, k->row);
}

static uint64_t ip__key(struct slice ip)
{
	return hash__bytes(3, ip.p, ip.n);
}

static void kube__drop(struct kube *k, struct pod *p)
{
	if (p && table__get(&k->ips, ip__key(slice__of(p->ip))) == p)
		table__remove(&k->ips, ip__key(slice__of(p->ip)));
	pod__free(p);
}

struct change {
	struct kube *k;
	const struct pod *old, *now;
};

static void kube__change(void *ctx, struct container *c)
{
	const struct change *change = ctx;

	pod__untell(change->old, c);
	pod__tell(change->now, c);
	identities__retold(change->k->ids, c, change->k->row);
}

static void kube__add(void *ctx, const json_t *o, uint64_t listing)
{
	struct kube *k = ctx;
	struct pod *p = pod__new(o), *old;
	struct change change = {.k = k};
	bool news;

	if (!p || (k->pods.n >= PODS_MAX && !table__get(&k->pods, pod__key(slice__of(p->uid))))) {
		identities__crowded(k->ids, p != NULL);
		pod__free(p);
		return;
	}
	log__debug("Kubernetes: pod %.*s/%.*s", (int)json__at(p->kept, "namespace", NULL).n, json__at(p->kept, "namespace", NULL).p,
		   (int)json__at(p->kept, "name", NULL).n, json__at(p->kept, "name", NULL).p);
	p->listing = listing;
	old = table__set(&k->pods, pod__key(slice__of(p->uid)), p);
	news = !old || !json_equal(old->kept, p->kept);
	change.old = old;
	change.now = p;
	if (old && !pod__says_the_same(old, p)) {
		identities__each_of_pod(k->ids, slice__of(p->uid), kube__change, &change);
		news = false;
	}
	kube__drop(k, old);
	if (p->ip[0])
		table__set(&k->ips, ip__key(slice__of(p->ip)), p);
	if (news) /* and not a change of its status, or a list of what is known */
		identities__each_of_pod(k->ids, slice__of(p->uid), kube__tell, k);
}

static void kube__remove(void *ctx, const json_t *o)
{
	struct kube *k = ctx;
	struct pod *p = pod__new(o);

	if (!p)
		return;
	kube__drop(k, table__remove(&k->pods, pod__key(slice__of(p->uid))));
	pod__free(p);
}

static void kube__listed(void *ctx, uint64_t listing)
{
	struct kube *k = ctx;
	uint64_t key;

	while (kube__find_stale(&k->pods, offsetof(struct pod, listing), listing, &key))
		kube__drop(k, table__remove(&k->pods, key));
	log__debug("Kubernetes: %zu pods on %s", k->pods.n, k->node);
}

void *source_kubernetes__open(struct identities *ids, struct http *http, unsigned row)
{
	const char *node = getenv("NODE_NAME");
	char selector[300];
	struct kube *k;

	if (!kube__there())
		return NULL;
	k = calloc(1, sizeof(*k));
	if (!k)
		abort();
	*k = (struct kube){.ids = ids, .row = row};
	if (node)
		snprintf(k->node, sizeof(k->node), "%s", node);
	else
		gethostname(k->node, sizeof(k->node) - 1);
	snprintf(selector, sizeof(selector), "fieldSelector=spec.nodeName%%3D%s&", k->node);
	k->list = kube_list__new(http, &(struct kube_kind){"pods", selector, kube__add, kube__remove, kube__listed, k});
	return k;
}

bool source_kubernetes__ask(void *self, struct container *c)
{
	struct kube *k = self;
	const struct pod *p = table__get(&k->pods, pod__key(slice__of(c->ref.pod_uid)));

	if (!c->ref.pod_uid[0])
		return false;
	if (p) {
		pod__tell(p, c);
		c->known |= 1u << k->row;
	}
	return true;
}

void source_kubernetes__tick(void *self, uint64_t now)
{
	kube_list__tick(((struct kube *)self)->list, now);
}

const struct container *source_kubernetes__peer(void *self, struct slice address)
{
	struct kube *k = self;
	const struct pod *p = k->ips.n ? table__get(&k->ips, ip__key(address)) : NULL;

	return p && slice__eq(slice__of(p->ip), address) ? &p->as_peer : NULL;
}

static void pod__drop(void *ctx, uint64_t key, void *value)
{
	pod__free(value);
}

void source_kubernetes__close(void *self)
{
	struct kube *k = self;

	kube_list__free(k->list);
	table__each(&k->pods, pod__drop, NULL);
	table__free(&k->pods);
	table__free(&k->ips);
	free(k);
}
