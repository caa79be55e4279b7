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

#include "util/attrs.h"
#include "wirespan/record.h"

struct process {
	uint32_t pid;
	uint32_t refs;
	char service[64];	/* service.name */
	struct attrs resource;	/* service.name, service.instance.id, process.*, host.*, telemetry.sdk.* ... */
	enum ws_ctx_kind ctx_kind; /* WS_CTX_GO: its goroutine ids are in ws_actor.user_ctx, 0 if not known */
	uint16_t goid_offset;	/* 0: not known */
	bool serves;		/* link: it has been sent a request */
};

struct meta;

/* Never NULL: aborts when out of memory. from_proc false: a replay, only what records told. */
struct meta *meta__new(bool from_proc);
void meta__free(struct meta *m);
/* Called once for every process, when its resource is known. */
void meta__on_new(struct meta *m, void (*fn)(void *ctx, struct process *p), void *ctx);

/* The process now known by that pid; made from /proc at first sight. Borrowed. Never NULL. */
struct process *meta__process(struct meta *m, uint32_t pid);
/* Forget the name of pid: it exec'ed or exited. The old struct lives on while referred to. */
void meta__forget(struct meta *m, uint32_t pid);
struct process *process__ref(struct process *p);
void process__unref(struct process *p);

/* For recordings: the process as key=value strings, each ended by NUL, in buf. Bytes used, or 0 if it does not fit. */
size_t process__save(const struct process *p, char *buf, size_t size);
/* The reverse; takes the place of whatever pid was called before. */
void meta__load(struct meta *m, uint32_t pid, struct slice text);

#endif
