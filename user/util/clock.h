/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - what a clock says. */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock__ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Of the monotonic one. */
static inline uint64_t clock__ms(void)
{
	return clock__ns(CLOCK_MONOTONIC) / 1000000;
}

#endif
