/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup.c - which hierarchy a cgroup folder belongs to: its file system is looked up in
 * /proc/self/mountinfo by device; the options of a version 1 mount name a controller, and
 * /proc/self/cgroup gives that one's hierarchy. proc(5), cgroups(7). Contract: cgroup.h.
 */
#include "attach/cgroup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define FOLDER_MAX 5376 /* where it is mounted, and a line of /proc/PID/cgroup */

/* Is `word` one of the comma list? */
static bool list__has(const char *list, const char *word)
{
	size_t n = strlen(word);
	const char *p = list;

	while (p) {
		if (strncmp(p, word, n) == 0 && (p[n] == 0 || p[n] == ','))
			return true;
		p = strchr(p, ',');
		p = p ? p + 1 : NULL;
	}
	return false;
}

/* Calls fn for each line "4:memory:/path" of a /proc/PID/cgroup until it returns true. */
static bool lines__each(const char *file, bool (*fn)(void *ctx, uint32_t n, const char *names, const char *path), void *ctx)
{
	FILE *f = fopen(file, "re");
	char line[4352], *names, *path;
	bool done = false;

	while (f && !done && fgets(line, sizeof(line), f)) {
		uint32_t n = (uint32_t)strtoul(line, &names, 10);

		if (*names != ':' || !(path = strchr(++names, ':')))
			continue;
		*path++ = 0;
		path[strcspn(path, "\n")] = 0;
		done = fn(ctx, n, names, path);
	}
	if (f)
		fclose(f);
	return done;
}

struct of_options {
	const char *options;
	uint32_t n;
};

static bool line__of_options(void *ctx, uint32_t n, const char *names, const char *path)
{
	struct of_options *o = ctx;
	char list[512], *rest = list, *name;

	snprintf(list, sizeof(list), "%s", names);
	o->n = n;
	while ((name = strsep(&rest, ",")))
		if (*name && list__has(o->options, name))
			return true;
	return false;
}

/* The hierarchy that has one of the mount's options as its controller; false: none has. */
static bool hierarchy__of_options(const char *options, uint32_t *hierarchy)
{
	struct of_options o = {options, 0};

	if (!lines__each("/proc/self/cgroup", line__of_options, &o))
		return false;
	*hierarchy = o.n;
	return true;
}

/* Of /proc/self/mountinfo, proc(5). */
struct mount {
	dev_t device;
	uint32_t hierarchy;
	bool whole; /* its root is at the top */
	char point[1024];
};

/* "36 35 98:0 /root /point opts shared:1 - type source options": a mount of a hierarchy; false: of something else. */
static bool mount__read(const char *line, struct mount *m)
{
	const char *tail = strstr(line, " - ");
	char root[512], type[32], options[512];
	unsigned major_n, minor_n;

	if (!tail || sscanf(line, "%*u %*u %u:%u %511s %1023s", &major_n, &minor_n, root, m->point) != 4 ||
	    sscanf(tail, " - %31s %*s %511s", type, options) != 2)
		return false;
	m->device = makedev(major_n, minor_n);
	m->whole = strcmp(root, "/") == 0;
	m->hierarchy = 0;
	return strcmp(type, "cgroup2") == 0 || (strcmp(type, "cgroup") == 0 && hierarchy__of_options(options, &m->hierarchy));
}

/* That of a device, or, if this is NULL, where a hierarchy is mounted with its root at the top. */
static bool mount__find(struct mount *m, const dev_t *device, uint32_t hierarchy)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	while (f && !found && getline(&line, &room, f) > 0)
		found = mount__read(line, m) && (device ? m->device == *device : m->whole && m->hierarchy == hierarchy);
	free(line);
	if (f)
		fclose(f);
	return found;
}

int cgroup__find(const char *path, uint32_t *hierarchy, uint64_t *id, char *err, size_t err_size)
{
	struct mount m;
	struct stat st;
	int rc;

	if (stat(path, &st)) {
		rc = -errno;
		snprintf(err, err_size, "--cgroup: \"%s\": %s; give the folder as it is below /sys/fs/cgroup", path,
			 strerror(errno));
		return rc;
	}
	rc = S_ISDIR(st.st_mode) && mount__find(&m, &st.st_dev, 0) ? 0 : -ENOTDIR;
	if (rc)
		snprintf(err, err_size, "--cgroup: \"%s\" is no folder of a cgroup file system; look below /sys/fs/cgroup",
			 path);
	else
		*hierarchy = m.hierarchy;
	*id = st.st_ino;
	return rc;
}

uint32_t cgroup__hierarchy(void)
{
	/* runc, crun and systemd make a container's cgroup in each of these. */
	static const char *const controllers[] = {"pids", "memory", "cpu", "devices", "freezer"};

	uint32_t hierarchy = 0;

	for (size_t i = 0; i < sizeof(controllers) / sizeof(*controllers); i++)
		if (hierarchy__of_options(controllers[i], &hierarchy))
			break;
	return hierarchy;
}

struct place {
	uint32_t hierarchy;
	char path[4352];
};

static bool line__take(void *ctx, uint32_t n, const char *names, const char *path)
{
	struct place *p = ctx;

	if (n == p->hierarchy)
		snprintf(p->path, sizeof(p->path), "%s", path);
	return n == p->hierarchy;
}

/* The folder of a process's cgroup; false: it has gone, or the hierarchy is not mounted here. *top: where that begins. */
static bool folder__of_pid(uint32_t pid, uint32_t hierarchy, char *full, size_t size, size_t *top)
{
	struct place p = {.hierarchy = hierarchy};
	struct mount m;
	char file[40];

	snprintf(file, sizeof(file), "/proc/%u/cgroup", pid);
	if (!lines__each(file, line__take, &p) || !mount__find(&m, NULL, hierarchy))
		return false;
	*top = strlen(m.point);
	return snprintf(full, size, "%s%s", m.point, p.path) < (int)size;
}

uint64_t cgroup__of_pid(uint32_t pid, uint32_t hierarchy, char *path, size_t size)
{
	char full[FOLDER_MAX];
	struct stat st;
	size_t top;

	if (!folder__of_pid(pid, hierarchy, full, sizeof(full), &top) || stat(full, &st))
		return 0;
	snprintf(path, size, "%s", full + top);
	return st.st_ino;
}

bool cgroup__holds(uint32_t hierarchy, uint64_t id, uint32_t pid)
{
	char full[FOLDER_MAX], *slash;
	struct stat st;
	size_t top;

	if (!folder__of_pid(pid, hierarchy, full, sizeof(full), &top))
		return false;
	for (;;) {
		if (stat(full, &st) == 0 && st.st_ino == id)
			return true;
		slash = strrchr(full, '/');
		if (!slash || slash < full + top)
			return false;
		*slash = '\0';
	}
}
