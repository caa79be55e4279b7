/* SPDX-License-Identifier: Apache-2.0 */
/* iopaths_calls.c - one function for each kind of call that moves bytes. Contract: call_fn. */
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "iopaths.h"

#define VECTORS 100

ssize_t call__write(struct end *e, char *p, size_t n)
{
	return write(e->fd, p, n);
}

ssize_t call__read(struct end *e, char *p, size_t n)
{
	return read(e->fd, p, n);
}

ssize_t call__send(struct end *e, char *p, size_t n)
{
	return send(e->fd, p, n, MSG_NOSIGNAL);
}

ssize_t call__recv(struct end *e, char *p, size_t n)
{
	return recv(e->fd, p, n, 0);
}

/* Held back until the last one, which ends the message. */
ssize_t call__send_more(struct end *e, char *p, size_t n)
{
	bool last = p + n >= e->buf + (end__is_client(e) ? e->way->up : e->way->down);

	return send(e->fd, p, n, last ? 0 : MSG_MORE);
}

ssize_t call__send_dontwait(struct end *e, char *p, size_t n)
{
	return send(e->fd, p, n, MSG_DONTWAIT);
}

ssize_t call__recv_dontwait(struct end *e, char *p, size_t n)
{
	return recv(e->fd, p, n, MSG_DONTWAIT);
}

ssize_t call__recv_waitall(struct end *e, char *p, size_t n)
{
	return recv(e->fd, p, n, MSG_WAITALL);
}

ssize_t call__recv_peek(struct end *e, char *p, size_t n)
{
	ssize_t got = recv(e->fd, p, n, MSG_PEEK);

	memset(p, 0, n);
	return got <= 0 ? got : recv(e->fd, p, (size_t)got, 0);
}

/* tcp(7): the bytes are thrown away. */
ssize_t call__recv_trunc(struct end *e, char *p, size_t n)
{
	return recv(e->fd, p, n, MSG_TRUNC);
}

/* Cuts p[0..n) into `parts` vectors; the first one of `first` bytes. */
static int vectors__cut(struct iovec *v, int parts, char *p, size_t n, size_t first)
{
	size_t rest = n - first, each = parts > 1 ? rest / (size_t)(parts - 1) : 0;

	v[0] = (struct iovec){p, parts > 1 ? first : n};
	p += v[0].iov_len;
	for (int i = 1; i < parts; i++) {
		v[i] = (struct iovec){p, i == parts - 1 ? rest : each};
		p += v[i].iov_len;
		rest -= v[i].iov_len;
	}
	return parts;
}

#define VECTOR_CALL(name, call, parts, first)                                                                          \
	ssize_t call__##name(struct end *e, char *p, size_t n)                                                         \
	{                                                                                                              \
		struct iovec v[VECTORS];                                                                               \
                                                                                                                       \
		return call(e->fd, v, vectors__cut(v, parts, p, n, first));                                            \
	}
VECTOR_CALL(writev1, writev, 1, 0)
VECTOR_CALL(readv1, readv, 1, 0)
VECTOR_CALL(writev3, writev, 3, 0) /* the first one is empty */
VECTOR_CALL(readv3, readv, 3, 0)
VECTOR_CALL(writev_head, writev, 2, n < 7 ? n : 7) /* a head that straddles two */
VECTOR_CALL(readv_head, readv, 2, n < 7 ? n : 7)
VECTOR_CALL(writev100, writev, VECTORS, n / VECTORS)
VECTOR_CALL(readv100, readv, VECTORS, n / VECTORS)

ssize_t call__pwritev2(struct end *e, char *p, size_t n)
{
	struct iovec v[3];

	return pwritev2(e->fd, v, vectors__cut(v, 3, p, n, 5), -1, 0);
}

ssize_t call__preadv2(struct end *e, char *p, size_t n)
{
	struct iovec v[3];

	return preadv2(e->fd, v, vectors__cut(v, 3, p, n, 5), -1, 0);
}

ssize_t call__sendmsg(struct end *e, char *p, size_t n)
{
	struct iovec v[5];
	struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)vectors__cut(v, 5, p, n, 11)};

	return sendmsg(e->fd, &m, 0);
}

ssize_t call__recvmsg(struct end *e, char *p, size_t n)
{
	struct iovec v[5];
	struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)vectors__cut(v, 5, p, n, 11)};

	return recvmsg(e->fd, &m, 0);
}

