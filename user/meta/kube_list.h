/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_list.h - one kind of objects of the Kubernetes API, kept up to date: a list, in pages, then a watch that
 * resumes at its resourceVersion ("API Concepts", Efficient detection of changes). Token and authority are
 * files that the kubelet renews, so they are read anew for every connection.
 *
 * Where: KUBERNETES_SERVICE_HOST and _PORT, as every pod has them; WIRESPAN_SERVICE_ACCOUNT, if token and ca.crt are not
 * in the usual folder.
 */
#ifndef META_KUBE_LIST_H
#define META_KUBE_LIST_H

#include <jansson.h>
#include <stdint.h>

#include "meta/http.h"
#include "util/table.h"

struct kube_list;

struct kube_kind {
	const char *name;     /* "pods": below /api/v1, and in messages */
	const char *selector; /* "fieldSelector=...&", as it stands in a URL; or "" */
	/* It is there, or has changed; `listing` is the number of the list that it was in, or that came before. */
	void (*add)(void *ctx, const json_t *o, uint64_t listing);
	void (*remove)(void *ctx, const json_t *o);
	/* A list is whole: what was not in it has gone. */
	void (*listed)(void *ctx, uint64_t listing);
	void *ctx;
};

/* Is there an API to ask? */
bool kube__there(void);
/* Copied. Never NULL. */
struct kube_list *kube_list__new(struct http *http, const struct kube_kind *kind);
void kube_list__free(struct kube_list *k);
/* Every 50 ms or so. */
void kube_list__tick(struct kube_list *k, uint64_t now_ms);
/* One of a table of objects that was not in that list: its key. listing_at: where an object has the number of its list. */
bool kube__find_stale(const struct table *t, size_t listing_at, uint64_t listing, uint64_t *key);

#endif
