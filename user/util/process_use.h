/* SPDX-License-Identifier: Apache-2.0 */
/* process_use.h - what this process uses. */
#ifndef UTIL_PROCESS_USE_H
#define UTIL_PROCESS_USE_H

#include <stdint.h>

/* Resident memory, bytes; 0 where /proc cannot be read. */
uint64_t process_use__rss(void);

#endif
