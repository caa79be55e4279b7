/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - who tells about containers: one file and one row each, none of them needed. A source sets
 * facts by container__fact() and its like; identity.c calls it and hands on what is new.
 */
#ifndef META_SOURCE_H
#define META_SOURCE_H

#include <jansson.h>

#include "meta/identity.h"

struct source {
	const char *name;
	/* From disk, when a container is first seen (and a few times after if nobody knew it). True: it knew it. */
	bool (*look)(struct container *c);
	/* From a socket: NULL where there is none to ask. */
	bool (*there)(void); /* Kubernetes' API: could it be asked? NULL: this is another source */
	void *(*open)(struct identities *ids, struct http *http, unsigned row);
	/* True: an answer will come, or be given up, by identities__told(). NULL: it knows nothing of containers. */
	bool (*ask)(void *self, struct container *c);
	void (*tick)(void *self, uint64_t now_ms);
	void (*forget)(void *self, struct container *c); /* it is freed now */
	/* Who has this address? NULL: not known. */
	const struct container *(*peer)(void *self, struct slice address);
	void (*close)(void *self);
};

extern const struct source sources[];
extern const unsigned sources_n;

bool source_oci__look(struct container *c);
/* Is this the cgroup of a container that ctr(8) named: /NAMESPACE/NAME? */
bool source_oci__of_path(struct slice path, struct container_ref *ref);
/* What an OCI bundle's config.json says in its annotations. */
void source_oci__annotations(struct container *c, const json_t *config);
bool source_docker__look(struct container *c);
/* Name, image and labels of what Docker keeps, and of what its API answers, which are alike. */
void docker__take(struct container *c, const json_t *j);
bool source_podman__look(struct container *c);
bool source_runc__look(struct container *c);
void *source_engine__open(struct identities *ids, struct http *http, unsigned row);
bool source_engine__ask(void *self, struct container *c);
void source_engine__tick(void *self, uint64_t now_ms);
void source_engine__forget(void *self, struct container *c);
void source_engine__close(void *self);
bool source_kubernetes__there(void);
void *source_kubernetes__open(struct identities *ids, struct http *http, unsigned row);
bool source_kubernetes__ask(void *self, struct container *c);
void source_kubernetes__tick(void *self, uint64_t now_ms);
const struct container *source_kubernetes__peer(void *self, struct slice address);
void source_kubernetes__close(void *self);
void *source_services__open(struct identities *ids, struct http *http, unsigned row);
void source_services__tick(void *self, uint64_t now_ms);
const struct container *source_services__peer(void *self, struct slice address);
void source_services__close(void *self);
/* Is this the cgroup of a container of runc's alone? scan: read the state of each, if none is called like the folder. */
bool source_runc__of_path(const struct identities *ids, struct slice path, bool scan, struct container_ref *ref);

#endif
