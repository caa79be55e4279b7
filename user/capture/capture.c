/* SPDX-License-Identifier: Apache-2.0 */
/* capture.c - events from a ring or from a file. Contract: capture.h. */
#include "capture/capture.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/perf.h"
#include "capture/recording.h"
#include "capture/ring.h"

#define LIVE_MAX 50000 /* records a call: timers and signals must have their turn as well */
#define FILE_MAX 1000

struct capture {
	event_fn *fn;
	void *ctx;
	struct capture_counters counters;
	struct ring_source *ring; /* live, one of them */
	struct perf_source *perf;
	struct recording_reader *file;
	int passed; /* records of this call */
	bool broken; /* file: told by its reader, for good */
};

static void capture__pass(struct capture *c, const void *p, size_t n)
{
	struct event e;

	if (!record__check(p, n, &e)) {
		c->counters.malformed++;
		return;
	}
	if (e.type < WS_REC_KERNEL_MAX)
		c->counters.seen[e.type]++;
	if (e.type == WS_REC_DATA)
		c->counters.seen_payload_bytes += e.text.n;
	c->passed++;
	c->fn(c->ctx, &e);
}

static int capture__sample(void *ctx, void *p, size_t n)
{
	struct capture *c = ctx;

	capture__pass(c, p, n);
	return c->passed < LIVE_MAX ? 0 : -ECANCELED; /* the rest has to wait */
}

static struct capture *capture__new(event_fn *fn, void *ctx, char *err, size_t err_size)
{
	struct capture *c = calloc(1, sizeof(*c));

	if (!c) {
		snprintf(err, err_size, "out of memory");
		return NULL;
	}
	c->fn = fn;
	c->ctx = ctx;
	return c;
}

struct capture *capture__live(int ring_fd, size_t bytes, event_fn *fn, void *ctx, char *err, size_t err_size)
{
	struct capture *c = capture__new(fn, ctx, err, err_size);
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	if (!c)
		return NULL;
	bpf_obj_get_info_by_fd(ring_fd, &info, &size);
	if (info.type == BPF_MAP_TYPE_PERF_EVENT_ARRAY)
		c->perf = perf_source__new(ring_fd, bytes, capture__sample, c);
	else
		c->ring = ring_source__new(ring_fd, info.max_entries, capture__sample, c);
	if (c->ring || c->perf)
		return c;
	snprintf(err, err_size, "%s: %s; `wirespan doctor` shows the limits",
		 info.type == BPF_MAP_TYPE_PERF_EVENT_ARRAY ? "perf buffers" : "ring buffer", strerror(errno));
	free(c);
	return NULL;
}

struct capture *capture__file(const char *path, event_fn *fn, void *ctx, char *err, size_t err_size)
{
	struct capture *c = capture__new(fn, ctx, err, err_size);

	if (!c)
		return NULL;
	c->file = recording_reader__new(path, err, err_size);
	if (c->file)
		return c;
	free(c);
	return NULL;
}

void capture__free(struct capture *c)
{
	if (!c)
		return;
	ring_source__free(c->ring);
	perf_source__free(c->perf);
	recording_reader__free(c->file);
	free(c);
}

int capture__fd(const struct capture *c)
{
	if (c->perf)
		return perf_source__fd(c->perf);
	return c->ring ? ring_source__fd(c->ring) : -1;
}

static int capture__read_file(struct capture *c)
{
	const void *p;
	size_t n;
	int rc = 1;

	while (c->passed < FILE_MAX && (rc = recording_reader__next(c->file, &p, &n)) > 0)
		capture__pass(c, p, n);
	if (rc < 0 && !c->broken)
		c->counters.malformed++;
	c->broken = rc < 0;
	return rc < 0 && c->passed == 0 ? rc : c->passed;
}

int capture__read(struct capture *c)
{
	int rc;

	c->passed = 0;
	if (c->ring) {
		ring_source__read(c->ring);
		return c->passed;
	}
	if (c->perf) {
		rc = perf_source__read(c->perf);
		return rc < 0 ? rc : c->passed;
	}
	return capture__read_file(c);
}

void capture__drain(struct capture *c)
{
	int n;

	do
		n = capture__read(c);
	while (n > 0 || (n == 0 && c->perf && perf_source__held(c->perf)));
}

const struct capture_counters *capture__counters(const struct capture *c)
{
	return &c->counters;
}
