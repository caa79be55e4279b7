/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach.c - from a selection to running programs. Order matters:
 *   open, settings, load; what is wanted into the maps; hooks; then what was there before us: pids and
 *   programs from /proc, rules and ports by iterator, Go programs, and last the open connections, so
 *   that their records know what is selected. Contract: attach.h.
 */
#include "attach/attach.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/cgroup.h"
#include "meta/golang.h"
#include "attach/hooks.h"
#include "attach/running.h"
#include "wirespan.skel.h"

struct attach {
	struct bpf_link *turns; /* sched.bpf.c, when wanted */
	struct wirespan_bpf *skel;
	const struct selection *sel; /* borrowed */
	int cpus;
	uint64_t full; /* processes that had no room in the map */
	char *err;
	size_t err_size;
};

static bool libbpf_verbose;

static int libbpf__print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return libbpf_verbose ? vfprintf(stderr, fmt, args) : 0;
}

void attach__defaults(struct attach_options *o)
{
	/* Bodies matter less than heads; 4 KiB holds nearly every head of requests and of queries. */
	const struct ws_budget_pair head = {{{WS_BUDGET_HEAD, 4096}, {WS_BUDGET_HEAD, 4096}}};

	*o = (struct attach_options){.ring_bytes = ATTACH_RING_BYTES, .accepted = head, .connected = head};
}

static int attach__fail(struct attach *a, int rc, const char *what, const char *next)
{
	snprintf(a->err, a->err_size, "%s: %s; %s", what, strerror(-rc), next);
	return rc;
}

static const char *advice(int rc)
{
	return rc == -EPERM || rc == -EACCES ? "run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE" :
					       "`wirespan doctor` shows what is missing";
}

#define SOCKETS_BY_ADDRESS 16384 /* plan "syscall": connections at a time, 4 MiB */

/* tp_btf becomes fentry: the same arguments come first. */
static bool attach__enter(struct bpf_program *p, const char *function)
{
	return bpf_program__set_expected_attach_type(p, BPF_TRACE_FENTRY) == 0 &&
	       bpf_program__set_attach_target(p, 0, function) == 0;
}

/* Programs of the other plan, and those whose hook this kernel lacks, are left out. */
static int attach__plan(struct attach *a, enum attach_plan wanted)
{
	struct btf *btf = btf__load_vmlinux_btf();
	enum attach_plan plan;
	struct bpf_program *p;
	int rc = 0;

	if (!btf)
		return attach__fail(a, -errno, "/sys/kernel/btf/vmlinux", "the kernel needs CONFIG_DEBUG_INFO_BTF");
	plan = hooks__choose(btf, wanted);
	a->skel->rodata->plan_syscall = plan == ATTACH_PLAN_SYSCALL;
	if (plan == ATTACH_PLAN_SYSCALL)
		bpf_map__set_max_entries(a->skel->maps.socks_by_address, SOCKETS_BY_ADDRESS);
	for (size_t i = 0; i < hooks_n && rc == 0; i++) {
		const struct hook *h = &hooks[i];
		bool of_plan = h->plans & (1u << plan);

		p = bpf_object__find_program_by_name(a->skel->obj, h->program);
		if (of_plan && hook__available(btf, h))
			continue;
		if (p && of_plan && hook__by_entry(btf, h) && attach__enter(p, h->what))
			continue;
		if (h->required && of_plan) {
			snprintf(a->err, a->err_size, "this kernel has no %s (%s and later), which is needed for: %s", h->what,
				 h->since, h->gives);
			rc = -ENOTSUP;
		}
		if (p)
			bpf_program__set_autoload(p, false);
	}
	btf__free(btf);
	return rc;
}

