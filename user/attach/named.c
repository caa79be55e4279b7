// SPDX-License-Identifier: Apache-2.0
#include "attach/named.h"

#include <stdio.h>
#include <string.h>

#include "attach/cgroup.h"

void named__comm(uint32_t pid, char comm[NAMED_COMM])
{
	char path[32];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	f = fopen(path, "re");
	if (!f || !fgets(comm, NAMED_COMM, f))
		comm[0] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
	if (f)
		fclose(f);
}

static bool by_comm(const struct selection *sel, uint32_t pid)
{
	char comm[NAMED_COMM];

	if (!sel->n_comms)
		return false;
	named__comm(pid, comm);
	for (size_t i = 0; i < sel->n_comms; i++)
		if (!strcmp(sel->comms[i], comm))
			return true;
	return false;
}

static bool by_port(const struct selection *sel, const struct socket_counts *listens)
{
	for (size_t i = 0; i < sel->n_ports; i++)
		for (unsigned k = 0; k < listens->n_ports; k++)
			if (sel->ports[i] == listens->ports[k])
				return true;
	return false;
}

static bool by_cgroup(const struct selection *sel, uint32_t pid)
{
	uint32_t hierarchy;
	uint64_t id;
	char err[256];

	for (size_t i = 0; i < sel->n_cgroups; i++)
		if (!cgroup__find(sel->cgroups[i], &hierarchy, &id, err, sizeof(err)) && cgroup__holds(hierarchy, id, pid))
			return true;
	return false;
}

const char *named__by(const struct running *r, size_t at, const struct socket_counts *listens, const struct selection *sel)
{
	const uint32_t pid = running__pid(r, at);

	if (running__is_wanted(r, at, sel))
		return "--pid";
	if (by_comm(sel, pid))
		return "--comm";
	if (by_port(sel, listens))
		return "--port";
	if (by_cgroup(sel, pid))
		return "--cgroup";
	return sel->n_exes && running__exe_matches(pid, NULL, sel) ? "--exe" : NULL;
}
