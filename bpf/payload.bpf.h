/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * payload.bpf.h - copies the user's bytes of one transfer into a record of the ring.
 *
 * Where they are is told by the arguments of the system call that the task is in. Nothing passes
 * through scratch memory: two tasks of one CPU can never see each other's bytes. The sizes reserved
 * are constants (5.10 has no dynptr), so there is one copy of the code for each class.
 */
#ifndef PAYLOAD_BPF_H
#define PAYLOAD_BPF_H

#include "conn.bpf.h"
#include "iter.bpf.h"

#define VECTORS_MAX 16
#define WALK_MAX 16

struct transfer {
	void *ctx; /* of the program */
	struct task_struct *task;
	struct ws_task *t;
	struct ws_sock *s;
	__u64 now, start_ns;
	__u64 cause, user_ctx; /* ws_actor */
	__u64 addr; /* of the bytes, or of the vector if `vectors` */
	__u16 vectors;
	__u16 kernel_vector; /* the vector, not the bytes, lies in the kernel's memory */
	__u32 fill; /* emit__fill(): a ring has less than 4 GiB */
	__u32 seq, wire_len;
	__u32 after; /* bytes that the same call moved after these */
	__u32 want; /* bytes to copy */
	__u32 shed; /* bytes that would have been, had the ring not been nearly full */
	__u8 dir;   /* enum ws_dir */
	__u8 cap;   /* enum ws_cap */
	__u8 watched; /* ws_rec_data.watched */
	__u8 turned;  /* the other direction spoke last */
};

enum payload_args { ARGS_NONE, ARGS_BUFFER, ARGS_VECTOR, ARGS_MSGHDR };

#if defined(__TARGET_ARCH_x86)
#define ARG_NR(r) REG(r, orig_ax)
#define ARG_FD(r) REG(r, di)
#define ARG_2(r) REG(r, si)
#define ARG_3(r) REG(r, dx)
static const __u8 payload_calls[512] = {
	[0] = ARGS_BUFFER,   /* read */
	[1] = ARGS_BUFFER,   /* write */
	[19] = ARGS_VECTOR,  /* readv */
	[20] = ARGS_VECTOR,  /* writev */
	[44] = ARGS_BUFFER,  /* sendto, send */
	[45] = ARGS_BUFFER,  /* recvfrom, recv */
	[46] = ARGS_MSGHDR,  /* sendmsg */
	[47] = ARGS_MSGHDR,  /* recvmsg */
	[327] = ARGS_VECTOR, /* preadv2: sockets take offset -1 */
	[328] = ARGS_VECTOR, /* pwritev2 */
};
#define TASK_IS_32BIT(task) (OF(task, thread_info.status) & TS_COMPAT)
#define NR_SPLICE 275 /* arch/x86/entry/syscalls/syscall_64.tbl */
#define NR_GETSOCKOPT 55
#define NR_EXIT 60
#define NR_FUTEX 202
#define NR_RECVMMSG 299
#elif defined(__TARGET_ARCH_arm64)
#define ARG_NR(r) REG(r, syscallno)
#define ARG_FD(r) REG(r, regs[0])
#define ARG_2(r) REG(r, regs[1])
#define ARG_3(r) REG(r, regs[2])
static const __u8 payload_calls[512] = {
	[63] = ARGS_BUFFER,   [64] = ARGS_BUFFER,  [65] = ARGS_VECTOR,	[66] = ARGS_VECTOR,  [206] = ARGS_BUFFER,
	[207] = ARGS_BUFFER, [211] = ARGS_MSGHDR, [212] = ARGS_MSGHDR, [286] = ARGS_VECTOR, [287] = ARGS_VECTOR,
};
#define TASK_IS_32BIT(task) (OF(task, thread_info.flags) & (1ul << 22)) /* TIF_32BIT */
#define NR_SPLICE 76 /* include/uapi/asm-generic/unistd.h */
#define NR_EXIT 93
#define NR_FUTEX 98
#define NR_GETSOCKOPT 209
#define NR_RECVMMSG 243
#endif

/* Is this descriptor of the current task that socket? */
static __noinline int payload__is_fd_of(struct task_struct *task, __u64 fd, __u64 sk)
{
	return file__sock(fd__file(task, fd)) == sk;
}

/* Through a vector: its first part often holds all; then it is as good as a plain buffer. */
static __always_inline void payload__locate_vector(struct transfer *x, __u64 vec, __u64 n)
{
	struct iovec first = {};

	if (n == 0 || bpf_probe_read_user(&first, sizeof(first), (void *)vec))
		return;
	if (first.iov_len >= x->want) {
		x->addr = (__u64)first.iov_base;
		return;
	}
	x->addr = vec;
	x->vectors = n < 0xffff ? n : 0xffff;
}

static __always_inline void payload__locate_msghdr(struct transfer *x, __u64 msg)
{
	struct user_msghdr m;

	if (bpf_probe_read_user(&m, sizeof(m), (void *)msg) == 0)
		payload__locate_vector(x, (__u64)m.msg_iov, m.msg_iovlen);
}

