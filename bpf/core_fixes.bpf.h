/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * core_fixes.bpf.h - what older kernels lack or lay out otherwise; each with the commit that changed it.
 *
 * KERNEL_HAS() becomes a constant when the program is loaded (CO-RE), and the verifier takes the branch
 * that is not for this kernel away: a newer kernel pays nothing for an older one.
 */
#ifndef CORE_FIXES_BPF_H
#define CORE_FIXES_BPF_H

/* Does this kernel have that helper function? */
#define KERNEL_HAS(helper) bpf_core_enum_value_exists(enum bpf_func_id, helper)

/*
 * 5.11: storage of tasks (4cf1bc1f1045), of sockets in tracing programs (8e4597c627fb), and
 * bpf_get_current_task_btf() (3ca1032ab7ab). Before, both kinds of state are kept by address in LRU
 * hashes, and the current task is a number: OF() reads its fields by address.
 */
#define HAS_STORAGE KERNEL_HAS(BPF_FUNC_task_storage_get)
#define OF(task, field)                                                                                                \
	({                                                                                                             \
		struct task_struct *of_ = (task); /* a local: CO-RE would relocate what holds it */                    \
		HAS_STORAGE ? of_->field : BPF_CORE_READ(of_, field);                                                  \
	})

static __always_inline struct task_struct *task__current(void)
{
	return HAS_STORAGE ? bpf_get_current_task_btf() : (struct task_struct *)bpf_get_current_task();
}

/* 5.12: bpf_get_socket_cookie() in tracing programs (c5dbb89fc2ac). Its sign is another helper of that release. */
#define HAS_COOKIE KERNEL_HAS(BPF_FUNC_check_mtu)

/*
 * 5.15: bpf_task_pt_regs() (dd6e10fbd9fb). Before, what it would say is computed: the registers of the
 * system call lie at the upper end of the stack (task_pt_regs(): arch/x86/include/asm/processor.h,
 * arch/arm64/include/asm/processor.h), whose size is THREAD_SIZE: 16 KiB on x86-64
 * (page_64_types.h, without KASAN) and on arm64 with pages of 4 and 16 KiB (memory.h).
 */
#define HAS_REGS KERNEL_HAS(BPF_FUNC_task_pt_regs)
#define REG(regs, field)                                                                                               \
	({                                                                                                             \
		struct pt_regs *reg_ = (regs);                                                                         \
		HAS_REGS ? reg_->field : BPF_CORE_READ(reg_, field);                                                   \
	})
#define THREAD_SIZE 16384

static __always_inline struct pt_regs *task__regs(struct task_struct *task)
{
	if (HAS_REGS)
		return (struct pt_regs *)bpf_task_pt_regs(task);
	return (struct pt_regs *)(BPF_CORE_READ(task, stack) + THREAD_SIZE - bpf_core_type_size(struct pt_regs));
}

/*
 * A field of what a walk has found, read by address. 6.2: bpf_rdonly_cast() (a35b9af4ec2c) makes it a plain
 * load that fails softly, as where a hook was handed the object, instead of a call. Its sign is a helper of
 * that release. In one file only, which says WS_CASTS: bpftool 7.1 cannot link an extern function of two.
 */
#ifdef WS_CASTS
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;
#define HAS_CAST KERNEL_HAS(BPF_FUNC_cgrp_storage_get)
#define FOUND(p, field)                                                                                                \
	({                                                                                                             \
		typeof(p) found_ = (p);                                                                                \
		HAS_CAST ? ((typeof(p))bpf_rdonly_cast(found_, bpf_core_type_id_kernel(typeof(*found_))))->field       \
			 : BPF_CORE_READ(found_, field);                                                               \
	})
#else
#define FOUND(p, field) BPF_CORE_READ(p, field)
#endif

/* 5.14: task_struct.state became __state (2f064a59a11f). */
struct task_struct___5_13 {
	volatile long state;
} __attribute__((preserve_access_index));

static __always_inline bool task__sleeps(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state != 0;
	return ((struct task_struct___5_13 *)task)->state != 0;
}

#endif
