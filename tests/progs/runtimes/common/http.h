/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - as much of HTTP/1.1 as the workloads need: kept connections, Content-Length, an id in the query. */
#ifndef RUNTIMES_HTTP_H
#define RUNTIMES_HTTP_H

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ID_LEN 32

static inline void http__die(const char *what)
{
	perror(what);
	exit(1);
}

static inline struct sockaddr_in http__address(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((unsigned short)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline int http__listen(int port)
{
	struct sockaddr_in a = http__address(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 512))
		http__die("listen");
	return fd;
}

static inline int http__connect(int port)
{
	struct sockaddr_in a = http__address(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		http__die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* One message, which comes alone. Its id, if it has one; false: the connection is at its end. */
static inline bool http__read(int fd, char id[ID_LEN])
{
	char buf[8192], *end = NULL, *at;
	size_t n = 0, length = 0;
	ssize_t r;

	while (!end) {
		r = read(fd, buf + n, sizeof(buf) - 1 - n);
		if (r <= 0)
			return false;
		n += (size_t)r;
		buf[n] = 0;
		end = strstr(buf, "\r\n\r\n");
	}
	at = strcasestr(buf, "\r\ncontent-length:");
	if (at)
		length = strtoul(at + 17, NULL, 10);
	n -= (size_t)(end + 4 - buf);
	id[0] = 0;
	at = strstr(buf, "id=");
	if (at && at < end)
		snprintf(id, ID_LEN, "%.*s", (int)strcspn(at + 3, " &\r"), at + 3);
	for (; n < length; n += (size_t)r)
		if ((r = read(fd, buf, sizeof(buf))) <= 0)
			return false;
	return true;
}

static inline void http__say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		perror("answer");
}

static inline void http__answer(int fd)
{
	http__say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static inline void http__answer_empty(int fd)
{
	http__say(fd, "HTTP/1.1 204 No Content\r\n\r\n");
}

static inline void http__ask(int fd, const char *path, const char *id)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "GET %s?id=%s HTTP/1.1\r\nHost: localhost\r\n\r\n", path, id);

	if (write(fd, text, (size_t)n) != n)
		http__die("ask");
}

#endif
