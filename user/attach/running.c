/* SPDX-License-Identifier: Apache-2.0 */
/* running.c - one pass over /proc. What disappears meanwhile is passed over. Contract: running.h. */
#include "attach/running.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/proc.h"

#define DEPTH_MAX 64
#define NETNS_MAX 256

#define EXITING 0x4 /* PF_EXITING, include/linux/sched.h */
#define INIT_PID_NS 0xEFFFFFFCu /* PROC_PID_INIT_INO, include/linux/proc_ns.h */

struct entry {
	uint32_t pid, parent;
	uint64_t start;
};

struct running {
	struct entry *v;
	size_t n, room;
};

uint64_t process__start(uint32_t pid)
{
	struct proc_stat s;

	return proc__stat(pid, 0, &s) ? s.start + 1 : 0;
}

/* Its first thread may have ended before the others. */
static bool threads__live(uint32_t pid)
{
	char path[64];
	struct proc_stat s;
	struct dirent *e;
	bool live = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	d = opendir(path);
	while (d && !live && (e = readdir(d))) {
		uint32_t tid = (uint32_t)strtoul(e->d_name, NULL, 10);

		live = tid && proc__stat(pid, tid, &s) && !(s.flags & EXITING);
	}
	if (d)
		closedir(d);
	return live;
}

bool process__lives(uint32_t pid, uint64_t start)
{
	struct proc_stat s;

	return proc__stat(pid, 0, &s) && s.start + 1 == start && (!(s.flags & EXITING) || threads__live(pid));
}

bool running__sees_all(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == INIT_PID_NS;
}

static bool running__add(struct running *r, uint32_t pid)
{
	struct proc_stat s;
	struct entry *v;

	if (!proc__stat(pid, 0, &s))
		return true; /* gone */
	if (r->n == r->room) {
		r->room = r->room ? r->room * 2 : 256;
		v = realloc(r->v, r->room * sizeof(*v));
		if (!v)
			return false;
		r->v = v;
	}
	r->v[r->n++] = (struct entry){pid, s.parent, s.start + 1};
	return true;
}

struct running *running__new(void)
{
	struct running *r = calloc(1, sizeof(*r));
	DIR *d = opendir("/proc");
	struct dirent *e;
	bool ok = r && d;

	while (ok && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]))
			ok = running__add(r, (uint32_t)strtoul(e->d_name, NULL, 10));
	if (d)
		closedir(d);
	if (ok)
		return r;
	running__free(r);
	return NULL;
}

void running__free(struct running *r)
{
	if (!r)
		return;
	free(r->v);
	free(r);
}

size_t running__count(const struct running *r)
{
	return r->n;
}

uint32_t running__pid(const struct running *r, size_t i)
{
	return r->v[i].pid;
}

uint64_t running__start(const struct running *r, size_t i)
{
	return r->v[i].start;
}

uint32_t running__parent(const struct running *r, uint32_t pid)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].pid == pid)
			return r->v[i].parent;
	return 0;
}

bool running__is_wanted(const struct running *r, size_t i, const struct selection *sel)
{
	uint32_t pid = r->v[i].pid;

	for (int depth = 0; pid && sel->n_pids && depth < DEPTH_MAX; depth++) {
		for (size_t k = 0; k < sel->n_pids; k++)
			if (sel->pids[k] == pid)
				return true;
		pid = running__parent(r, pid);
	}
	return false;
}

bool running__exe_matches(uint32_t pid, const char *path, const struct selection *sel)
{
	char exe[PATH_MAX];
	size_t n = proc__exe(pid, exe, sizeof(exe));

	for (size_t i = 0; i < sel->n_exes; i++)
		if ((n && fnmatch(sel->exes[i], exe, 0) == 0) || (path && fnmatch(sel->exes[i], path, 0) == 0))
			return true;
	return false;
}

/* Enters the namespace of pid unless its inode is among seen[0..n). true: it is new there. */
static bool netns__enter(uint32_t pid, ino_t *seen, int n)
{
	char path[40];
	struct stat st;
	int fd, rc;

	snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	rc = fstat(fd, &st);
	for (int i = 0; rc == 0 && i < n; i++)
		if (seen[i] == st.st_ino)
			rc = -1;
	if (rc == 0)
		rc = setns(fd, CLONE_NEWNET);
	seen[n] = st.st_ino;
	close(fd);
	return rc == 0;
}

int running__each_netns(const struct running *r, int (*fn)(void *ctx), void *ctx)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), n = 1, rc;
	ino_t seen[NETNS_MAX] = {0};
	struct stat st;

	if (own < 0 || fstat(own, &st)) {
		rc = -errno;
		goto cleanup;
	}
	seen[0] = st.st_ino;
	rc = fn(ctx);
	for (size_t i = 0; rc == 0 && i < r->n && n < NETNS_MAX; i++) {
		if (!netns__enter(r->v[i].pid, seen, n))
			continue;
		n++;
		rc = fn(ctx);
		if (setns(own, CLONE_NEWNET)) /* cannot go on in a foreign one */
			rc = -errno;
	}
cleanup:
	if (own >= 0)
		close(own);
	return rc ? rc : n;
}
