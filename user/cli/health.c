// SPDX-License-Identifier: Apache-2.0
#include "cli/health.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "util/address.h"
#include "util/log.h"

#define PATIENCE_S 2
#define ANSWER_MAX 1024

/* Whoever listens at all addresses does so at the loopback one. */
static void address__reach(struct sockaddr_storage *a)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)a;
	struct sockaddr_in *four = (struct sockaddr_in *)a;

	if (a->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr))
		six->sin6_addr = in6addr_loopback;
	else if (a->ss_family == AF_INET && four->sin_addr.s_addr == htonl(INADDR_ANY))
		four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

/* A connected socket, or -errno. */
static int health__connect(const char *where)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct sockaddr_storage a;
	socklen_t size;
	int fd, rc = address__parse(where, &a, &size);

	if (rc)
		return rc;
	address__reach(&a);
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&a, size)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* HTTP/1.0, so that the end of the answer is the end of the connection. */
static int health__ask(int fd, const char *path, char *answer)
{
	char request[64];
	size_t n = 0;
	ssize_t got;

	snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		return -errno;
	while (n < ANSWER_MAX - 1 && (got = recv(fd, answer + n, ANSWER_MAX - 1 - n, 0)) != 0) {
		if (got < 0)
			return -errno;
		n += (size_t)got;
	}
	answer[n] = '\0';
	return 0;
}

int health__run(const char *where, bool ready)
{
	char answer[ANSWER_MAX] = "", *body;
	const char *colon = strrchr(where, ':');
	int status = 0, rc, fd;

	if (!strcmp(where, "off") || (colon && colon[1] && strspn(colon + 1, "0") == strlen(colon + 1))) {
		log__error("metrics is '%s': there is no address at which an agent could be asked", where);
		return 1;
	}
	fd = health__connect(where);
	rc = fd < 0 ? fd : health__ask(fd, ready ? "/readyz" : "/healthz", answer);
	if (fd >= 0)
		close(fd);
	if (rc) {
		log__error("no answer from an agent at %s: %s", where, strerror(-rc));
		return 1;
	}
	body = strstr(answer, "\r\n\r\n");
	if (sscanf(answer, "HTTP/%*s %d", &status) != 1 || !body) {
		log__error("what answers at %s is no agent", where);
		return 1;
	}
	printf("%s", body + 4);
	return status != 200;
}
