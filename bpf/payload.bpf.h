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

#define VECTORS_MAX 16

struct transfer {
	struct task_struct *task;
	struct ws_task *t;
	struct ws_sock *s;
	__u64 now, start_ns, fill;
	__u64 addr; /* of the bytes, or of the vector if `vectors` */
	__u32 vectors;
	__u32 kernel_vector; /* the vector, not the bytes, lies in the kernel's memory */
	__u32 seq, wire_len;
	__u32 after; /* bytes that the same call moved after these */
	__u32 want; /* bytes to copy */
	__u32 shed; /* bytes that would have been, had the ring not been nearly full */
	__u8 dir;   /* enum ws_dir */
	__u8 cap;   /* enum ws_cap */
	__u8 watched; /* ws_rec_data.watched */
};

enum payload_args { ARGS_NONE, ARGS_BUFFER, ARGS_VECTOR, ARGS_MSGHDR };

#if defined(__TARGET_ARCH_x86)
#define ARG_NR(r) ((r)->orig_ax)
#define ARG_FD(r) ((r)->di)
#define ARG_2(r) ((r)->si)
#define ARG_3(r) ((r)->dx)
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
#define TASK_IS_32BIT(task) ((task)->thread_info.status & TS_COMPAT)
#define NR_SPLICE 275 /* arch/x86/entry/syscalls/syscall_64.tbl */
#define NR_GETSOCKOPT 55
#define NR_RECVMMSG 299
#elif defined(__TARGET_ARCH_arm64)
#define ARG_NR(r) ((r)->syscallno)
#define ARG_FD(r) ((r)->regs[0])
#define ARG_2(r) ((r)->regs[1])
#define ARG_3(r) ((r)->regs[2])
static const __u8 payload_calls[512] = {
	[63] = ARGS_BUFFER,   [64] = ARGS_BUFFER,  [65] = ARGS_VECTOR,	[66] = ARGS_VECTOR,  [206] = ARGS_BUFFER,
	[207] = ARGS_BUFFER, [211] = ARGS_MSGHDR, [212] = ARGS_MSGHDR, [286] = ARGS_VECTOR, [287] = ARGS_VECTOR,
};
#define TASK_IS_32BIT(task) ((task)->thread_info.flags & (1ul << 22)) /* TIF_32BIT */
#define NR_SPLICE 76 /* include/uapi/asm-generic/unistd.h */
#define NR_GETSOCKOPT 209
#define NR_RECVMMSG 243
#endif

/* Is this descriptor of the current task that socket? */
static __noinline int payload__is_fd_of(struct task_struct *task, __u64 fd, __u64 sk)
{
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **fds = BPF_CORE_READ(fdt, fd), *file = NULL;
	struct socket *sock;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), fds + fd);
	sock = BPF_CORE_READ(file, private_data);
	return (__u64)BPF_CORE_READ(sock, sk) == sk;
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
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(x->task);
	__u64 nr = ARG_NR(regs);
	__u8 args;

	if (x->task->flags & (PF_KTHREAD | PF_IO_WORKER) || TASK_IS_32BIT(x->task))
		return;
	OPAQUE(nr);
	if (nr >= sizeof(payload_calls))
		return;
	args = payload_calls[nr];
	if (args == ARGS_NONE || (x->task->io_uring && !payload__is_fd_of(x->task, ARG_FD(regs), sk)))
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
