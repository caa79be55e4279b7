// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/* select.bpf.c - the rules of selection. Owns the verdicts; user space fills the wish lists. */
#include "select.bpf.h"

struct select_tasks tasks SEC(".maps");
struct select_tasks_by_address tasks_by_address SEC(".maps");
struct select_processes processes SEC(".maps");
#define DEFINE(map, program) struct map map SEC(".maps");
PROGRAMS(DEFINE)
#undef DEFINE

struct wanted_comm {
	char name[WS_COMM_LEN];
};

/* A cgroup folder: the id of a kernfs node is its inode number, unique within its hierarchy only. */
struct wanted_cgroup {
	__u64 id;
	__u32 hierarchy; /* 0: version 2 */
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct wanted_comm);
	__type(value, __u8);
} wanted_comms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct wanted_cgroup);
	__type(value, __u8);
} wanted_cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u8);
} wanted_ports SEC(".maps");

const volatile bool select_all = false, select_comms = false, select_cgroups = false;
const volatile bool select_ports = false;
bool select_exes = false, select_containers = false;
const volatile __u32 agent_tgid = 0, select_hierarchy = 0;
__u64 select_passed[PASSED_SLOTS] = {};
__u32 select_generation = 1; /* never 0: that is what fresh task storage holds */

#define HIERARCHIES_MAX 16
#define CGROUP_DEPTH_MAX 16

int select__wants_port(__u32 port)
{
	return select_ports && bpf_map_lookup_elem(&wanted_ports, &port);
}

/* enum ws_cgroup_verdict of the group or of the nearest one above that has any; 0: none has. */
static __always_inline __u32 cgroup__verdict(struct cgroup *cg)
{
	struct wanted_cgroup key = {};
	__u8 *verdict;
	int i;

	key.hierarchy = BPF_CORE_READ(cg, root, hierarchy_id);
	for (i = 0; i < CGROUP_DEPTH_MAX && cg; i++) {
		key.id = BPF_CORE_READ(cg, kn, id);
		verdict = bpf_map_lookup_elem(&wanted_cgroups, &key);
		if (verdict)
			return *verdict;
		/* cgroup.self is its first member, so the parent's css is the parent. */
		cg = (struct cgroup *)BPF_CORE_READ(cg, self.parent);
	}
	return 0;
}

/* cgrp_links reaches the group of every hierarchy: version 2, version 1 and named ones alike. */
static __noinline int task__cgroup_verdict(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct list_head *end = (void *)set + bpf_core_field_offset(struct css_set, cgrp_links);
	struct list_head *l = BPF_CORE_READ(set, cgrp_links.next);
	struct cgrp_cset_link *link;
	__u32 verdict, most = 0;
	int i;

	for (i = 0; i < HIERARCHIES_MAX && l && l != end; i++) {
		link = (void *)l - bpf_core_field_offset(struct cgrp_cset_link, cgrp_link);
		verdict = cgroup__verdict(BPF_CORE_READ(link, cgrp));
		if (verdict > most)
			most = verdict;
		l = BPF_CORE_READ(l, next);
	}
	return most;
}

static __always_inline bool task__is_wanted(struct task_struct *task, __u32 by_cgroup)
{
	struct wanted_comm key = {};

	if (select_comms) {
		BPF_CORE_READ_STR_INTO(&key.name, task, group_leader, comm);
		if (bpf_map_lookup_elem(&wanted_comms, &key))
			return true;
	}
	return by_cgroup == WS_CGROUP_WANTED;
}

int select__add(__u32 tgid, __u64 like)
{
	struct ws_process p = {.selected = 1, .ctx_kind = like >> 8, .goid_offset = like >> 16}, *is;

	is = bpf_map_lookup_elem(&processes, &tgid);
	if (is && !is->selected)
		return -1;
	if (bpf_map_update_elem(&processes, &tgid, &p, BPF_ANY) == 0)
		return 0;
	emit__count(WS_CNT_processes_full, 1);
	return -1;
}

__u64 select__decide(__u64 task_addr)
{
	struct task_struct *task = (void *)task_addr;
	__u32 tgid = BPF_CORE_READ(task, tgid);
	struct ws_process *p = bpf_map_lookup_elem(&processes, &tgid);
	__u32 by_cgroup;

	if (p)
		return p->selected ? (__u64)p->selected | (__u64)p->ctx_kind << 8 | (__u64)p->goid_offset << 16 |
					     (__u64)p->handoffs << 32 :
				     0;
	if (tgid == agent_tgid || BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return 0;
	by_cgroup = select_cgroups ? task__cgroup_verdict(task) : 0;
	if (by_cgroup == WS_CGROUP_LEFT_OUT)
		return 0;
	/* Nothing is stored for --all: the map is for what differs from the rule. */
	if (select_all)
		return SELECT_YES;
	if (!task__is_wanted(task, by_cgroup))
		return 0;
	/* proc__exit may have been here already: nobody would remove it. For others than the current task: existing.bpf.c. */
	if (BPF_CORE_READ(task, flags) & PF_EXITING)
		return SELECT_YES;
	return select__add(tgid, 0) ? 0 : SELECT_YES;
}
