/* SPDX-License-Identifier: Apache-2.0 */
/* perf.c - perf buffers. Contract: perf.h. What the kernel could not store there it has counted itself (emit_perf.bpf.h). */
#include "capture/perf.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "wirespan/record.h"

/* How long a record may take from its clock to its buffer, when interrupts come in between. */
#define SLACK_NS 5000000ull

struct held {
	uint64_t time_ns, order;
	void *p;
	size_t n;
};

struct perf_source {
	struct perf_buffer *pb;
	perf_source_fn *fn;
	void *ctx;
	struct held *held;
	size_t n, max;
	uint64_t order;	   /* of the next record found */
	uint64_t read_at;  /* when the read before began */
	int error;
};

static struct held *perf_source__room(struct perf_source *s)
{
	size_t max = s->max ? 2 * s->max : 1024;
	struct held *held;

	if (s->n < s->max)
		return &s->held[s->n];
	held = realloc(s->held, max * sizeof(*held));
	if (!held)
		return NULL;
	s->held = held;
	s->max = max;
	return &s->held[s->n];
}

static enum bpf_perf_event_ret perf_source__found(void *ctx, int cpu, struct perf_event_header *e)
{
	struct {
		struct perf_event_header head;
		uint32_t size;
		char data[];
	} *raw = (void *)e;
	struct perf_source *s = ctx;
	struct held *h;

	if (e->type != PERF_RECORD_SAMPLE || raw->size < sizeof(struct ws_rec))
		return LIBBPF_PERF_EVENT_CONT;
	h = perf_source__room(s);
	if (!h || !(h->p = malloc(raw->size))) {
		s->error = -ENOMEM;
		return LIBBPF_PERF_EVENT_ERROR;
	}
	memcpy(h->p, raw->data, raw->size);
	h->n = raw->size;
	h->time_ns = ((struct ws_rec *)h->p)->time_ns;
	h->order = s->order++;
	s->n++;
	return LIBBPF_PERF_EVENT_CONT;
}

static int held__compare(const void *va, const void *vb)
{
	const struct held *a = va, *b = vb;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

static size_t pages(size_t bytes)
{
	size_t cpus = (size_t)libbpf_num_possible_cpus(), page = (size_t)sysconf(_SC_PAGESIZE), n = 8;

	while (2 * n * page * cpus <= bytes)
		n *= 2;
	return n;
}

struct perf_source *perf_source__new(int map_fd, size_t bytes, perf_source_fn *fn, void *ctx)
{
	size_t n = pages(bytes);
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW,
		.sample_period = 1,
		.watermark = 1, /* waking us for each record costs far more than the record */
		.wakeup_watermark = (uint32_t)(n * (size_t)sysconf(_SC_PAGESIZE) / 4),
	};
	struct perf_source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fn = fn;
	s->ctx = ctx;
	s->pb = perf_buffer__new_raw(map_fd, n, &attr, perf_source__found, s, NULL);
	if (s->pb)
		return s;
	free(s);
	return NULL;
}

void perf_source__free(struct perf_source *s)
{
	if (!s)
		return;
	perf_buffer__free(s->pb);
	for (size_t i = 0; i < s->n; i++)
		free(s->held[i].p);
	free(s->held);
	free(s);
}

int perf_source__fd(const struct perf_source *s)
{
	return perf_buffer__epoll_fd(s->pb);
}

int perf_source__read(struct perf_source *s)
{
	uint64_t begun = clock__ns(CLOCK_MONOTONIC), found = s->order, due;
	size_t i;

	perf_buffer__consume(s->pb);
	if (s->error)
		return s->error;
	if (s->order == found)
		due = UINT64_MAX;
	else
		due = s->read_at > SLACK_NS ? s->read_at - SLACK_NS : 0;
	s->read_at = begun;
	qsort(s->held, s->n, sizeof(*s->held), held__compare);
	for (i = 0; i < s->n && s->held[i].time_ns < due; i++) {
		s->fn(s->ctx, s->held[i].p, s->held[i].n);
		free(s->held[i].p);
	}
	if (i)
		memmove(s->held, s->held + i, (s->n - i) * sizeof(*s->held));
	s->n -= i;
	return 0;
}

size_t perf_source__held(const struct perf_source *s)
{
	return s->n;
}
