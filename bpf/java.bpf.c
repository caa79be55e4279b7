// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/* java.bpf.c - walks the structures of HotSpot, whose offsets user space tells; see java.bpf.h. */
#include "java.bpf.h"

#define THREADS_MAX 512 /* as far as the list is walked */
/* enum ThreadState, src/hotspot/share/runtime/osThread.hpp: in Parker::park(), in Object.wait(), and no longer in them. */
#define STATE_PARKED 4
#define STATE_NOTICE 5
#define OBJECT_KLASS 8	/* oopDesc::_metadata, without compact headers */

static __always_inline __u64 word(__u64 at)
{
	__u64 v = 0;

	bpf_probe_read_user(&v, sizeof(v), (void *)at);
	return v;
}

static __always_inline __u32 half(__u64 at)
{
	__u32 v = 0;

	bpf_probe_read_user(&v, sizeof(v), (void *)at);
	return v;
}

#define WIDE 8 /* beside the shift of those that are not */

/* The reference that lies there, 0 if nothing does. Global, so that the verifier looks at it once and not on every path to it. */
__noinline __u64 java__reference(__u64 at, __u64 base, __u64 shift)
{
	__u32 narrow;

	if (shift & WIDE)
		return word(at);
	narrow = half(at);
	return narrow ? base + ((__u64)narrow << (shift & 7)) : 0;
}

/* The object that a field of another one refers to; 0 of none. */
static __always_inline __u64 object__field(const struct ws_java *j, __u64 object, __u16 field)
{
	return java__reference(object + field, j->oop_base, j->wide ? WIDE : j->shift & 7);
}

/* 0 of none: nothing can be read near address 0. */
static __always_inline __u32 object__class(__u64 object)
{
	return half(object + OBJECT_KLASS);
}

static __always_inline bool thread__is(const struct ws_java *j, __u64 thread, __u64 tid)
{
	return half(word(thread + j->os_thread) + j->tid) == (__u32)tid;
}

static __always_inline __u64 thread__object(const struct ws_java *j, __u64 thread, __u16 field)
{
	__u64 v = word(thread + field);

	return j->handles && v ? word(v) : v;
}

/* The list of JDK 11, which is the threads themselves. */
static __always_inline __u64 java__linked(const struct ws_java *j, __u64 tid)
{
	__u64 thread = word(j->threads);
	int i;

	for (i = 0; i < THREADS_MAX && thread; i++) {
		if (thread__is(j, thread, tid))
			return thread;
		thread = word(thread + j->next);
	}
	return 0;
}

__u64 java__thread(__u64 tgid, __u64 tid)
{
	__u32 key = tgid, n;
	struct ws_java *j = bpf_map_lookup_elem(&java_programs, &key);
	__u64 list, array, thread;
	__u32 i;

	if (!j)
		return 0;
	if (j->next)
		return java__linked(j, tid);
	list = word(j->threads);
	n = half(list + j->length);
	array = word(list + j->array);
	for (i = 0; i < THREADS_MAX; i++) {
		if (i >= n)
			break;
		thread = word(array + i * 8);
		if (thread__is(j, thread, tid))
			return thread;
	}
	return 0;
}

__u64 java__at(__u64 tgid, __u64 tid, __u64 thread)
{
	__u32 key = tgid;
	struct ws_java *j = bpf_map_lookup_elem(&java_programs, &key);
	__u64 object, worker;

	if (!j || !thread__is(j, thread, tid))
		return JAVA_STALE;
	if (j->mounted && j->virtual_thread) {
		object = thread__object(j, thread, j->mounted);
		if (object__class(object) == j->virtual_thread)
			return WS_USER_VIRTUAL | (j->owner ? word(thread + j->owner) : word(object + j->number));
	}
	object = thread__object(j, thread, j->object);
	worker = object__field(j, j->holder ? object__field(j, object, j->holder) : object, j->target);
	if (!j->worker || object__class(worker) != j->worker || object__field(j, worker, j->worker_thread) != object)
		return 0;
	return WS_USER_TASK | (word(worker + j->worker_done) + 1);
}

/* The task of the thread that is carried. Its body, which HotSpot's own continuation runs, holds it. */
static __always_inline __u64 virtual__task(const struct ws_java *j, __u64 virtual)
{
	__u64 body = object__field(j, object__field(j, virtual, j->continuation), j->body);

	return object__class(body) == j->run ? object__field(j, body, j->task) : 0;
}

/* What runs a task, and who waits for it, is in the task (FutureTask.runner, waiters). The list's nodes are of those who are in get(). */
__u64 java__awaits(__u64 tgid, __u64 tid, __u64 thread)
{
	__u32 key = tgid;
	struct ws_java *j = bpf_map_lookup_elem(&java_programs, &key);
	__u64 virtual, task, waiter;

	if (!j || !j->future || !j->waiter || !thread__is(j, thread, tid))
		return 0;
	virtual = thread__object(j, thread, j->mounted);
	if (object__class(virtual) != j->virtual_thread)
		return 0;
	task = virtual__task(j, virtual);
	if (object__class(task) != j->future || object__field(j, task, j->runner) != virtual)
		return 0;
	waiter = object__field(j, task, j->waiters);
	if (object__class(waiter) != j->waiter)
		return 0;
	if (object__field(j, waiter, j->waiter_next))
		return WS_CAUSE_SEVERAL;
	waiter = object__field(j, waiter, j->waiter_thread);
	return object__class(waiter) == j->virtual_thread ? WS_USER_VIRTUAL | word(waiter + j->number) : 0;
}

__u64 java__waits(__u64 tgid, __u64 tid, __u64 thread)
{
	__u32 key = tgid, class, state;
	struct ws_java *j = bpf_map_lookup_elem(&java_programs, &key);
	int i;

	if (!j || !thread__is(j, thread, tid))
		return WS_JAVA_WAIT_UNKNOWN;
	/* Out of its wait, a thread may be stopped for the collector, and wait for a mutex of HotSpot's. */
	state = half(word(thread + j->os_thread) + j->state);
	if (state == STATE_NOTICE)
		return WS_JAVA_WAIT_NOTICE;
	if (state != STATE_PARKED)
		return WS_JAVA_WAIT_OTHER;
	class = object__class(object__field(j, thread__object(j, thread, j->object), j->blocker));
	for (i = 0; i < WS_JAVA_RESULTS; i++)
		if (class && class == j->results[i])
			return WS_JAVA_WAIT_RESULT;
	if (class && j->fork_join && word(j->class_base + (class << (j->class_shift & 31)) + j->fork_join_at) == j->fork_join)
		return WS_JAVA_WAIT_RESULT;
	return WS_JAVA_WAIT_OTHER;
}
