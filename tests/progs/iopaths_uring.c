/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iopaths_uring.c - the calls through io_uring, one request at a time, on the system calls alone
 * (io_uring_setup(2), io_uring_enter(2)); a process makes its ring when it first uses one.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "iopaths.h"

#define ENTRIES 8
#define BUFFERS 8 /* of multishot receives */
#define BUFFER_SIZE 4096

struct uring {
	int fd;
	unsigned *sq_tail, *sq_mask, *sq_flags, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	struct io_uring_buf_ring *bufs;
	char *room; /* of the buffers */
	bool polled, armed, file_fixed;
};

static void *uring__map(int fd, size_t n, off_t what)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

	if (p == MAP_FAILED)
		die("io_uring: mmap");
	return p;
}

static struct uring *uring__new(unsigned flags)
{
	struct io_uring_params p = {.flags = flags, .sq_thread_idle = 50};
	struct uring *u = calloc(1, sizeof(*u));
	char *sq, *cq;

	if (!u || (u->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p)) < 0)
		die("io_uring_setup");
	sq = uring__map(u->fd, p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	cq = uring__map(u->fd, p.cq_off.cqes + p.cq_entries * sizeof(*u->cqes), IORING_OFF_CQ_RING);
	u->sqes = uring__map(u->fd, p.sq_entries * sizeof(*u->sqes), IORING_OFF_SQES);
	u->sq_tail = (unsigned *)(sq + p.sq_off.tail);
	u->sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
	u->sq_flags = (unsigned *)(sq + p.sq_off.flags);
	u->sq_array = (unsigned *)(sq + p.sq_off.array);
	u->cq_head = (unsigned *)(cq + p.cq_off.head);
	u->cq_tail = (unsigned *)(cq + p.cq_off.tail);
	u->cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
	u->cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	u->polled = flags & IORING_SETUP_SQPOLL;
	return u;
}

/* What is mapped goes with the process. */
void uring__free(struct uring *u)
{
	if (!u)
		return;
	close(u->fd);
	free(u);
}

const char *uring__lacks(unsigned flags)
{
	struct io_uring_probe *probe = calloc(1, sizeof(*probe) + 256 * sizeof(probe->ops[0]));
	struct io_uring_params p = {0};
	int fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
	const char *lacks = NULL;

	if (!probe || fd < 0 || syscall(SYS_io_uring_register, fd, IORING_REGISTER_PROBE, probe, 256))
		lacks = "this kernel has no io_uring for us";
	else if (flags & NEED_URING_6_0 && probe->last_op < IORING_OP_SEND_ZC)
		lacks = "this kernel's io_uring has no zero-copy sends and multishot receives";
	else if (flags & NEED_URING_NONFIXED && !(p.features & IORING_FEAT_SQPOLL_NONFIXED))
		lacks = "this kernel's polling thread takes fixed files only";
	if (fd >= 0)
		close(fd);
	free(probe);
	return lacks;
}

static struct uring *end__uring(struct end *e, unsigned flags)
{
	if (!e->uring)
		e->uring = uring__new(flags);
	return e->uring;
}

static void uring__submit(struct uring *u, const struct io_uring_sqe *sqe)
{
	unsigned tail = *u->sq_tail, at = tail & *u->sq_mask;

	u->sqes[at] = *sqe;
	u->sq_array[at] = at;
	__atomic_store_n(u->sq_tail, tail + 1, __ATOMIC_SEQ_CST);
	if (!u->polled) {
		if (syscall(SYS_io_uring_enter, u->fd, 1, 0, 0, NULL, 0) != 1)
			die("io_uring_enter");
	} else if (__atomic_load_n(u->sq_flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP) {
		syscall(SYS_io_uring_enter, u->fd, 1, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0);
	}
}

struct result {
	int res;
	unsigned flags;
};

static struct result uring__wait(struct uring *u)
{
	struct result r;
	unsigned head = *u->cq_head;

	while (head == __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE))
		if (syscall(SYS_io_uring_enter, u->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 && errno != EINTR)
			die("io_uring_enter");
	r = (struct result){u->cqes[head & *u->cq_mask].res, u->cqes[head & *u->cq_mask].flags};
	__atomic_store_n(u->cq_head, head + 1, __ATOMIC_RELEASE);
	return r;
}

static ssize_t uring__result(int res)
{
	if (res >= 0)
		return res;
	errno = -res;
	return -1;
}

static ssize_t uring__do(struct end *e, unsigned setup, struct io_uring_sqe sqe)
{
	struct uring *u = end__uring(e, setup);

	uring__submit(u, &sqe);
	return uring__result(uring__wait(u).res);
}

static struct io_uring_sqe request(const struct end *e, unsigned op, const void *p, size_t n)
{
	struct io_uring_sqe s = {.opcode = (uint8_t)op, .fd = e->fd, .addr = (uintptr_t)p, .len = (uint32_t)n};

	if (op == IORING_OP_READ || op == IORING_OP_WRITE || op == IORING_OP_READV || op == IORING_OP_WRITEV)
		s.off = (uint64_t)-1;
	return s;
}

#define PLAIN_CALL(name, op, setup, sqe_flags)                                                                         \
	ssize_t uring__##name(struct end *e, char *p, size_t n)                                                        \
	{                                                                                                              \
		struct io_uring_sqe s = request(e, op, p, n);                                                          \
                                                                                                                       \
		s.flags = sqe_flags;                                                                                   \
		return uring__do(e, setup, s);                                                                         \
	}
PLAIN_CALL(write, IORING_OP_WRITE, 0, 0)
PLAIN_CALL(read, IORING_OP_READ, 0, 0)
PLAIN_CALL(send, IORING_OP_SEND, 0, 0)
PLAIN_CALL(recv, IORING_OP_RECV, 0, 0)
PLAIN_CALL(send_sqpoll, IORING_OP_SEND, IORING_SETUP_SQPOLL, 0)
PLAIN_CALL(recv_sqpoll, IORING_OP_RECV, IORING_SETUP_SQPOLL, 0)
PLAIN_CALL(send_worker, IORING_OP_SEND, 0, IOSQE_ASYNC)
PLAIN_CALL(recv_worker, IORING_OP_RECV, 0, IOSQE_ASYNC)

#define VECTOR_CALL(name, op)                                                                                          \
	ssize_t uring__##name(struct end *e, char *p, size_t n)                                                        \
	{                                                                                                              \
		struct iovec v[2] = {{p, n / 3}, {p + n / 3, n - n / 3}};                                              \
                                                                                                                       \
		return uring__do(e, 0, request(e, op, v, 2));                                                          \
	}
VECTOR_CALL(writev, IORING_OP_WRITEV)
VECTOR_CALL(readv, IORING_OP_READV)

#define MESSAGE_CALL(name, op)                                                                                         \
	ssize_t uring__##name(struct end *e, char *p, size_t n)                                                        \
	{                                                                                                              \
		struct iovec v[2] = {{p, n / 3}, {p + n / 3, n - n / 3}};                                              \
		struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};                                                     \
                                                                                                                       \
		return uring__do(e, 0, request(e, op, &m, 1));                                                         \
	}
