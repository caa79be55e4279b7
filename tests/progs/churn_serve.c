// SPDX-License-Identifier: Apache-2.0
/* churn_serve.c - one thread, epoll, thousands of connections: an HTTP server, a collector, and idle clients. */
#include "churn.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILES_MAX (1 << 17)
#define HEAD_MAX 1024

/* How far a connection has got. */
struct client {
	char head[HEAD_MAX];
	size_t n;	  /* of head */
	size_t body_left; /* of a POST */
};

static struct client *clients[FILES_MAX];

static void client__end(int fd)
{
	free(clients[fd]);
	clients[fd] = NULL;
	close(fd);
}

static void client__answer(int fd, const char *type)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", type,
			 *type == 't' ? 2 : 0, *type == 't' ? "ok" : "");

	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		client__end(fd);
}

/* A head is whole: answers, or waits for the body of a POST. */
static void client__head(int fd, struct client *c, size_t head_n)
{
	char *length = strcasestr(c->head, "\r\nContent-Length: ");
	size_t got = c->n - head_n, body = length ? strtoull(length + 18, NULL, 10) : 0;
	bool last = !strncmp(c->head, "GET /close ", 11);

	c->n = 0;
	c->body_left = body > got ? body - got : 0;
	if (c->body_left)
		return;
	client__answer(fd, body ? "application/x-protobuf" : "text/plain");
	if (last && clients[fd])
		client__end(fd);
}

static void client__read(int fd)
{
	static char body[1 << 20];
	struct client *c = clients[fd];
	char *end;
	ssize_t n;

	if (c->body_left) {
		n = recv(fd, body, c->body_left < sizeof(body) ? c->body_left : sizeof(body), 0);
		if (n <= 0) {
			client__end(fd);
			return;
		}
		c->body_left -= (size_t)n;
		if (!c->body_left)
			client__answer(fd, "application/x-protobuf");
		return;
	}
	n = recv(fd, c->head + c->n, HEAD_MAX - 1 - c->n, 0);
	if (n <= 0) {
		client__end(fd);
		return;
	}
	c->n += (size_t)n;
	c->head[c->n] = 0;
	end = strstr(c->head, "\r\n\r\n");
	if (end)
		client__head(fd, c, (size_t)(end + 4 - c->head));
	else if (c->n == HEAD_MAX - 1)
		client__end(fd);
}

static void watch(int epoll_fd, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	if (fd >= FILES_MAX || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev))
		die("epoll_ctl");
}

static void accept_all(int epoll_fd, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		watch(epoll_fd, fd);
		clients[fd] = calloc(1, sizeof(struct client));
		if (!clients[fd])
			die("calloc");
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		die("accept");
}

int serve(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), epoll_fd = epoll_create1(0);
	struct epoll_event ev[256];

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof(a)) || listen(listener, 4096))
		die("listen");
	watch(epoll_fd, listener);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll_fd, ev, 256, -1);

		for (int i = 0; i < n; i++) {
			if (ev[i].data.fd == listener)
				accept_all(epoll_fd, listener);
			else if (clients[ev[i].data.fd])
				client__read(ev[i].data.fd);
		}
	}
}

int collect(uint16_t port)
{
	return serve(port);
}

int idle(uint16_t port, unsigned n)
{
	int *fds = calloc(n, sizeof(*fds));
	unsigned good = 0;
	char line[16];

	if (!fds)
		die("calloc");
	for (unsigned i = 0; i < n; i++) {
		fds[i] = churn__connect(i, port);
		good += !churn__ask(fds[i], "/idle");
	}
	printf("ready %u\n", good);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		good = 0;
		for (unsigned i = 0; i < n; i++)
			good += !churn__ask(fds[i], "/again");
		printf("again %u\n", good);
		fflush(stdout);
	}
	return good != n;
}
