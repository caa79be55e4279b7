// SPDX-License-Identifier: Apache-2.0
#include "util/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DELETED " (deleted)" /* what the kernel adds to the path of a program that was replaced */

/* "pid (comm) S ppid ...": comm may hold anything, also ")" and ends of lines. */
bool proc__stat(uint32_t pid, uint32_t tid, struct proc_stat *s)
{
	char path[64], line[512], *p = NULL;
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), tid ? "/proc/%u/task/%u/stat" : "/proc/%u/stat", pid, tid);
	memset(s, 0, sizeof(*s));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, line, sizeof(line) - 1);
		close(fd);
	}
	if (n > 0) {
		line[n] = '\0';
		p = strrchr(line, ')');
	}
	return p && sscanf(p + 1, " %c %u %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &s->state,
			   &s->parent, &s->flags, &s->start) == 4;
}

size_t proc__exe(uint32_t pid, char *exe, size_t size)
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%u/exe", pid);
	n = readlink(link, exe, size - 1);
	if (n < 0)
		n = 0;
	exe[n] = '\0';
	if ((size_t)n > strlen(DELETED) && !strcmp(exe + n - strlen(DELETED), DELETED))
		exe[n -= (ssize_t)strlen(DELETED)] = '\0';
	return (size_t)n;
}

bool proc__scan(const char *path, const char *format, void *value)
{
	FILE *f = fopen(path, "re");
	bool found = false;
	char line[256];

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, format, value) == 1;
	if (f)
		fclose(f);
	return found;
}

void proc__boot(char id[PROC_BOOT_SIZE])
{
	if (!proc__scan("/proc/sys/kernel/random/boot_id", "%39s", id))
		id[0] = '\0';
}