/*
 * Sets addr (and vectors) or leaves it 0. The registers say nothing about this transfer where a
 * kernel thread or an io_uring worker does it, nor where io_uring's deferred work runs on the way out
 * of some other call: a task that has a ring must show that the descriptor is this socket.
 */
static __always_inline void payload__locate(struct transfer *x, __u64 sk)
{
	struct pt_regs *regs = task__regs(x->task);
	__u64 nr = ARG_NR(regs);
	__u8 args;

	if (OF(x->task, flags) & (PF_KTHREAD | PF_IO_WORKER) || TASK_IS_32BIT(x->task))
		return;
	OPAQUE(nr);
	if (nr >= sizeof(payload_calls))
		return;
	args = payload_calls[nr];
	if (args == ARGS_NONE || (OF(x->task, io_uring) && !payload__is_fd_of(x->task, ARG_FD(regs), sk)))
		return;
	if (args == ARGS_BUFFER)
		x->addr = ARG_2(regs);
	else if (args == ARGS_VECTOR)
		payload__locate_vector(x, ARG_2(regs), ARG_3(regs));
	else
		payload__locate_msghdr(x, ARG_2(regs));
}

/* What tcp_sendmsg_locked has shown. The first vectors may be empty: then it is left as a vector. */
static __always_inline void payload__locate_send(struct transfer *x)
{
	struct iovec first = {};

	x->addr = x->t->send_addr;
	x->vectors = x->t->send_vectors;
	x->kernel_vector = 1;
	if (!x->vectors || bpf_probe_read_kernel(&first, sizeof(first), (void *)x->addr) || first.iov_len < x->want)
		return;
	x->addr = (__u64)first.iov_base;
	x->vectors = 0;
}

static __always_inline void payload__plain(struct transfer *x, __u64 addr)
{
	x->addr = addr;
	x->vectors = 0;
}

/* It has passed the bytes: back over the kernel's copy of the vector to where they begin. */
static __always_inline void payload__locate_back(struct transfer *x, const struct iov_iter *it)
{
	__u64 at = iter__vector(it), back = x->wire_len, offset = it->iov_offset;
	struct iovec v;
	__u32 i;

	for (i = 0; i < WALK_MAX && offset < back; i++) {
		back -= offset;
		at -= sizeof(v);
		if (bpf_probe_read_kernel(&v, sizeof(v), (void *)at))
			return;
		offset = v.iov_len;
	}
	if (offset < back || bpf_probe_read_kernel(&v, sizeof(v), (void *)at))
		return;
	offset -= back;
	if (v.iov_len - offset >= x->want) {
		payload__plain(x, (__u64)v.iov_base + offset);
	} else if (offset == 0) {
		x->addr = at;
		/* i + 1, but no constant to the verifier, who would follow each of them through all that comes after. */
		OPAQUE(at);
		x->vectors = (iter__vector(it) - at) / sizeof(v) + 1;
		x->kernel_vector = 1;
	}
}

/* The iterator of a receive that is done stands behind its bytes. */
static __always_inline void payload__locate_behind(struct transfer *x, const struct iov_iter *it)
{
	if (iter__is_buffer(it))
		payload__plain(x, iter__buffer(it) - x->wire_len);
	else if (iter__is_vector(it))
		payload__locate_back(x, it);
}

static __always_inline long payload__vector(struct iovec *v, const struct transfer *x, __u32 i)
{
	const void *at = (void *)(x->addr + i * sizeof(*v));

	return x->kernel_vector ? bpf_probe_read_kernel(v, sizeof(*v), at) : bpf_probe_read_user(v, sizeof(*v), at);
}

/* One plain buffer. `room` is the constant size of the payload. */
static __always_inline void payload__copy(struct ws_rec_data *d, const struct transfer *x, const __u64 room)
{
	__u64 n = x->want;

	OPAQUE(n);
	if (n > room)
		n = room;
	if (bpf_probe_read_user(d->payload, n, (void *)x->addr) == 0)
		d->cap_len = n;
	else
		d->cap = WS_CAP_FAULT;
}

/*
 * A vector. How far it has got is kept in the record itself and masked: in registers the verifier
 * would follow every combination of lengths. `room` is a power of two and twice that is reserved.
 */
static __always_inline void payload__gather(struct ws_rec_data *d, const struct transfer *x, const __u64 room)
{
	volatile __u32 *got = &d->cap_len;
	struct iovec v;
	__u64 at, n;
	__u32 i;

	for (i = 0; i < VECTORS_MAX; i++) {
		at = *got;
		if (i >= x->vectors || at >= x->want)
			return;
		if (payload__vector(&v, x, i))
			goto fault;
		n = x->want - at;
		if (n > v.iov_len)
			n = v.iov_len;
		OPAQUE(n);
		if (n > room)
			n = room;
		OPAQUE(at);
		at &= room - 1;
		if (bpf_probe_read_user(d->payload + at, n, v.iov_base))
			goto fault;
		*got = at + n;
	}
	if (*got < x->want)
		d->cap = WS_CAP_MAX;
	return;
fault:
	d->cap = WS_CAP_FAULT;
}

#endif