static int attach__load(struct attach *a, const struct attach_options *o)
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
	bpf_map__set_max_entries(a->skel->maps.ring, o->ring_bytes);
	a->skel->rodata->ring_bytes = o->ring_bytes;
	a->skel->rodata->select_all = sel->all;
	a->skel->rodata->select_comms = sel->n_comms > 0;
	a->skel->rodata->select_cgroups = sel->n_cgroups > 0;
	a->skel->rodata->select_ports = sel->n_ports > 0;
	a->skel->rodata->select_exes = sel->n_exes > 0;
	a->skel->rodata->agent_tgid = (uint32_t)getpid();
	memcpy((void *)&a->skel->rodata->budget_accepted, &o->accepted, sizeof(o->accepted));
	memcpy((void *)&a->skel->rodata->budget_connected, &o->connected, sizeof(o->connected));
	rc = wirespan_bpf__load(a->skel);
	return rc ? attach__fail(a, rc, "BPF programs cannot be loaded", advice(rc)) : 0;
}

static int attach__wish(struct attach *a)
{
	struct { char name[WS_COMM_LEN]; } comm;
	struct { uint64_t id; uint32_t hierarchy, pad; } cgroup = {0};
	struct wirespan_bpf *s = a->skel;
	uint8_t one = 1;
	int rc = 0;

	for (size_t i = 0; i < a->sel->n_comms && !rc; i++) {
		memset(&comm, 0, sizeof(comm));
		memcpy(comm.name, a->sel->comms[i], strnlen(a->sel->comms[i], sizeof(comm.name) - 1));
		rc = bpf_map__update_elem(s->maps.wanted_comms, &comm, sizeof(comm), &one, sizeof(one), BPF_ANY);
	}
	for (size_t i = 0; i < a->sel->n_ports && !rc; i++) {
		uint32_t port = a->sel->ports[i];

		rc = bpf_map__update_elem(s->maps.wanted_ports, &port, sizeof(port), &one, sizeof(one), BPF_ANY);
	}
	for (size_t i = 0; i < a->sel->n_cgroups && !rc; i++) {
		if ((rc = cgroup__find(a->sel->cgroups[i], &cgroup.hierarchy, &cgroup.id, a->err, a->err_size)))
			return rc;
		rc = bpf_map__update_elem(s->maps.wanted_cgroups, &cgroup, sizeof(cgroup), &one, sizeof(one), BPF_ANY);
	}
	return rc ? attach__fail(a, rc, "selection cannot be stored", "`wirespan doctor` shows the limits") : 0;
}

static int iterator__run(void *program)
{
	struct bpf_link *link = bpf_program__attach_iter(program, NULL);
	char buf[256];
	int fd, rc = 0;
	ssize_t n;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		rc = fd;
	while (rc == 0 && (n = read(fd, buf, sizeof(buf))) != 0)
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			rc = -errno;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return rc;
}

/* Tells the kernel that verdicts cached in tasks are out of date. */
static void attach__moved(struct attach *a)
{
	__atomic_fetch_add(&a->skel->data->select_generation, 1, __ATOMIC_RELAXED);
}

/*
 * An entry of a process that is gone would select the next one of that pid. proc__exit removes it if it
 * runs after we have stored it, and it does if the process lives when we look again, for then a thread
 * has not begun to exit (running.h). Else it may have run before, and we remove the entry ourselves.
 */
static int attach__store(struct attach *a, uint32_t pid, uint64_t start, const struct ws_process *p, uint64_t flags)
{
	int rc;

	if (!start || !process__lives(pid, start))
		return -ESRCH;
	rc = bpf_map__update_elem(a->skel->maps.processes, &pid, sizeof(pid), p, sizeof(*p), flags);
	a->full += rc == -E2BIG;
	if (rc || process__lives(pid, start))
		return rc;
	bpf_map__delete_elem(a->skel->maps.processes, &pid, sizeof(pid), 0);
	return -ESRCH;
}

