// SPDX-License-Identifier: Apache-2.0
/*
 * churn.c - many connections, many processes, many idle connections, and a server for them.
 *
 *	churn serve PORT | collect PORT | churn PORT N | processes PORT N | crowd PORT N | idle PORT N
 *
 * RATE in the environment: connections a second at most. Run it in a network namespace of its own. Prints "ready" when it listens or stands, and at the end what
 * it has done; a wrong answer is its end, exit status 1.
 */
#include "churn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 4

void die(const char *what)
{
	fprintf(stderr, "churn: %s: %s\n", what, strerror(errno));
	exit(1);
}

void churn__many_files(void)
{
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

struct sockaddr_in churn__address(unsigned n, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(0x7f010001 + n % CHURN_ADDRESSES)};
}

int churn__connect(unsigned n, uint16_t port)
{
	struct sockaddr_in a = churn__address(n, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect");
	return fd;
}

static void request(int fd, const char *path)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: churn\r\n\r\n", path);

	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		die("send");
}

/* To the end of the answer, or of the connection. 0, or -1: neither. */
static int response(int fd)
{
	char buf[512];
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, buf + n, sizeof(buf) - 1 - n, 0)) > 0) {
		n += (size_t)got;
		buf[n] = 0;
		if (strstr(buf, "\r\n\r\nok"))
			return 0;
	}
	return -1;
}

int churn__ask(int fd, const char *path)
{
	request(fd, path);
	return response(fd);
}

static void ask_or_die(int fd, const char *path)
{
	if (churn__ask(fd, path))
		die(path);
}

static void reset(int fd)
{
	const struct linger now = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void until_end(int fd)
{
	char c;

	if (recv(fd, &c, 1, 0) != 0)
		die("the server should have closed");
}

/* --- ways to end a connection -------------------------------------------------------------- */

static void way_whole(int fd)
{
	ask_or_die(fd, "/whole");
}

static void way_reset(int fd)
{
	ask_or_die(fd, "/reset");
	reset(fd);
}

static void way_server(int fd)
{
	ask_or_die(fd, "/close");
	until_end(fd);
}

static void way_half_close(int fd)
{
	request(fd, "/half-close");
	shutdown(fd, SHUT_WR);
	if (response(fd))
		die("/half-close");
	until_end(fd);
}

/* The answer is there and nobody reads it: the kernel resets. */
static void way_unread(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	request(fd, "/unread");
	if (poll(&p, 1, 10000) != 1)
		die("poll");
}

static void way_silent(int fd)
{
}

/* Half a request, then a reset. */
static void way_torn(int fd)
{
	if (send(fd, "GET /torn HT", 12, MSG_NOSIGNAL) != 12)
		die("send");
	reset(fd);
}

static const struct {
	const char *name;
	void (*go)(int fd);
} ways[] = {
	{"whole", way_whole},	     {"reset", way_reset},   {"server", way_server}, {"half-close", way_half_close},
	{"unread", way_unread},	     {"silent", way_silent}, {"torn", way_torn},
};
#define WAYS (sizeof(ways) / sizeof(*ways))

/* Runs work(ctx...) in WORKERS processes, each with its share of n. 0: all ended well. */
static int share(unsigned n, void (*work)(uint16_t port, unsigned from, unsigned to), uint16_t port)
{
	int status, bad = 0;

	fflush(stdout);
	for (unsigned w = 0; w < WORKERS; w++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid)
			continue;
		work(port, (unsigned)((uint64_t)n * w / WORKERS), (unsigned)((uint64_t)n * (w + 1) / WORKERS));
		_exit(0);
	}
	while (wait(&status) > 0)
		bad |= status;
	return bad ? 1 : 0;
}

/* Waits for the moment of the i-th of this worker's connections. */
static void keep_pace(struct timespec began, unsigned i)
{
	unsigned rate = getenv("RATE") ? (unsigned)atoi(getenv("RATE")) : 0;
	uint64_t ns = rate ? (uint64_t)i * WORKERS * 1000000000ull / rate + (uint64_t)began.tv_nsec : 0;
	struct timespec at = {began.tv_sec + (time_t)(ns / 1000000000), (long)(ns % 1000000000)};

	if (rate)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void churn__work(uint16_t port, unsigned from, unsigned to)
{
	struct timespec began;

	clock_gettime(CLOCK_MONOTONIC, &began);
	for (unsigned i = from; i < to; i++) {
		int fd = churn__connect(i, port);

		keep_pace(began, i - from);
		ways[i % WAYS].go(fd);
		close(fd);
	}
}

int churn(uint16_t port, unsigned n)
{
	int bad = share(n, churn__work, port);

	for (size_t i = 0; i < WAYS; i++)
		printf("%s %zu\n", ways[i].name, (n + WAYS - 1 - i) / WAYS);
	return bad;
}

static void processes__work(uint16_t port, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		int status, fd;
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid && i % 2) { /* every other one is another program */
			char number[16];

			snprintf(number, sizeof(number), "%u", port);
			execl("/proc/self/exe", program_invocation_short_name, "one", number, NULL);
			_exit(1);
		}
		if (!pid) {
			fd = churn__connect(i, port);
			_exit(churn__ask(fd, "/process"));
		}
		if (waitpid(pid, &status, 0) != pid || status)
			die("a process failed");
	}
}

static int one(uint16_t port)
{
	return churn__ask(churn__connect(0, port), "/process");
}

int processes(uint16_t port, unsigned n)
{
	int bad = share(n, processes__work, port);

	printf("processes %u\n", n);
	return bad;
}

int crowd(uint16_t port, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned k = 0; k < CROWD_SOCKETS; k++)
			if (churn__ask(churn__connect(i * CROWD_SOCKETS + k, port), "/crowd"))
				die("/crowd");
		putchar('.');
		fflush(stdout);
		for (;;)
			pause();
	}
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*one)(uint16_t port);
		int (*many)(uint16_t port, unsigned n);
	} modes[] = {
		{"serve", serve, NULL},	  {"collect", collect, NULL},	 {"one", one, NULL},
		{"churn", NULL, churn}, {"processes", NULL, processes}, {"crowd", NULL, crowd}, {"idle", NULL, idle},
	};

	signal(SIGPIPE, SIG_IGN);
	churn__many_files();
	for (size_t i = 0; argc > 2 && i < sizeof(modes) / sizeof(*modes); i++) {
		uint16_t port = (uint16_t)atoi(argv[2]);

		if (strcmp(argv[1], modes[i].name) || !port || (modes[i].many && argc != 4))
			continue;
		return modes[i].one ? modes[i].one(port) : modes[i].many(port, (unsigned)atoi(argv[3]));
	}
	fprintf(stderr, "usage: churn serve|collect PORT | churn|processes|crowd|idle PORT N\n");
	return 2;
}
