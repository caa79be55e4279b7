// SPDX-License-Identifier: Apache-2.0
#include "agent/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/log.h"

static void child(int wait_fd, char **argv)
{
	sigset_t none;
	char byte;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (read(wait_fd, &byte, 1) != 1)
		_exit(127); /* the agent has gone */
	execvp(argv[0], argv);
	log__error("can't run '%s': %s", argv[0], strerror(errno));
	_exit(127);
}

int command__prepare(struct command *c, char **argv)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	c->pid = fork();
	if (c->pid < 0)
		return -errno;
	if (c->pid == 0) {
		close(fds[1]);
		child(fds[0], argv);
	}
	close(fds[0]);
	c->go = fds[1];
	return 0;
}

void command__start(struct command *c)
{
	if (!c->pid)
		return;
	if (write(c->go, "g", 1) != 1)
		log__warn("the command ended before it was started");
	close(c->go);
	c->go = -1;
}

bool command__reap(struct command *c)
{
	if (!c->pid || waitpid(c->pid, &c->status, WNOHANG) != c->pid)
		return false;
	c->pid = 0;
	return true;
}

void command__signal(struct command *c, int signo)
{
	if (!c->pid)
		return;
	if (c->go > 0) {
		close(c->go); /* not started: it leaves by itself */
		c->go = -1;
	}
	kill(c->pid, signo);
}

void command__stop(struct command *c)
{
	const struct timespec t = {0, 10000000};

	command__signal(c, SIGTERM);
	for (int i = 0; i < 100 && c->pid && !command__reap(c); i++)
		nanosleep(&t, NULL);
	if (!c->pid)
		return;
	kill(c->pid, SIGKILL);
	waitpid(c->pid, &c->status, 0);
	c->pid = 0;
}
