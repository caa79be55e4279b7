/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * emit.bpf.h - the only way out of the kernel: reserve, fill, submit; every loss is counted here.
 *
 * The ledger is exact: for each kind made = submitted + lost. The counters are per CPU, yet added to
 * atomically, because a softirq may interrupt a handler between its load and its store.
 *
 * Records go through one ring, in which they are made; or, where the kernel gives none, through a perf
 * buffer for each CPU (emit_perf.bpf.h). Which one is settled when the program is loaded.
 */
#ifndef EMIT_BPF_H
#define EMIT_BPF_H

#include "core.bpf.h"

struct emit_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
};

struct emit_counters {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct emit_ledger);
};

struct emit_ledger {
	__u64 value[WS_CNT_MAX];
};

extern struct emit_ring ring SEC(".maps");
extern struct emit_counters counters SEC(".maps");
extern const volatile __u64 ring_bytes;
extern const volatile bool use_perf;
extern __u64 emit_woken_ns;

static __always_inline void emit__count(enum ws_counter c, __u64 n)
{
	__u32 zero = 0;
	struct emit_ledger *l = bpf_map_lookup_elem(&counters, &zero);

	if (l)
		__sync_fetch_and_add(&l->value[c], n);
}

#include "emit_perf.bpf.h"

/* Bytes that the reader has not consumed yet; of perf buffers that cannot be known. */
static __always_inline __u64 emit__fill(void)
{
	if (use_perf)
		return 0;
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
}

/* Payload is shed before records: no payload any more while the ring is three quarters full. */
static __always_inline bool emit__sheds(__u64 fill)
{
	return fill > ring_bytes / 4 * 3;
}

/* `size` must be a constant (5.10 has no dynptr). NULL: counted as lost. */
static __always_inline void *emit__reserve(enum ws_rec_type type, const __u64 size)
{
	void *rec = use_perf ? scratch__claim() : bpf_ringbuf_reserve(&ring, size, 0);

	emit__count(WS_CNT_made_data + type - WS_REC_DATA, 1);
	if (!rec)
		emit__count(WS_CNT_lost_data + type - WS_REC_DATA, 1);
	return rec;
}

static __always_inline void emit__head(struct ws_rec *h, enum ws_rec_type type, __u32 size, __u64 now)
{
	h->type = type;
	h->flags = 0;
	h->size = size;
	h->time_ns = now;
}

/*
 * Waking the reader costs 9.4 us a record, not waking it 0.5 us (6.18, FACTS section 4). So it is
 * woken when a quarter of the ring is full, once a millisecond at most; else it looks by itself.
 */
static __always_inline __u64 emit__wakeup(__u64 fill, __u64 now)
{
	if (fill <= ring_bytes / 4 || now - emit_woken_ns < 1000000)
		return BPF_RB_NO_WAKEUP;
	emit_woken_ns = now;
	return BPF_RB_FORCE_WAKEUP;
}

/* `ctx` is the program's. 0, or less if the perf buffer has no room: counted as lost. */
static __always_inline long emit__submit_as(void *ctx, void *rec, enum ws_rec_type type, __u64 wakeup)
{
	long rc;

	if (!use_perf) {
		bpf_ringbuf_submit(rec, wakeup);
		return 0;
	}
	rc = scratch__send(ctx, rec);
	if (rc)
		emit__count(WS_CNT_lost_data + type - WS_REC_DATA, 1);
	return rc;
}

static __always_inline long emit__submit(void *ctx, void *rec, enum ws_rec_type type, __u64 fill, __u64 now)
{
	return emit__submit_as(ctx, rec, type, emit__wakeup(fill, now));
}

/* For what cannot wait: a process that may be gone before the reader's next look. */
static __always_inline long emit__submit_urgent(void *ctx, void *rec, enum ws_rec_type type)
{
	return emit__submit_as(ctx, rec, type, BPF_RB_FORCE_WAKEUP);
}

#endif
