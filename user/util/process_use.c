// SPDX-License-Identifier: Apache-2.0
#include "util/process_use.h"

#include <unistd.h>

#include "util/proc.h"

uint64_t process_use__rss(void)
{
	unsigned long resident = 0;

	proc__scan("/proc/self/statm", "%*u %lu", &resident);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
