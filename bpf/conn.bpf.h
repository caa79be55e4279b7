/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * conn.bpf.h - one TCP socket as we know it, kept in the socket's own storage.
 *
 * It is made by connect() of a selected task, by a handshake completed on a traced listener, by the
 * first transfer of a selected task, or by the iterator at the start; it goes with the socket.
 */
#ifndef CONN_BPF_H
#define CONN_BPF_H

#include "context.bpf.h"

#define ARRIVALS 4 /* a power of two */

/* When rcv_nxt got where: "the byte at `start` became readable" is the first one beyond `start`. */
struct ws_arrival {
	__u64 time_ns;
	__u32 rcv_nxt;
	__u32 pad;
};

struct ws_flow {
	struct ws_budget budget;
	__u32 left; /* HEAD: bytes that may still be copied before the direction turns */
	__u32 lost; /* data records that could not be made */
};

enum ws_sock_life {
	SOCK_NEW,	/* not announced: nobody who is traced has used it */
	SOCK_ANNOUNCED, /* its CONN record was submitted */
	SOCK_CLOSED,	/* its CLOSE record was; bytes left in the queue can still be read */
	SOCK_LISTENER,	/* no connection; counted in `listeners` */
};

struct ws_sock {
	__u64 cookie;
	__u64 connect_ns, established_ns;
	struct ws_actor connector;
	struct ws_flow flow[2]; /* by enum ws_dir */
	struct ws_arrival arrived[ARRIVALS];
	__u32 arrived_in, arrived_out; /* written by softirq, read by the receiver */
	__u32 rx_next;		       /* first byte not read yet; valid if rx_known */
	__u32 budget_generation;
	__u8 rx_known;
	__u8 role;     /* enum ws_role */
	__u8 life;     /* enum ws_sock_life */
	__u8 last_dir; /* who spoke last; 2: nobody yet */
	__u8 own_budget;
	__u8 left_state; /* the TCP state before CLOSE, if that came ahead of the last read */
	__u8 hidden; /* shed.bpf.h: the exchange under way is not told */
	__u8 shed;   /* shed.bpf.h: bit 1 << enum ws_dir: something was left out since the last record */
	__u8 blind;	 /* its sender took work from a queue unseen: the reply's receiver tells whose it was */
	__u8 early;	 /* a reply may have been read whose call is not seen yet */
	__u8 held;	 /* accepted, not announced: a traced process has closed it */
	__u64 cause;  /* accepted: of the request read last; connected: of the call sent last. handoff.bpf.h */
	__u64 sender; /* goroutine that sent the last call; */
	__u64 asker;  /* and that gave it to that one; 0: not known */
	__u64 reader; /* that read the first of the last reply */
};

struct conn_socks {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct ws_sock);
};

/*
 * The same by address, where a system call finds the socket and the verifier does not know its type;
 * an entry goes at tcp_destroy_sock. Used in plan "syscall" and before 5.11 (HAS_STORAGE); else it has
 * one entry.
 */
struct conn_socks_by_address {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct ws_sock);
};

/* Ports somebody listens on, of every process: what tells accepted from connected. */
struct conn_port {
	__u32 netns;
	__u32 port;
};

struct conn_listener {
	__u32 sockets; /* SO_REUSEPORT: several */
	__u32 traced;  /* a selected process listens, or has accepted, there */
};

struct conn_listeners {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct conn_port);
	__type(value, struct conn_listener);
};

struct conn_role_port {
	__u32 role; /* enum ws_role */
	__u32 port; /* ACCEPTED: ours, CONNECTED: theirs */
};

struct conn_port_budgets {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct conn_role_port);
	__type(value, struct ws_budget_pair);
};

/* User space may name sockets that are gone: it removes those when there is no room. */
struct conn_budgets {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct ws_budget_pair);
};

extern struct conn_socks socks SEC(".maps");
extern struct conn_socks_by_address socks_by_address SEC(".maps");
extern const volatile bool by_address; /* which of the two is used */
extern struct conn_listeners listeners SEC(".maps");
extern struct conn_port_budgets port_budgets SEC(".maps");
extern struct conn_budgets sock_budgets SEC(".maps");
extern const volatile struct ws_budget_pair budget_accepted, budget_connected;
extern __u32 budget_generation; /* moved by user space when it has written sock_budgets */