/* p[0..n) as so many messages of two vectors each. */
static void messages__cut(struct mmsghdr *m, struct iovec (*v)[2], int messages, char *p, size_t n)
{
	size_t each = n / (size_t)messages, last = n - each * (size_t)(messages - 1);

	for (int i = 0; i < messages; i++) {
		vectors__cut(v[i], 2, p + (size_t)i * each, i == messages - 1 ? last : each, 3);
		m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = v[i], .msg_iovlen = 2}};
	}
}

static ssize_t messages__sum(const struct mmsghdr *m, int got)
{
	ssize_t sum = 0;

	for (int i = 0; i < got; i++)
		sum += m[i].msg_len;
	return got < 0 ? got : sum;
}

/* Receives are called when all was sent, so that every message is full. */
#define MESSAGES_CALL(name, call, messages, ...)                                                                       \
	ssize_t call__##name(struct end *e, char *p, size_t n)                                                         \
	{                                                                                                              \
		struct mmsghdr m[messages];                                                                            \
		struct iovec v[messages][2];                                                                           \
                                                                                                                       \
		messages__cut(m, v, messages, p, n);                                                                   \
		return messages__sum(m, call(e->fd, m, messages, 0, ##__VA_ARGS__));                                   \
	}
MESSAGES_CALL(sendmmsg, sendmmsg, 4)
MESSAGES_CALL(recvmmsg, recvmmsg, 4, NULL)
MESSAGES_CALL(sendmmsg40, sendmmsg, 40)
MESSAGES_CALL(recvmmsg40, recvmmsg, 40, NULL)
MESSAGES_CALL(sendmmsg200, sendmmsg, 200)
MESSAGES_CALL(recvmmsg200, recvmmsg, 200, NULL)

ssize_t call__zerocopy(struct end *e, char *p, size_t n)
{
	char control[128];
	struct msghdr m = {.msg_control = control, .msg_controllen = sizeof(control)};
	int one = 1;
	ssize_t sent;

	if (setsockopt(e->fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		die("SO_ZEROCOPY");
	sent = send(e->fd, p, n, MSG_ZEROCOPY);
	poll(&(struct pollfd){e->fd, 0, 0}, 1, 1000); /* POLLERR: the pages are free again */
	recvmsg(e->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
	return sent;
}

ssize_t call__sendfile(struct end *e, char *p, size_t n)
{
	int file = memfd_create("body", 0);
	off_t at = 0;
	ssize_t sent;

	if (file < 0 || write(file, p, n) != (ssize_t)n)
		die("memfd");
	sent = sendfile(e->fd, file, &at, n);
	close(file);
	return sent;
}

#define PIPE_MAX 32768

ssize_t call__splice_out(struct end *e, char *p, size_t n)
{
	size_t k = n < PIPE_MAX ? n : PIPE_MAX;
	ssize_t sent;
	int ends[2];

	if (pipe(ends) || write(ends[1], p, k) != (ssize_t)k)
		die("pipe");
	sent = splice(ends[0], NULL, e->fd, NULL, k, 0);
	close(ends[0]);
	close(ends[1]);
	return sent;
}

/* The bytes of one pipe are shared with another, which goes out. */
ssize_t call__tee_out(struct end *e, char *p, size_t n)
{
	size_t k = n < PIPE_MAX ? n : PIPE_MAX;
	int from[2], to[2];
	ssize_t sent = -1;

	if (pipe(from) || pipe(to) || write(from[1], p, k) != (ssize_t)k)
		die("pipe");
	if (tee(from[0], to[1], k, 0) == (ssize_t)k)
		sent = splice(to[0], NULL, e->fd, NULL, k, 0);
	for (int i = 0; i < 2; i++) {
		close(from[i]);
		close(to[i]);
	}
	return sent;
}

ssize_t call__splice_in(struct end *e, char *p, size_t n)
{
	ssize_t got;
	int ends[2];

	if (pipe(ends))
		die("pipe");
	got = splice(e->fd, NULL, ends[1], NULL, n < PIPE_MAX ? n : PIPE_MAX, 0);
	if (got > 0 && read(ends[0], p, (size_t)got) != got)
		die("pipe");
	close(ends[0]);
	close(ends[1]);
	return got;
}

ssize_t call__write_dup(struct end *e, char *p, size_t n)
{
	int fd = dup(e->fd);
	ssize_t sent = write(fd, p, n);

	close(fd);
	return sent;
}

ssize_t call__read_dup(struct end *e, char *p, size_t n)
{
	int fd = fcntl(e->fd, F_DUPFD, 100);
	ssize_t got = read(fd, p, n);

	close(fd);
	return got;
}
