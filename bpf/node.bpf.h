/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * node.bpf.h - which resource of async_hooks Node.js runs for, read from the process's memory at each send.
 *
 * node::AsyncHooks::async_id_fields_ (src/env.h): four doubles, of what runs and what triggered it, the last id
 * that was given out, and one that is not looked at. Known once the probe has seen the thread (runtime_node.bpf.c).
 */
#ifndef NODE_BPF_H
#define NODE_BPF_H

#include "select.bpf.h"

struct node_fields {
	__u64 id, trigger, counter, rest;
};

/* A double that holds a whole number; 0 for one below 1 or above 2^53. */
static __always_inline __u64 node__whole(__u64 bits)
{
	__u64 exponent = bits >> 52;

	if (exponent < 1023 || exponent > 1023 + 52)
		return 0;
	return ((bits & ((1ull << 52) - 1)) | 1ull << 52) >> (1075 - exponent);
}

static __always_inline __u64 node__recent(__u64 id, __u64 counter)
{
	return counter - id < 1ull << 31 ? id : 0;
}

static __always_inline __u64 node__ids(__u64 id, __u64 trigger, __u64 counter)
{
	return WS_NODE_IDS(node__recent(node__whole(id), counter), node__recent(node__whole(trigger), counter));
}

/* ws_actor.cause of the transfer; t->node_ids is its user_ctx. */
static __always_inline __u64 node__transfer(struct task_struct *task, struct ws_task *t, int dir, __u64 now)
{
	struct node_fields f;
	__u64 depth = 0, id;

	t->node_ids = 0;
	if (dir == WS_DIR_IN) {
		t->node_read = now << 6 | (bpf_get_smp_processor_id() & 63); /* unique: one at a time on a CPU */
		t->node_turn = OF(task, nvcsw) - t->inner_sleeps;
		return t->node_read;
	}
	/* A read since that has led to no scope, or no scope at all: libuv does it by itself. */
	if (!t->node_fields || t->node_time != t->handoffs || t->node_read ||
	    bpf_probe_read_user(&depth, sizeof(depth), (void *)t->node_depth) || !depth ||
	    bpf_probe_read_user(&f, sizeof(f), (void *)t->node_fields))
		return 0;
	id = node__whole(f.id);
	/* Microtasks run for nobody, and so do ticks that they have made. */
	if (t->node_queued && (!id || !node__whole(f.trigger)))
		t->node_ids = t->node_queued;
	else
		t->node_ids = node__ids(f.id, f.trigger, node__whole(f.counter));
	return t->node_scope | (id ? 0 : WS_NODE_MICROTASK);
}

static __always_inline void node__emit(void *ctx, struct task_struct *task, const struct ws_task *t, __u32 what, __u64 ids,
				       __u64 counter, __u64 read)
{
	struct ws_rec_scope *r = emit__reserve(WS_REC_TIE, sizeof(*r));
	__u64 now = bpf_ktime_get_ns();

	if (!r)
		return;
	emit__head(&r->head, WS_REC_TIE, sizeof(*r), now);
	r->tgid = OF(task, tgid);
	r->what = what;
	r->tid = OF(task, pid);
	r->number = t->node_scope;
	r->ids = ids;
	r->counter = counter;
	r->read = read;
	emit__submit(ctx, r, WS_REC_TIE, emit__fill(), now);
}

static __always_inline void node__next(struct ws_task *t)
{
	t->node_scope++;
	t->node_scope += !t->node_scope;
}

#endif
