/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * batch.bpf.h - one call for several requests: a goroutine takes work from several others, makes one call, and
 * then gives each of them something back.
 *
 * What has come and gone is exact, but not whether each of the requests needed the call: a worker may take
 * two jobs, and do one of them from a cache. So it is told of only where this goroutine has made one call,
 * no more and no less, before it completed anybody, in each of its last BATCH_KNOWN batches.
 */
#ifndef BATCH_BPF_H
#define BATCH_BPF_H

#include "handoff.bpf.h"

#define BATCH_MAX 8    /* requests; a power of two */
#define BATCH_KNOWN 16 /* batches */

struct batch_member {
	__u64 cause, g; /* the request's number; who gave it, and is to get something back. g 0: nobody, or it has */
};

struct batch {
	struct batch_member of[BATCH_MAX];
	__u64 conn, replied_ns; /* of the reply to the call; conn 0: none yet */
	__u32 n;	       /* taken */
	__u8 completed;
	__u8 spoiled; /* it made no call, or another one, before somebody was completed; or took too many */
	__u8 known;   /* batches that were none of this, in a row */
};

struct batches {
	__uint(type, BPF_MAP_TYPE_HASH); /* as handoff_goroutines */
	__uint(max_entries, 1024);
	__type(key, struct handoff_key);
	__type(value, struct batch);
};

extern struct batches batches SEC(".maps");

static __always_inline void batch__begin(struct batch *b)
{
	if (b->spoiled)
		b->known = 0;
	else if (b->completed > 1 && b->known < BATCH_KNOWN)
		b->known++;
	b->conn = 0;
	b->n = 0;
	b->completed = b->spoiled = 0;
	__builtin_memset(b->of, 0, sizeof(b->of));
}

/* It has taken work for that request, which this goroutine gave it. */
static __always_inline void batch__takes(const struct handoff_key *key, __u64 cause, __u64 g)
{
	struct batch *b = bpf_map_lookup_elem(&batches, key), fresh = {};

	if (!b) {
		bpf_map_update_elem(&batches, key, &fresh, BPF_NOEXIST);
		b = bpf_map_lookup_elem(&batches, key);
	}
	if (!b) {
		emit__count(WS_CNT_batches_full, 1);
		return;
	}
	if (b->conn || b->completed)
		batch__begin(b);
	b->spoiled |= b->n >= BATCH_MAX;
	b->of[b->n & (BATCH_MAX - 1)] = (struct batch_member){cause, g};
	b->n++;
}

/* It has got the reply to a call. */
static __always_inline void batch__replied(const struct handoff_key *key, __u64 conn)
{
	struct batch *b = bpf_map_lookup_elem(&batches, key);

	if (!b || !b->n)
		return;
	b->spoiled |= b->conn || b->completed;
	b->conn = conn;
	b->replied_ns = bpf_ktime_get_ns();
}

/* It gives something to a goroutine that works for that request: NULL, or the batch that this completes. */
static __always_inline struct batch *batch__completes(const struct handoff_key *key, __u64 cause, __u64 g)
{
	struct batch *b = bpf_map_lookup_elem(&batches, key);
	bool found = false;
	int i;

	if (!b)
		return NULL;
	for (i = 0; i < BATCH_MAX; i++) {
		if (b->of[i].g != g || b->of[i].cause != cause)
			continue;
		found = true;
		b->of[i].g = 0;
	}
	if (!found)
		return NULL;
	b->completed++;
	b->spoiled |= !b->conn;
	return b->known >= BATCH_KNOWN && !b->spoiled ? b : NULL;
}

#endif
