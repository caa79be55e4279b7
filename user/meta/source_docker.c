// SPDX-License-Identifier: Apache-2.0
/*
 * source_docker.c - /var/lib/docker/containers/ID/config.v2.json: written by `docker create`, so it is
 * there before the container's cgroup is. moby daemon/container/container.go, Container.
 */
#include <stdio.h>

#include "meta/host.h"
#include "meta/source.h"

static const char *const folders[] = {"/var/lib/docker", "/var/snap/docker/common/var-lib-docker"};

void docker__take(struct container *c, const json_t *j)
{
	struct slice name = json__at(j, "Name", NULL);
	const char *key;
	json_t *value;

	container__fact(c, "container.name", slice__starts(name, SLICE("/")) ? slice__sub(name, 1, name.n) : name);
	container__image(c, json__at(j, "Config", "Image", NULL));
	json_object_foreach(json_object_get(json_object_get(j, "Config"), "Labels"), key, value)
		container__label(c, slice__of(key), json__at(value, NULL));
}

bool source_docker__look(struct container *c)
{
	json_t *j = NULL;
	char path[256];

	if (c->ref.runtime[0] && strcmp(c->ref.runtime, "docker"))
		return false;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders) && !j; i++) {
		snprintf(path, sizeof(path), "%s/containers/%s/config.v2.json", folders[i], c->ref.id);
		j = host__json(path);
	}
	if (!j)
		return false;
	docker__take(c, j);
	c->ref.runtime = "docker";
	json_decref(j);
	return true;
}
