/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - the programs of a plan, and the maps of a transport, into the kernel. Contract: attach.h. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "attach/cgroup.h"
#include "attach/hooks.h"
#include "attach/rights.h"
#include "attach/state.h"

#define BTF_FILE "/sys/kernel/btf/vmlinux"
#define CGROUPS_MAX 8192 /* of containers at a time */
#define SOCKETS_BY_ADDRESS 16384 /* connections at a time, 4 MiB */
#define TASKS_BY_ADDRESS 16384	 /* threads at a time, 2 MiB */

static bool libbpf_verbose;

static int libbpf__print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return libbpf_verbose ? vfprintf(stderr, fmt, args) : 0;
}

int attach__fail(struct attach *a, int rc, const char *what, const char *next)
{
	snprintf(a->err, a->err_size, "%s: %s; %s", what, strerror(-rc), next);
	return rc;
}

int attach__refused(struct attach *a, int rc, const char *what)
{
	char missing[64];

	rights__required(missing, sizeof(missing));
	if ((rc == -EPERM || rc == -EACCES || rc == -ENOSYS) && !*missing && rights__filtered())
		return attach__fail(a, rc, what, RIGHTS_FILTER_ADVICE);
	if ((rc != -EPERM && rc != -EACCES) || !*missing)
		return attach__fail(a, rc, what, "`wirespan doctor` shows what is missing");
	snprintf(a->err, a->err_size,
		 "%s: %s, for there is no %s; run as root, or with CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH", what,
		 strerror(-rc), missing);
	return rc;
}

/* tp_btf becomes fentry: the same arguments come first. */
static bool attach__enter(struct bpf_program *p, const char *function)
{
	return bpf_program__set_expected_attach_type(p, BPF_TRACE_FENTRY) == 0 &&
	       bpf_program__set_attach_target(p, 0, function) == 0;
}

/*
 * Memory for tasks of tokio only once there are some: 1.7 MiB at most. Programs of tracing may have such a map where
 * there is this allocator, from 6.1 ("bpf: Relax the requirement to use preallocated hash maps in tracing progs");
 * before, all of it is taken at once.
 */
static void attach__save_memory(struct attach *a, const struct btf *btf)
{
	if (btf__find_by_name_kind(btf, "bpf_mem_alloc", BTF_KIND_STRUCT) > 0)
		bpf_map__set_map_flags(a->skel->maps.tokio_tasks, BPF_F_NO_PREALLOC);
}

/* As libbpf forgets it with loading. */
static void attach__see_inner_maps(struct attach *a)
{
	const struct bpf_map *waits = bpf_map__inner_map(a->skel->maps.node_waits);

	a->node_wait_size = bpf_map__value_size(waits);
	a->node_waits_each = bpf_map__max_entries(waits);
}

/* Where the kernel has no storage in sockets and tasks for us, maps keyed by address stand in: core_fixes.bpf.h. */
static void attach__choose_maps(struct attach *a, const struct btf *btf, enum attach_plan plan)
{
	bool storage = kernel__has_helper(btf, "task_storage_get");

	a->skel->rodata->by_address = plan == ATTACH_PLAN_SYSCALL || !storage;
	if (a->skel->rodata->by_address)
		bpf_map__set_max_entries(a->skel->maps.socks_by_address, SOCKETS_BY_ADDRESS);
	if (storage)
		return;
	bpf_map__set_max_entries(a->skel->maps.tasks_by_address, TASKS_BY_ADDRESS);
	bpf_map__set_autocreate(a->skel->maps.tasks, false);
	bpf_map__set_autocreate(a->skel->maps.socks, false);
}

static int attach__lacks(struct attach *a, const struct hook *h, int rc)
{
	if (rc == -ENOENT)
		snprintf(a->err, a->err_size, "this kernel has no %s (%s and later), which is needed for: %s", h->what,
			 h->since, h->gives);
	else
		snprintf(a->err, a->err_size, "the kernel refuses %s, which is needed for: %s: %s; %s", h->what, h->gives,
			 strerror(-rc), "give --capture auto, or see `wirespan doctor`");
	return -ENOTSUP;
}

