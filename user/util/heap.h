/* SPDX-License-Identifier: Apache-2.0 */
/* heap.h - gives memory back that a burst of work has needed. */
#ifndef UTIL_HEAP_H
#define UTIL_HEAP_H

#include <stdint.h>

/* Called now and then with a monotonic time, ns. */
void heap__tick(uint64_t now_ns);

#endif