/* Pids with their descendants, and programs. Twice: a child may be forked between reading and selecting. */
static void attach__select_running(struct attach *a)
{
	const struct ws_process selected = {.selected = 1};
	struct running *r;

	for (int pass = 0; pass < 2 && (r = running__new()); pass++) {
		for (size_t i = 0; i < running__count(r); i++) {
			uint32_t pid = running__pid(r, i);

			if (pid == (uint32_t)getpid())
				continue;
			if (running__is_wanted(r, i, a->sel) ||
			    (a->sel->n_exes && running__exe_matches(pid, NULL, a->sel)))
				attach__store(a, pid, running__start(r, i), &selected, BPF_NOEXIST);
		}
		running__free(r);
	}
}

/* What runs already and is a Go program says so in its entry. */
static void attach__find_go(struct attach *a)
{
	struct running *r = running__new();
	char path[32];
	int offset;

	for (size_t i = 0; r && i < running__count(r); i++) {
		uint32_t pid = running__pid(r, i);
		struct ws_process p = {.selected = 1, .ctx_kind = WS_CTX_GO};

		if (!attach__is_selected(a, pid))
			continue;
		snprintf(path, sizeof(path), "/proc/%u/exe", pid);
		offset = golang__goid_offset(path);
		p.goid_offset = offset > 0 ? (uint16_t)offset : 0;
		if (offset > 0 || offset == GOLANG_NEWER)
			attach__store(a, pid, running__start(r, i), &p, BPF_ANY);
	}
	running__free(r);
}

/* Everything here is a best effort: what it misses is found at its next use. */
static void attach__existing(struct attach *a)
{
	struct wirespan_bpf *s = a->skel;
	struct running *r = running__new();

	if (r)
		running__each_netns(r, iterator__run, s->progs.existing__listeners);
	running__free(r);
	attach__select_running(a);
	iterator__run(s->progs.existing__select);
	attach__find_go(a);
	attach__moved(a);
	iterator__run(s->progs.existing__sockets);
}

static int attach__hooks(struct attach *a)
{
	struct bpf_program *later[] = {a->skel->progs.existing__listeners, a->skel->progs.existing__select,
				       a->skel->progs.existing__sockets, a->skel->progs.sched__switch};
	int rc;

	for (size_t i = 0; i < sizeof(later) / sizeof(*later); i++)
		bpf_program__set_autoattach(later[i], false);
	rc = wirespan_bpf__attach(a->skel);
	return rc ? attach__fail(a, rc, "tracepoints cannot be attached", advice(rc)) : 0;
}

static int attach__check_pids(struct attach *a)
{
	if (running__sees_all())
		return 0;
	snprintf(a->err, a->err_size, "not in the initial pid namespace, so other processes would be traced than meant; %s",
		 RUNNING_SEES_ALL_ADVICE);
	return -ENOTSUP;
}

struct attach *attach__new(const struct selection *sel, const struct attach_options *o, char *err, size_t err_size)
{
	struct attach *a = calloc(1, sizeof(*a));

	if (!a) {
		snprintf(err, err_size, "out of memory");
		return NULL;
	}
	a->sel = sel;
	a->err = err;
	a->err_size = err_size;
	if (attach__check_pids(a) || attach__load(a, o) || attach__wish(a) || attach__hooks(a)) {
		attach__free(a);
		return NULL;
	}
	attach__existing(a);
	a->err = NULL;
	return a;
}

void attach__free(struct attach *a)
{
	if (!a)
		return;
	bpf_link__destroy(a->turns);
	wirespan_bpf__destroy(a->skel);
	free(a);
}

void attach__stop(struct attach *a)
{
	bpf_link__destroy(a->turns);
	a->turns = NULL;
	wirespan_bpf__detach(a->skel);
	usleep(20000); /* a program that was running on another CPU is through by then */
}

int attach__ring_fd(const struct attach *a)
{
	return bpf_map__fd(a->skel->maps.ring);
}

