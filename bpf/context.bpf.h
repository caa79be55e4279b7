/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* context.bpf.h - who runs: the thread, the runtime's own context in it, the thread's counters. */
#ifndef CONTEXT_BPF_H
#define CONTEXT_BPF_H

#include "java.bpf.h"
#include "python.bpf.h"

/*
 * Go keeps g in thread-local storage at fsbase - 8 (runtime/asm_amd64.s, "TLS") and in R28 on arm64
 * (runtime/asm_arm64.s). thread.fsbase is right for it: Go sets it by arch_prctl and clone only.
 */
static __always_inline __u64 context__go_g(struct task_struct *task)
{
	__u64 g = 0;

#if defined(__TARGET_ARCH_x86)
	bpf_probe_read_user(&g, sizeof(g), (void *)(OF(task, thread.fsbase) - 8));
#elif defined(__TARGET_ARCH_arm64)
	g = REG(task__regs(task), regs[28]);
#endif
	return g;
}

static __always_inline __u64 context__python(struct task_struct *task, struct ws_task *t)
{
	__u64 tgid = bpf_get_current_pid_tgid() >> 32, pointer = 0, context, state, now;

#if defined(__TARGET_ARCH_x86)
	pointer = OF(task, thread.fsbase);
#elif defined(__TARGET_ARCH_arm64)
	pointer = OF(task, thread.uw.tp_value);
#endif
	context = t->python ? python__context(tgid, pointer, t->python) : PYTHON_NONE;
	if (context != PYTHON_NONE)
		return context;
	t->python = 0;
	now = bpf_ktime_get_ns();
	if (now < t->python_retry_ns)
		return 0;
	state = python__state(tgid, pointer);
	if (state == PYTHON_NONE)
		t->python_retry_ns = now + PYTHON_RETRY_NS;
	if (state == PYTHON_NONE || !state)
		return 0;
	t->python = state;
	context = python__context(tgid, pointer, state);
	return context == PYTHON_NONE ? 0 : context;
}

#define HAPROXY_CURRENT 32 /* thread_ctx.current, HAProxy 2.5 to 3.4: user/attach/haproxy.c */

/* The address of the task that the thread runs; 0 between tasks. */
static __always_inline __u64 context__haproxy(struct task_struct *task, struct ws_task *t)
{
	__u64 pointer = 0, scheduler = 0, current = 0;

#if defined(__TARGET_ARCH_x86)
	pointer = OF(task, thread.fsbase);
#endif
	if (!pointer || bpf_probe_read_user(&scheduler, sizeof(scheduler), (void *)(pointer - 8 * (__u64)t->goid_offset)))
		return 0;
	bpf_probe_read_user(&current, sizeof(current), (void *)(scheduler + HAPROXY_CURRENT));
	return current;
}

static __always_inline __u64 context__user(struct task_struct *task, struct ws_task *t)
{
	__u64 g, goid = 0;

	if (t->ctx_kind == WS_CTX_PYTHON)
		return context__python(task, t);
	if (t->ctx_kind == WS_CTX_HAPROXY)
		return context__haproxy(task, t);
	if (t->ctx_kind == WS_CTX_JAVA)
		return java__task(task, t);
	if (t->ctx_kind == WS_CTX_NODE)
		return t->node_ids;
	if (t->ctx_kind != WS_CTX_GO || !t->goid_offset) /* 0: a version that user space does not know */
		return 0;
	g = context__go_g(task);
	if (g)
		bpf_probe_read_user(&goid, sizeof(goid), (void *)(g + t->goid_offset));
	return goid;
}

/* `task` must be the current one, user_ctx what context__user() says of it. */
static __always_inline void context__fill(struct ws_actor *a, struct task_struct *task, struct ws_task *t, __u64 user_ctx)
{
	a->tgid = OF(task, tgid);
	a->tid = OF(task, pid);
	a->user_ctx = user_ctx;
	a->cause = 0; /* transfers: handoff.bpf.h */
	a->cpu_ns = OF(task, se.sum_exec_runtime);
	a->run_delay_ns = OF(task, sched_info.run_delay);
	a->switches = OF(task, nvcsw) - t->inner_sleeps;
}

static __always_inline void context__actor(struct ws_actor *a, struct task_struct *task, struct ws_task *t)
{
	context__fill(a, task, t, context__user(task, t));
}

/* WS_REC_HANDED of the current process; `ctx` is the program's. batch: as in the record. */
static __always_inline void context__handed(void *ctx, __u64 conn, __u64 cause, __u32 batch)
{
	__u64 now = bpf_ktime_get_ns();
	struct ws_rec_handed *r = emit__reserve(WS_REC_HANDED, sizeof(*r));

	if (!r)
		return;
	emit__head(&r->head, WS_REC_HANDED, sizeof(*r), now);
	r->conn = conn;
	r->cause = cause;
	r->tgid = bpf_get_current_pid_tgid() >> 32;
	r->batch = batch;
	emit__submit(ctx, r, WS_REC_HANDED, emit__fill(), now);
}

#endif
