// SPDX-License-Identifier: Apache-2.0
/* loop.c - one thread, one epoll loop: the ring, signals, a timer, everybody's sockets. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent/reload.h"
#include "agent/state.h"
#include "util/heap.h"
#include "util/log.h"

#define TURN_MS 5 /* between two looks whether it is our turn */
#define COMMAND_END_NS (10ull * 1000000000)

/*
 * A recording that can't be written is told when it happens, not hours later. There is nothing left to do
 * then, but for a command's sake, which is not ours to end.
 */
static void agent__check_recording(struct agent *a)
{
	int r = a->recording && !a->recording_failed ? recording__flush(a->recording) : 0;

	if (!r)
		return;
	log__error("%s is incomplete: %s", a->cfg.recording, strerror(-r));
	a->recording_failed = true;
	a->status = 1;
	a->stop |= !a->command.pid;
}

/*
 * The end of a command is awaited, with the ring being read; a second signal, or ten seconds, end it.
 * The terminal's own signals reach the command without us.
 */
static void agent__told_to_stop(struct agent *a, const struct signalfd_siginfo *si)
{
	if (!a->command.pid || a->stop_at) {
		a->stop = true;
		return;
	}
	if (si->ssi_code != SI_KERNEL)
		command__signal(&a->command, (int)si->ssi_signo);
	a->stop_at = clock__ns(CLOCK_MONOTONIC) + COMMAND_END_NS;
}

void agent__signal(struct agent *a)
{
	struct signalfd_siginfo si;

	while (read(a->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGHUP && a->cfg.reload) {
			reload__run(a);
		} else if (si.ssi_signo != SIGCHLD) {
			agent__told_to_stop(a, &si);
		} else if (command__reap(&a->command)) {
			a->status = a->command.status || a->recording_failed ? 1 : 0;
			a->stop = true;
		}
	}
}

/* What a person or a pipe reads has got so far; nobody reads it any more: the end. */
void agent__check_output(struct agent *a)
{
	if (!fflush(stdout) && !ferror(stdout))
		return;
	if (!a->output_failed)
		log__error("standard output: %s", strerror(errno));
	a->output_failed = a->stop = true;
	a->status = 1;
}

int epoll__add(int epoll_fd, int fd, void *ptr)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = ptr};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

int agent__open_fds(struct agent *a)
{
	const struct itimerspec every = {{0, TICK_NS}, {0, TICK_NS}};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	a->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	a->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (a->epoll_fd < 0 || a->timer_fd < 0 || a->signal_fd < 0)
		return -errno;
	timerfd_settime(a->timer_fd, 0, &every, NULL);
	if (epoll__add(a->epoll_fd, a->timer_fd, &a->timer_fd) || epoll__add(a->epoll_fd, a->signal_fd, &a->signal_fd))
		return -errno;
	return 0;
}

/* Every 50 ms, for the kernel wakes us only when the ring fills up. */
static void agent__timer(struct agent *a)
{
	uint64_t expirations, until, now;

	if (read(a->timer_fd, &expirations, sizeof(expirations)) < 0)
		return;
	a->own.ticks++;
	agent__check_clock(a);
	/* Before, not after: we may be off the CPU for long in between, and what waits for its evidence would be given up. */
	until = clock__ns(CLOCK_MONOTONIC);
	capture__read(a->capture);
	a->read_until = until > a->read_until ? until : a->read_until;
	now = clock__ns(CLOCK_MONOTONIC);
	meta__tick(a->meta);
	agent__tick(a, now);
	identities__tick(meta__identities(a->meta), now / 1000000);
	chooser__tick(a->chooser);
	if (chooser__has_left(a->chooser))
		leaving__judge(a->leaving, true);
	leaving__tick(a->leaving, now);
	if (a->export)
		export__tick(a->export, now / 1000000);
	govern__tick(a->govern, now);
	linker__judge_probes(a->linker, shed_steps[govern__counters(a->govern).step].low_value, now);
	gap__tick(a->gap, now, a->attach, a->conns);
	if (a->metrics)
		metrics__ready(a->metrics);
	agent__check_output(a);
	agent__check_recording(a);
	heap__tick(now);
	a->stop |= a->stop_at && now > a->stop_at;
}

int agent__await_turn(struct agent *a)
{
	struct epoll_event ev[32];
	uint64_t expirations;
	int r;

	while ((r = gap__take(a->gap)) == -EWOULDBLOCK && !a->stop) {
		int n = epoll_wait(a->epoll_fd, ev, 32, TURN_MS);

		a->ticked = clock__ns(CLOCK_MONOTONIC);
		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr == &a->signal_fd)
				agent__signal(a);
			else if (ev[i].data.ptr == a->meta)
				identities__ready(meta__identities(a->meta));
			else if (ev[i].data.ptr == &a->timer_fd && read(a->timer_fd, &expirations, sizeof(expirations)) > 0)
				identities__tick(meta__identities(a->meta), a->ticked / 1000000);
		}
		if (a->metrics)
			metrics__ready(a->metrics);
	}
	return r == -EWOULDBLOCK ? 0 : r;
}

void agent__loop(struct agent *a)
{
	struct epoll_event ev[32];

	while (!a->stop) {
		int n = epoll_wait(a->epoll_fd, ev, 32, -1);

		for (int i = 0; i < n; i++) {
			void *who = ev[i].data.ptr;

			if (who == &a->signal_fd)
				agent__signal(a);
			else if (who == a->export)
				export__ready(a->export);
			else if (who == a->meta)
				identities__ready(meta__identities(a->meta));
			else if (who == &a->timer_fd)
				agent__timer(a);
			else if (who == a->govern)
				govern__ready(a->govern);
			else if (who == a->metrics)
				metrics__ready(a->metrics);
			else
				capture__read(a->capture);
		}
	}
	govern__stop(a->govern);
	command__stop(&a->command);
	/* What was under way when we were told to stop. */
	for (int quiet = 0, n = 0; quiet < 4 && n < 40; n++) {
		struct timespec t = {0, 25000000};

		quiet = capture__read(a->capture) ? 0 : quiet + 1;
		nanosleep(&t, NULL);
	}
	/* Nothing is made any more: what is left in the ring is all there is. */
	runtimes__free(a->runtimes);
	a->runtimes = NULL;
	gap__ending(a->gap, a->attach);
	attach__stop(a->attach);
	capture__drain(a->capture);
	gap__ended(a->gap, a->attach, a->conns);
}
