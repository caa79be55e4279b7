// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/* io_ring.bpf.c - remembers which io_uring request waits for the bytes of which socket; see io_ring.bpf.h. */
#include "io_ring.bpf.h"

struct io_ring_waits ring_waits SEC(".maps");
__u32 ring_used = 0;

/* The file is looked up when the request is carried out; here there is only its number. */
static __always_inline struct file *request__file(struct io_kiocb___ws *req, struct task_struct *task)
{
	__u32 fd = BPF_CORE_READ(req, cqe.fd), max;
	struct io_rsrc_node___ws **nodes, *node = NULL;

	if (BPF_CORE_READ(req, flags) & IO_FIXED_FILE) {
		if (!bpf_core_field_exists(struct io_rsrc_data___ws, nodes))
			return NULL;
		nodes = BPF_CORE_READ(req, ctx, file_table.data.nodes);
		max = BPF_CORE_READ(req, ctx, file_table.data.nr);
		if (fd >= max || bpf_probe_read_kernel(&node, sizeof(node), nodes + fd))
			return NULL;
		return (struct file *)(BPF_CORE_READ(node, file_ptr) & ~7ull); /* FFS_MASK, io_uring/filetable.h */
	}
	return fd__file(task, fd);
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(io_ring__submitted, struct io_kiocb___ws *req)
{
	struct task_struct *task = task__current();
	struct io_ring_wait fresh = {.req = (__u64)req, .waiting = 1}, *w;
	__u64 sk;

	if (io_ring__kind(BPF_CORE_READ(req, opcode)) == RING_OTHER || !select__task(task))
		return 0;
	sk = file__sock(request__file(req, task));
	if (!sk || BPF_CORE_READ((struct sock *)sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	if (!ring_used)
		ring_used = 1;
	fresh.cookie = BPF_CORE_READ((struct sock *)sk, __sk_common.skc_cookie.counter);
	w = bpf_map_lookup_elem(&ring_waits, &sk);
	if (w && w->cookie == fresh.cookie)
		fresh.waiting += w->waiting;
	if (bpf_map_update_elem(&ring_waits, &sk, &fresh, BPF_ANY))
		emit__count(WS_CNT_ring_waits_full, 1);
	return 0;
}
