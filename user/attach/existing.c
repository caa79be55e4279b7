/* SPDX-License-Identifier: Apache-2.0 */
/*
 * existing.c - what was there before us: ports and rules by iterator, pids and programs from /proc, Go
 * programs, and last the open connections, so that their records know what is selected. Contract: attach.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <unistd.h>

#include "attach/running.h"
#include "attach/state.h"
#include "meta/golang.h"

static int iterator__run(void *program)
{
	struct bpf_link *link;
	char buf[256];
	int fd, rc = 0;
	ssize_t n;

	if (bpf_program__fd(program) < 0)
		return 0; /* the other variant is loaded, or none */
	link = bpf_program__attach_iter(program, NULL);
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

void attach__see_pids(struct attach *a)
{
	for (; a->n_starts < a->sel->n_pids; a->n_starts++)
		a->starts[a->n_starts] = process__start(a->sel->pids[a->n_starts]);
}

/* The selection with those pids alone that are of the processes that they were first seen with: a pid is given again. */
static void attach__pids(struct attach *a, struct selection *still)
{
	*still = *a->sel;
	still->n_pids = 0;
	for (size_t i = 0; i < a->n_starts; i++)
		if (a->starts[i] && process__start(a->sel->pids[i]) == a->starts[i])
			still->pids[still->n_pids++] = a->sel->pids[i];
}

/* Pids with their descendants, and programs. Twice: a child may be forked between reading and selecting. */
static void attach__select_running(struct attach *a)
{
	const struct ws_process selected = {.selected = 1};
	struct selection still;
	struct running *r;

	attach__pids(a, &still);
	for (int pass = 0; pass < 2 && (r = running__new()); pass++) {
		for (size_t i = 0; i < running__count(r); i++) {
			uint32_t pid = running__pid(r, i);

			if (pid == (uint32_t)getpid())
				continue;
			if (running__is_wanted(r, i, &still) ||
			    (a->sel->n_exes && running__exe_matches(pid, NULL, a->sel)))
				attach__store(a, pid, running__start(r, i), &selected, BPF_NOEXIST);
		}
		running__free(r);
	}
}

/*
 * What runs already and is a Go program says so in its entry. At the start only: later some are left out by
 * their cgroup alone, and runtime.c tells of the others.
 */
static void attach__find_go(struct attach *a)
{
	struct running *r = running__new();
	char path[32];
	int minor;

	for (size_t i = 0; r && i < running__count(r); i++) {
		uint32_t pid = running__pid(r, i);
		struct ws_process p = {.selected = 1, .ctx_kind = WS_CTX_GO};

		if (!attach__is_selected(a, pid))
			continue;
		snprintf(path, sizeof(path), "/proc/%u/exe", pid);
		minor = golang__minor(path);
		p.goid_offset = (uint16_t)golang__goid_offset(minor);
		if (golang__is_go(minor))
			attach__store(a, pid, running__start(r, i), &p, BPF_ANY);
	}
	running__free(r);
}

void attach__announce(struct attach *a)
{
	iterator__run(a->skel->progs.existing__sockets);
	iterator__run(a->skel->progs.existing__sockets_walk);
}

void attach__listeners(struct attach *a)
{
	struct running *r = running__new();

	if (r)
		running__each_netns(r, iterator__run, a->skel->progs.existing__listeners);
	running__free(r);
}

void attach__existing(struct attach *a, bool at_start)
{
	struct wirespan_bpf *s = a->skel;

	attach__listeners(a);
	attach__select_running(a);
	iterator__run(s->progs.existing__select);
	iterator__run(s->progs.existing__select_walk);
	if (at_start)
		attach__find_go(a);
	attach__moved(a);
	attach__announce(a);
}

void attach__select_again(struct attach *a)
{
	attach__existing(a, false);
}
