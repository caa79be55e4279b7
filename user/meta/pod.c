// SPDX-License-Identifier: Apache-2.0
/*
 * pod.c - in: a Pod as JSON; out: attributes of its containers. Names: OpenTelemetry semantic conventions,
 * "k8s". A ReplicaSet is called like its Deployment and the pod's pod-template-hash (Kubernetes,
 * "Deployments"); a Job of a CronJob like that and the minute it was scheduled for, eight digits.
 */
#include "meta/pod.h"

#include <ctype.h>
#include <stdlib.h>

#include "meta/host.h"
#include "meta/key.h"
#include "util/text.h"

#define OURS "resource.opentelemetry.io/"
#define CRON_DIGITS 8

static const struct {
	const char *kind, *key;
} owners[] = {
	{"ReplicaSet", "k8s.replicaset.name"}, {"StatefulSet", "k8s.statefulset.name"}, {"DaemonSet", "k8s.daemonset.name"},
	{"Job", "k8s.job.name"}, {"Deployment", "k8s.deployment.name"},
};

/* containerID: "containerd://ID". */
static void kept__add_containers(json_t *kept, const json_t *status, const char *name)
{
	json_t *containers = json_object_get(kept, "containers"), *one;
	size_t i;

	json_array_foreach(json_object_get(status, name), i, one) {
		const char *id = json_string_value(json_object_get(one, "containerID"));

		id = id ? strstr(id, "://") : NULL;
		if (id)
			json_object_set_new(containers, id + 3,
					    json_pack("{s:O?, s:O?}", "name", json_object_get(one, "name"), "image",
						      json_object_get(one, "image")));
	}
}

static json_t *annotations__kept(const json_t *annotations)
{
	json_t *kept = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)annotations, key, value)
		if (!strncmp(key, OURS, strlen(OURS)))
			json_object_set(kept, key, value);
	return kept;
}

static const json_t *controller_of(const json_t *meta)
{
	json_t *owner;
	size_t i;

	json_array_foreach(json_object_get(meta, "ownerReferences"), i, owner)
		if (json_is_true(json_object_get(owner, "controller")))
			return owner;
	return json_array_get(json_object_get(meta, "ownerReferences"), 0);
}

/* It keeps podIP, while its address may be another pod's already (Kubernetes, "Pod Lifecycle", Pod phase). */
static bool pod__is_over(const json_t *status)
{
	struct slice phase = json__at(status, "phase", NULL);

	return slice__eq(phase, SLICE("Succeeded")) || slice__eq(phase, SLICE("Failed"));
}

struct pod *pod__new(const json_t *o)
{
	const json_t *meta = json_object_get(o, "metadata"), *status = json_object_get(o, "status");
	struct slice uid = json__at(meta, "annotations", "kubernetes.io/config.hash", NULL);
	struct pod *p;

	/* The API knows a static pod by a mirror of it, which has another uid. */
	if (!uid.n)
		uid = json__at(meta, "uid", NULL);
	if (!uid.n || uid.n >= sizeof(p->uid))
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	text__copy(p->uid, sizeof(p->uid), uid);
	p->kept = json_pack("{s:O?, s:O?, s:O?, s:O?, s:o, s:o, s:O?}", "name", json_object_get(meta, "name"), "namespace",
			    json_object_get(meta, "namespace"), "labels", json_object_get(meta, "labels"), "node",
			    json_object_get(json_object_get(o, "spec"), "nodeName"), "annotations",
			    annotations__kept(json_object_get(meta, "annotations")), "containers", json_object(), "owner",
			    controller_of(meta));
	kept__add_containers(p->kept, status, "initContainerStatuses");
	kept__add_containers(p->kept, status, "containerStatuses");
	kept__add_containers(p->kept, status, "ephemeralContainerStatuses");
	if (!pod__is_over(status) && !slice__eq(json__at(status, "podIP", NULL), json__at(status, "hostIP", NULL)))
		text__copy(p->ip, sizeof(p->ip), json__at(status, "podIP", NULL));
	pod__tell(p, &p->as_peer);
	return p;
}

