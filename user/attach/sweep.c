// SPDX-License-Identifier: Apache-2.0
/*
 * sweep.c - what the kernel's maps hold of goroutines, words and connections that are no more, removed. They are plain
 * hashes, so that what finds no room there is counted; the kernel itself sees no end of these. Contract: attach.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>

#include "attach/running.h"
#include "attach/state.h"
#include "util/clock.h"
#include "util/table.h"

#define BATCH 1024 /* more than any bucket holds: else the kernel says ENOSPC */
#define KEY_MAX 64
#define VALUE_NS 1000000000ull /* bpf/runtime_go.bpf.c */
#define PAUSE_NS 1000000000ull

typedef bool stale_fn(void *ctx, const void *key, const void *value);

/* Entries of a part of the map; those that are stale are removed. */
static size_t batch__sweep(int fd, const char *keys, size_t key_size, const char *values, size_t value_size, uint32_t n,
			   stale_fn *stale, void *ctx)
{
	size_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		const char *key = keys + i * key_size;

		if (stale && stale(ctx, key, values + i * value_size))
			bpf_map_delete_elem(fd, key);
		else
			kept++;
	}
	return kept;
}

/* How many entries stay. stale: NULL, all of them. */
static size_t map__sweep(struct bpf_map *m, stale_fn *stale, void *ctx)
{
	const size_t key_size = bpf_map__key_size(m), value_size = bpf_map__value_size(m);
	char *keys = malloc(BATCH * key_size), *values = malloc(BATCH * value_size), at[KEY_MAX];
	size_t kept = 0;
	bool more = keys && values && key_size <= KEY_MAX;

	for (bool first = true; more; first = false) {
		uint32_t n = BATCH;
		int rc = bpf_map_lookup_batch(bpf_map__fd(m), first ? NULL : at, at, keys, values, &n, NULL);

		more = rc == 0; /* -ENOENT: that was the end */
		if (rc == 0 || rc == -ENOENT)
			kept += batch__sweep(bpf_map__fd(m), keys, key_size, values, value_size, n, stale, ctx);
	}
	free(keys);
	free(values);
	return kept;
}

/* --- Go: struct handoff_key, go_value, go_sent of bpf/ --- */

struct handoff_key {
	uint64_t g;
	uint32_t tgid, time;
};

struct go_value {
	uint32_t tgid, size;
	uint64_t words[4];
};

struct go_sent {
	uint64_t cause, sender, channel;
	uint32_t n, mixed;
	uint64_t time_ns;
};

struct sweep_go {
	attach_follows_fn *follows;
	void *ctx;
	uint64_t now;
};

static bool goroutine__is_stale(void *ctx, const void *key, const void *value)
{
	const struct sweep_go *s = ctx;
	const struct handoff_key *k = key;

	return !s->follows(s->ctx, k->tgid, k->time);
}

static bool value__is_stale(void *ctx, const void *key, const void *value)
{
	const struct sweep_go *s = ctx;

	return ((const struct go_sent *)value)->time_ns + VALUE_NS < s->now;
}

void attach__sweep_go(struct attach *a, bool ended, attach_follows_fn *follows, void *ctx)
{
	struct sweep_go s = {follows, ctx, clock__ns(CLOCK_MONOTONIC)};

	if (ended) {
		map__sweep(a->skel->maps.goroutines, goroutine__is_stale, &s);
		map__sweep(a->skel->maps.batches, goroutine__is_stale, &s);
		map__sweep(a->skel->maps.tokio_tasks, goroutine__is_stale, &s); /* struct tokio_key is alike */
	}
	map__sweep(a->skel->maps.go_values, value__is_stale, &s);
}

/* --- words that pools wait on: struct wake_word of bpf/wake.bpf.c --- */

struct wake_word {
	uint64_t word;
	uint32_t tgid, pad;
};

static bool word__is_stale(void *ctx, const void *key, const void *value)
{
	struct table *live = ctx; /* 1: it runs; 2: it does not */
	const uint32_t tgid = ((const struct wake_word *)key)->tgid;
	uintptr_t state = (uintptr_t)table__get(live, tgid);

	if (!state) {
		state = process__start(tgid) ? 1 : 2;
		table__set(live, tgid, (void *)state);
	}
	return state == 2;
}

static bool any__is_stale(void *ctx, const void *key, const void *value)
{
	return true;
}

void attach__forget_words(struct attach *a)
{
	map__sweep(a->skel->maps.wake_words, any__is_stale, NULL);
	__atomic_store_n(&a->skel->bss->wake_full, 0, __ATOMIC_RELAXED);
}

void attach__sweep_words(struct attach *a)
{
	struct table live = {0};

	if (!a->wakes || !a->skel->bss->wake_full || clock__ns(CLOCK_MONOTONIC) - a->words_swept_ns < PAUSE_NS)
		return;
	a->words_swept_ns = clock__ns(CLOCK_MONOTONIC);
	if (map__sweep(a->skel->maps.wake_words, word__is_stale, &live) < bpf_map__max_entries(a->skel->maps.wake_words))
		__atomic_store_n(&a->skel->bss->wake_full, 0, __ATOMIC_RELAXED);
	table__free(&live);
}

/* --- what is known of connections: their budgets, and who wrote to them --- */

static bool connection__is_stale(void *ctx, const void *key, const void *value)
{
	const struct attach *a = ctx;

	return !a->knows(a->knows_ctx, *(const uint64_t *)key);
}

void attach__sweep_written(struct attach *a)
{
	struct bpf_map *m = a->skel->maps.python_written;

	if (!a->knows || !a->skel->bss->python_written_full || clock__ns(CLOCK_MONOTONIC) - a->written_swept_ns < PAUSE_NS)
		return;
	a->written_swept_ns = clock__ns(CLOCK_MONOTONIC);
	if (map__sweep(m, connection__is_stale, a) < bpf_map__max_entries(m))
		__atomic_store_n(&a->skel->bss->python_written_full, 0, __ATOMIC_RELAXED);
}

bool attach__sweep_budgets(struct attach *a)
{
	const struct bpf_map *m = a->skel->maps.sock_budgets;

	if (!a->knows || clock__ns(CLOCK_MONOTONIC) - a->budgets_swept_ns < PAUSE_NS)
		return false;
	a->budgets_swept_ns = clock__ns(CLOCK_MONOTONIC);
	return map__sweep(a->skel->maps.sock_budgets, connection__is_stale, a) < bpf_map__max_entries(m);
}

/* --- what an LRU hash has lost --- */

uint64_t attach__evicted(struct attach *a, uint64_t made)
{
	struct bpf_map *m = a->skel->maps.tasks_by_address;
	size_t held = bpf_map__max_entries(m) > 1 ? map__sweep(m, NULL, NULL) : made;

	if (made > held && made - held > a->tasks_evicted)
		a->tasks_evicted = made - held;
	return a->tasks_evicted;
}
