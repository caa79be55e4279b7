/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * io_ring.bpf.h - where io_uring puts what it receives.
 *
 * The registers of the system call say nothing about it: a request may be carried out long after its
 * submission, by task work or by a worker thread. So the submission is remembered by socket, and at
 * the transfer the request itself tells: its iterator stands where the kernel has just written.
 * Sends need none of this (payload__locate_send).
 *
 * Two requests that wait on one socket cannot be told apart: then nothing is located. The layout is
 * that of 6.15 and later (struct io_async_msghdr with `vec`); others are left alone.
 */
#ifndef IO_RING_BPF_H
#define IO_RING_BPF_H

#include "payload.bpf.h"

/* What we need of io_uring/net.h, io_uring/rw.h, io_uring/rsrc.h and linux/io_uring_types.h; by name (CO-RE). */
#define CORE __attribute__((preserve_access_index))
struct io_cqe___ws {
	union {
		__u32 flags;
		int fd;
	};
} CORE;
struct io_rsrc_node___ws {
	union {
		unsigned long file_ptr;
	};
} CORE;
struct io_rsrc_data___ws {
	unsigned int nr;
	struct io_rsrc_node___ws **nodes;
} CORE;
struct io_file_table___ws {
	struct io_rsrc_data___ws data;
} CORE;
struct io_ring_ctx___ws {
	struct io_file_table___ws file_table;
} CORE;
struct io_kiocb___ws {
	struct file *file;
	__u8 opcode;
	__u32 flags;
	struct io_cqe___ws cqe;
	struct io_ring_ctx___ws *ctx;
	void *async_data;
} CORE;
struct iou_vec___ws {
	unsigned int nr;
} CORE;
struct io_async_msghdr___ws {
	struct iou_vec___ws vec;
	struct msghdr msg;
} CORE;
struct io_async_rw___ws {
	struct iov_iter iter;
} CORE;
#undef CORE

#define IO_FIXED_FILE 1 /* REQ_F_FIXED_FILE: the first bit, as of IOSQE_FIXED_FILE */

struct io_ring_wait {
	__u64 req;
	__u64 cookie;  /* of the socket: its address may be another one's later; 0: it had none yet */
	__u32 waiting; /* requests submitted and not served yet; one cancelled stays in it */
	__u32 pad;
};

/* An entry goes with its socket: conn__destroyed(). */
struct io_ring_waits {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* struct sock * */
	__type(value, struct io_ring_wait);
};

extern struct io_ring_waits ring_waits SEC(".maps");
extern __u32 ring_used; /* there have been entries */

static __always_inline void io_ring__locate_message(struct transfer *x, struct io_async_msghdr___ws *m)
{
	struct iov_iter it;

	if (!bpf_core_field_exists(m->vec))
		return;
	BPF_CORE_READ_INTO(&it, m, msg.msg_iter);
	payload__locate_behind(x, &it);
}

/* sock_read_iter() works on a copy of the iterator: this one has not moved yet. */
static __always_inline void io_ring__locate_read(struct transfer *x, struct io_async_rw___ws *rw)
{
	struct iov_iter it;

	if (!bpf_core_field_exists(rw->iter))
		return;
	BPF_CORE_READ_INTO(&it, rw, iter);
	if (iter__is_buffer(&it)) {
		payload__plain(x, iter__buffer(&it));
	} else if (iter__is_vector(&it) && it.iov_offset == 0) {
		x->addr = iter__vector(&it);
		x->vectors = iter__vectors(&it);
		x->kernel_vector = 1;
	}
}

/* The numbers are part of the system call's interface (include/uapi/linux/io_uring.h). */
enum io_ring_kind { RING_OTHER, RING_MESSAGE, RING_READ, RING_UNKNOWN /* receives, elsewhere */ };

static __always_inline enum io_ring_kind io_ring__kind(__u8 op)
{
	switch (op) {
	case IORING_OP_RECV:
	case IORING_OP_RECVMSG:
		return RING_MESSAGE;
	case IORING_OP_READ:
	case IORING_OP_READV:
		return RING_READ;
	case IORING_OP_READ_FIXED:
	case IORING_OP_READ_MULTISHOT:
	case IORING_OP_RECV_ZC:
	case IORING_OP_SPLICE:
		return RING_UNKNOWN;
	}
	return RING_OTHER;
}

/* Sets x->addr if one request waits for bytes of this socket and is the one being served. */
static __always_inline void io_ring__locate(struct transfer *x, __u64 sk)
{
	struct io_ring_wait *w = bpf_map_lookup_elem(&ring_waits, &sk);
	enum io_ring_kind kind;
	struct io_kiocb___ws *req;
	__u32 waiting;
	void *data;

	if (!w)
		return;
	waiting = w->waiting;
	if (waiting)
		w->waiting = waiting - 1;
	req = (void *)w->req;
	if (waiting > 1 || file__sock(BPF_CORE_READ(req, file)) != sk)
		return;
	kind = io_ring__kind(BPF_CORE_READ(req, opcode));
	data = BPF_CORE_READ(req, async_data);
	if (!data)
		return;
	if (kind == RING_MESSAGE)
		io_ring__locate_message(x, data);
	else if (kind == RING_READ)
		io_ring__locate_read(x, data);
}

#endif
