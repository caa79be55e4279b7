// SPDX-License-Identifier: Apache-2.0
/*
 * source_runc.c - runc alone: /run/runc/ID/state.json (libcontainer/container_linux.go, State), saved
 * before the container's first program is exec'ed. Its id is the name a person gave it; any cgroup
 * path may be its own, so state.json tells which container a path is of.
 */
#include <limits.h>
#include <stdio.h>

#include "meta/host.h"
#include "meta/source.h"
#include "util/text.h"

static const char *const folders[] = {"/run/runc", "/run/user/0/runc", "/run/crun"};
#define FOLDERS (sizeof(folders) / sizeof(*folders))

static json_t *state__of(const char *id)
{
	json_t *j = NULL;

	for (size_t i = 0; i < FOLDERS && !j; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s/state.json", folders[i], id);
		j = host__json(path);
	}
	return j;
}

/* Where is a hierarchy mounted? Version 2 alone: /sys/fs/cgroup; else a folder below it, of any name. */
static bool is_mount(struct slice dir, const char *controller)
{
	struct slice below;

	if (!slice__starts(dir, SLICE("/sys/fs/cgroup")))
		return false;
	below = slice__sub(dir, strlen("/sys/fs/cgroup"), dir.n);
	if (!controller[0])
		return !below.n || slice__eq(below, SLICE("/unified"));
	return below.n > 1 && slice__find(slice__sub(below, 1, below.n), '/') == below.n - 1;
}

/* cgroup_paths: controller (version 2: "") -> folder, which ends with the path. */
static bool state__has_path(const json_t *state, struct slice path)
{
	const char *controller;
	const json_t *value;

	json_object_foreach(json_object_get(state, "cgroup_paths"), controller, value) {
		struct slice full = json__at(value, NULL);

		if (full.n > path.n && !memcmp(full.p + full.n - path.n, path.p, path.n) &&
		    is_mount((struct slice){full.p, full.n - path.n}, controller))
			return true;
	}
	return false;
}

struct search {
	struct slice path;
	struct container_ref *ref;
	const struct identities *ids; /* scanning: those that are known have another path. Or NULL */
};

static bool state__try(void *ctx, const char *id)
{
	struct search *s = ctx;
	json_t *j = NULL;
	bool found;

	if (strlen(id) <= CONTAINER_ID_MAX && !(s->ids && identities__is_fresh(s->ids, id)))
		j = state__of(id);
	found = j && state__has_path(j, s->path);
	json_decref(j);
	if (!found)
		return false;
	*s->ref = (struct container_ref){.runtime = "runc"};
	text__copy(s->ref->id, sizeof(s->ref->id), slice__of(id));
	return true;
}

bool source_runc__of_path(const struct identities *ids, struct slice path, bool scan, struct container_ref *ref)
{
	struct search s = {path, ref, NULL};
	char leaf[CONTAINER_ID_MAX + 1];

	/* Most often the folder is called like the container. */
	text__copy(leaf, sizeof(leaf), slice__leaf(path));
	if (leaf[0] && leaf[0] != '.' && state__try(&s, leaf))
		return true;
	s.ids = ids;
	for (size_t i = 0; scan && i < FOLDERS; i++)
		if (host__each(folders[i], state__try, &s))
			return true;
	return false;
}

/* labels: "key=value"; that of "bundle" is the folder with config.json. */
static void container__take_bundle(struct container *c, struct slice bundle)
{
	char path[PATH_MAX];
	json_t *j;

	snprintf(path, sizeof(path), "%.*s/config.json", (int)bundle.n, bundle.p);
	j = host__json(path);
	source_oci__annotations(c, j);
	json_decref(j);
}

bool source_runc__look(struct container *c)
{
	json_t *j, *label;
	size_t i;

	if (strcmp(c->ref.runtime, "runc"))
		return false;
	j = state__of(c->ref.id);
	if (!j)
		return false;
	container__fact(c, "container.name", slice__of(c->ref.id));
	json_array_foreach(json_object_get(json_object_get(j, "config"), "labels"), i, label) {
		struct slice s = json__at(label, NULL);

		if (slice__starts(s, SLICE("bundle=")))
			container__take_bundle(c, slice__sub(s, 7, s.n));
	}
	json_decref(j);
	return true;
}
