// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * sched.bpf.c - which threads run event loops, and which of their sleeps do not end a turn.
 *
 * A loop's thread also sleeps in the middle of a callback: on a lock (the garbage collector's
 * helpers), on a page that has to be read. Only where it sleeps in another system call (epoll_wait,
 * poll, ...) may something else run next. Attached by user space once a loop makes calls: it costs
 * every switch of the machine about 0.1 us.
 */
#include "payload.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define NR_EPOLL_WAIT 232 /* arch/x86/entry/syscalls/syscall_64.tbl */
#define NR_EPOLL_PWAIT 281
#define SYSCALL_OF(regs) ((long)BPF_CORE_READ((regs), orig_ax))
#elif defined(__TARGET_ARCH_arm64)
#define NR_EPOLL_WAIT 22 /* include/uapi/asm-generic/unistd.h: epoll_pwait; there is no other */
#define NR_EPOLL_PWAIT 22
#define SYSCALL_OF(regs) ((long)BPF_CORE_READ((struct user_pt_regs *)(regs), regs[8]))
#endif

#define NR_EPOLL_PWAIT2 441 /* everywhere */

SEC("tp_btf/sched_switch")
int BPF_PROG(sched__switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct pt_regs *regs;
	struct ws_task *t;
	long nr;

	if (preempt || !task__sleeps(prev) || select__passes(prev))
		return 0;
	t = task__state(prev, false);
	if (!t || !t->selected)
		return 0;
	regs = task__regs(prev);
	nr = SYSCALL_OF(regs);
	/* -1: an exception. Such a sleep is about to be counted in nvcsw. */
	if (nr == NR_FUTEX || nr == -1)
		t->inner_sleeps++;
	else if (nr == NR_EPOLL_WAIT || nr == NR_EPOLL_PWAIT || nr == NR_EPOLL_PWAIT2)
		t->polls = 1;
	return 0;
}
