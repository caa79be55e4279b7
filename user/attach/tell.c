/* SPDX-License-Identifier: Apache-2.0 */
/* tell.c - what the kernel is told while it runs: processes, programs, cgroups, budgets. Contract: attach.h. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "attach/running.h"
#include "attach/state.h"

void attach__moved(struct attach *a)
{
	__atomic_fetch_add(&a->skel->data->select_generation, 1, __ATOMIC_RELAXED);
}

/*
 * An entry of a process that is gone would select the next one of that pid. proc__exit removes it if it
 * runs after we have stored it, and it does if the process lives when we look again, for then a thread
 * has not begun to exit (running.h). Else it may have run before, and we remove the entry ourselves.
 */
static int map__store(struct bpf_map *m, uint32_t pid, uint64_t start, const void *value, uint64_t flags)
{
	int rc;

	if (!start || !process__lives(pid, start))
		return -ESRCH;
	rc = bpf_map__update_elem(m, &pid, sizeof(pid), value, bpf_map__value_size(m), flags);
	if (rc || process__lives(pid, start))
		return rc;
	bpf_map__delete_elem(m, &pid, sizeof(pid), 0);
	return -ESRCH;
}

int attach__store(struct attach *a, uint32_t pid, uint64_t start, const struct ws_process *p, uint64_t flags)
{
	int rc = map__store(a->skel->maps.processes, pid, start, p, flags);

	a->full += rc == -E2BIG;
	return rc;
}

static int attach__store_program(struct attach *a, struct bpf_map *m, uint32_t pid, const void *program)
{
	int rc = map__store(m, pid, process__start(pid), program, BPF_ANY);

	a->programs_full += rc == -E2BIG;
	return rc;
}

int attach__set_process(struct attach *a, uint32_t tgid, const struct ws_process *p)
{
	int rc = attach__store(a, tgid, process__start(tgid), p, BPF_ANY);

	attach__moved(a);
	return rc;
}

int attach__tell_process(struct attach *a, uint32_t tgid, uint64_t start, const struct ws_process *p)
{
	int rc = attach__is_selected(a, tgid) ? attach__store(a, tgid, start, p, BPF_ANY) : -ESRCH;

	if (!rc)
		attach__moved(a);
	return rc;
}

bool attach__unset_process(struct attach *a, uint32_t tgid)
{
	struct ws_process p;

	if (bpf_map__lookup_elem(a->skel->maps.processes, &tgid, sizeof(tgid), &p, sizeof(p), 0) || p.selected ||
	    bpf_map__delete_elem(a->skel->maps.processes, &tgid, sizeof(tgid), 0))
		return false;
	attach__moved(a);
	return true;
}

bool attach__is_selected(const struct attach *a, uint32_t tgid)
{
	struct ws_process p;

	if (bpf_map__lookup_elem(a->skel->maps.processes, &tgid, sizeof(tgid), &p, sizeof(p), 0) == 0)
		return p.selected == WS_SELECTED_YES;
	return a->sel->all && tgid != (uint32_t)getpid();
}

bool attach__is_traced(const struct attach *a, uint32_t tgid)
{
	struct ws_process p;

	return bpf_map__lookup_elem(a->skel->maps.processes, &tgid, sizeof(tgid), &p, sizeof(p), 0) == 0 && p.selected;
}

void attach__set_leaving(struct attach *a, uint32_t tgid, bool leaving)
{
	struct ws_process p;

	if (bpf_map__lookup_elem(a->skel->maps.processes, &tgid, sizeof(tgid), &p, sizeof(p), 0) || !p.selected)
		return;
	p.selected = leaving ? WS_SELECTED_LEAVING : WS_SELECTED_YES;
	bpf_map__update_elem(a->skel->maps.processes, &tgid, sizeof(tgid), &p, sizeof(p), BPF_EXIST);
	attach__moved(a);
}

void attach__drop_process(struct attach *a, uint32_t tgid)
{
	bpf_map__delete_elem(a->skel->maps.processes, &tgid, sizeof(tgid), 0);
	attach__moved(a);
}

static void proc__each(void (*fn)(void *ctx, uint32_t pid), void *ctx)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			fn(ctx, (uint32_t)strtoul(e->d_name, NULL, 10));
	if (d)
		closedir(d);
}