int attach__set_budget(struct attach *a, uint64_t conn, const struct ws_budget_pair *b)
{
	int rc = bpf_map__update_elem(a->skel->maps.sock_budgets, &conn, sizeof(conn), b, sizeof(*b), BPF_ANY);

	__atomic_fetch_add(&a->skel->bss->budget_generation, 1, __ATOMIC_RELEASE);
	return rc;
}

int attach__set_port_budget(struct attach *a, enum ws_role role, uint16_t port, const struct ws_budget_pair *b)
{
	struct { uint32_t role, port; } key = {role, port};

	return bpf_map__update_elem(a->skel->maps.port_budgets, &key, sizeof(key), b, sizeof(*b), BPF_ANY);
}

int attach__set_process(struct attach *a, uint32_t tgid, const struct ws_process *p)
{
	int rc = attach__store(a, tgid, process__start(tgid), p, BPF_ANY);

	attach__moved(a);
	return rc;
}

bool attach__is_selected(const struct attach *a, uint32_t tgid)
{
	struct ws_process p;

	if (bpf_map__lookup_elem(a->skel->maps.processes, &tgid, sizeof(tgid), &p, sizeof(p), 0) == 0)
		return p.selected;
	return a->sel->all && tgid != (uint32_t)getpid();
}

int attach__watch_turns(struct attach *a)
{
	if (!a->turns)
		a->turns = bpf_program__attach(a->skel->progs.sched__switch);
	return a->turns ? 0 : -errno;
}

bool attach__exe_matches(const struct attach *a, uint32_t tgid, struct slice path)
{
	char text[WS_PATH_LEN + 1];

	if (path.n > WS_PATH_LEN)
		return false;
	memcpy(text, path.p, path.n);
	text[path.n] = 0;
	return running__exe_matches(tgid, text, a->sel);
}

/* Programs that the kernel skipped because they were running on that CPU already: bpf_prog_inc_misses_counter(). */
static uint64_t attach__missed(const struct attach *a)
{
	struct bpf_program *p;
	uint64_t sum = 0;

	bpf_object__for_each_program(p, a->skel->obj) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (bpf_program__fd(p) >= 0 && bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &size) == 0)
			sum += info.recursion_misses;
	}
	return sum;
}

void attach__counters(const struct attach *a, uint64_t value[WS_CNT_MAX])
{
	size_t one = sizeof(uint64_t) * WS_CNT_MAX, size = one * (size_t)a->cpus;
	uint64_t *per_cpu = calloc(1, size);
	uint32_t zero = 0;

	memset(value, 0, one);
	if (per_cpu && bpf_map__lookup_elem(a->skel->maps.counters, &zero, sizeof(zero), per_cpu, size, 0) == 0)
		for (size_t i = 0; i < (size_t)a->cpus * WS_CNT_MAX; i++)
			value[i % WS_CNT_MAX] += per_cpu[i];
	free(per_cpu);
	value[WS_CNT_processes_full] += a->full;
	value[WS_CNT_missed_runs] = attach__missed(a);
}

/* "memlock:" of a map's fdinfo: what bpf_map_memory_usage() says (6.4), an estimate before. */
static uint64_t map__bytes(int fd)
{
	char path[40], line[128];
	unsigned long long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f) && sscanf(line, "memlock: %llu", &n) != 1)
		;
	fclose(f);
	return n;
}

uint64_t attach__map_bytes(const struct attach *a)
{
	struct bpf_map *m;
	uint64_t sum = 0;

	bpf_object__for_each_map(m, a->skel->obj)
		sum += map__bytes(bpf_map__fd(m));
	return sum;
}

size_t attach__programs(const struct attach *a, struct attach_program *v, size_t max)
{
	struct bpf_program *p;
	size_t n = 0;

	bpf_object__for_each_program(p, a->skel->obj) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (n == max || bpf_program__fd(p) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &size))
			continue;
		snprintf(v[n].name, sizeof(v[n].name), "%s", bpf_program__name(p));
		v[n].run_ns = info.run_time_ns;
		v[n++].runs = info.run_cnt;
	}
	return n;
}
