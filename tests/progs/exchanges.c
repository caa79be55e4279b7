/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchanges.c - the shop's protocols without any runtime: an HTTP/1 server that asks a Redis and a
 * PostgreSQL, all three of a few recorded bytes, and a client that asks it.
 *
 * usage: exchanges N: /item/1 to /item/N, one after the other, on loopback. For each the server sends
 * GET to port 6379 and a query to port 5432. Exit status 0: every answer came.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REDIS 6379
#define POSTGRES 5432
#define HTTP 8090

/* Bytes may hold NUL: sizes without the string's own. */
#define BYTES(text) (text), sizeof(text) - 1

/* RESP2: redis.io/docs/reference/protocol-spec. */
static const char redis_get[] = "*2\r\n$3\r\nGET\r\n$6\r\nitem:1\r\n", redis_value[] = "$5\r\napple\r\n";
/* PostgreSQL's protocol 3.0, "Message Formats": StartupMessage of user u, which ends with NUL; AuthenticationOk, ReadyForQuery. */
static const char pg_start[] = "\0\0\0\x10\0\3\0\0user\0u\0", pg_ready[] = "R\0\0\0\x8\0\0\0\0Z\0\0\0\5I";
/* Query; RowDescription of one int4 column, DataRow, CommandComplete, ReadyForQuery. */
static const char pg_query[] = "Q\0\0\0\x23" "select price from item limit 1";
static const char pg_rows[] = "T\0\0\0\x1e\0\1price\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\0"
			      "D\0\0\0\xc\0\1\0\0\0\2" "42" "C\0\0\0\xdSELECT 1\0Z\0\0\0\5I";
static const char http_answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n42";

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in a = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 8))
		die("listen");
	return fd;
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in a = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect");
	return fd;
}

/* Reads exactly these bytes. False at the end of the stream. */
static int expect(int fd, const char *bytes, size_t n)
{
	char got[256];
	ssize_t k = recv(fd, got, n, MSG_WAITALL);

	if (k <= 0)
		return 0;
	if ((size_t)k != n || memcmp(got, bytes, n)) {
		fprintf(stderr, "exchanges: other bytes than expected\n");
		exit(1);
	}
	return 1;
}

static void say(int fd, const char *bytes, size_t n)
{
	if (send(fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		die("send");
}

static void ask(int fd, const char *question, size_t n, const char *answer, size_t m)
{
	say(fd, question, n);
	if (!expect(fd, answer, m))
		die("end of stream");
}

static void redis__serve(int fd)
{
	while (expect(fd, BYTES(redis_get)))
		say(fd, BYTES(redis_value));
}

static void postgres__serve(int fd)
{
	if (!expect(fd, pg_start, sizeof(pg_start)))
		return;
	say(fd, BYTES(pg_ready));
	while (expect(fd, pg_query, sizeof(pg_query))) /* its text ends with NUL */
		say(fd, BYTES(pg_rows));
}

static void http__serve(int fd)
{
	int redis = connect_to(REDIS), postgres = connect_to(POSTGRES);
	char head[512];

	ask(postgres, pg_start, sizeof(pg_start), BYTES(pg_ready));
	while (recv(fd, head, sizeof(head), 0) > 0) { /* the client sends a head in one piece and waits */
		ask(redis, BYTES(redis_get), BYTES(redis_value));
		ask(postgres, pg_query, sizeof(pg_query), BYTES(pg_rows));
		say(fd, BYTES(http_answer));
	}
}

static pid_t serve(uint16_t port, void (*one)(int fd))
{
	int fd = listen_on(port), c;
	pid_t pid = fork();

	if (pid) {
		close(fd);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	c = accept(fd, NULL, NULL);
	one(c);
	exit(0);
}

int main(int argc, char **argv)
{
	int n = argc == 2 ? atoi(argv[1]) : 0, failed = 0, status, fd;
	pid_t pids[3];
	char head[128];

	if (n < 1) {
		fprintf(stderr, "usage: exchanges N\n");
		return 2;
	}
	pids[0] = serve(REDIS, redis__serve);
	pids[1] = serve(POSTGRES, postgres__serve);
	pids[2] = serve(HTTP, http__serve);
	fd = connect_to(HTTP);
	for (int i = 1; i <= n; i++) {
		int len = snprintf(head, sizeof(head), "GET /item/%d HTTP/1.1\r\nHost: localhost\r\n\r\n", i);

		ask(fd, head, (size_t)len, BYTES(http_answer));
	}
	close(fd);
	for (int i = 2; i >= 0; i--)
		failed |= waitpid(pids[i], &status, 0) != pids[i] || status;
	return failed;
}