MESSAGE_CALL(sendmsg, IORING_OP_SENDMSG)
MESSAGE_CALL(recvmsg, IORING_OP_RECVMSG)

/* Two completions: the result, and that the pages are free again. */
ssize_t uring__send_zc(struct end *e, char *p, size_t n)
{
	struct uring *u = end__uring(e, 0);
	struct io_uring_sqe s = request(e, IORING_OP_SEND_ZC, p, n);
	struct result cqe;

	uring__submit(u, &s);
	cqe = uring__wait(u);
	if (cqe.flags & IORING_CQE_F_MORE)
		uring__wait(u);
	return uring__result(cqe.res);
}

static ssize_t uring__by_fixed_file(struct end *e, unsigned op, char *p, size_t n)
{
	struct uring *u = end__uring(e, 0);
	struct io_uring_sqe s = request(e, op, p, n);

	if (!u->file_fixed && syscall(SYS_io_uring_register, u->fd, IORING_REGISTER_FILES, &e->fd, 1))
		die("IORING_REGISTER_FILES");
	u->file_fixed = true;
	s.fd = 0;
	s.flags = IOSQE_FIXED_FILE;
	return uring__do(e, 0, s);
}

ssize_t uring__send_fixed_file(struct end *e, char *p, size_t n)
{
	return uring__by_fixed_file(e, IORING_OP_SEND, p, n);
}

ssize_t uring__recv_fixed_file(struct end *e, char *p, size_t n)
{
	return uring__by_fixed_file(e, IORING_OP_RECV, p, n);
}

static void uring__give(struct uring *u, unsigned id)
{
	struct io_uring_buf_ring *r = u->bufs;
	struct io_uring_buf *b = &r->bufs[r->tail & (BUFFERS - 1)];

	b->addr = (uintptr_t)(u->room + id * BUFFER_SIZE);
	b->len = BUFFER_SIZE;
	b->bid = (uint16_t)id;
	__atomic_store_n(&r->tail, (uint16_t)(r->tail + 1), __ATOMIC_RELEASE);
}

static void uring__provide(struct uring *u)
{
	const int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	struct io_uring_buf_reg reg = {.ring_entries = BUFFERS};

	u->bufs = mmap(NULL, BUFFERS * sizeof(struct io_uring_buf), prot, flags, -1, 0);
	u->room = mmap(NULL, BUFFERS * BUFFER_SIZE, prot, flags, -1, 0);
	if (u->bufs == MAP_FAILED || u->room == MAP_FAILED)
		die("mmap");
	reg.ring_addr = (uintptr_t)u->bufs;
	if (syscall(SYS_io_uring_register, u->fd, IORING_REGISTER_PBUF_RING, &reg, 1))
		die("IORING_REGISTER_PBUF_RING");
	for (unsigned i = 0; i < BUFFERS; i++)
		uring__give(u, i);
}

/* One request, a completion for each buffer that was filled, be it longer than the piece asked for. */
ssize_t uring__recv_multishot(struct end *e, char *p, size_t n)
{
	struct uring *u = end__uring(e, 0);
	struct io_uring_sqe s = request(e, IORING_OP_RECV, NULL, 0);
	struct result cqe;

	if (!u->bufs)
		uring__provide(u);
	s.flags = IOSQE_BUFFER_SELECT;
	s.ioprio = IORING_RECV_MULTISHOT;
	if (!u->armed)
		uring__submit(u, &s);
	cqe = uring__wait(u);
	u->armed = cqe.flags & IORING_CQE_F_MORE;
	if (cqe.res <= 0)
		return cqe.res == -ENOBUFS ? uring__result(-EAGAIN) : uring__result(cqe.res);
	memcpy(p, u->room + (cqe.flags >> IORING_CQE_BUFFER_SHIFT) * BUFFER_SIZE, (size_t)cqe.res);
	uring__give(u, cqe.flags >> IORING_CQE_BUFFER_SHIFT);
	return cqe.res;
}
