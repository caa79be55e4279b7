/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export_rig.h - an exporter of three spans a batch and its collector, driven as the agent does. After every
 * step all spans are accounted for. Include after cmocka.h.
 */
#ifndef TEST_EXPORT_RIG_H
#define TEST_EXPORT_RIG_H

#include <sys/epoll.h>

#include "collector.h"
#include "export/export.h"
#include "meta/meta.h"

#define DEADLINE_MS 15000
#define NEVER 1000000000
#define ROWS(a) (a), sizeof(a) / sizeof(*(a))

struct rig {
	struct collector c;
	struct export_settings s;
	struct export *e;
	struct process *p;
	struct attrs attrs;
	uint32_t next_id;
	int epoll_fd;
};

static inline void check_sum(const struct rig *r)
{
	const struct export_counters *n = export__counters(r->e);
	const struct spool_counters *s = &n->spool;

	assert_int_equal(n->spans + s->found, n->exported + n->rejected + n->dropped_queue + n->dropped_retry + n->queued +
						      s->dropped_full + s->dropped_disk + s->damaged + s->spans);
	assert_true(n->queued <= r->s.max_queue);
}

static inline void rig__open(struct rig *r, const struct answer *script, size_t rows)
{
	memset(r, 0, sizeof(*r));
	collector__open(&r->c, script, rows);
	r->s = (struct export_settings){
		.timeout_ms = DEADLINE_MS, .schedule_delay_ms = NEVER, .export_timeout_ms = NEVER,
		.max_queue = 1000, .max_batch = 3,
	};
	snprintf(r->s.endpoint, sizeof(r->s.endpoint), "%s", r->c.url);
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r->p = calloc(1, sizeof(*r->p));
	r->p->refs = 1;
	attrs__str(&r->p->resource, "service.name", SLICE("test"));
	attrs__str(&r->attrs, "url.path", SLICE("/orders"));
}

static inline void rig__start(struct rig *r)
{
	char err[512] = "";

	r->e = export__new(&r->s, r->epoll_fd, err, sizeof(err));
	if (!r->e)
		fail_msg("%s", err);
}

/* With a collector that is there. */
static inline void rig__up(struct rig *r)
{
	collector__up(&r->c);
	rig__start(r);
}

static inline void rig__close(struct rig *r)
{
	check_sum(r);
	export__free(r->e);
	close(r->epoll_fd);
	collector__down(&r->c);
	collector__free(&r->c);
	assert_int_equal(r->p->refs, 1);
	process__unref(r->p);
	attrs__free(&r->attrs);
}

static inline void add(struct rig *r, unsigned n)
{
	while (n--) {
		struct span s = {.kind = SPAN_SERVER, .name = "GET", .start_ns = 1, .end_ns = 2, .attrs = &r->attrs,
				 .process = r->p, .trace_id = {1}};

		r->next_id++;
		memcpy(s.span_id, &r->next_id, 4);
		export__span(r->e, &s);
		check_sum(r);
	}
}

/* As the agent does: events at once, a tick every 50 ms. */
static inline void turn(struct rig *r, uint64_t *ticked)
{
	struct epoll_event ev;

	if (epoll_wait(r->epoll_fd, &ev, 1, 5) > 0) {
		assert_ptr_equal(ev.data.ptr, r->e);
		export__ready(r->e);
		check_sum(r);
	}
	if (clock__ms() >= *ticked + 50) {
		*ticked = clock__ms();
		export__tick(r->e, *ticked);
		check_sum(r);
	}
}

static inline void until(struct rig *r, bool (*done)(struct rig *r))
{
	uint64_t end = clock__ms() + DEADLINE_MS, ticked = 0;

	while (!done(r)) {
		if (clock__ms() > end)
			fail_msg("%llu spans still queued", (unsigned long long)export__counters(r->e)->queued);
		turn(r, &ticked);
	}
}

static inline bool is_empty(struct rig *r)
{
	return !export__counters(r->e)->queued;
}

static inline bool is_one_left(struct rig *r)
{
	return export__counters(r->e)->queued == 1;
}

static inline bool has_failed(struct rig *r)
{
	return export__counters(r->e)->failures;
}

static inline bool is_seen(struct rig *r)
{
	return collector__count(&r->c);
}

static inline void drain(struct rig *r)
{
	until(r, is_empty);
}

static inline void run_for(struct rig *r, uint64_t ms)
{
	uint64_t end = clock__ms() + ms, ticked = 0;

	while (clock__ms() < end)
		turn(r, &ticked);
}

struct expected {
	uint64_t exported, rejected, dropped_queue, dropped_retry, queued, batches, retries, failures;
};

static inline void check_counters(const struct rig *r, struct expected x)
{
	const struct export_counters *n = export__counters(r->e);

	assert_int_equal(n->exported, x.exported);
	assert_int_equal(n->rejected, x.rejected);
	assert_int_equal(n->dropped_queue, x.dropped_queue);
	assert_int_equal(n->dropped_retry, x.dropped_retry);
	assert_int_equal(n->queued, x.queued);
	assert_int_equal(n->batches, x.batches);
	assert_int_equal(n->retries, x.retries);
	assert_int_equal(n->failures, x.failures);
}

#endif
