// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * node_promise.bpf.c - for whom the code of Node.js goes on that has waited for a promise.
 *
 * await and then() give V8 a function, which is called by a microtask when the promise has been resolved, whoever did
 * that. What was at work when the function was given is at work again when it is called: the rule of
 * AsyncLocalStorage. Attached by user space at V8's own functions (src/builtins/promise-*.tq), where calls find no parent
 * without.
 *
 * Promise.all() gives functions of its own, which goes unseen: they go on for whom waits for the promise that it made,
 * and that one's function is read from the promise.
 *
 * Functions are told by their addresses. A collection leaves the new address in the first word of the old place
 * (V8, src/objects/objects-inl.h: MapWord::FromForwardingAddress), which is there until the next one. A scavenge moves
 * all that is young and lives. A full collection moves some, promotes the pages of others as they are, and leaves the old ones
 * (src/heap/mark-compact.cc): of what was not moved it is not known whether it lives, and it is let go.
 */
#include "node.bpf.h"

#define PROCESSES 256
#define WAITS 4096 /* functions of a process at a time; a power of two */
#define PART 64	   /* of them, looked at by one function */
#define WAYS 8	   /* places where each may lie */
#define OLD 2	   /* scavenges after which what has survived is not moved again; */
#define AGED 64	   /* and those after which nobody calls it */

struct node_wait {
	__u64 function;
	__u64 context;	 /* WS_NODE_CONTEXT; 0: it was given by several */
	__u32 collected; /* valid until there is another collection */
	__u16 pending;	 /* times that it was given */
	__u16 moves;
};

/* Two halves: scavenges move it from one to the other. */
struct node_waits_of {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * WAITS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct node_wait));
};

/* By tgid. User space makes one for each process whose promises are followed, which is why it takes no memory elsewhere. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, PROCESSES);
	__type(key, __u32);
	__array(values, struct node_waits_of);
} node_waits SEC(".maps");

static __always_inline struct node_wait *wait__at(void *waits, __u32 collected, __u32 i)
{
	__u32 key = (collected & 1) * WAITS + (i & (WAITS - 1));

	return bpf_map_lookup_elem(waits, &key);
}

static __always_inline __u32 function__place(__u64 function)
{
	return (__u32)((function >> 3) * 0x9e3779b1u >> 16) & (WAITS / WAYS - 1);
}

static __always_inline struct node_wait *wait__find(__u32 tgid, __u32 collected, __u64 function, struct node_wait **room)
{
	void *waits = bpf_map_lookup_elem(&node_waits, &tgid);
	__u32 first = function__place(function) * WAYS;

	*room = NULL;
	for (int i = 0; waits && i < WAYS; i++) {
		struct node_wait *w = wait__at(waits, collected, first + i);

		if (!w)
			return NULL;
		if (w->collected != collected || !w->function)
			*room = w;
		else if (w->function == function)
			return w;
	}
	return NULL;
}

/* Verified once, though it is called in a loop: so it takes numbers. `place`: tgid and collected. */
__noinline int node_wait__add(__u64 place, __u64 function, __u64 context, __u64 pending, __u64 moves)
{
	__u32 tgid = (__u32)(place >> 32), collected = (__u32)place;
	struct node_wait *room, *w = wait__find(tgid, collected, function, &room);

	if (w) {
		if (w->context != context)
			w->context = 0;
		w->pending += (__u16)pending;
		return 0;
	}
	if (!room) {
		emit__count(WS_CNT_node_waits_full, 1);
		return -1;
	}
	room->function = function;
	room->context = context;
	room->collected = collected;
	room->pending = (__u16)pending;
	room->moves = (__u16)moves;
	return 0;
}

/* There was a collection: what lives has the same contexts at other addresses. Verified once, though called for each part. */
__noinline int node_waits__move(__u64 place, __u32 first, __u32 full)
{
	__u32 tgid = (__u32)(place >> 32), collected = (__u32)place;
	void *waits = bpf_map_lookup_elem(&node_waits, &tgid);

	for (__u32 i = 0; waits && i < PART; i++) {
		struct node_wait *w = wait__at(waits, collected - 1, first + i);
		__u64 word = 1, function;

		if (!w || !w->function || w->collected != collected - 1)
			continue;
		function = w->function;
		w->function = 0;
		if (bpf_probe_read_user(&word, sizeof(word), (void *)(function - 1)))
			continue;
		if ((word & 1 && (full || w->moves < OLD)) || w->moves > AGED) /* dead, or that is not known; or long old */
			continue;
		/* A full one makes all old (V8's flag always_promote_young_mc). */
		node_wait__add(place, word & 1 ? function : word + 1, w->context, w->pending,
			       full && w->moves < OLD ? OLD : w->moves + 1);
	}
	return 0;
}

/* From now on all that was moved is found. */
static __always_inline void waits__settle(struct ws_task *t)
{
	if (t->node_moved == t->node_collected)
		return;
	for (__u32 i = 0; i < WAITS; i += PART)
		node_waits__move((__u64)t->node_main << 32 | t->node_collected, i, t->node_full);
	t->node_moved = t->node_collected;
}

/* The thread's state, if its promises are followed. */
static __always_inline struct ws_task *promise__task(struct task_struct *task)
{
	struct ws_task *t = select__task(task);

	if (!t || t->ctx_kind != WS_CTX_NODE || !t->handoffs || !t->node_fields || !t->node_main || t->node_time != t->handoffs)
		return NULL;
	waits__settle(t);
	return t;
}

