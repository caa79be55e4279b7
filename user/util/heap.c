// SPDX-License-Identifier: Apache-2.0
#include "util/heap.h"

#include <malloc.h>

#define LOOK_NS (10ull * 1000000000)
#define FREE_MAX (8u << 20) /* what lies about free is worth keeping for the next burst, up to here */

/* free() gives back only what lies above everything that is in use, and something always does. */
void heap__tick(uint64_t now_ns)
{
	static uint64_t looked_ns;

	if (now_ns - looked_ns < LOOK_NS)
		return;
	looked_ns = now_ns;
	if (mallinfo2().fordblks > FREE_MAX)
		malloc_trim(0);
}
