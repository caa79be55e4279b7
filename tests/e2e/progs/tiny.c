// SPDX-License-Identifier: Apache-2.0
/*
 * tiny PORT [IP:PORT]: an HTTP server for containers that hold nothing else (static). A thread a connection,
 * keep-alive; answers 200 "ok". With IP:PORT it first asks there, with the same path, over a connection of its
 * own for each request, and answers 502 when that fails.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct sockaddr_in next;

/* To the end of a head; its bytes, or 0. */
static size_t read_head(int fd, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n < size - 1 && (got = read(fd, buf + n, size - 1 - n)) > 0) {
		n += (size_t)got;
		buf[n] = '\0';
		if (strstr(buf, "\r\n\r\n"))
			return n;
	}
	return 0;
}

static bool ask(const char *path)
{
	char text[1024];
	int fd = socket(AF_INET, SOCK_STREAM, 0), n;
	bool ok = !connect(fd, (struct sockaddr *)&next, sizeof(next));

	n = snprintf(text, sizeof(text), "GET %.500s HTTP/1.1\r\nHost: next\r\n\r\n", path);
	ok = ok && write(fd, text, (size_t)n) == n && read_head(fd, text, sizeof(text)) && !strncmp(text, "HTTP/1.1 200", 12);
	close(fd);
	return ok;
}

static void *serve(void *arg)
{
	int fd = (int)(long)arg, on = 1, n;
	char head[4096], path[512], answer[128];

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while (read_head(fd, head, sizeof(head)) && sscanf(head, "%*s %511s", path) == 1) {
		bool ok = !next.sin_port || ask(path);

		n = snprintf(answer, sizeof(answer), "HTTP/1.1 %s\r\nContent-Length: 3\r\n\r\nok\n", ok ? "200 OK" : "502 Bad Gateway");
		if (write(fd, answer, (size_t)n) != n)
			break;
	}
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1, c;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, _exit);
	if (argc < 2)
		return 2;
	at.sin_port = htons((unsigned short)atoi(argv[1]));
	if (argc > 2) {
		char *colon = strchr(argv[2], ':');

		if (!colon)
			return 2;
		*colon = '\0';
		next.sin_family = AF_INET;
		next.sin_port = htons((unsigned short)atoi(colon + 1));
		if (inet_pton(AF_INET, argv[2], &next.sin_addr) != 1)
			return 2;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 128)) {
		perror("tiny");
		return 1;
	}
	while ((c = accept(fd, NULL, NULL)) >= 0) {
		pthread_t t;

		if (pthread_create(&t, NULL, serve, (void *)(long)c) == 0)
			pthread_detach(t);
		else
			close(c);
	}
	return 1;
}
