// SPDX-License-Identifier: Apache-2.0
/*
 * clock_step.c - for LD_PRELOAD: CLOCK_REALTIME is ahead by the seconds in the file that CLOCK_STEP names, for
 * this process alone; nobody sets the machine's clock for a test. (A time namespace has no CLOCK_REALTIME.)
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *t)
{
	char text[32] = "";
	int r = (int)syscall(SYS_clock_gettime, id, t), fd;

	if (r || id != CLOCK_REALTIME)
		return r;
	fd = open(getenv("CLOCK_STEP"), O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		t->tv_sec += atol(text);
	if (fd >= 0)
		close(fd);
	return 0;
}