/* The file behind a descriptor of that task, or NULL. */
static __always_inline struct file *fd__file(struct task_struct *task, __u64 fd)
{
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file *file = NULL;

	if (fd < BPF_CORE_READ(fdt, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(fdt, fd) + fd);
	return file;
}

/* The socket behind a file, or 0. */
static __always_inline __u64 file__sock(struct file *file)
{
	struct socket *sock;

	if (!file)
		return 0;
	sock = FOUND(file, private_data);
	if (!sock || FOUND(sock, file) != file)
		return 0;
	return (__u64)BPF_CORE_READ(sock, sk); /* by a call: a number, which functions verified on their own take */
}

static __always_inline bool sock__is_tcp(const struct sock *sk)
{
	__u16 family = AT(sk, __sk_common.skc_family);

	/* sk_protocol is 16 bits wide since 5.6 (bf9765145b85); MPTCP is 262 and stays out. */
	return (family == AF_INET || family == AF_INET6) && AT(sk, sk_protocol) == IPPROTO_TCP;
}

static __always_inline struct tcp_sock *sock__tcp(struct sock *sk)
{
#ifdef WS_UNTRUSTED
	return (struct tcp_sock *)sk;
#else
	return bpf_skc_to_tcp_sock(sk);
#endif
}

/* What we know of it, or NULL. */
static __always_inline struct ws_sock *sock__get(struct sock *sk)
{
#ifndef WS_UNTRUSTED
	if (!by_address) /* most sockets of a machine have no storage: no need to ask */
		return AT(sk, sk_bpf_storage) ? bpf_sk_storage_get(&socks, sk, NULL, 0) : NULL;
#endif
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&socks_by_address, &key);
}