/* Programs of other plans, and those whose hook this kernel lacks, are left out. */
static int attach__plan(struct attach *a, enum attach_plan wanted)
{
	struct btf *btf = btf__load_vmlinux_btf();
	enum attach_plan plan;
	struct bpf_program *p;
	int rc = 0;

	if (!btf)
		return attach__fail(a, access(BTF_FILE, R_OK) ? -errno : -EINVAL, BTF_FILE, "the kernel needs CONFIG_DEBUG_INFO_BTF");
	plan = hooks__choose(btf, wanted);
	attach__choose_maps(a, btf, plan);
	attach__save_memory(a, btf);
	attach__see_inner_maps(a);
	a->skel->rodata->recvmsg_args = kernel__args(btf, "tcp_recvmsg");
	for (size_t i = 0; i < hooks_n && rc == 0; i++) {
		const struct hook *h = &hooks[i];
		bool applies = hook__applies(btf, h, plan);
		int lacks = applies ? hook__available(btf, h) : 0;

		p = bpf_object__find_program_by_name(a->skel->obj, h->program);
		if (applies && (!lacks || (hook__by_entry(btf, h) && attach__enter(p, h->entry))))
			continue;
		if (lacks && h->required)
			rc = attach__lacks(a, h, lacks);
		bpf_program__set_autoload(p, false);
	}
	btf__free(btf);
	return rc;
}

int attach__try_ring(uint32_t bytes)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "wirespan_try", 0, 0, bytes, NULL);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void attach__choose_transport(struct attach *a, const struct attach_options *o)
{
	unsigned slots = (unsigned)a->cpus * 4; /* SCRATCH_SLOTS */

	a->skel->rodata->ring_bytes = o->ring_bytes;
	a->perf = o->transport == ATTACH_TRANSPORT_PERF ||
		  (o->transport == ATTACH_TRANSPORT_AUTO && attach__try_ring(o->ring_bytes) != 0);
	a->skel->rodata->use_perf = a->perf;
	bpf_map__set_max_entries(a->skel->maps.ring, o->ring_bytes);
	bpf_map__set_autocreate(a->skel->maps.ring, !a->perf);
	bpf_map__set_autocreate(a->skel->maps.perf, a->perf);
	bpf_map__set_autocreate(a->skel->maps.scratch, a->perf);
	bpf_map__set_autocreate(a->skel->maps.scratch_claims, a->perf);
	bpf_map__set_max_entries(a->skel->maps.scratch, slots);
	bpf_map__set_max_entries(a->skel->maps.scratch_claims, slots);
}

void attach__switch(struct attach *a)
{
	const struct selection *sel = a->sel;

	a->skel->bss->select_exes = sel->n_exes > 0;
	a->skel->bss->select_containers = sel->all || sel->n_nots || selection__has_containers(sel);
}

int attach__load(struct attach *a, const struct attach_options *o)
{
	const struct selection *sel = a->sel;
	int rc;

	libbpf_verbose = o->verbose;
	libbpf_set_print(libbpf__print);
	a->cpus = libbpf_num_possible_cpus();
	a->skel = wirespan_bpf__open();
	if (!a->skel)
		return attach__fail(a, -errno, "BPF programs cannot be opened", "this is a fault of the build");
	rc = attach__plan(a, o->plan);
	if (rc)
		return rc;
	if (o->ring_bytes < 4096 || o->ring_bytes & (o->ring_bytes - 1)) {
		snprintf(a->err, a->err_size, "ring of %u bytes: give a power of two from 4096", o->ring_bytes);
		return -EINVAL;
	}
	attach__choose_transport(a, o);
	a->skel->rodata->select_all = sel->all;
	a->skel->rodata->select_comms = o->may_grow || sel->n_comms > 0;
	a->skel->rodata->select_cgroups = o->may_grow || sel->n_cgroups > 0;
	a->skel->rodata->select_ports = sel->n_ports > 0;
	attach__switch(a);
	if (o->may_grow || a->skel->bss->select_containers) {
		a->skel->rodata->select_cgroups = true;
		a->skel->rodata->select_hierarchy = cgroup__hierarchy();
		bpf_map__set_max_entries(a->skel->maps.wanted_cgroups, CGROUPS_MAX);
	}
	a->skel->rodata->agent_tgid = (uint32_t)getpid();
	memcpy((void *)&a->skel->rodata->budget_accepted, &o->accepted, sizeof(o->accepted));
	memcpy((void *)&a->skel->rodata->budget_connected, &o->connected, sizeof(o->connected));
	rc = wirespan_bpf__load(a->skel);
	return rc ? attach__refused(a, rc, "BPF programs cannot be loaded") : 0;
}
