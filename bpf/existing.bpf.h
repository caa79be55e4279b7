/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * existing.bpf.h - what was there before us, file by file of every task. The file leads to its socket by
 * bpf_sock_from_file (5.11, b60da4955f53), or, with WS_UNTRUSTED, by a walk.
 */
#ifndef EXISTING_BPF_H
#define EXISTING_BPF_H

#include "conn.bpf.h"

/* The TCP socket behind a file, or NULL. */
static __always_inline struct tcp_sock *file__tcp(struct file *file)
{
#ifdef WS_UNTRUSTED
	struct sock *sk = (struct sock *)file__sock(file);

	return sk && sock__is_tcp(sk) ? (struct tcp_sock *)sk : NULL;
#else
	struct socket *sock = file ? bpf_sock_from_file(file) : NULL;

	if (!sock || !sock->sk || !sock__is_tcp(sock->sk))
		return NULL;
	return bpf_skc_to_tcp_sock(sock->sk);
#endif
}

/* Called after it was selected: if its last thread is not counted down now, proc__exit is still to come. */
static __always_inline void existing__recheck(struct task_struct *task)
{
	__u32 tgid = task->tgid;

	if (BPF_CORE_READ(task, signal, live.counter) <= 0)
		bpf_map_delete_elem(&processes, &tgid);
}

/* Selects the processes that rules or ports name. */
static __always_inline int existing__select_file(struct task_struct *task, struct file *file)
{
	struct tcp_sock *tp;
	struct sock *sk;
	bool selected;

	if (!task || !file)
		return 0;
	selected = select__decide((__u64)BPF_CORE_READ(task, group_leader)) != 0;
	existing__recheck(task);
	tp = file__tcp(file);
	if (!tp)
		return 0;
	sk = (struct sock *)tp;
	if (AT(sk, __sk_common.skc_state) != TCP_LISTEN)
		return 0;
	if (!selected && select__wants_port(AT(sk, __sk_common.skc_num)))
		selected = select__add(task->tgid, 0) == 0;
	existing__recheck(task);
	listener__add(sk, selected);
	return 0;
}

/* Announces the connections that selected processes have open. */
static __always_inline int existing__announce_file(void *ctx, struct task_struct *task, struct file *file)
{
	struct conn_news news = {.origin = WS_ORIGIN_EXISTING};
	struct ws_actor actor = {};
	struct tcp_sock *tp;
	struct ws_sock *s;
	struct sock *sk;

	if (!task || !select__decide((__u64)BPF_CORE_READ(task, group_leader)))
		return 0;
	tp = file__tcp(file);
	if (!tp)
		return 0;
	sk = (struct sock *)tp;
	switch (AT(sk, __sk_common.skc_state)) {
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
	news.snd_seq = sock__sent_end(tp, AT(sk, __sk_common.skc_state));
	news.rcv_seq = sock__read_end(tp);
	if (!s->rx_known) {
		s->rx_next = news.rcv_seq;
		s->rx_known = 1;
	}
	conn__announce(ctx, tp, s, &actor, &news);
	return 0;
}

#endif
