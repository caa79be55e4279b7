// SPDX-License-Identifier: Apache-2.0
/*
 * source_podman.c - containers.json of containers/storage (store.go, containers.go: Container): names and
 * image of podman's and CRI-O's containers, written when they are created.
 */
#include "meta/host.h"
#include "meta/source.h"

static const char *const files[] = {
	"/var/lib/containers/storage/overlay-containers/containers.json",
	"/run/containers/storage/overlay-containers/containers.json",
	"/var/lib/containers/storage/vfs-containers/containers.json",
	"/var/lib/containers/storage/overlay-containers/volatile-containers.json",
	"/run/containers/storage/overlay-containers/volatile-containers.json",
};

/* "metadata" is JSON in a string: podman's has image-name and name. */
static void container__take(struct container *c, const json_t *o)
{
	json_t *m = json_loadb(json__at(o, "metadata", NULL).p, json__at(o, "metadata", NULL).n, 0, NULL);
	const json_t *name = json_array_get(json_object_get(o, "names"), 0);

	container__fact(c, "container.name", json__at(name, NULL));
	container__image(c, json__at(m, "image-name", NULL));
	json_decref(m);
}

bool source_podman__look(struct container *c)
{
	bool found = false;

	if (strcmp(c->ref.runtime, "podman") && strcmp(c->ref.runtime, "cri-o"))
		return false;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files) && !found; i++) {
		json_t *all = host__json(files[i]), *o;
		size_t k;

		json_array_foreach(all, k, o) {
			if (!slice__eq(json__at(o, "id", NULL), slice__of(c->ref.id)))
				continue;
			container__take(c, o);
			found = true;
			break;
		}
		json_decref(all);
	}
	return found;
}