/* What is at work. What a microtask, or somebody who runs in no scope of his own, has made was made for him. */
static __always_inline __u64 node__context(const struct ws_task *t)
{
	struct node_fields f = {};
	__u64 id, trigger;

	if (bpf_probe_read_user(&f, sizeof(f), (void *)t->node_fields))
		return 0;
	id = node__whole(f.id);
	trigger = node__whole(f.trigger);
	if (!id)
		return t->node_job;
	if (id > t->node_counter && trigger)
		id = trigger;
	return WS_NODE_CONTEXT(t->node_own, (__u32)id == t->node_last >> 32 ? 0 : id);
}

static __always_inline int node__gives(__u64 function)
{
	struct ws_task *t = promise__task(task__current());
	__u64 context;

	if (!t || !(function & 1)) /* a small integer */
		return 0;
	context = node__context(t);
	node_wait__add((__u64)t->node_main << 32 | t->node_collected, function, context, 1, 0);
	return 0;
}

/* Builtins_PerformPromiseThen(promise, fulfilled, rejected, result): V8's calls of its own pass in rax, rbx, rcx, rdx. */
SEC("uprobe")
int node__await(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return node__gives(regs->bx);
#else
	return 0;
#endif
}

/* Builtins_PromisePrototypeThen, called by JavaScript: the arguments are on the stack, behind the receiver. */
SEC("uprobe")
int node__then(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	__u64 function = 0;

	bpf_probe_read_user(&function, sizeof(function), (void *)(regs->sp + 16));
	return node__gives(function);
#else
	return 0;
#endif
}

/* job: node_job, as is known now. */
static __always_inline void node__goes_on(void *ctx, struct task_struct *task, struct ws_task *t)
{
	struct node_fields f = {};
	bool corrects = t->node_told && t->node_job;

	if (t->node_job == t->node_frame || bpf_probe_read_user(&f, sizeof(f), (void *)t->node_fields))
		return;
	t->node_told = !t->node_job;
	t->node_frame = t->node_job;
	node__next(t);
	node__emit(ctx, task, t, WS_TIE_PROMISE, t->node_job, node__whole(f.counter), corrects);
}

/* Builtins_PromiseFulfillReactionJob(value, function, result), where the function is about to be called. */
SEC("uprobe")
int node__resume(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	struct task_struct *task = task__current();
	struct ws_task *t = promise__task(task);
	struct node_wait *w, *room;

	if (!t)
		return 0;
	t->node_told = 0;
	t->node_function = regs->bx;
	w = wait__find(t->node_main, t->node_collected, regs->bx, &room);
	t->node_job = w ? w->context : 0;
	if (w && w->pending > 1)
		w->pending--;
	else if (w)
		w->function = 0;
	node__goes_on(regs, task, t);
#endif
	return 0;
}

#define CAPABILITY 39 /* of the tagged address of a function's context: its slot 3 (src/builtins/promise-all.tq) */
#define PROMISE 7     /* in that PromiseCapability */
#define REACTIONS 23  /* in that JSPromise, while it is not resolved: a list of PromiseReaction (src/objects/promise.tq) */
#define FIELDS 7      /* of one: from 22 on what lies first is not the next one */

/* The only one that waits for this promise of Promise.all(); NULL: there are more, or it is not known. */
static __always_inline struct node_wait *promise__waiter(const struct ws_task *t, __u64 promise)
{
	struct {
		__u64 next, rejected, fulfilled, result;
	} r = {};
	struct node_wait *room;
	__u64 at = 0;

	if (bpf_probe_read_user(&at, sizeof(at), (void *)(promise + REACTIONS)) || !(at & 1) ||
	    bpf_probe_read_user(&r, sizeof(r), (void *)(at + FIELDS)))
		return NULL;
	if (r.next && bpf_probe_read_user(&r, sizeof(r), (void *)(at + FIELDS + 8)))
		return NULL;
	return r.next ? NULL : wait__find(t->node_main, t->node_collected, r.fulfilled, &room);
}

/*
 * Builtins_PromiseAllResolveElementClosure(), and that of Promise.allSettled(), as the microtask: JavaScript's functions
 * are in rdi when they are called, and their context is in rsi.
 */
SEC("uprobe")
int node__all(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	struct task_struct *task = task__current();
	struct ws_task *t = promise__task(task);
	struct node_wait *w;
	__u64 at = 0;

	if (!t || regs->di != t->node_function || bpf_probe_read_user(&at, sizeof(at), (void *)(regs->si + CAPABILITY)) ||
	    bpf_probe_read_user(&at, sizeof(at), (void *)(at + PROMISE)))
		return 0;
	w = promise__waiter(t, at);
	t->node_job = w ? w->context : 0;
	node__goes_on(regs, task, t);
#endif
	return 0;
}

/* What the last one has left where things were is gone when the next one begins. */
static __always_inline int node__collects(__u32 full)
{
	struct ws_task *t = promise__task(task__current());

	if (!t)
		return 0;
	t->node_collected++;
	t->node_full = full;
	return 0;
}

/* ScavengerCollector::CollectGarbage() */
SEC("uprobe")
int node__scavenge(struct pt_regs *regs)
{
	return node__collects(0);
}

/* MarkCompactCollector::CollectGarbage() */
SEC("uprobe")
int node__compact(struct pt_regs *regs)
{
	return node__collects(1);
}
