/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta.h - what is known about a process: the OpenTelemetry resource its spans carry, and which
 * runtime runs in it. Read from /proc once (at exec, or when first seen), kept while referred to.
 *
 * service.name, first that applies: OTEL_SERVICE_NAME of the process's environment; service.name
 * in its OTEL_RESOURCE_ATTRIBUTES; the agent's own OTEL_SERVICE_NAME; the script or module
 * that an interpreter runs ("python3 /srv/app.py" -> "app", "gunicorn order:app" -> "order",
 * "java -cp x Inventory" -> "Inventory", "java -jar shop.jar" -> "shop"); the program's file name.
 */
#ifndef META_META_H
#define META_META_H

#include <stdint.h>
#include <sys/types.h>

#include "meta/identity.h"
#include "util/attrs.h"
#include "wirespan/record.h"

struct process {
	uint32_t pid;
	uint32_t refs;
	char service[64];	/* service.name */
	struct attrs told;	/* what its own environment says: nobody may contradict it */
	uint8_t named_by;	/* enum name_rank: who gave it its service.name */
	struct container *container; /* NULL: none, or not known */
	struct list in_container;
	struct list hanging;	/* meta: it did not answer, and goes by its executable until it does */
	struct attrs resource;	/* service.name, service.instance.id, process.*, host.*, telemetry.sdk.* ... */
	enum ws_ctx_kind ctx_kind; /* WS_CTX_GO: its goroutine ids are in ws_actor.user_ctx, 0 if not known */
	uint16_t goid_offset, curg_offset; /* 0: not known */
	bool serves;		/* link: it has been sent a request */
	bool loops;		/* link: threads of it that wait in epoll_wait answer requests */
	bool hands_off;		/* link: the kernel follows its work from context to context */
	bool shares_contexts;	/* link: a context of it answers several requests at a time (rule_coroutine.c) */
	bool sends_later;	/* attach: a loop of it sends what tasks have written (uvloop) */
	uint64_t contexts_ns;	/* attach: requests that were read before tell nothing of its contexts */
	bool calls_on;		/* link: a context of it has made calls after its answer (rule_coroutine.c) */
	bool calls_first;	/* link: one has made calls for the first request that it answered (rule_coroutine.c) */
	bool shares_tasks;	/* link: tasks of tokio that a request has made completed others' */
	bool counts_calls;	/* attach: `calls` are all that have ended, `lone_calls` those without a parent */
	struct {
		uint32_t led, unled;		  /* answers that a reply led to; of which nothing tells */
		uint32_t confirmed, contradicted; /* calls that a request led to whose reply led to its answer; to another's */
		uint32_t agreed, differed;	  /* calls that a reply led to, likewise */
	} callbacks;				  /* link: of late (rule_callback.c) */
	bool follows_callbacks;	/* link: the kernel tells of its callbacks */
	bool starts_workers;	/* link: so has one that was made for a request, after that was answered (rule_coroutine.c) */
	uint32_t calls;		/* link: calls of goroutines, or of contexts of Python, and */
	uint32_t lone_calls;	/* of such as had read no request, or have no parent; */
	uint32_t untold_calls;	/* calls of which hand-offs did not tell, or told of two; */
	uint32_t loose_calls;	/* Node.js: calls that follow from replies, and have no parent. All four are reset by attach */
	uint64_t first_ns;	/* link: when it was first sent one */
	uint64_t served_ns;	/* link: when it was last sent one */
	struct list open;	/* link: those that it has not answered, the oldest first; link_node.open */
};

/* service.name: the higher one wins (OpenTelemetry, "Specify resource attributes using Kubernetes annotations"). */
enum name_rank {
	NAMED_BY_PROGRAM,
	NAMED_BY_CONTAINER,
	NAMED_BY_POD,	/* one that nobody owns */
	NAMED_BY_OWNER, /* Deployment, StatefulSet, ...; service of Compose */
	NAMED_BY_AGENT, /* our own OTEL_ environment */
	NAMED_BY_LABEL, /* app.kubernetes.io/instance, /name */
	NAMED_BY_ANNOTATION,
	NAMED_BY_PROCESS, /* its OTEL_ environment */
};

struct meta;

/* Never NULL: aborts when out of memory. from_proc false: a replay, only what records told. */
struct meta *meta__new(bool from_proc);
void meta__free(struct meta *m);
/* Called once for every process, when its resource is known. */
void meta__on_new(struct meta *m, void (*fn)(void *ctx, struct process *p), void *ctx);

/* Sockets of sources are asked from now on, and heard through that epoll set with data.ptr = ptr; not in a replay. services: of the cluster too (identity.h). */
void meta__listen(struct meta *m, int epoll_fd, void *ptr, bool services);
struct identities *meta__identities(struct meta *m);
/* Asks those again that did not answer; their spans carry wirespan.resource.incomplete until then. */
void meta__tick(struct meta *m);
/* Something new is known of its container (told.c). */
void process__told(struct process *p);
/* A name of a lower rank than the one it has, or an empty one, is passed over. */
void process__set_service(struct process *p, struct slice name, enum name_rank rank);
struct meta_counters {
	uint64_t processes;    /* known now */
	uint64_t objects_dropped; /* pods and services of Kubernetes: no room for them */
	uint64_t keys_dropped; /* attributes of resources left out: no room for their key, or it is unfit */
};
struct meta_counters meta__counters(const struct meta *m);

/* The process now known by that pid; made from /proc at first sight. Borrowed. Never NULL. */
struct process *meta__process(struct meta *m, uint32_t pid);
/* pid was forked by parent: if it has ended before it is looked at, it is what its parent is. */
void meta__forked(struct meta *m, uint32_t pid, uint32_t parent);
/* It has exited: its pid may be another's. */
void meta__ended(struct meta *m, uint32_t pid);
/* Forget the name of pid: it exec'ed or exited. The old struct lives on while referred to. */
void meta__forget(struct meta *m, uint32_t pid);
struct process *process__ref(struct process *p);
void process__unref(struct process *p);

/* For recordings: the process as key=value strings, each ended by NUL, in buf. Bytes used, or 0 if it does not fit. */
size_t process__save(const struct process *p, char *buf, size_t size);
/* The reverse; takes the place of whatever pid was called before. */
void meta__load(struct meta *m, uint32_t pid, struct slice text);

#endif
