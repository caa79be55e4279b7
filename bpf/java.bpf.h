/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * java.bpf.h - what a thread of HotSpot is at: a virtual thread that it carries, or the task of a
 * ThreadPoolExecutor, which counts the tasks that each of its threads has completed.
 *
 * Nothing is probed: the thread's JavaThread is found once, by its tid, in the list of all, and read at each
 * transfer. The collector may move objects meanwhile, with the threads that are in system calls not stopped:
 * so each object read is recognised by its class, and a worker by the thread that it names.
 */
#ifndef JAVA_BPF_H
#define JAVA_BPF_H

#include "select.bpf.h"

#define JAVA_RETRY_NS 100000000 /* looking costs up to 50 us where nothing is found */

/* The JavaThread of a thread; 0: not found, or nothing is known of the process. */
extern __u64 java__thread(__u64 tgid, __u64 tid);
/* What it is at, as ws_actor.user_ctx; 0: not known. *stale: JavaThread is another's by now. */
extern __u64 java__at(__u64 tgid, __u64 tid, __u64 thread);
/* Who waits for what the virtual thread that it carries does, as ws_actor.cause. */
extern __u64 java__awaits(__u64 tgid, __u64 tid, __u64 thread);
/* What it waits for: enum ws_java_wait. */
extern __u64 java__waits(__u64 tgid, __u64 tid, __u64 thread);

#define JAVA_STALE 1 /* java__at: no context has this number */

static __always_inline __u64 java__found(struct task_struct *task, struct ws_task *t)
{
	__u64 now;

	if (t->java)
		return t->java;
	now = bpf_ktime_get_ns();
	if (now < t->java_retry_ns)
		return 0;
	t->java = java__thread(OF(task, tgid), OF(task, pid));
	if (!t->java)
		t->java_retry_ns = now + JAVA_RETRY_NS;
	return t->java;
}

/* Of the current task. */
static __always_inline __u64 java__task(struct task_struct *task, struct ws_task *t)
{
	__u64 thread = java__found(task, t), at;

	if (!thread)
		return 0;
	at = java__at(OF(task, tgid), OF(task, pid), thread);
	if (at != JAVA_STALE)
		return at;
	t->java = 0;
	return 0;
}

#endif
