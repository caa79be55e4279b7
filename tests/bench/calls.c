// SPDX-License-Identifier: Apache-2.0
/*
 * calls.c - what calls cost a process that is not traced: ns of CPU a call, of getppid, of read and
 * write on a pipe, and of recv and send on a TCP connection with itself; one line each round, until
 * standard input ends. One thread does both ends, so nobody sleeps and no other CPU takes part.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROUND 20000
#define BYTES 64

static int pipe_fds[2], tcp_fds[2];

static void nothing(char *buffer)
{
	getppid();
	getppid();
}

static void over_pipe(char *buffer)
{
	if (write(pipe_fds[1], buffer, BYTES) != BYTES || read(pipe_fds[0], buffer, BYTES) != BYTES)
		abort();
}

static void over_tcp(char *buffer)
{
	if (send(tcp_fds[1], buffer, BYTES, 0) != BYTES || recv(tcp_fds[0], buffer, BYTES, 0) != BYTES)
		abort();
}

static const struct {
	const char *name;
	void (*pair)(char *buffer); /* two calls */
} ways[] = {{"none", nothing}, {"pipe", over_pipe}, {"tcp", over_tcp}};

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int open_tcp(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	tcp_fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(l, (struct sockaddr *)&a, n) || listen(l, 1) || getsockname(l, (struct sockaddr *)&a, &n) ||
	    connect(tcp_fds[1], (struct sockaddr *)&a, n))
		return -1;
	tcp_fds[0] = accept(l, NULL, NULL);
	close(l);
	return tcp_fds[0] < 0 ? -1 : 0;
}

int main(void)
{
	char buffer[BYTES] = {0}, line[64];

	if (pipe(pipe_fds) || open_tcp()) {
		perror("calls");
		return 1;
	}
	/* A line asks for a round. */
	while (fgets(line, sizeof(line), stdin)) {
		for (size_t w = 0; w < sizeof(ways) / sizeof(*ways); w++) {
			double before = cpu_ns();

			for (int i = 0; i < ROUND; i++)
				ways[w].pair(buffer);
			printf("%s %.2f\n", ways[w].name, (cpu_ns() - before) / (2.0 * ROUND));
		}
		fflush(stdout);
	}
	return 0;
}
