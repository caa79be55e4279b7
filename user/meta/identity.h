/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity.h - the containers of this machine: from a process's cgroup to the OpenTelemetry attributes
 * of its container and pod.
 *
 * The id comes from the cgroup's path, at first sight of a process. All the rest is told by sources
 * (source.h): disk is read once, at first sight of a container; sockets are asked then and may answer
 * later, or never. A late answer completes the resource of every process of the container, and so of
 * the spans that have not left in a batch yet; while one is awaited, or when it never came, the
 * resource says so in wirespan.resource.incomplete. Nothing is looked up when a request is traced.
 */
#ifndef META_IDENTITY_H
#define META_IDENTITY_H

#include "meta/container.h"
#include "util/attrs.h"
#include "util/list.h"

struct identities;
struct process;
struct source;
struct http;

#define LABELS_BYTES 16384 /* of one container and its pod */

struct container {
	struct identities *ids;
	struct container_ref ref;
	uint64_t path_hash;    /* of its cgroup, where the path does not hold the id; else 0 */
	struct attrs facts;    /* container.*, k8s.*, and what annotations say */
	char *labels;	       /* "key=value", each ended by NUL: container's and pod's */
	size_t n_labels;       /* bytes */
	unsigned known, asked; /* sources that have answered; that have been asked and have not: bits, by their row */
	bool sandbox;	       /* holds a pod's namespaces, runs nothing of the user's */
	uint64_t looked_at;    /* ms: the last time that disks were read */
	unsigned looks;
	uint8_t judgement;     /* chooser's own: what the selection says of it */
	uint64_t cgroup;       /* chooser's own: known to the kernel by this id; 0: not */
	struct list processes; /* struct process, by in_container */
	struct list idle;      /* identities.idle: nobody refers to it */
};

/* What it has been told about is no more, or something new. */
typedef void container_fn(void *ctx, struct container *c);

/* epoll_fd: sockets of sources are added with data.ptr = ptr; -1: disk only. services: of the cluster, for names of peers. Never NULL. */
struct identities *identities__new(int epoll_fd, void *ptr, bool services);
void identities__free(struct identities *ids);
/* Is there a Kubernetes API to ask? */
bool identities__has_api(void);
/* Called when something new has been told of a container. */
void identities__on_told(struct identities *ids, container_fn *fn, void *ctx);
/* Who makes the resource of a process anew, as far as it is not its container's. */
typedef void process_fn(void *ctx, struct process *p);
void identities__on_changed(struct identities *ids, process_fn *fn, void *ctx);
/* A socket is ready. */
void identities__ready(struct identities *ids);
/* Every 50 ms or so; now in ms. */
void identities__tick(struct identities *ids, uint64_t now);

/* The container of a process that runs, by its /proc/PID/cgroup. Borrowed; NULL: in none, or it has gone. */
struct container *identities__of_pid(struct identities *ids, uint32_t pid);
/* By a cgroup's path, as identities__of_pid. */
struct container *identities__of_path(struct identities *ids, struct slice path);
/* Its process: gets its attributes, now and later. NULL: in none. */
void container__add_process(struct container *c, struct process *p);
void container__remove_process(struct process *p);
void identities__each(struct identities *ids, container_fn *fn, void *ctx);

/* Could anybody say who has an address? */
bool identities__names_peers(const struct identities *ids);
/* Who has this address, as far as it is known; facts and labels only. Borrowed, until the next tick. NULL: nobody knows. */
const struct container *identities__peer(const struct identities *ids, struct slice address);
/* What a service in it is called if its processes do not say otherwise. *rank: who says so; empty: nobody. */
struct slice container__service(const struct container *c, unsigned *rank /* enum name_rank */);

/* Pods and services that sources had no room for. */
uint64_t identities__left_out(const struct identities *ids);

/* For sources. Are the cluster's services wanted? */
bool identities__wants_services(const struct identities *ids);
/* There was no room for something (if out). */
void identities__crowded(struct identities *ids, bool out);
/* Is there a container of that id that runs, or was looked at a moment ago? */
bool identities__is_fresh(const struct identities *ids, const char *id);
/* A value that is there already stays: the first source that tells is believed. */
void container__fact(struct container *c, const char *key, struct slice value);
/* "registry/name:tag@digest" as container.image.name and container.image.tags. */
void container__image(struct container *c, struct slice image);
void container__label(struct container *c, struct slice key, struct slice value);
/* The value of a label; empty: none. */
struct slice container__get_label(const struct container *c, struct slice key);
/* A value that is what it was told by then goes; another one stays. */
void container__unfact(struct container *c, const char *key, struct slice value);
void container__unlabel(struct container *c, struct slice key, struct slice value);
/* As identities__told(), but what was told before does not hold any more: resources are made anew. */
void identities__retold(struct identities *ids, struct container *c, unsigned row);
/* Source number `row` has answered: processes get what is new. */
void identities__told(struct identities *ids, struct container *c, unsigned row);
/* Of every container of that pod. */
void identities__each_of_pod(struct identities *ids, struct slice uid, container_fn *fn, void *ctx);

#endif