void attach__each_process(const struct attach *a, void (*fn)(void *ctx, uint32_t pid), void *ctx)
{
	const int fd = bpf_map__fd(a->skel->maps.processes);
	uint32_t pid = 0, next;

	if (a->sel->all) {
		proc__each(fn, ctx);
		return;
	}
	/* A key that is gone meanwhile would begin again from the first one: the bound is that of the map. */
	for (uint32_t n = bpf_map__max_entries(a->skel->maps.processes); n && !bpf_map_get_next_key(fd, pid ? &pid : NULL, &next); n--) {
		pid = next;
		if (attach__is_selected(a, pid))
			fn(ctx, pid);
	}
}

int attach__set_python(struct attach *a, uint32_t tgid, const struct ws_python *p)
{
	return attach__store_program(a, a->skel->maps.python_programs, tgid, p);
}

int attach__set_node(struct attach *a, uint32_t tgid, const struct ws_node *p)
{
	return attach__store_program(a, a->skel->maps.node_programs, tgid, p);
}

int attach__add_node_waits(struct attach *a, uint32_t tgid)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "node_waits_of", sizeof(uint32_t), a->node_wait_size, a->node_waits_each, NULL);
	int rc = fd < 0 ? -errno : bpf_map__update_elem(a->skel->maps.node_waits, &tgid, sizeof(tgid), &fd, sizeof(fd), BPF_NOEXIST);

	if (fd >= 0)
		close(fd);
	a->programs_full += rc == -E2BIG;
	a->node_waits += rc == 0;
	return rc;
}

void attach__drop_node_waits(struct attach *a, uint32_t tgid)
{
	a->node_waits -= bpf_map__delete_elem(a->skel->maps.node_waits, &tgid, sizeof(tgid), 0) == 0;
}

int attach__set_java(struct attach *a, uint32_t tgid, const struct ws_java *j)
{
	return attach__store_program(a, a->skel->maps.java_programs, tgid, j);
}

int attach__set_go(struct attach *a, uint32_t tgid, const struct ws_go_program *p)
{
	return attach__store_program(a, a->skel->maps.go_programs, tgid, p);
}

int attach__set_cgroup(struct attach *a, uint32_t hierarchy, uint64_t id, unsigned verdict)
{
	const struct { uint64_t id; uint32_t hierarchy, pad; } key = {id, hierarchy, 0};
	const uint8_t value = (uint8_t)verdict;
	int rc;

	if (verdict)
		rc = bpf_map__update_elem(a->skel->maps.wanted_cgroups, &key, sizeof(key), &value, sizeof(value), BPF_ANY);
	else
		rc = bpf_map__delete_elem(a->skel->maps.wanted_cgroups, &key, sizeof(key), 0);
	attach__moved(a);
	return rc;
}

int attach__set_budget(struct attach *a, uint64_t conn, const struct ws_budget_pair *b)
{
	struct bpf_map *m = a->skel->maps.sock_budgets;
	int rc = bpf_map__update_elem(m, &conn, sizeof(conn), b, sizeof(*b), BPF_ANY);

	if (rc == -E2BIG && attach__sweep_budgets(a))
		rc = bpf_map__update_elem(m, &conn, sizeof(conn), b, sizeof(*b), BPF_ANY);
	__atomic_fetch_add(&a->skel->bss->budget_generation, 1, __ATOMIC_RELEASE);
	a->budgets_full += rc != 0;
	return rc;
}

int attach__set_port_budget(struct attach *a, enum ws_role role, uint16_t port, const struct ws_budget_pair *b)
{
	struct { uint32_t role, port; } key = {role, port};
	int rc = bpf_map__update_elem(a->skel->maps.port_budgets, &key, sizeof(key), b, sizeof(*b), BPF_ANY);

	a->budgets_full += rc != 0;
	return rc;
}

void attach__knows(struct attach *a, attach_knows_fn *knows, void *ctx)
{
	a->knows = knows;
	a->knows_ctx = ctx;
}

void attach__shed(struct attach *a, const struct attach_shed *s)
{
	__atomic_store_n(&a->skel->bss->shed_head, s->head, __ATOMIC_RELAXED);
	__atomic_store_n(&a->skel->bss->shed_low, s->low_value, __ATOMIC_RELAXED);
	__atomic_store_n(&a->skel->bss->shed_paused, s->paused, __ATOMIC_RELEASE);
}
