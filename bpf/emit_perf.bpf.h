/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * emit_perf.bpf.h - the same records through perf buffers, where the kernel has no ring buffer (5.8,
 * 457f44363a88) or refuses it.
 *
 * What is sent must lie in memory first. Each CPU has a few slots for that, more than contexts can
 * interrupt each other; a slot is claimed by inserting its number into a hash, which is atomic on
 * every kernel, also where another task may run on that CPU in between. Two tasks never share one.
 */
#ifndef EMIT_PERF_BPF_H
#define EMIT_PERF_BPF_H

#define SCRATCH_SLOTS 4 /* for a CPU */
#define SCRATCH_BYTES (sizeof(struct ws_rec_data) + 2 * WS_PAYLOAD_MAX) /* see payload__gather */

struct emit_slot {
	__u64 number;
	char rec[SCRATCH_BYTES];
};

/* User space sets how many there are, by the number of CPUs. */
struct emit_scratch {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct emit_slot);
};

struct emit_claims {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8);
};

struct emit_perf {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
};

extern struct emit_scratch scratch SEC(".maps");
extern struct emit_claims scratch_claims SEC(".maps");
extern struct emit_perf perf SEC(".maps");

/* Room for any record, or NULL. */
static __noinline void *scratch__claim(void)
{
	__u32 slot = bpf_get_smp_processor_id() * SCRATCH_SLOTS;
	struct emit_slot *s;
	__u8 one = 1;
	int i;

	for (i = 0; i < SCRATCH_SLOTS; i++, slot++) {
		if (bpf_map_update_elem(&scratch_claims, &slot, &one, BPF_NOEXIST))
			continue;
		s = bpf_map_lookup_elem(&scratch, &slot);
		if (!s)
			return NULL;
		s->number = slot;
		return s->rec;
	}
	return NULL;
}

static __always_inline long scratch__send(void *ctx, void *rec)
{
	struct emit_slot *s = rec - offsetof(struct emit_slot, rec);
	__u64 size = ((struct ws_rec *)rec)->size;
	__u32 slot = s->number;
	long rc;

	OPAQUE(size);
	if (size > SCRATCH_BYTES)
		size = SCRATCH_BYTES;
	rc = bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, rec, size);
	bpf_map_delete_elem(&scratch_claims, &slot);
	return rc;
}

#endif
