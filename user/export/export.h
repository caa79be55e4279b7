/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.h - spans -> OTLP over HTTP to a collector, as the OTEL_* environment says.
 *
 * Spans are encoded when they arrive, grouped by resource, queued by batch (bounded), sent through
 * libcurl's multi interface inside the agent's epoll loop, retried as the OTLP specification says. What
 * the collector does not take now waits in memory, or in the spool (spool.h) where there is one.
 */
#ifndef EXPORT_EXPORT_H
#define EXPORT_EXPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "flow/span.h"

enum otlp_protocol { OTLP_HTTP_PROTOBUF, OTLP_HTTP_JSON, OTLP_PROTOCOLS };

struct export_settings {
	char endpoint[512]; /* full URL, with /v1/traces */
	enum otlp_protocol protocol;
	char **headers; /* "Name: value", NULL-terminated */
	char *certificate, *client_certificate, *client_key;
	bool gzip; /* OTEL_EXPORTER_OTLP_COMPRESSION; not set: false */
	uint64_t timeout_ms;
	uint64_t schedule_delay_ms, export_timeout_ms; /* OTEL_BSP_* */
	uint32_t max_queue, max_batch;		       /* spans */
	const char *spool; /* directory; NULL: none. Borrowed, and not from the environment */
	uint64_t spool_bytes;
};

/* From OTEL_EXPORTER_OTLP_[TRACES_]*, OTEL_BSP_*. 0, or -EINVAL and err quotes the variable, and its value if no secret. */
int export_settings__from_env(struct export_settings *s, char *err, size_t err_size);
void export_settings__free(struct export_settings *s);
/* The URL as messages may show it: without user, password and query. */
void endpoint__show(const char *url, char *out, size_t size);

/* In spans, but for files and bytes: found + written = what was taken out of it + dropped + damaged + spans. */
struct spool_counters {
	uint64_t found;	       /* there at the start */
	uint64_t written;
	uint64_t dropped_full; /* the oldest, for the spool's own bound; or one that is larger than that */
	uint64_t dropped_disk; /* the disk was full, or could not be written */
	uint64_t damaged;      /* partial or altered files, which are refused */
	uint64_t damaged_files;
	uint64_t spans, files, bytes; /* there now */
};

/* spans + spool.found = exported + rejected + dropped + queued + spool.(dropped + damaged + spans). */
struct export_counters {
	uint64_t spans;		 /* given to export__span */
	uint64_t exported;	 /* accepted by the collector */
	uint64_t rejected;	 /* by the collector: partial success, or an answer that forbids retrying */
	uint64_t dropped_queue;	 /* the queue was full: of spans, or of bytes */
	uint64_t dropped_retry;	 /* given up after retrying, or at shutdown */
	uint64_t queued;	 /* now */
	uint64_t batches, retries, failures;
	uint64_t bytes_encoded, bytes_sent;
	struct spool_counters spool;
};

struct export;

/* epoll_fd is borrowed: the exporter adds its own descriptors to it, with data.ptr = the struct export. */
struct export *export__new(const struct export_settings *s, int epoll_fd, char *err, size_t err_size);
void export__free(struct export *e);
/* Other settings, from the next batch on; nothing queued is lost; the spool stays. 0, or -EIO and a message. */
int export__reload(struct export *e, const struct export_settings *s, char *err, size_t err_size);

void export__span(struct export *e, const struct span *s);
/* After an epoll event whose data.ptr is the struct export: drives the transfers. */
void export__ready(struct export *e);
/* Sends batches that are due. Returns ms until it wants to be called again (-1: only on events). */
int export__tick(struct export *e, uint64_t now_ms);
/*
 * Sends everything that is in memory and waits, at most ms; what is left goes to the spool. 0, or -ETIMEDOUT:
 * something was dropped, and counted.
 */
int export__flush(struct export *e, uint64_t ms);
/*
 * For a source that can wait, such as a recording: sends until less than half of the queue is used,
 * at most ms. 0, or -ETIMEDOUT.
 */
int export__make_room(struct export *e, uint64_t ms);
/* Whether a span was rejected, dropped, given up or damaged. */
bool export__failed(const struct export *e);
const struct export_counters *export__counters(const struct export *e);

/*
 * --json: one span as one line. The names of OTLP/JSON (traceId, spanId, parentSpanId, ...), but
 * attributes and resource are plain objects.
 */
void otlp_json__line(FILE *out, const struct span *s);

#endif