/* The same, made if need be. NULL: no memory, or the socket is going away. */
static __always_inline struct ws_sock *sock__make(struct sock *sk)
{
	static const struct ws_sock nothing = {};
	__u64 key = (__u64)sk;
	struct ws_sock *s;

#ifndef WS_UNTRUSTED
	if (!by_address)
		return bpf_sk_storage_get(&socks, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
#endif
	s = bpf_map_lookup_elem(&socks_by_address, &key);
	if (s)
		return s;
	bpf_map_update_elem(&socks_by_address, &key, &nothing, BPF_NOEXIST);
	return bpf_map_lookup_elem(&socks_by_address, &key);
}

/* Identity. Where the kernel makes no cookie for us, a socket that has none yet goes by the time and the CPU. */
static __always_inline __u64 sock__cookie(struct sock *sk)
{
	__u64 cookie;

#ifndef WS_UNTRUSTED
	if (HAS_COOKIE)
		return bpf_get_socket_cookie(sk);
#endif
	cookie = FOUND(sk, __sk_common.skc_cookie.counter);
	return cookie ? cookie : bpf_ktime_get_ns() << 10 | (bpf_get_smp_processor_id() & 1023);
}

static __always_inline __u32 sock__netns(const struct sock *sk)
{
	struct net *net = AT(sk, __sk_common.skc_net.net);

	return AT(net, ns.inum);
}

static __always_inline struct conn_port sock__port(const struct sock *sk)
{
	struct conn_port p = {
		.netns = sock__netns(sk),
		.port = AT(sk, __sk_common.skc_num),
	};
	return p;
}

static __always_inline struct conn_listener *sock__listener(const struct sock *sk)
{
	struct conn_port p = sock__port(sk);

	return bpf_map_lookup_elem(&listeners, &p);
}

/* Idempotent: the hook and the iterators may both see one. */
static __always_inline void listener__add(struct sock *sk, bool traced)
{
	struct ws_sock *s = sock__make(sk);
	struct conn_port port = sock__port(sk);
	struct conn_listener *l, fresh = {};

	l = bpf_map_lookup_elem(&listeners, &port);
	if (!l) {
		bpf_map_update_elem(&listeners, &port, &fresh, BPF_NOEXIST);
		l = bpf_map_lookup_elem(&listeners, &port);
	}
	if (!l || !s) {
		emit__count(WS_CNT_listeners_full, 1);
		return;
	}
	if (s->life != SOCK_LISTENER) {
		s->life = SOCK_LISTENER;
		__sync_fetch_and_add(&l->sockets, 1);
	}
	if (traced)
		l->traced = 1;
}

/*
 * A FIN takes one sequence number. copied_seq has passed it when everything that came was read and a
 * FIN came: SOCK_DONE, which tcp_fin() sets and a reset does not.
 */
static __always_inline __u32 sock__read_end(struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u32 end = AT(tp, copied_seq);

	return end - (end == AT(tp, rcv_nxt) && (AT(sk, __sk_common.skc_flags) & (1ul << SOCK_DONE)));
}

/* Written by us as well: after tcp_send_fin() write_seq is one more than what was sent. */
static __always_inline __u32 sock__sent_end(struct tcp_sock *tp, int state)
{
	switch (state) {
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
	case TCP_TIME_WAIT:
		return AT(tp, write_seq) - 1;
	}
	return AT(tp, write_seq);
}

static __always_inline void sock__start_budget(struct ws_sock *s, __u32 port)
{
	struct conn_role_port key = {.role = s->role, .port = port};
	struct ws_budget_pair *b = bpf_map_lookup_elem(&port_budgets, &key);

	if (b) {
		s->flow[0].budget = b->dir[0];
		s->flow[1].budget = b->dir[1];
	} else if (s->role == WS_ROLE_ACCEPTED) {
		s->flow[0].budget = budget_accepted.dir[0];
		s->flow[1].budget = budget_accepted.dir[1];
	} else {
		s->flow[0].budget = budget_connected.dir[0];
		s->flow[1].budget = budget_connected.dir[1];
	}
}

/* Fresh storage for a connection whose role is known. NULL: no memory, or the socket is going away. */
static __always_inline struct ws_sock *sock__new(struct sock *sk, enum ws_role role)
{
	struct ws_sock *s = sock__make(sk);

	if (!s)
		return NULL;
	__builtin_memset(s, 0, sizeof(*s)); /* a socket may connect again after it was closed */
	s->cookie = sock__cookie(sk);
	s->role = role;
	s->last_dir = 2;
	sock__start_budget(s, role == WS_ROLE_ACCEPTED ? AT(sk, __sk_common.skc_num) :
							 bpf_ntohs(AT(sk, __sk_common.skc_dport)));
	return s;
}

static __always_inline void sock__address(__u8 to[16], bool v6, const struct in6_addr *a6, __u32 a4)
{
	if (v6) {
		__builtin_memcpy(to, a6, 16);
		return;
	}
	__builtin_memset(to, 0, 10);
	__builtin_memset(to + 10, 0xff, 2);
	__builtin_memcpy(to + 12, &a4, 4);
}

/* Everything of a CONN record that is read from the socket. */
static __always_inline void conn__fill(struct ws_rec_conn *c, struct tcp_sock *tp, const struct ws_sock *s)
{
	const struct inet_sock *inet = &tp->inet_conn.icsk_inet;
	const struct sock *sk = &inet->sk;
	bool v6 = AT(sk, __sk_common.skc_family) == AF_INET6;
	struct in6_addr a = {};

	if (v6)
		a = AT(sk, __sk_common.skc_v6_rcv_saddr);
	sock__address(c->local, v6, &a, AT(sk, __sk_common.skc_rcv_saddr));
	if (v6)
		a = AT(sk, __sk_common.skc_v6_daddr);
	sock__address(c->remote, v6, &a, AT(sk, __sk_common.skc_daddr));
	c->local_port = bpf_ntohs(AT(inet, inet_sport));
	c->remote_port = bpf_ntohs(AT(sk, __sk_common.skc_dport));
	c->netns = sock__netns(sk);
	c->conn = s->cookie;
	c->role = s->role;
	c->connect_ns = s->connect_ns;
	c->established_ns = s->established_ns;
	__builtin_memset(c->pad, 0, sizeof(c->pad));
}

/*
 * Where both directions began, of a connection that is older than we are: the same at both ends. bytes_acked counts
 * the SYN of a connect() (tcp_snd_una_update), bytes_received none (tcp_rcv_nxt_update begins behind it).
 */
static __always_inline __u64 conn__first(struct tcp_sock *tp, const struct ws_sock *s)
{
	__u32 sent = AT(tp, snd_una) - (__u32)AT(tp, bytes_acked) + (s->role == WS_ROLE_CONNECTED);
	__u32 read = AT(tp, rcv_nxt) - (__u32)AT(tp, bytes_received);

	return (__u64)sent << 32 | read;
}

struct conn_news {
	__u64 now;
	__u32 snd_seq, rcv_seq;
	__u8 origin; /* enum ws_origin */
	__u8 failed;
	__u8 connecting; /* connect() was called, no more */
};

/*
 * Up to a sequence number. bytes_acked goes with snd_una, and bytes_received with rcv_nxt, from the first byte on
 * (tcp_snd_una_update, tcp_rcv_nxt_update).
 */
static __always_inline __u64 sock__sent(struct tcp_sock *tp, __u32 seq)
{
	return AT(tp, bytes_acked) + (__s32)(seq - AT(tp, snd_una));
}

static __always_inline __u64 sock__was_read(struct tcp_sock *tp, __u32 seq)
{
	return AT(tp, bytes_received) + (__s32)(seq - AT(tp, rcv_nxt));
}

/*
 * Says that the connection exists; life becomes ANNOUNCED unless the record was lost. What has moved
 * already but is reported next lies after the record's sequence numbers.
 */
static __always_inline void conn__announce(void *ctx, struct tcp_sock *tp, struct ws_sock *s,
					   const struct ws_actor *actor, const struct conn_news *news)
{
	struct ws_rec_conn *c = emit__reserve(WS_REC_CONN, sizeof(*c));

	if (!c)
		return;
	emit__head(&c->head, WS_REC_CONN, sizeof(*c), news->now);
	conn__fill(c, tp, s);
	c->actor = *actor;
	c->snd_seq = news->snd_seq;
	c->rcv_seq = news->rcv_seq;
	c->sent = news->connecting ? 0 : sock__sent(tp, news->snd_seq);
	c->read = news->connecting ? 0 : sock__was_read(tp, news->rcv_seq);
	c->origin = news->origin;
	if (news->origin == WS_ORIGIN_EXISTING)
		c->first = conn__first(tp, s);
	c->failed = news->failed;
	c->head.flags = news->connecting ? WS_CONN_CONNECTING : 0;
	if (emit__submit(ctx, c, WS_REC_CONN, emit__fill(), news->now) == 0 && !news->connecting)
		s->life = SOCK_ANNOUNCED;
}

/* Is there something that can still be read? Also after a reset or in TIME_WAIT, which is CLOSE here. */
static __always_inline bool sock__unread(struct tcp_sock *tp)
{
	return (__s32)(AT(tp, rcv_nxt) - sock__read_end(tp)) > 1; /* a FIN counts one */
}

/* Says that it is over; `state` is the one it left. Once for a connection that was announced. */
static __always_inline void conn__close(void *ctx, struct tcp_sock *tp, struct ws_sock *s, int state, __u64 now)
{
	struct ws_rec_close *c;

	s->life = SOCK_CLOSED;
	if (s->own_budget)
		bpf_map_delete_elem(&sock_budgets, &s->cookie);
	c = emit__reserve(WS_REC_CLOSE, sizeof(*c));
	if (!c)
		return;
	emit__head(&c->head, WS_REC_CLOSE, sizeof(*c), now);
	c->conn = s->cookie;
	c->snd_seq = sock__sent_end(tp, state);
	c->rcv_seq = sock__read_end(tp);
	c->lost[WS_DIR_IN] = s->flow[WS_DIR_IN].lost;
	c->lost[WS_DIR_OUT] = s->flow[WS_DIR_OUT].lost;
	c->srtt_us = AT(tp, srtt_us) >> 3;
	c->retransmits = AT(tp, total_retrans);
	c->state = state;
	c->pad = 0;
	emit__submit(ctx, c, WS_REC_CLOSE, emit__fill(), now);
}

#endif
