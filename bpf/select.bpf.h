/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * select.bpf.h - is this task traced? Every handler that runs in a task's context asks first.
 *
 * Three levels: the task's own storage caches the verdict (14 ns) until `select_generation` moves;
 * map `processes` holds what was decided for a process; select__decide() applies the rules.
 */
#ifndef SELECT_BPF_H
#define SELECT_BPF_H

#include "emit.bpf.h"

/* The system call that is under way, in plan "syscall". */
struct ws_call {
	__u64 sock; /* 0: no TCP socket */
	__u64 nr, start_ns;
	__u32 dir; /* enum ws_dir */
	__u32 entered; /* we saw it begin */
};

struct ws_task {
	__u32 generation;
	__u8 selected;
	__u8 ctx_kind; /* enum ws_ctx_kind */
	__u16 goid_offset;
	/* The send that is under way: io_sock.bpf.c. In the task, for threads may share a socket. */
	__u64 send_sock, send_start_ns;
	__u64 send_addr; /* of its bytes; of the kernel's copy of its vector if send_vectors; 0: not the user's */
	__u32 send_vectors, pad;
	__u64 inner_sleeps; /* sched.bpf.c */
	__u64 polls;	    /* sched.bpf.c: 1 */
	struct ws_call call;
};

struct select_tasks {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct ws_task);
};

struct select_processes {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct ws_process);
};

extern struct select_tasks tasks SEC(".maps");
extern struct select_processes processes SEC(".maps");
extern const volatile bool select_all, select_ports, select_exes;
extern __u32 select_generation;

/*
 * Verdict of the process of the task at this address, decided now if it was not before. A number, as
 * functions verified on their own take no pointers into the kernel: bpf_get_current_task().
 */
#define SELECT_YES 1ull /* bits 8..15: ctx_kind, 16..31: goid_offset */
extern __u64 select__decide(__u64 task_addr);
/* From now on traced. 0, or -1 if the map is full (counted). */
extern int select__add(__u32 tgid, __u64 like);
/* Is it a port that was asked for? */
extern int select__wants_port(__u32 port);

/* The storage of the current task if it is traced, else NULL. */
static __always_inline struct ws_task *select__task(struct task_struct *task)
{
	struct ws_task *t = bpf_task_storage_get(&tasks, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	__u32 generation = select_generation;
	__u64 v;

	if (!t) {
		emit__count(WS_CNT_no_task_storage, 1);
		return NULL;
	}
	if (t->generation != generation) {
		v = select__decide(bpf_get_current_task());
		t->selected = v & 0xff;
		t->ctx_kind = v >> 8;
		t->goid_offset = v >> 16;
		t->generation = generation;
	}
	return t->selected ? t : NULL;
}

#endif
