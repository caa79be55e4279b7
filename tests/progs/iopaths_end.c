/* SPDX-License-Identifier: Apache-2.0 */
/* iopaths_end.c - one end of a connection: the bytes it expects, what it did, and the loop that does it. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "iopaths.h"

#define PERIOD 8191 /* check.py makes the same */

void die(const char *what)
{
	fprintf(stderr, "iopaths: %s: %s\n", what, strerror(errno));
	exit(1);
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Byte i of a way's direction is byte i mod PERIOD of its block: 32-bit xorshift, one byte a step. */
void pattern__fill(const struct way *w, bool up, size_t offset, char *p, size_t n)
{
	uint32_t x = (uint32_t)(w - ways) * 2 + up + 1;
	static char block[PERIOD];
	static uint32_t made;

	for (uint32_t i = 0, v = x * 2654435761u; made != x && i < PERIOD; i++) {
		v ^= v << 13;
		v ^= v >> 17;
		v ^= v << 5;
		block[i] = (char)(v >> 11);
	}
	made = x;
	for (size_t at = offset % PERIOD, k; n; n -= k, p += k, at = 0) {
		k = n < PERIOD - at ? n : PERIOD - at;
		memcpy(p, block + at, k);
	}
}

bool end__is_client(const struct end *e)
{
	return e->name[0] == 'c';
}

/* Does this end's direction run from the client to the server? */
static bool end__is_up(const struct end *e, enum dir dir)
{
	return end__is_client(e) == (dir == DIR_OUT);
}

struct end *end__again(const struct way *w, bool client, int fd, int done_fd)
{
	struct end *e = calloc(1, sizeof(*e));

	if (!e)
		die("calloc");
	e->way = w;
	e->name = client ? "client" : "server";
	e->fd = fd;
	e->done_fd = done_fd;
	e->size = w->up > w->down ? w->up : w->down;
	e->done = mmap(NULL, sizeof(*e->done), PROT_READ | PROT_WRITE, MAP_SHARED, done_fd, 0);
	e->buf = mmap(NULL, e->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (e->done == MAP_FAILED || e->buf == MAP_FAILED)
		die("mmap");
	return e;
}

struct end *end__new(const struct way *w, bool client)
{
	int fd = memfd_create("iopaths", 0);

	if (fd < 0 || ftruncate(fd, sizeof(struct done)))
		die("memfd");
	return end__again(w, client, -1, fd);
}

/* Beside the cookie, for kernels whose tracer can't have it (before 5.12). */
static void end__find_ports(struct end *e)
{
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in6 a = {0};
		socklen_t n = sizeof(a);

		if (e->way->family != UNIX && !(i ? getpeername : getsockname)(e->fd, (struct sockaddr *)&a, &n))
			e->ports[i] = ntohs(a.sin6_port); /* of sockaddr_in it is in the same place */
	}
}

void end__use(struct end *e, int fd)
{
	socklen_t n = sizeof(e->cookie);

	e->fd = fd;
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &e->cookie, &n))
		die("SO_COOKIE");
	end__find_ports(e);
}

void end__free(struct end *e)
{
	uring__free(e->uring);
	munmap(e->buf, e->size);
	munmap(e->done, sizeof(*e->done));
	close(e->done_fd);
	free(e);
}

static void end__log(struct end *e, enum dir dir, size_t n, uint64_t from)
{
	struct done *d = e->done;

	if (d->calls_n == CALLS_MAX) {
		errno = ENOSPC;
		die("log of calls");
	}
	d->calls[d->calls_n++] = (struct call){d->bytes[dir], from, now_ns(), (uint32_t)n, (uint32_t)syscall(SYS_gettid),
					       (uint32_t)getpid(), dir};
	d->bytes[dir] += n;
	if (!e->ports[1])
		end__find_ports(e);
}

/* The workload itself must be right, or its expectations are worth nothing. */
static void end__compare(struct end *e, size_t offset, const char *p, size_t n)
{
	char want[4096];

	for (size_t k; n; n -= k, p += k, offset += k) {
		k = n < sizeof(want) ? n : sizeof(want);
		pattern__fill(e->way, end__is_up(e, DIR_IN), offset, want, k);
		if (memcmp(want, p, k)) {
			fprintf(stderr, "iopaths: %s %s: wrong bytes after %zu\n", e->way->name, e->name, offset);
			exit(1);
		}
	}
}

void end__move(struct end *e, enum dir dir, size_t n)
{
	const struct way *w = e->way;
	call_fn *fn = dir == DIR_OUT ? w->send : w->recv;
	uint64_t at = e->done->bytes[dir];

	if (dir == DIR_OUT)
		pattern__fill(w, end__is_up(e, dir), at, e->buf, n);
	for (size_t moved = 0; moved < n;) {
		size_t piece = w->piece && w->piece < n - moved ? w->piece : n - moved;
		uint64_t from = now_ns();
		ssize_t got = fn(e, e->buf + moved, piece);

		if (got < 0 && errno == EAGAIN) {
			poll(&(struct pollfd){e->fd, dir == DIR_OUT ? POLLOUT : POLLIN, 0}, 1, 5000);
			continue;
		}
		if (got <= 0) {
			fprintf(stderr, "iopaths: %s %s, direction %d, after %zu of %zu: ", w->name, e->name, dir, moved, n);
			die(got ? "call" : "end of stream");
		}
		if (dir == DIR_IN && fn != call__recv_trunc)
			end__compare(e, at + moved, e->buf + moved, (size_t)got);
		end__log(e, dir, (size_t)got, from);
		moved += (size_t)got;
	}
}

void end__move_by(struct end *e, enum dir dir, size_t n)
{
	pass_fn *pass = dir == DIR_OUT ? e->way->pass_send : e->way->pass_recv;

	if (pass)
		pass(e, dir, n);
	else
		end__move(e, dir, n);
}

/* One write a line: both ends append to the same file. */
void end__print(const struct end *e, int to)
{
	const struct way *w = e->way;
	const struct done *d = e->done;
	char *line = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&line, &size);

	fprintf(out, "{\"way\":\"%s\",\"index\":%zu,\"end\":\"%s\",\"traced\":%s,\"cookie\":%llu,\"pid\":%d,", w->name,
		(size_t)(w - ways), e->name, w->family == UNIX ? "false" : "true", (unsigned long long)e->cookie, getpid());
	fprintf(out, "\"bytes\":[%llu,%llu],\"cap\":[\"%s\",\"%s\"],\"existing\":%d,\"any_thread\":%d,\"any_time\":%d,",
		(unsigned long long)d->bytes[DIR_IN], (unsigned long long)d->bytes[DIR_OUT], w->in ? w->in : "",
		w->out ? w->out : "", !!(w->flags & EXISTING), !!(w->flags & ANY_THREAD), !!(w->flags & ANY_TIME));
	fprintf(out, "\"ports\":[%u,%u],", e->ports[0], e->ports[1]);
	fprintf(out, "\"unread\":%d,\"calls\":[", !!(w->flags & UNREAD));
	for (uint32_t i = 0; i < d->calls_n; i++) {
		const struct call *c = &d->calls[i];

		fprintf(out, "%s[%u,%llu,%u,%u,%u,%llu,%llu]", i ? "," : "", c->dir, (unsigned long long)c->offset, c->n,
			c->tgid, c->tid, (unsigned long long)c->from_ns, (unsigned long long)c->to_ns);
	}
	fprintf(out, "]}\n");
	if (fclose(out) || write(to, line, size) != (ssize_t)size)
		die("output");
	free(line);
}
