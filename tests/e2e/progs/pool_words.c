// SPDX-License-Identifier: Apache-2.0
/*
 * pool_words.c UPSTREAM: an HTTP server on a port that it prints. One thread answers, another makes the calls.
 * GET /call: the other one asks 127.0.0.1:UPSTREAM, and hands the answer back. GET /words?N: it waits on N futex
 * words, one after the other, and is woken on each.
 */
#include <arpa/inet.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORDS_MAX 16384

static atomic_int words[WORDS_MAX]; /* 1: woken */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static int job = -1, done; /* 0: a call; N: words */
static uint16_t upstream;

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void call(void)
{
	static const char request[] = "GET /up HTTP/1.1\r\nHost: up\r\nConnection: close\r\n\r\n";
	struct sockaddr_in to = loopback(upstream);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char buf[4096];

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) || write(fd, request, sizeof(request) - 1) < 0)
		fail("upstream");
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

static void *caller(void *arg)
{
	for (;;) {
		pthread_mutex_lock(&lock);
		while (job < 0)
			pthread_cond_wait(&moved, &lock);
		pthread_mutex_unlock(&lock);
		if (job == 0)
			call();
		for (int i = 0; i < job; i++)
			while (!words[i])
				syscall(SYS_futex, &words[i], FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
		pthread_mutex_lock(&lock);
		job = -1;
		done = 1;
		pthread_cond_broadcast(&moved);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void work(int n)
{
	for (int i = 0; i < n; i++)
		words[i] = 0;
	pthread_mutex_lock(&lock);
	job = n;
	done = 0;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
	/* Woken where it waits, and nowhere else. */
	for (int i = 0; i < n; i++) {
		while (syscall(SYS_futex, &words[i], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) != 1)
			usleep(5);
		words[i] = 1;
		while (syscall(SYS_futex, &words[i], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1)
			;
	}
	pthread_mutex_lock(&lock);
	while (!done)
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
	struct sockaddr_in at = loopback(0);
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t thread;

	upstream = (uint16_t)atoi(argv[argc - 1]);
	if (bind(listener, (struct sockaddr *)&at, size) || listen(listener, 16) || getsockname(listener, (struct sockaddr *)&at, &size))
		fail("listen");
	pthread_create(&thread, NULL, caller, NULL);
	printf("%u\n", ntohs(at.sin_port));
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL), n = 0;
		char buf[4096];
		ssize_t got;

		while ((got = read(fd, buf, sizeof(buf) - 1)) > 0) {
			buf[got] = '\0';
			if (sscanf(buf, "GET /words?%d", &n) == 1 && n > WORDS_MAX)
				n = WORDS_MAX;
			work(n);
			if (write(fd, answer, sizeof(answer) - 1) < 0)
				break;
		}
		close(fd);
	}
}
