// SPDX-License-Identifier: Apache-2.0
/*
 * source_services.c - the cluster's services, from the Kubernetes API, if that is wanted: whose cluster address was dialled.
 * Kept are name, namespace and addresses of those that have one; headless ones have none ("None").
 */
#include <stdlib.h>

#include "meta/host.h"
#include "meta/kube_list.h"
#include "meta/source.h"
#include "util/log.h"
#include "util/table.h"
#include "util/text.h"

#define SERVICES_MAX 8192 /* some 4 MiB */
#define ADDRESSES 2	  /* IPv4 and IPv6 ("IPv4/IPv6 dual-stack") */

struct service {
	uint64_t listing;
	char ip[ADDRESSES][46];
	struct container as_peer; /* facts only */
};

struct services {
	struct identities *ids;
	struct kube_list *list;
	struct table by_uid, by_ip;
};

static uint64_t uid__key(struct slice uid)
{
	return hash__bytes(4, uid.p, uid.n);
}

static uint64_t ip__key(struct slice ip)
{
	return hash__bytes(5, ip.p, ip.n);
}

static void service__free(struct service *v)
{
	if (!v)
		return;
	attrs__free(&v->as_peer.facts);
	free(v);
}

static void services__drop(struct services *s, struct service *v)
{
	for (size_t i = 0; v && i < ADDRESSES; i++)
		if (table__get(&s->by_ip, ip__key(slice__of(v->ip[i]))) == v)
			table__remove(&s->by_ip, ip__key(slice__of(v->ip[i])));
	service__free(v);
}

/* NULL: it has no address. */
static struct service *service__new(const json_t *o)
{
	const json_t *meta = json_object_get(o, "metadata"), *ips = json_object_get(json_object_get(o, "spec"), "clusterIPs");
	struct service *v = calloc(1, sizeof(*v));
	size_t n = 0;

	if (!v)
		abort();
	for (size_t i = 0; i < json_array_size(ips) && n < ADDRESSES; i++) {
		const char *ip = json_string_value(json_array_get(ips, i));

		if (ip && *ip && strcmp(ip, "None") && strlen(ip) < sizeof(v->ip[0]))
			text__copy(v->ip[n++], sizeof(v->ip[0]), slice__of(ip));
	}
	if (!n || !json__at(meta, "name", NULL).n) {
		service__free(v);
		return NULL;
	}
	container__fact(&v->as_peer, "service.name", json__at(meta, "name", NULL));
	container__fact(&v->as_peer, "k8s.service.name", json__at(meta, "name", NULL));
	container__fact(&v->as_peer, "k8s.namespace.name", json__at(meta, "namespace", NULL));
	return v;
}

static void services__add(void *ctx, const json_t *o, uint64_t listing)
{
	struct services *s = ctx;
	const struct slice uid = json__at(o, "metadata", "uid", NULL);
	struct service *v = uid.n ? service__new(o) : NULL;

	services__drop(s, table__remove(&s->by_uid, uid__key(uid)));
	if (!v)
		return;
	if (s->by_uid.n >= SERVICES_MAX) {
		identities__crowded(s->ids, true);
		service__free(v);
		return;
	}
	v->listing = listing;
	table__set(&s->by_uid, uid__key(uid), v);
	for (size_t i = 0; i < ADDRESSES && v->ip[i][0]; i++)
		table__set(&s->by_ip, ip__key(slice__of(v->ip[i])), v);
}

static void services__remove(void *ctx, const json_t *o)
{
	struct services *s = ctx;

	services__drop(s, table__remove(&s->by_uid, uid__key(json__at(o, "metadata", "uid", NULL))));
}

static void services__listed(void *ctx, uint64_t listing)
{
	struct services *s = ctx;
	uint64_t key;

	while (kube__find_stale(&s->by_uid, offsetof(struct service, listing), listing, &key))
		services__drop(s, table__remove(&s->by_uid, key));
	log__debug("Kubernetes: %zu services with an address", s->by_uid.n);
}

void *source_services__open(struct identities *ids, struct http *http, unsigned row)
{
	struct services *s;

	if (!identities__wants_services(ids) || !kube__there())
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->ids = ids;
	s->list = kube_list__new(http, &(struct kube_kind){"services", "", services__add, services__remove, services__listed, s});
	return s;
}

void source_services__tick(void *self, uint64_t now_ms)
{
	kube_list__tick(((struct services *)self)->list, now_ms);
}

const struct container *source_services__peer(void *self, struct slice address)
{
	struct services *s = self;
	const struct service *v = s->by_ip.n ? table__get(&s->by_ip, ip__key(address)) : NULL;

	for (size_t i = 0; v && i < ADDRESSES; i++)
		if (slice__eq(slice__of(v->ip[i]), address))
			return &v->as_peer;
	return NULL;
}

static void service__drop(void *ctx, uint64_t key, void *value)
{
	service__free(value);
}

void source_services__close(void *self)
{
	struct services *s = self;

	kube_list__free(s->list);
	table__each(&s->by_uid, service__drop, NULL);
	table__free(&s->by_uid);
	table__free(&s->by_ip);
	free(s);
}
