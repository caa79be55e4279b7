/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach.c - from a selection to running programs. Order matters:
 *   open, settings, load (load.c); what is wanted into the maps; hooks; then what was there before us
 *   (existing.c). Contract: attach.h.
 */
#include "attach/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/cgroup.h"
#include "attach/running.h"
#include "attach/state.h"
#include "util/text.h"

void attach__defaults(struct attach_options *o)
{
	/* Bodies matter less than heads; 4 KiB holds nearly every head of requests and of queries. */
	const struct ws_budget_pair head = {{{WS_BUDGET_HEAD, 4096}, {WS_BUDGET_HEAD, 4096}}};

	*o = (struct attach_options){.ring_bytes = ATTACH_RING_BYTES, .accepted = head, .connected = head};
}

int attach__parse_transport(const char *text, enum attach_transport *t, char *err, size_t err_size)
{
	static const char *const names[] = {"auto", "ring", "perf"};
	int i = text__one_of(text, names, sizeof(names) / sizeof(*names));

	if (i < 0) {
		snprintf(err, err_size, "transport \"%s\": there are auto, ring, perf", text);
		return i;
	}
	*t = (enum attach_transport)i;
	return 0;
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

static int attach__hooks(struct attach *a)
{
	struct bpf_program *later[] = {a->skel->progs.existing__listeners, a->skel->progs.existing__select,
				       a->skel->progs.existing__sockets, a->skel->progs.existing__select_walk,
				       a->skel->progs.existing__sockets_walk, a->skel->progs.sched__switch,
				       a->skel->progs.wake__waking};
	struct bpf_program *begins = a->skel->progs.io__send_starts;
	int rc;

	for (size_t i = 0; i < sizeof(later) / sizeof(*later); i++)
		bpf_program__set_autoattach(later[i], false);
	bpf_program__set_autoattach(begins, false);
	rc = wirespan_bpf__attach(a->skel);
	/* Last: a send that is seen to begin has its end seen. */
	if (!rc && bpf_program__autoload(begins)) {
		a->skel->links.io__send_starts = bpf_program__attach(begins);
		rc = a->skel->links.io__send_starts ? 0 : -errno;
	}
	return rc ? attach__refused(a, rc, "tracepoints cannot be attached") : 0;
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
	attach__see_pids(a);
	if (attach__check_pids(a) || attach__load(a, o) || attach__wish(a)) {
		attach__free(a);
		return NULL;
	}
	return a;
}

int attach__start(struct attach *a, char *err, size_t err_size)
{
	int rc;

	a->err = err;
	a->err_size = err_size;
	/* What the kernel selects by itself is traced with the first hook: who serves on its connections must be known. */
	attach__listeners(a);
	rc = attach__hooks(a);
	if (rc == 0)
		attach__existing(a, true);
	return rc;
}

int attach__select_more(struct attach *a, char *err, size_t err_size)
{
	int rc;

	if (a->sel->n_ports && !a->skel->rodata->select_ports) {
		snprintf(err, err_size, "port: the first one can't be added while running; restart, or use exe");
		return -ENOTSUP;
	}
	a->err = err;
	a->err_size = err_size;
	rc = attach__wish(a);
	a->err = NULL;
	attach__see_pids(a);
	if (rc)
		return rc;
	attach__switch(a);
	attach__existing(a, false);
	return 0;
}

static bool names__have(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* The kernel's lists without those; one that is gone there is no loss. */
static void attach__unwish(struct attach *a, const struct selection *before)
{
	struct { char name[WS_COMM_LEN]; } comm;
	struct { uint64_t id; uint32_t hierarchy, pad; } cgroup = {0};
	struct wirespan_bpf *s = a->skel;
	char err[256];

	for (size_t i = 0; i < before->n_comms; i++) {
		memset(&comm, 0, sizeof(comm));
		memcpy(comm.name, before->comms[i], strnlen(before->comms[i], sizeof(comm.name) - 1));
		if (!names__have(a->sel->comms, a->sel->n_comms, before->comms[i]))
			bpf_map__delete_elem(s->maps.wanted_comms, &comm, sizeof(comm), 0);
	}
	for (size_t i = 0; i < before->n_ports; i++) {
		const uint32_t port = before->ports[i];
		size_t k = 0;

		while (k < a->sel->n_ports && a->sel->ports[k] != port)
			k++;
		if (k == a->sel->n_ports)
			bpf_map__delete_elem(s->maps.wanted_ports, &port, sizeof(port), 0);
	}
	for (size_t i = 0; i < before->n_cgroups; i++)
		if (!names__have(a->sel->cgroups, a->sel->n_cgroups, before->cgroups[i]) &&
		    !cgroup__find(before->cgroups[i], &cgroup.hierarchy, &cgroup.id, err, sizeof(err)))
			bpf_map__delete_elem(s->maps.wanted_cgroups, &cgroup, sizeof(cgroup), 0);
}

void attach__select_less(struct attach *a, const struct selection *before)
{
	size_t n = 0;

	/* Those that stay are the first ones, in the same order. */
	for (size_t i = 0; i < before->n_pids && i < a->n_starts && n < a->sel->n_pids; i++)
		if (before->pids[i] == a->sel->pids[n])
			a->starts[n++] = a->starts[i];
	a->n_starts = n;
	attach__unwish(a, before);
	attach__switch(a);
}

void attach__free(struct attach *a)
{
	if (!a)
		return;
	bpf_link__destroy(a->turns);
	bpf_link__destroy(a->wakes);
	wirespan_bpf__destroy(a->skel);
	free(a);
}

void attach__stop(struct attach *a)
{
	bpf_link__destroy(a->turns);
	a->turns = NULL;
	attach__watch_wakes(a, false);
	wirespan_bpf__detach(a->skel);
	usleep(20000); /* a program that was running on another CPU is through by then */
}

int attach__ring_fd(const struct attach *a)
{
	return bpf_map__fd(a->perf ? a->skel->maps.perf : a->skel->maps.ring);
}

int attach__watch_turns(struct attach *a)
{
	if (!a->turns)
		a->turns = bpf_program__attach(a->skel->progs.sched__switch);
	return a->turns ? 0 : -errno;
}

int attach__watch_wakes(struct attach *a, bool on)
{
	if (!on) {
		if (a->wakes)
			attach__forget_words(a);
		bpf_link__destroy(a->wakes);
		a->wakes = NULL;
		return 0;
	}
	if (!a->wakes)
		a->wakes = bpf_program__attach(a->skel->progs.wake__waking);
	return a->wakes ? 0 : -errno;
}

struct bpf_program *attach__find_program(const struct attach *a, const char *name)
{
	return bpf_object__find_program_by_name(a->skel->obj, name);
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
