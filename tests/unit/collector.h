/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collector.h - an HTTP server on a free loopback port, in a thread: answers each request with the
 * next row of a script (the last row again and again) and keeps what was sent. One connection at a
 * time, as the exporter has.
 */
#ifndef TEST_COLLECTOR_H
#define TEST_COLLECTOR_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/clock.h"

#define COLLECTOR_REQUESTS 32
#define COLLECTOR_REQUEST_MAX (1 << 20)

enum answer_how { ANSWER, HANG, HANG_UP, GARBAGE };

struct answer {
	enum answer_how how;
	int status;
	const char *headers; /* each ended by CRLF, or NULL */
	const char *body;    /* NULL: none */
	size_t body_n;
	int delay_ms;
};

struct collector_request {
	char *head; /* request line and headers */
	char *body;
	size_t body_n;
	uint64_t at, answered; /* ms */
};

struct collector {
	int fd, stop[2];
	uint16_t port;
	char url[64];
	const struct answer *script;
	size_t rows;
	struct collector_request seen[COLLECTOR_REQUESTS];
	unsigned n; /* of seen; under lock */
	pthread_mutex_t lock;
	pthread_t thread;
	bool up;
};

/* Waits until fd has something. False: told to stop, or ms are over (-1: never). */
static inline bool collector__wait(struct collector *c, int fd, int ms)
{
	struct pollfd p[2] = {{c->stop[0], POLLIN, 0}, {fd, POLLIN, 0}};

	return poll(p, fd < 0 ? 1 : 2, ms) > 0 && !p[0].revents;
}

/* One request, read whole. False: the client has gone. */
static inline bool collector__read(struct collector *c, int fd, struct collector_request *r)
{
	char *buf = calloc(1, COLLECTOR_REQUEST_MAX + 1), *end = NULL, *length;
	size_t n = 0, want = SIZE_MAX;

	while (buf && n < want && n < COLLECTOR_REQUEST_MAX && collector__wait(c, fd, -1)) {
		ssize_t got = recv(fd, buf + n, COLLECTOR_REQUEST_MAX - n, 0);

		if (got <= 0)
			break;
		n += (size_t)got;
		end = end ? end : strstr(buf, "\r\n\r\n");
		if (!end || want != SIZE_MAX)
			continue;
		end[2] = '\0';
		length = strcasestr(buf, "\r\nContent-Length: ");
		want = (size_t)(end + 4 - buf) + (length ? strtoull(length + 18, NULL, 10) : 0);
	}
	if (n != want) {
		free(buf);
		return false;
	}
	r->at = clock__ms();
	r->head = strdup(buf);
	r->body_n = n - (size_t)(end + 4 - buf);
	r->body = malloc(r->body_n + 1);
	memcpy(r->body, end + 4, r->body_n);
	r->body[r->body_n] = '\0';
	free(buf);
	return true;
}

static inline void collector__answer(int fd, const struct answer *a)
{
	char head[512];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d Whatever\r\nContent-Length: %zu\r\n%s\r\n", a->status, a->body_n,
			 a->headers ? a->headers : "");

	if (a->how == GARBAGE)
		n = snprintf(head, sizeof(head), "this is no HTTP\n");
	send(fd, head, (size_t)n, MSG_NOSIGNAL);
	for (size_t at = 0; a->how == ANSWER && at < a->body_n;) {
		ssize_t sent = send(fd, a->body + at, a->body_n - at, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		at += (size_t)sent;
	}
}

/* One connection until either side has had enough. */
static inline void collector__serve(struct collector *c, int fd)
{
	struct collector_request r = {0};

	while (collector__read(c, fd, &r)) {
		const struct answer *a;

		pthread_mutex_lock(&c->lock);
		a = &c->script[c->n < c->rows ? c->n : c->rows - 1];
		if (c->n == COLLECTOR_REQUESTS)
			abort();
		c->seen[c->n++] = r;
		pthread_mutex_unlock(&c->lock);
		if (a->delay_ms)
			collector__wait(c, -1, a->delay_ms);
		if (a->how == HANG)
			collector__wait(c, fd, -1);
		if (a->how == HANG || a->how == HANG_UP)
			return;
		pthread_mutex_lock(&c->lock);
		c->seen[c->n - 1].answered = clock__ms();
		pthread_mutex_unlock(&c->lock);
		collector__answer(fd, a);
		if (a->how == GARBAGE)
			return;
	}
}

static inline void *collector__run(void *ctx)
{
	struct collector *c = ctx;

	while (collector__wait(c, c->fd, -1)) {
		int fd = accept(c->fd, NULL, NULL);

		if (fd < 0)
			continue;
		collector__serve(c, fd);
		close(fd);
	}
	return NULL;
}

/* The port is taken, but connections are refused until collector__up. */
static inline void collector__open(struct collector *c, const struct answer *script, size_t rows)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);

	*c = (struct collector){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .script = script, .rows = rows};
	pthread_mutex_init(&c->lock, NULL);
	if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&a, n) || getsockname(c->fd, (struct sockaddr *)&a, &n) ||
	    pipe(c->stop))
		abort();
	c->port = ntohs(a.sin_port);
	snprintf(c->url, sizeof(c->url), "http://127.0.0.1:%u/v1/traces", c->port);
}

static inline void collector__up(struct collector *c)
{
	if (listen(c->fd, 8) || pthread_create(&c->thread, NULL, collector__run, c))
		abort();
	c->up = true;
}

static inline unsigned collector__count(struct collector *c)
{
	unsigned n;

	pthread_mutex_lock(&c->lock);
	n = c->n;
	pthread_mutex_unlock(&c->lock);
	return n;
}

/* Afterwards seen may be read without a lock; free with collector__free. */
static inline void collector__down(struct collector *c)
{
	close(c->stop[1]);
	if (c->up)
		pthread_join(c->thread, NULL);
	c->up = false;
	close(c->fd);
	close(c->stop[0]);
}

static inline void collector__free(struct collector *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		free(c->seen[i].head);
		free(c->seen[i].body);
	}
}

#endif
