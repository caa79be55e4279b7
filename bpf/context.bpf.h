/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* context.bpf.h - who runs: the thread, the runtime's own context in it, the thread's counters. */
#ifndef CONTEXT_BPF_H
#define CONTEXT_BPF_H

#include "select.bpf.h"

/*
 * Go keeps g in thread-local storage at fsbase - 8 (runtime/asm_amd64.s, "TLS") and in R28 on arm64
 * (runtime/asm_arm64.s). thread.fsbase is right for it: Go sets it by arch_prctl and clone only.
 */
static __always_inline __u64 context__go_g(struct task_struct *task)
{
	__u64 g = 0;

#if defined(__TARGET_ARCH_x86)
	bpf_probe_read_user(&g, sizeof(g), (void *)(task->thread.fsbase - 8));
#elif defined(__TARGET_ARCH_arm64)
	g = ((struct pt_regs *)bpf_task_pt_regs(task))->regs[28];
#endif
	return g;
}

static __always_inline __u64 context__user(struct task_struct *task, const struct ws_task *t)
{
	__u64 g, goid = 0;

	if (t->ctx_kind != WS_CTX_GO || !t->goid_offset) /* 0: a version that user space does not know */
		return 0;
	g = context__go_g(task);
	if (g)
		bpf_probe_read_user(&goid, sizeof(goid), (void *)(g + t->goid_offset));
	return goid;
}

/* `task` must be the current one. */
static __always_inline void context__actor(struct ws_actor *a, struct task_struct *task, const struct ws_task *t)
{
	a->tgid = task->tgid;
	a->tid = task->pid;
	a->user_ctx = context__user(task, t);
	a->cpu_ns = task->se.sum_exec_runtime;
	a->run_delay_ns = task->sched_info.run_delay;
	a->switches = task->nvcsw - t->inner_sleeps;
}

#endif
