// SPDX-License-Identifier: Apache-2.0
/* metrics.c - requests in, answers out. Contract: metrics.h. */
#include "ledger/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "util/address.h"

#define CONNECTIONS_MAX 16
#define IDLE_SECONDS 10

struct metrics {
	struct MHD_Daemon *daemon;
	struct metrics_source source;
	char where[64];
	bool local;
};

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, char *text, size_t n)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result rc;

	if (!r) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
				status == MHD_HTTP_OK && n > 64 ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain");
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result answer__text(struct MHD_Connection *c, unsigned status, const char *text)
{
	char *line = NULL;
	int n = asprintf(&line, "%s\n", text);

	return n < 0 ? MHD_NO : answer(c, status, line, (size_t)n);
}

static enum MHD_Result answer__probe(struct MHD_Connection *c, const char *amiss)
{
	return answer__text(c, amiss ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, amiss ? amiss : "ok");
}

static enum MHD_Result answer__metrics(struct metrics *m, struct MHD_Connection *c)
{
	struct ledger *l = calloc(1, sizeof(*l));
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!l || !f)
		abort();
	m->source.ledger(m->source.ctx, l);
	prometheus__print(f, l);
	free(l);
	if (fclose(f)) {
		free(text);
		return MHD_NO;
	}
	return answer(c, MHD_HTTP_OK, text, n);
}

/* Called at the headers, and again when there is a body: it is thrown away. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
				  const char *version, const char *body, size_t *body_size, void **state)
{
	struct metrics *m = ctx;

	if (!*state) {
		*state = m;
		return MHD_YES;
	}
	if (*body_size) {
		*body_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer__text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD");
	if (!strcmp(url, "/metrics"))
		return answer__metrics(m, c);
	if (!strcmp(url, "/healthz"))
		return answer__probe(c, m->source.alive(m->source.ctx));
	if (!strcmp(url, "/readyz"))
		return answer__probe(c, m->source.ready(m->source.ctx));
	return answer__text(c, MHD_HTTP_NOT_FOUND, "/metrics, /healthz or /readyz");
}

static bool address__is_loopback(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

static int metrics__listen(struct metrics *m, const struct sockaddr_storage *a, socklen_t a_size)
{
	int fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
	struct sockaddr_storage bound;
	socklen_t size = sizeof(bound);
	char host[INET6_ADDRSTRLEN], port[8];
	int rc;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)a, a_size) || listen(fd, CONNECTIONS_MAX) ||
	    getsockname(fd, (struct sockaddr *)&bound, &size)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	m->local = address__is_loopback((struct sockaddr *)&bound);
	getnameinfo((struct sockaddr *)&bound, size, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(m->where, sizeof(m->where), bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return fd;
}

static int metrics__start(struct metrics *m, int fd, int epoll_fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = m};
	const union MHD_DaemonInfo *info;

	m->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, m, MHD_OPTION_LISTEN_SOCKET, fd,
				     MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				     IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384, MHD_OPTION_END);
	if (!m->daemon) {
		close(fd);
		return -EIO;
	}
	info = MHD_get_daemon_info(m->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	return info && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, info->epoll_fd, &ev) == 0 ? 0 : -EIO;
}

struct metrics *metrics__new(const char *where, int epoll_fd, const struct metrics_source *s, int *rc, char *err,
			     size_t err_size)
{
	struct sockaddr_storage a;
	struct metrics *m;
	socklen_t size;
	int fd;

	*rc = address__parse(where, &a, &size);
	if (*rc) {
		snprintf(err, err_size, "--metrics '%s' is no ADDRESS:PORT in numbers, such as %s or [::1]:9465", where,
			 METRICS_DEFAULT);
		return NULL;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		abort();
	m->source = *s;
	fd = metrics__listen(m, &a, size);
	*rc = fd < 0 ? fd : metrics__start(m, fd, epoll_fd);
	if (*rc == 0)
		return m;
	snprintf(err, err_size, "--metrics %s: %s", where, strerror(-*rc));
	metrics__free(m);
	return NULL;
}

void metrics__free(struct metrics *m)
{
	if (!m)
		return;
	if (m->daemon)
		MHD_stop_daemon(m->daemon);
	free(m);
}

const char *metrics__where(const struct metrics *m)
{
	return m->where;
}

bool metrics__is_local(const struct metrics *m)
{
	return m->local;
}

void metrics__ready(struct metrics *m)
{
	MHD_run(m->daemon);
}
