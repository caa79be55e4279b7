// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/* proc.bpf.c - processes: selected at fork if the parent is, decided again at exec, forgotten at exit. */
#include "select.bpf.h"

static __always_inline void proc__emit(struct task_struct *task, enum ws_proc_what what, bool selected,
				       const char *path)
{
	struct ws_rec_proc *p = emit__reserve(WS_REC_PROC, sizeof(*p) + WS_PATH_LEN);
	long n = 0;

	if (!p)
		return;
	p->tgid = task->tgid;
	p->ptgid = task->real_parent->tgid;
	p->what = what;
	p->selected = selected;
	p->pad = 0;
	bpf_probe_read_kernel(p->comm, sizeof(p->comm), task->comm);
	if (path)
		n = bpf_probe_read_kernel_str(p->path, WS_PATH_LEN, path) - 1;
	p->path_len = n > 0 ? n : 0;
	emit__head(&p->head, WS_REC_PROC, sizeof(*p) + p->path_len, bpf_ktime_get_ns());
	emit__submit_urgent(p);
}

/* Also runs for new threads, which are no processes. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(proc__fork, struct task_struct *parent, struct task_struct *child)
{
	__u64 v;

	if (child->tgid == parent->tgid)
		return 0;
	v = select__decide(bpf_get_current_task());
	if (!v)
		return 0;
	if (!select_all && select__add(child->tgid, v))
		return 0;
	proc__emit(child, WS_PROC_FORK, true, NULL);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(proc__exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	__u32 tgid = task->tgid;
	struct ws_process *p = bpf_map_lookup_elem(&processes, &tgid);
	struct ws_task *t = bpf_task_storage_get(&tasks, task, NULL, 0);
	bool selected;

	if (p) {
		p->ctx_kind = WS_CTX_THREAD; /* another program: user space looks at it again */
		p->goid_offset = 0;
	}
	if (t)
		t->generation = 0;
	selected = select__decide(bpf_get_current_task());
	if (selected || select_exes)
		proc__emit(task, WS_PROC_EXEC, selected, bprm->filename);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(proc__exit, struct task_struct *task)
{
	__u32 tgid = task->tgid;
	struct ws_process *p;

	/* The last thread: do_exit() counts signal->live down before it comes here. */
	if (task->signal->live.counter > 0)
		return 0;
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (p) {
		bool selected = p->selected;

		/* Two last threads may come at once: who removes the entry speaks. */
		if (bpf_map_delete_elem(&processes, &tgid) == 0 && selected)
			proc__emit(task, WS_PROC_EXIT, true, NULL);
	} else if (select_all && select__decide(bpf_get_current_task())) {
		proc__emit(task, WS_PROC_EXIT, true, NULL);
	}
	return 0;
}
