// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * proc.bpf.c - processes: selected at fork if the parent is, decided again at exec, forgotten at exit.
 * Cgroups: user space hears of one before anything runs in it, and says whether it is a wanted container's.
 */
#include "select.bpf.h"

static __always_inline void proc__emit(void *ctx, struct task_struct *task, enum ws_proc_what what, bool selected,
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
	emit__submit_urgent(ctx, p, WS_REC_PROC);
}

/* Left out, though all are traced: so is what it forks. */
static __always_inline void proc__hand_on(__u32 parent, __u32 child)
{
	struct ws_process *p = bpf_map_lookup_elem(&processes, &parent), no = {};

	if (p && !p->selected && bpf_map_update_elem(&processes, &child, &no, BPF_ANY))
		emit__count(WS_CNT_processes_full, 1);
}

/* Also runs for new threads, which are no processes. The parent is the current task. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(proc__fork, struct task_struct *parent, struct task_struct *child)
{
	__u64 v;

	if (child->tgid == parent->tgid)
		return 0;
	select__reconsider(child->tgid);
	v = select__passes(parent) ? 0 : select__decide(bpf_get_current_task());
	if ((v & 0xff) == WS_SELECTED_LEAVING)
		v = 0;
	if (!v && select_all)
		proc__hand_on(parent->tgid, child->tgid);
	if (!v)
		return 0;
	if (!select_all && select__add(child->tgid, v))
		return 0;
	proc__emit(ctx, child, WS_PROC_FORK, true, NULL);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(proc__exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	__u32 tgid = task->tgid;
	struct ws_process *p = bpf_map_lookup_elem(&processes, &tgid);
	struct ws_task *t = task__state(task, false);
	bool selected;

	if (p) {
		p->ctx_kind = WS_CTX_THREAD; /* another program: user space looks at it again */
		p->goid_offset = 0;
		p->handoffs = 0;
	}
	programs__forget(tgid);
	if (t)
		task__renew(t);
	select__reconsider(tgid);
	selected = select__decide(bpf_get_current_task());
	if (selected || select_exes || select_containers)
		proc__emit(ctx, task, WS_PROC_EXEC, selected, bprm->filename);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(proc__exit, struct task_struct *task)
{
	__u32 tgid = task->tgid;
	struct ws_process *p;

	task__forget(task);
	/* The last thread: do_exit() counts signal->live down before it comes here. */
	if (task->signal->live.counter > 0)
		return 0;
	programs__forget(tgid);
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (p) {
		bool selected = p->selected;

		/* Two last threads may come at once: who removes the entry speaks. */
		if (bpf_map_delete_elem(&processes, &tgid) == 0 && selected)
			proc__emit(ctx, task, WS_PROC_EXIT, true, NULL);
	} else if (select_all && select__decide(bpf_get_current_task())) {
		proc__emit(ctx, task, WS_PROC_EXIT, true, NULL);
	}
	return 0;
}

static __always_inline int proc__cgroup(void *ctx, struct cgroup *cg, const char *path, enum ws_proc_what what)
{
	struct ws_rec_cgroup *c;
	__u32 hierarchy = cg->root->hierarchy_id;
	long n;

	if (!select_containers || hierarchy != select_hierarchy)
		return 0;
	c = emit__reserve(WS_REC_PROC, sizeof(*c) + WS_CGROUP_PATH_LEN);
	if (!c)
		return 0;
	c->id = cg->kn->id;
	c->what = what;
	c->pad = 0;
	c->hierarchy = hierarchy;
	c->unused[0] = c->unused[1] = 0;
	n = bpf_probe_read_kernel_str(c->path, WS_CGROUP_PATH_LEN, path) - 1;
	c->path_len = n > 0 ? n : 0;
	emit__head(&c->head, WS_REC_PROC, sizeof(*c) + c->path_len, bpf_ktime_get_ns());
	emit__submit_urgent(ctx, c, WS_REC_PROC);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(proc__cgroup_made, struct cgroup *cg, const char *path)
{
	return proc__cgroup(ctx, cg, path, WS_PROC_CGROUP_MADE);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(proc__cgroup_gone, struct cgroup *cg, const char *path)
{
	return proc__cgroup(ctx, cg, path, WS_PROC_CGROUP_GONE);
}
