// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * conn.bpf.c - the life of connections, from the one tracepoint that sees every change of state.
 *
 * inet_sock_set_state runs in whoever's context the change happens, often a softirq: only
 * CLOSE -> SYN_SENT (connect) and -> LISTEN (listen) are the caller's own.
 */
#include "conn.bpf.h"
#include "io_ring.bpf.h"

struct conn_socks socks SEC(".maps");
struct conn_socks_by_address socks_by_address SEC(".maps");
struct conn_listeners listeners SEC(".maps");
struct conn_port_budgets port_budgets SEC(".maps");
struct conn_budgets sock_budgets SEC(".maps");

const volatile struct ws_budget_pair budget_accepted = {}, budget_connected = {};
const volatile bool by_address = false;
__u32 budget_generation = 0;

static __always_inline void conn__connecting(void *ctx, struct sock *sk)
{
	struct task_struct *task = task__current();
	struct ws_task *t = select__task(task);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct conn_news news = {.connecting = true};
	struct ws_sock *s;

	if (!t || !tp || t->selected == WS_SELECTED_LEAVING)
		return;
	s = sock__new(sk, WS_ROLE_CONNECTED);
	if (!s) {
		emit__count(WS_CNT_no_socket_storage, 1);
		return;
	}
	s->connect_ns = bpf_ktime_get_ns();
	context__actor(&s->connector, task, t);
	news.now = s->connect_ns;
	conn__announce(ctx, tp, s, &s->connector, &news);
}

static __always_inline void conn__listening(struct sock *sk)
{
	struct task_struct *task = task__current();
	bool traced = select__task(task) != NULL;

	if (!traced && select__wants_port(sk->__sk_common.skc_num) && !select__add(OF(task, tgid), 0)) {
		__sync_fetch_and_add(&select_generation, 1);
		traced = true;
	}
	listener__add(sk, traced);
}

static __always_inline void conn__unlistening(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct conn_port port = sock__port(sk);
	struct ws_sock *s = sock__get(sk);
	struct conn_listener *l;

	if (!tp)
		return;
	port.port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport); /* skc_num is 0 by now */
	l = bpf_map_lookup_elem(&listeners, &port);
	if (!l) {
		/* It was stored, and had to go for another. */
		if (s && s->life == SOCK_LISTENER)
			emit__count(WS_CNT_listeners_full, 1);
		return;
	}
	__sync_fetch_and_add(&l->sockets, -1);
	if ((int)l->sockets <= 0)
		bpf_map_delete_elem(&listeners, &port);
}

/* Not write_seq, for bytes may have gone with the SYN, which bytes_acked counts (tcp_snd_una_update). */
static __always_inline __u32 conn__first_sent(const struct tcp_sock *tp)
{
	return tp->snd_una - (__u32)tp->bytes_acked + 1;
}

static __always_inline void conn__established(void *ctx, struct sock *sk, int old)
{
	struct ws_sock *s = sock__get(sk);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u64 now = bpf_ktime_get_ns();
	struct conn_news news = {.now = now};
	struct conn_listener *l;

	if (!tp)
		return;
	if (!s && old == TCP_SYN_RECV) {
		l = sock__listener(sk);
		if (l && l->traced)
			s = sock__new(sk, WS_ROLE_ACCEPTED);
	}
	if (!s)
		return;
	s->established_ns = now;
	s->rx_next = tp->copied_seq;
	s->rx_known = 1;
	/* Who will use an accepted one is not known yet: announced by its first transfer. */
	news.snd_seq = conn__first_sent(tp);
	news.rcv_seq = tp->copied_seq;
	if (s->role == WS_ROLE_CONNECTED && s->life == SOCK_NEW)
		conn__announce(ctx, tp, s, &s->connector, &news);
}

/*
 * The program ends its side: FIN_WAIT1 and LAST_ACK are entered by tcp_close_state() alone, in the caller's context.
 * Another worker of a traced port's server may have had it: only who holds a connection closes it.
 */
static __always_inline void conn__leaving(struct sock *sk)
{
	struct ws_sock *s = sock__get(sk);

	if (s && s->role == WS_ROLE_ACCEPTED && s->life == SOCK_NEW && select__task(task__current()))
		s->held = 1;
}

/*
 * An accepted connection that nobody seemed to use, and yet bytes were moved: by what a plan that goes by
 * address does not see (io_uring in plan "syscall"). It is told of now, and its bytes are a gap. Not one of which we don't know that a traced process had it,
 * and not what a pause left out.
 */
static __always_inline void conn__announce_unseen(void *ctx, struct tcp_sock *tp, struct ws_sock *s,
						  struct conn_news *news)
{
	const struct ws_actor nobody = {};
	__u32 sent = news->snd_seq, read = news->rcv_seq;

	news->snd_seq = conn__first_sent(tp) - 1; /* of an accepted one bytes_acked counts no SYN */
	news->rcv_seq = s->rx_next;
	if (s->rx_known && s->held && !s->shed && (sent != news->snd_seq || read != news->rcv_seq))
		conn__announce(ctx, tp, s, &nobody, news);
}

static __always_inline void conn__closed(void *ctx, struct sock *sk, int old)
{
	struct ws_sock *s = sock__get(sk);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u64 now = bpf_ktime_get_ns();
	struct conn_news news = {.now = now};

	if (!s || !tp)
		return;
	news.failed = !s->established_ns;
	news.snd_seq = sock__sent_end(tp, old);
	news.rcv_seq = sock__read_end(tp);
	if (s->role == WS_ROLE_CONNECTED && s->life == SOCK_NEW)
		conn__announce(ctx, tp, s, &s->connector, &news);
	if (by_address && s->role == WS_ROLE_ACCEPTED && s->life == SOCK_NEW)
		conn__announce_unseen(ctx, tp, s, &news);
	/* What lies in the queue can be read yet: then the last read or the end of the socket says it. */
	s->left_state = old;
	if (s->life == SOCK_ANNOUNCED && !sock__unread(tp))
		conn__close(ctx, tp, s, old, now);
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(conn__destroyed, struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct ws_sock *s = sock__get(sk);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (s && tp && s->life == SOCK_ANNOUNCED)
		conn__close(ctx, tp, s, s->left_state, bpf_ktime_get_ns());
	if (s && by_address)
		bpf_map_delete_elem(&socks_by_address, &key);
	if (ring_used)
		bpf_map_delete_elem(&ring_waits, &key);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(conn__set_state, struct sock *sk, int old, int new)
{
	if (!sock__is_tcp(sk))
		return 0;
	if (new == TCP_SYN_SENT)
		conn__connecting(ctx, sk);
	else if (new == TCP_LISTEN)
		conn__listening(sk);
	else if (new == TCP_ESTABLISHED)
		conn__established(ctx, sk, old);
	else if (by_address && (new == TCP_FIN_WAIT1 || new == TCP_LAST_ACK))
		conn__leaving(sk);
	else if (new == TCP_CLOSE && old == TCP_LISTEN)
		conn__unlistening(sk);
	else if (new == TCP_CLOSE)
		conn__closed(ctx, sk, old);
	return 0;
}
