// SPDX-License-Identifier: Apache-2.0
/*
 * source_oci.c - config.json of a container's OCI bundle, which the runtime has written before it calls
 * runc. Its annotations tell what Kubernetes' CRI was told, so the CRI socket (gRPC) is not asked.
 *   containerd  pkg/cri/annotations: io.kubernetes.cri.*
 *   CRI-O       pkg/annotations: io.kubernetes.*, io.kubernetes.cri-o.*
 *   nerdctl     pkg/labels: nerdctl/name
 * A container of containerd's ctr is called by its id, which people choose. Its image is not in the bundle, but in
 * io.containerd.metadata.v1.bolt/meta.db alone: a bolt database, whose pages are used again as soon as none of
 * containerd's own readers needs them, and have no checksum, so that who reads it beside the lock may get another's name.
 */
#include <limits.h>
#include <stdio.h>

#include "meta/host.h"
#include "meta/source.h"
#include "util/text.h"

#define RANDOM_ID 64 /* digits: those that Kubernetes, Docker and nerdctl draw */

/* %s: the container's id. Where a folder of containerd's namespaces is in between: "*". */
static const struct place {
	const char *before, *after, *runtime;
	bool namespaces;
} places[] = {
	{"/run/containerd/io.containerd.runtime.v2.task", "config.json", "containerd", true},
	{"/run/k3s/containerd/io.containerd.runtime.v2.task", "config.json", "containerd", true},
	{"/run/containers/storage/overlay-containers", "userdata/config.json", "", false},
	{"/var/lib/containers/storage/overlay-containers", "userdata/config.json", "", false},
	{"/run/containers/storage/vfs-containers", "userdata/config.json", "", false},
};

static const struct {
	const char *annotation, *key;
} keys[] = {
	{"io.kubernetes.cri.container-name", "k8s.container.name"},
	{"io.kubernetes.cri.sandbox-name", "k8s.pod.name"},
	{"io.kubernetes.cri.sandbox-namespace", "k8s.namespace.name"},
	{"io.kubernetes.cri.sandbox-uid", "k8s.pod.uid"},
	{"io.kubernetes.container.name", "k8s.container.name"},
	{"io.kubernetes.pod.name", "k8s.pod.name"},
	{"io.kubernetes.pod.namespace", "k8s.namespace.name"},
	{"io.kubernetes.pod.uid", "k8s.pod.uid"},
	{"nerdctl/name", "container.name"},
};

/* Kubernetes', and those that nerdctl and images set. */
static void container__annotation(struct container *c, const char *key, struct slice value)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!strcmp(key, keys[i].annotation))
			container__fact(c, keys[i].key, value);
	if (!strcmp(key, "io.kubernetes.cri.image-name") || !strcmp(key, "io.kubernetes.cri-o.ImageName") ||
	    !strcmp(key, "org.opencontainers.image.ref.name"))
		container__image(c, value);
	if (!strcmp(key, "io.kubernetes.cri.container-type") || !strcmp(key, "io.kubernetes.cri-o.ContainerType"))
		c->sandbox = slice__eq(value, SLICE("sandbox"));
	if (strncmp(key, "io.kubernetes.", 14) && strncmp(key, "nerdctl/", 8))
		container__label(c, slice__of(key), value);
}

void source_oci__annotations(struct container *c, const json_t *config)
{
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(config, "annotations"), key, value)
		container__annotation(c, key, json__at(value, NULL));
}

struct search {
	const struct place *place;
	const char *id;
	json_t *json;
};

static bool namespace__try(void *ctx, const char *name)
{
	struct search *s = ctx;
	char path[512];

	snprintf(path, sizeof(path), "%s/%.100s/%s/%s", s->place->before, name, s->id, s->place->after);
	s->json = host__json(path);
	return s->json;
}

static json_t *place__find(const struct place *p, const char *id)
{
	struct search s = {p, id, NULL};
	char path[512];

	if (p->namespaces) {
		host__each(p->before, namespace__try, &s);
		return s.json;
	}
	snprintf(path, sizeof(path), "%s/%s/%s", p->before, id, p->after);
	return host__json(path);
}

bool source_oci__of_path(struct slice path, struct container_ref *ref)
{
	char file[PATH_MAX];
	struct slice name = slice__leaf(path), namespace;

	if (!name.n || name.n == path.n || name.n > CONTAINER_ID_MAX)
		return false;
	namespace = slice__leaf(slice__sub(path, 0, path.n - name.n - 1));
	if (!namespace.n)
		return false;
	snprintf(file, sizeof(file), "%s/%.*s/%.*s/config.json", places[0].before, (int)namespace.n, namespace.p, (int)name.n,
		 name.p);
	if (!host__exists(file))
		return false;
	*ref = (struct container_ref){.runtime = "containerd"};
	text__copy(ref->id, sizeof(ref->id), name);
	return true;
}

bool source_oci__look(struct container *c)
{
	const struct place *p = places;
	json_t *j = NULL;

	for (; p < places + sizeof(places) / sizeof(*places); p++)
		if ((j = place__find(p, c->ref.id)))
			break;
	if (!j)
		return false;
	if (!c->ref.runtime[0] && p->runtime[0])
		c->ref.runtime = p->runtime;
	source_oci__annotations(c, j);
	if (!c->ref.runtime[0] && json__at(j, "annotations", "io.kubernetes.cri-o.Name", NULL).n)
		c->ref.runtime = "cri-o";
	json_decref(j);
	if (!strcmp(c->ref.runtime, "containerd") && strlen(c->ref.id) != RANDOM_ID && !attrs__find(&c->facts, "container.name"))
		container__fact(c, "container.name", slice__of(c->ref.id));
	return true;
}
