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

/* Lines "4:memory:/path". The hierarchy that has one of the mount's options as its controller. */
static int hierarchy__of_options(const char *options, uint32_t *hierarchy)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4352], *names, *end, *name;
	int rc = -ENOENT;

	if (!f)
		return -errno;
	while (rc && fgets(line, sizeof(line), f)) {
		uint32_t n = (uint32_t)strtoul(line, &names, 10);

		if (*names != ':' || !(end = strchr(++names, ':')))
			continue;
		*end = 0;
		while (rc && (name = strsep(&names, ","))) {
			if (*name && list__has(options, name)) {
				*hierarchy = n;
				rc = 0;
			}
		}
	}
	fclose(f);
	return rc;
}

/* "36 35 98:0 /root /point opts shared:1 - type source options": the mount of that device. */
static int hierarchy__of_device(dev_t dev, uint32_t *hierarchy)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, type[32], options[512];
	unsigned int major_n, minor_n;
	const char *tail;
	size_t size = 0;
	int rc = -ENOTDIR;

	if (!f)
		return -errno;
	while (rc == -ENOTDIR && getline(&line, &size, f) > 0) {
		if (sscanf(line, "%*u %*u %u:%u", &major_n, &minor_n) != 2 || makedev(major_n, minor_n) != dev)
			continue;
		tail = strstr(line, " - ");
		if (!tail || sscanf(tail, " - %31s %*s %511s", type, options) != 2)
			continue;
		if (strcmp(type, "cgroup2") == 0) {
			*hierarchy = 0;
			rc = 0;
		} else if (strcmp(type, "cgroup") == 0) {
			rc = hierarchy__of_options(options, hierarchy);
		}
	}
	free(line);
	fclose(f);
	return rc;
}

int cgroup__find(const char *path, uint32_t *hierarchy, uint64_t *id, char *err, size_t err_size)
{
	struct stat st;
	int rc;

	if (stat(path, &st)) {
		rc = -errno;
		snprintf(err, err_size, "--cgroup: \"%s\": %s; give the folder as it is below /sys/fs/cgroup", path,
			 strerror(errno));
		return rc;
	}
	rc = S_ISDIR(st.st_mode) ? hierarchy__of_device(st.st_dev, hierarchy) : -ENOTDIR;
	if (rc)
		snprintf(err, err_size, "--cgroup: \"%s\" is no folder of a cgroup file system; look below /sys/fs/cgroup",
			 path);
	*id = st.st_ino;
	return rc;
}