void pod__free(struct pod *p)
{
	if (!p)
		return;
	json_decref(p->kept);
	attrs__free(&p->as_peer.facts);
	free(p->as_peer.labels);
	free(p);
}

/* "order-7c9f" of a pod with the template hash 7c9f. */
static struct slice deployment_of(struct slice replicaset, struct slice hash)
{
	if (!hash.n || replicaset.n <= hash.n + 1 || replicaset.p[replicaset.n - hash.n - 1] != '-' ||
	    memcmp(replicaset.p + replicaset.n - hash.n, hash.p, hash.n))
		return (struct slice){NULL, 0};
	return slice__sub(replicaset, 0, replicaset.n - hash.n - 1);
}

static struct slice cronjob_of(struct slice job)
{
	if (job.n <= CRON_DIGITS + 1 || job.p[job.n - CRON_DIGITS - 1] != '-')
		return (struct slice){NULL, 0};
	for (size_t i = job.n - CRON_DIGITS; i < job.n; i++)
		if (!isdigit((unsigned char)job.p[i]))
			return (struct slice){NULL, 0};
	return slice__sub(job, 0, job.n - CRON_DIGITS - 1);
}

static void pod__tell_owner(const struct pod *p, struct container *c)
{
	struct slice kind = json__at(p->kept, "owner", "kind", NULL), name = json__at(p->kept, "owner", "name", NULL);

	for (size_t i = 0; i < sizeof(owners) / sizeof(*owners); i++)
		if (slice__eq(kind, slice__of(owners[i].kind)))
			container__fact(c, owners[i].key, name);
	if (slice__eq(kind, SLICE("ReplicaSet")))
		container__fact(c, "k8s.deployment.name", deployment_of(name, json__at(p->kept, "labels", "pod-template-hash", NULL)));
	else if (slice__eq(kind, SLICE("Job")))
		container__fact(c, "k8s.cronjob.name", cronjob_of(name));
}

void pod__tell(const struct pod *p, struct container *c)
{
	const json_t *one = json_object_get(json_object_get(p->kept, "containers"), c->ref.id);
	json_t *value;
	const char *key, *kept;

	container__fact(c, "k8s.pod.name", json__at(p->kept, "name", NULL));
	container__fact(c, "k8s.namespace.name", json__at(p->kept, "namespace", NULL));
	container__fact(c, "k8s.node.name", json__at(p->kept, "node", NULL));
	container__fact(c, "k8s.container.name", json__at(one, "name", NULL));
	container__image(c, json__at(one, "image", NULL));
	pod__tell_owner(p, c);
	json_object_foreach(json_object_get(p->kept, "labels"), key, value)
		container__label(c, slice__of(key), json__at(value, NULL));
	json_object_foreach(json_object_get(p->kept, "annotations"), key, value) {
		kept = key__intern(slice__of(key + strlen(OURS)));
		if (kept)
			container__fact(c, kept, json__at(value, NULL));
	}
}

void pod__untell(const struct pod *p, struct container *c)
{
	struct container owner = {0};
	json_t *value;
	const char *key;

	pod__tell_owner(p, &owner);
	for (unsigned i = 0; i < owner.facts.n; i++)
		container__unfact(c, owner.facts.v[i].key, attr__text(&owner.facts, &owner.facts.v[i]));
	attrs__free(&owner.facts);
	json_object_foreach(json_object_get(p->kept, "labels"), key, value)
		container__unlabel(c, slice__of(key), json__at(value, NULL));
	json_object_foreach(json_object_get(p->kept, "annotations"), key, value)
		container__unfact(c, key + strlen(OURS), json__at(value, NULL));
}

bool pod__says_the_same(const struct pod *a, const struct pod *b)
{
	static const char *const parts[] = {"labels", "annotations", "owner"};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		const json_t *one = json_object_get(a->kept, parts[i]), *other = json_object_get(b->kept, parts[i]);

		if (one != other && !json_equal(one, other))
			return false;
	}
	return true;
}
