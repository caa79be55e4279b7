/* SPDX-License-Identifier: Apache-2.0 */
/* selection.c - "--pid 12,34" and its like. Contract: selection.h. */
#include "attach/selection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PID_LIMIT 4194304 /* PID_MAX_LIMIT of a 64-bit kernel (include/linux/threads.h) */
#define COMM_LIMIT 15	  /* TASK_COMM_LEN less its NUL */

bool selection__empty(const struct selection *s)
{
	return !s->all && !s->n_pids && !s->n_comms && !s->n_ports && !s->n_cgroups && !s->n_exes;
}

/* A whole decimal number from 1 to max, else 0. */
static unsigned long number__parse(const char *text, unsigned long max)
{
	unsigned long n = 0;

	if (!*text)
		return 0;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return 0;
		n = n * 10 + (unsigned long)(*text - '0');
		if (n > max)
			return 0;
	}
	return n;
}

static bool add_pid(struct selection *s, const char *v)
{
	return (s->pids[s->n_pids] = (uint32_t)number__parse(v, PID_LIMIT)) && ++s->n_pids;
}

static bool add_port(struct selection *s, const char *v)
{
	return (s->ports[s->n_ports] = (uint16_t)number__parse(v, 65535)) && ++s->n_ports;
}

static bool add_comm(struct selection *s, const char *v)
{
	s->comms[s->n_comms] = v;
	return *v && strlen(v) <= COMM_LIMIT && ++s->n_comms;
}

static bool add_cgroup(struct selection *s, const char *v)
{
	s->cgroups[s->n_cgroups] = v;
	return *v == '/' && ++s->n_cgroups;
}

static bool add_exe(struct selection *s, const char *v)
{
	s->exes[s->n_exes] = v;
	return *v && ++s->n_exes;
}

static const struct kind {
	const char *option;
	bool (*add)(struct selection *s, const char *value); /* false: no such value; room is there */
	size_t count;					     /* offset of n_... */
	const char *wanted;
} kinds[] = {
	{"pid", add_pid, offsetof(struct selection, n_pids), "a process id: a number from 1 to 4194304"},
	{"comm", add_comm, offsetof(struct selection, n_comms), "a command name of 1 to 15 characters, as in `ps -o comm`"},
	{"port", add_port, offsetof(struct selection, n_ports), "a TCP port: a number from 1 to 65535"},
	{"cgroup", add_cgroup, offsetof(struct selection, n_cgroups), "a folder's path, such as /sys/fs/cgroup/system.slice"},
	{"exe", add_exe, offsetof(struct selection, n_exes), "a pattern for a program's path, such as /usr/bin/python3*"},
};

int selection__add(struct selection *s, const char *option, char *value, char *err, size_t err_size)
{
	const struct kind *k = kinds;
	char *part;

	while (k < kinds + sizeof(kinds) / sizeof(*kinds) && strcmp(k->option, option))
		k++;
	if (k == kinds + sizeof(kinds) / sizeof(*kinds)) {
		snprintf(err, err_size, "\"--%s\" selects nothing; there are --pid, --comm, --port, --cgroup, --exe", option);
		return -EINVAL;
	}
	while ((part = strsep(&value, ","))) {
		if (*(size_t *)((char *)s + k->count) == SELECT_MAX) {
			snprintf(err, err_size, "--%s: \"%s\" is one too many, %d is the most; use --cgroup or --all", option,
				 part, SELECT_MAX);
			return -EINVAL;
		}
		if (!k->add(s, part)) {
			snprintf(err, err_size, "--%s: \"%s\" is not %s", option, part, k->wanted);
			return -EINVAL;
		}
	}
	return 0;
}
