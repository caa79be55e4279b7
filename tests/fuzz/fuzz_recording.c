/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_recording.c - libFuzzer: any bytes as a recording, plain or gzipped, through `wirespan replay`
 * with every output that needs no network. An input is such a file: what is found can be replayed by hand.
 *
 * What a replay does not wait for is not made: timers, signals, epoll and the size of the process take
 * half of the time of a short one (--wrap, fuzz.mk).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "agent/agent.h"
#include "memory_file.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct memory_file file;
static int nothing = -1; /* in place of every descriptor that nobody waits for */

int __wrap_epoll_create1(int flags);
int __wrap_epoll_create1(int flags)
{
	return nothing;
}

int __wrap_epoll_ctl(int fd, int op, int other, struct epoll_event *e);
int __wrap_epoll_ctl(int fd, int op, int other, struct epoll_event *e)
{
	return 0;
}

int __wrap_timerfd_create(int clock, int flags);
int __wrap_timerfd_create(int clock, int flags)
{
	return nothing;
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *at, struct itimerspec *old);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *at, struct itimerspec *old)
{
	return 0;
}

int __wrap_signalfd(int fd, const sigset_t *set, int flags);
int __wrap_signalfd(int fd, const sigset_t *set, int flags)
{
	return nothing;
}

int __wrap_sigprocmask(int how, const sigset_t *set, sigset_t *old);
int __wrap_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	return 0;
}

sighandler_t __wrap_signal(int sig, sighandler_t handler);
sighandler_t __wrap_signal(int sig, sighandler_t handler)
{
	return SIG_DFL;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	return fd == nothing ? 0 : __real_close(fd);
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
	if (strncmp(path, "/proc/self/", 11))
		return __real_fopen(path, mode);
	errno = ENOENT;
	return NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	memory_file__open(&file);
	nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (nothing < 0 || !freopen("/dev/null", "w", stdout))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent_config cfg = {.replay = file.path};
	int status;

	memory_file__fill(&file, data, size);
	/* By the length: JSON is slow, and the other ways must have their turn. */
	cfg.outputs = size % 4 == 0 ? OUTPUT_JSON : OUTPUT_TREES;
	cfg.summary = size % 4 == 1;
	status = agent__run(&cfg);
	if (status < 0 || status > 1)
		abort();
	return 0;
}
