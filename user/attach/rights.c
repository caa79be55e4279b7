// SPDX-License-Identifier: Apache-2.0
#include "attach/rights.h"

#include <inttypes.h>
#include <stdio.h>

#include "util/log.h"
#include "util/proc.h"

#define SYS_ADMIN 21

const struct right rights[] = {
	{39, "CAP_BPF", "programs cannot be loaded: nothing is traced", RIGHT_REQUIRED},
	{38, "CAP_PERFMON", "tracing programs cannot be loaded: nothing is traced", RIGHT_REQUIRED},
	{19, "CAP_SYS_PTRACE", "programs of other users are not recognised: not selected by --exe, Go not known as such, containers' files not seen from within a container",
	 RIGHT_WANTED},
	{2, "CAP_DAC_READ_SEARCH", "environments of other users' processes are not read: their OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES do not count",
	 RIGHT_WANTED},
	{SYS_ADMIN, "CAP_SYS_ADMIN", "who listens in other network namespaces is not known at the start (--port)", RIGHT_SPARED},
};
const size_t rights_n = sizeof(rights) / sizeof(*rights);

uint64_t rights__have(void)
{
	uint64_t have = 0;

	proc__scan("/proc/self/status", "CapEff: %" SCNx64, &have);
	if (have >> SYS_ADMIN & 1)
		have |= 3ull << 38;
	return have;
}

bool rights__filtered(void)
{
	int mode = 0;

	proc__scan("/proc/self/status", "Seccomp: %d", &mode);
	return mode == 2; /* SECCOMP_MODE_FILTER */
}

void rights__required(char *out, size_t size)
{
	uint64_t have = rights__have();
	size_t at = 0;

	*out = '\0';
	for (size_t i = 0; i < rights_n && at < size; i++)
		if (rights[i].need == RIGHT_REQUIRED && !(have >> rights[i].bit & 1))
			at += (size_t)snprintf(out + at, size - at, "%s%s", at ? " and " : "", rights[i].name);
}

void rights__warn(void)
{
	uint64_t have = rights__have();

	for (size_t i = 0; i < rights_n; i++)
		if (rights[i].need == RIGHT_WANTED && !(have >> rights[i].bit & 1))
			log__warn("no %s: %s", rights[i].name, rights[i].without);
}
