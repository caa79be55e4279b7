/* SPDX-License-Identifier: Apache-2.0 */
/* iopaths_pass.c - the descriptor in other hands: a thread, a child, a program, a stranger. */
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "iopaths.h"

struct job {
	struct end *e;
	enum dir dir;
	size_t n;
};

static void *thread__main(void *arg)
{
	struct job *j = arg;

	end__move(j->e, j->dir, j->n);
	return NULL;
}

void pass__thread(struct end *e, enum dir dir, size_t n)
{
	struct job j = {e, dir, n};
	pthread_t t;

	if (pthread_create(&t, NULL, thread__main, &j) || pthread_join(t, NULL))
		die("thread");
}

static void child__wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status)
		die("child");
}

void pass__fork(struct end *e, enum dir dir, size_t n)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		end__move(e, dir, n);
		_exit(0);
	}
	child__wait(pid);
}

/* iopaths --end WAY CLIENT DIR BYTES FD DONE_FD */
void pass__exec(struct end *e, enum dir dir, size_t n)
{
	char way[12], client[4], d[4], bytes[24], fd[12], done[12];
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		snprintf(way, sizeof(way), "%u", (unsigned)(e->way - ways));
		snprintf(client, sizeof(client), "%d", end__is_client(e));
		snprintf(d, sizeof(d), "%d", dir == DIR_OUT);
		snprintf(bytes, sizeof(bytes), "%zu", n);
		snprintf(fd, sizeof(fd), "%u", (unsigned)e->fd);
		snprintf(done, sizeof(done), "%u", (unsigned)e->done_fd);
		execl("/proc/self/exe", "iopaths", "--end", way, client, d, bytes, fd, done, NULL);
		die("exec");
	}
	child__wait(pid);
}

int pass__exec_main(char **argv)
{
	struct end *e = end__again(&ways[atoi(argv[2])], atoi(argv[3]), atoi(argv[6]), atoi(argv[7]));

	end__move(e, atoi(argv[4]) ? DIR_OUT : DIR_IN, strtoul(argv[5], NULL, 10));
	return 0;
}

union fd_message {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int))];
};

static void fd__send(int via, int fd)
{
	union fd_message c = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec v = {"f", 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)};

	memcpy(CMSG_DATA(&c.head), &fd, sizeof(fd));
	if (sendmsg(via, &m, 0) != 1)
		die("SCM_RIGHTS");
}

static int fd__recv(int via)
{
	union fd_message c;
	char byte;
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)};
	int fd;

	if (recvmsg(via, &m, 0) != 1)
		die("SCM_RIGHTS");
	memcpy(&fd, CMSG_DATA(&c.head), sizeof(fd));
	return fd;
}

void pass__scm_rights(struct end *e, enum dir dir, size_t n)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || (pid = fork()) < 0)
		die("socketpair");
	if (pid == 0) {
		close(e->fd);
		e->fd = fd__recv(pair[1]);
		end__move(e, dir, n);
		_exit(0);
	}
	fd__send(pair[0], e->fd);
	child__wait(pid);
	close(pair[0]);
	close(pair[1]);
}

void pass__pidfd(struct end *e, enum dir dir, size_t n)
{
	pid_t parent = getpid(), pid = fork();
	int pidfd;

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(e->fd);
		pidfd = (int)syscall(SYS_pidfd_open, parent, 0);
		e->fd = (int)syscall(SYS_pidfd_getfd, pidfd, e->fd, 0);
		if (pidfd < 0 || e->fd < 0)
			die("pidfd_getfd");
		end__move(e, dir, n);
		_exit(0);
	}
	child__wait(pid);
}
