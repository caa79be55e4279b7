// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * existing.bpf.c - what was there before us, by iterators that user space runs once at the start:
 *   existing__listeners  every listening port of the caller's network namespace
 *   existing__select     which running processes are selected (rules and ports)
 *   existing__sockets    the connections that these have open
 */
#include "conn.bpf.h"

SEC("iter/tcp")
int existing__listeners(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_sock *tp;

	if (!skc || skc->skc_state != TCP_LISTEN)
		return 0;
	tp = bpf_skc_to_tcp_sock(skc);
	if (tp)
		listener__add((struct sock *)tp, false);
	return 0;
}

/* The TCP socket behind a file, or NULL. */
static __always_inline struct tcp_sock *file__tcp(struct file *file)
{
	struct socket *sock = file ? bpf_sock_from_file(file) : NULL;

	if (!sock || !sock->sk || !sock__is_tcp(sock->sk))
		return NULL;
	return bpf_skc_to_tcp_sock(sock->sk);
}

/* Called after it was selected: if its last thread is not counted down now, proc__exit is still to come. */
static __always_inline void existing__recheck(struct task_struct *task)
{
	__u32 tgid = task->tgid;

	if (BPF_CORE_READ(task, signal, live.counter) <= 0)
		bpf_map_delete_elem(&processes, &tgid);
}

SEC("iter/task_file")
int existing__select(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct tcp_sock *tp;
	struct sock *sk;
	bool selected;

	if (!task || !ctx->file)
		return 0;
	selected = select__decide((__u64)BPF_CORE_READ(task, group_leader)) != 0;
	existing__recheck(task);
	tp = file__tcp(ctx->file);
	if (!tp)
		return 0;
	sk = (struct sock *)tp;
	if (sk->__sk_common.skc_state != TCP_LISTEN)
		return 0;
	if (!selected && select__wants_port(sk->__sk_common.skc_num))
		selected = select__add(task->tgid, 0) == 0;
	existing__recheck(task);
	listener__add(sk, selected);
	return 0;
}

SEC("iter/task_file")
int existing__sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct conn_news news = {.origin = WS_ORIGIN_EXISTING};
	struct ws_actor actor = {};
	struct tcp_sock *tp;
	struct ws_sock *s;
	struct sock *sk;

	if (!task || !select__decide((__u64)BPF_CORE_READ(task, group_leader)))
		return 0;
	tp = file__tcp(ctx->file);
	if (!tp)
		return 0;
	sk = (struct sock *)tp;
	switch (sk->__sk_common.skc_state) {
	case TCP_CLOSE:
	case TCP_LISTEN:
	case TCP_SYN_SENT:
		return 0;
	}
	s = sock__get(sk);
	if (!s)
		s = sock__new(sk, sock__listener(sk) ? WS_ROLE_ACCEPTED : WS_ROLE_CONNECTED);
	if (!s || s->life != SOCK_NEW)
		return 0;
	actor.tgid = task->tgid;
	actor.tid = task->pid;
	news.now = bpf_ktime_get_ns();
	news.snd_seq = sock__sent_end(tp, sk->__sk_common.skc_state);
	news.rcv_seq = sock__read_end(tp);
	if (!s->rx_known) {
		s->rx_next = news.rcv_seq;
		s->rx_known = 1;
	}
	conn__announce(tp, s, &actor, &news);
	return 0;
}
