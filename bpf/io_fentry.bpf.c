// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * io_fentry.bpf.c - capture plan "fentry": bytes where TCP's own functions return, for kernels before
 * 6.3 that let them be entered (fentry: 5.5 on x86, 6.0 on arm64; stock ones do, some refuse it).
 *
 * Whatever call or worker thread moves bytes comes through here, and the iterator says where they are.
 * What is shared with plan "sock" is in io_sock.bpf.c: the start of a send, arrivals, and reads by
 * splice() (io__read_unseen). A read that had begun before we came is a gap.
 */
#include "transfer.bpf.h"

/*
 * Of tcp_recvmsg(): 6 until 5.19 took nonblock from before flags (ec095263a965), 5, 4 since 7.x has no
 * addr_len after them. The result follows.
 */
const volatile __u32 recvmsg_args = 5;

SEC("fexit/tcp_sendmsg_locked")
int BPF_PROG(entry__sendmsg_returns, struct sock *sk, struct msghdr *msg, size_t size, int ret)
{
	return io__send_ends(ctx, sk, ret, select__task(task__current()));
}

/* sendfile() and splice() until 6.5 (dc97391e6610); they have no bytes in user memory. */
SEC("fentry/tcp_sendpage")
int BPF_PROG(entry__sendpage_begins, struct sock *sk)
{
	struct ws_task *t = select__task(task__current());

	if (!t)
		return 0;
	t->send_sock = (__u64)sk;
	t->send_start_ns = bpf_ktime_get_ns();
	t->send_addr = 0;
	return 0;
}

SEC("fexit/tcp_sendpage")
int BPF_PROG(entry__sendpage_returns, struct sock *sk, struct page *page, int offset, size_t size, int flags, int ret)
{
	return io__send_ends(ctx, sk, ret, select__task(task__current()));
}

/* At a constant offset, as the verifier wants it: left to itself the compiler computes one. */
#define CONTEXT(ctx, i)                                                                                                \
	({                                                                                                             \
		__u64 v_;                                                                                              \
		asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(v_) : "r"(ctx), "i"((i) * 8));                            \
		v_;                                                                                                    \
	})

SEC("fexit/tcp_recvmsg")
int entry__recvmsg_returns(unsigned long long *ctx)
{
	struct msghdr *msg = (void *)ctx[1];
	struct part p = {.ctx = ctx};
	int n;

	if (recvmsg_args == 6) {
		p.flags = CONTEXT(ctx, 4);
		n = CONTEXT(ctx, 6);
	} else {
		p.flags = CONTEXT(ctx, 3);
		n = recvmsg_args == 5 ? CONTEXT(ctx, 5) : CONTEXT(ctx, 4);
	}
	if (n <= 0 || p.flags & (MSG_PEEK | MSG_ERRQUEUE))
		return 0;
	p.n = n;
	if (!(p.flags & MSG_TRUNC)) /* that writes nothing */
		p.iter = (__u64)&msg->msg_iter;
	return io__transfer((struct sock *)ctx[0], &p, WS_DIR_IN, select__task(task__current()));
}
