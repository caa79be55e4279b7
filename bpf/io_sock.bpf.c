// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * io_sock.bpf.c - capture plan "sock": bytes at the socket layer, whatever call moved them.
 *
 * sock_send_length and sock_recv_length (6.3, 6e6eda44b939) run when the call has moved its bytes, in
 * its own context; tcp_sendmsg_locked gives the start of a send, sk_data_ready (6.3,
 * 40e0b0908142) the arrival of what is received. Without the last two, clocks are 0.
 */
#include "transfer.bpf.h"

/*
 * Is this another turn of the send that is under way? Then it has got on, or waits for room where it was. Else the
 * end of that one was not seen (this is one of the runs that kernels skip from 7.0 on), and where its bytes were
 * is not where these are.
 */
static __always_inline bool send__goes_on(const struct ws_task *t, const struct sock *sk, const struct iov_iter *it,
					  __u64 addr, __u32 vectors)
{
	if (t->send_sock != (__u64)sk)
		return false;
	if ((__u32)it->count == t->send_left)
		return it->iov_offset || (addr == t->send_addr && vectors == t->send_vectors);
	return (__u32)it->count < t->send_left &&
	       (it->iov_offset || (!addr && !t->send_addr) || vectors < t->send_vectors);
}

/*
 * tcp_sendmsg_locked runs once for each turn of the kernel's loop; the first one is the start. Before
 * 6.17 it is entered (fentry) where that is allowed: the function has the same first arguments. It shows
 * where the bytes are, whatever call or worker thread sends them; they are read at the end of the send,
 * for here their pages may not be mapped yet.
 */
SEC("tp_btf/tcp_sendmsg_locked")
int BPF_PROG(io__send_starts, struct sock *sk, struct msghdr *msg)
{
	struct ws_task *t = select__task(task__current());
	const struct iov_iter *it = &msg->msg_iter;
	__u64 addr = 0;
	__u32 vectors = 0;

	if (!t)
		return 0;
	if (iter__is_buffer(it)) {
		addr = iter__buffer(it);
	} else if (iter__is_vector(it) && it->iov_offset == 0) {
		addr = iter__vector(it);
		vectors = iter__vectors(it);
	}
	if (!send__goes_on(t, sk, it, addr, vectors)) {
		t->send_sock = (__u64)sk;
		t->send_start_ns = bpf_ktime_get_ns();
		t->send_addr = addr;
		t->send_vectors = vectors;
	}
	t->send_left = it->count;
	return 0;
}

SEC("tp_btf/sk_data_ready")
int BPF_PROG(io__data_ready, struct sock *sk)
{
	struct ws_sock *s = sock__get(sk);
	struct ws_arrival *a;
	struct tcp_sock *tp;
	__u32 in;

	if (!s || s->life == SOCK_LISTENER)
		return 0;
	tp = sock__tcp(sk);
	if (!tp)
		return 0;
	/* Full: the newest is overwritten, so that no byte seems to have come before it did. */
	in = s->arrived_in;
	if (in - s->arrived_out >= ARRIVALS)
		in--;
	a = &s->arrived[in & (ARRIVALS - 1)];
	a->time_ns = bpf_ktime_get_ns();
	a->rcv_nxt = tp->rcv_nxt;
	s->arrived_in = in + 1;
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(io__sent, struct sock *sk, int ret, int flags)
{
	return io__send_ends(ctx, sk, ret, select__task(task__current()));
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(io__received, struct sock *sk, int ret, int flags)
{
	struct part p = {.ctx = ctx, .n = ret, .flags = flags};

	if (ret <= 0 || flags & (MSG_PEEK | MSG_ERRQUEUE))
		return 0;
	return io__transfer(sk, &p, WS_DIR_IN, select__task(task__current()));
}

/*
 * splice() and the zero-copy getsockopt() read past sock_recv_length; what they took shows when the
 * window is adjusted. In other calls sock_recv_length follows and says it.
 */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(io__read_unseen, struct sock *sk)
{
	struct task_struct *task = task__current();
	struct part p = {.ctx = ctx, .flags = MSG_TRUNC};
	struct ws_task *t;
	struct ws_sock *s;
	struct tcp_sock *tp;
	__u64 nr;
	__s32 n;

	if (select__passes(task))
		return 0;
	nr = ARG_NR(task__regs(task));
	if ((nr != NR_SPLICE && nr != NR_GETSOCKOPT) || OF(task, flags) & (PF_KTHREAD | PF_IO_WORKER))
		return 0;
	t = select__task(task);
	tp = t ? sock__tcp(sk) : NULL;
	s = tp ? sock__get(sk) : NULL;
	if (!s || !s->rx_known)
		return 0;
	n = sock__read_end(tp) - s->rx_next;
	p.n = n;
	return n > 0 ? io__transfer(sk, &p, WS_DIR_IN, t) : 0;
}
