// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * io_sock.bpf.c - capture plan "sock": bytes at the socket layer, whatever call moved them.
 *
 * sock_send_length and sock_recv_length (6.3, 6e6eda44b939) run when the call has moved its bytes, in
 * its own context; tcp_sendmsg_locked (6.17) gives the start of a send, sk_data_ready (6.3,
 * 40e0b0908142) the arrival of what is received. Without the last two, clocks are 0.
 *
 * Ranges: sent are [write_seq - n, write_seq), read are [copied_seq - n, copied_seq), less a FIN.
 */
#include "io_ring.bpf.h"

/*
 * tcp_sendmsg_locked runs once for each turn of the kernel's loop; the first one is the start. It shows
 * where the bytes are, whatever call or worker thread sends them; they are read at the end of the send,
 * for here their pages may not be mapped yet.
 */
SEC("tp_btf/tcp_sendmsg_locked")
int BPF_PROG(io__send_starts, struct sock *sk, struct msghdr *msg)
{
	struct ws_task *t = select__task(bpf_get_current_task_btf());
	const struct iov_iter *it = &msg->msg_iter;
	__u8 type;

	if (!t || t->send_sock == (__u64)sk)
		return 0;
	t->send_sock = (__u64)sk;
	t->send_start_ns = bpf_ktime_get_ns();
	t->send_addr = 0;
	t->send_vectors = 0;
	type = it->iter_type;
	if (type == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
		t->send_addr = (__u64)it->ubuf + it->iov_offset;
	} else if (type == bpf_core_enum_value(enum iter_type, ITER_IOVEC) && it->iov_offset == 0) {
		t->send_addr = (__u64)it->__iov;
		t->send_vectors = it->nr_segs < 0xffff ? it->nr_segs : 0xffff;
	}
	return 0;
}

SEC("tp_btf/sk_data_ready")
int BPF_PROG(io__data_ready, struct sock *sk)
{
	struct ws_sock *s = bpf_sk_storage_get(&socks, sk, NULL, 0);
	struct ws_arrival *a;
	struct tcp_sock *tp;
	__u32 in;

	if (!s || s->life == SOCK_LISTENER)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
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

/* When the byte at `start` became readable; forgets what lies before `end`. */
static __always_inline __u64 io__arrival(struct ws_sock *s, __u32 start, __u32 end)
{
	__u32 out = s->arrived_out, in = s->arrived_in;
	__u64 found = 0;
	struct ws_arrival *a;
	int i;

	for (i = 0; i < ARRIVALS && out != in; i++) {
		a = &s->arrived[out & (ARRIVALS - 1)];
		if (!found && (__s32)(a->rcv_nxt - start) > 0)
			found = a->time_ns;
		if ((__s32)(a->rcv_nxt - end) > 0)
			break;
		out++;
	}
	s->arrived_out = out;
	return found;
}

/* Nothing was moved before these bytes: then the connection is not older than our view of it. */
static __always_inline bool io__is_first(struct tcp_sock *tp, int dir, __u32 start)
{
	__u64 read = tp->bytes_received - (tp->rcv_nxt - start);
	__u64 sent = tp->bytes_acked + (start - tp->snd_una);

	/* bytes_acked counts the SYN of a connect() (tcp_snd_una_update), bytes_received no FIN. */
	return dir == WS_DIR_IN ? tp->bytes_acked <= 1 && read + 1 <= 2 : sent <= 1 && tp->bytes_received == 0;
}

/* Storage of a socket that nothing but this transfer has told us of. */
static __noinline struct ws_sock *io__adopt(struct sock *sk, struct tcp_sock *tp)
{
	struct conn_listener *l = sock__listener(sk);
	struct ws_sock *s = sock__new(sk, l ? WS_ROLE_ACCEPTED : WS_ROLE_CONNECTED);

	if (!s)
		emit__count(WS_CNT_no_socket_storage, 1);
	else if (l)
		l->traced = 1;
	return s;
}

static __always_inline void io__announce(struct transfer *x, struct tcp_sock *tp, bool adopted)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct conn_news news = {.now = x->now, .origin = WS_ORIGIN_NEW};
	struct ws_actor actor;

	/* rcvq_space.time is the instant of ESTABLISHED until the first read (6.18, FACTS section 7). */
	if (adopted && !io__is_first(tp, x->dir, x->seq))
		news.origin = WS_ORIGIN_EXISTING;
	else if (adopted)
		x->s->established_ns = tp->rcvq_space.time * 1000;
	context__actor(&actor, x->task, x->t);
	news.snd_seq = x->dir == WS_DIR_OUT ? x->seq : sock__sent_end(tp, sk->__sk_common.skc_state);
	news.rcv_seq = x->dir == WS_DIR_IN ? x->seq : sock__read_end(tp);
	conn__announce(tp, x->s, &actor, &news);
}

/* The range of a read. rx_next settles what a FIN makes ambiguous. */
static __always_inline void io__range_in(struct transfer *x, struct tcp_sock *tp)
{
	struct ws_sock *s = x->s;
	__u32 seq = tp->copied_seq - x->wire_len;

	if (s->rx_known && seq - s->rx_next <= 1)
		seq = s->rx_next;
	else
		seq = sock__read_end(tp) - x->wire_len;
	s->rx_next = seq + x->wire_len;
	s->rx_known = 1;
	x->seq = seq;
	x->start_ns = io__arrival(s, seq, s->rx_next);
}

static __always_inline void io__range_out(struct transfer *x, struct tcp_sock *tp, __u64 sk)
{
	x->seq = sock__sent_end(tp, tp->inet_conn.icsk_inet.sk.__sk_common.skc_state) - x->wire_len;
	x->start_ns = x->t->send_sock == sk ? x->t->send_start_ns : 0;
}

static __noinline void io__look_up_budget(struct ws_sock *s)
{
	__u32 generation = budget_generation; /* before the look: what is written after it moves it again */
	struct ws_budget_pair *b;

	b = bpf_map_lookup_elem(&sock_budgets, &s->cookie);
	s->budget_generation = generation;
	if (!b)
		return;
	s->own_budget = 1;
	s->flow[0].budget = b->dir[0];
	s->flow[1].budget = b->dir[1];
}

/* How many bytes may be copied. false: no record is wanted at all. */
static __always_inline bool io__spend(struct transfer *x)
{
	struct ws_sock *s = x->s;
	struct ws_flow *f = &s->flow[x->dir & 1];
	__u32 may = 0;

	if (s->last_dir != x->dir) {
		s->last_dir = x->dir;
		if (s->budget_generation != budget_generation)
			io__look_up_budget(s);
		f->left = f->budget.head_bytes;
	}
	if (f->budget.mode == WS_BUDGET_IGNORE)
		return false;
	if (f->budget.mode == WS_BUDGET_STREAM)
		may = x->wire_len;
	else if (f->budget.mode == WS_BUDGET_HEAD)
		may = f->left;
	x->want = x->wire_len;
	if (x->want > may) {
		x->want = may;
		x->cap = WS_CAP_BUDGET;
	}
	f->left -= f->left < x->wire_len ? f->left : x->wire_len;
	if (x->want > WS_PAYLOAD_MAX) {
		x->want = WS_PAYLOAD_MAX;
		x->cap = WS_CAP_MAX;
	}
	if (x->want && emit__sheds(x->fill)) {
		x->shed = x->want;
		x->want = 0;
		x->cap = WS_CAP_SHED;
	}
	return true;
}

static __always_inline void io__fill(struct ws_rec_data *d, const struct transfer *x)
{
	emit__head(&d->head, WS_REC_DATA, sizeof(*d), x->now);
	d->conn = x->s->cookie;
	context__actor(&d->actor, x->task, x->t);
	d->start_ns = x->start_ns;
	d->seq = x->seq;
	d->wire_len = x->wire_len;
	d->cap_len = 0;
	d->dir = x->dir;
	d->cap = x->cap;
	d->pad = 0;
}

/* Why bytes are missing, counted for records that are made; lost ones have their own counter. */
static __always_inline void io__count(const struct ws_rec_data *d, const struct transfer *x)
{
	if (d->cap_len)
		emit__count(WS_CNT_bytes_captured, d->cap_len);
	if (d->cap <= WS_CAP_BUDGET)
		return;
	if (d->cap == WS_CAP_SHED) {
		emit__count(WS_CNT_shed_payload, 1);
		emit__count(WS_CNT_shed_bytes, x->shed);
	} else {
		emit__count(d->cap == WS_CAP_MAX	? WS_CNT_cut_max :
			    d->cap == WS_CAP_NO_ADDRESS ? WS_CNT_no_address :
							  WS_CNT_fault, 1);
	}
}

/* One class of record: `room` bytes of payload, reserved twice for a vector (see payload__gather). */
static __always_inline int io__emit_class(const struct transfer *x, const __u64 room, const bool vector)
{
	struct ws_rec_data *d = emit__reserve(WS_REC_DATA, sizeof(*d) + (vector ? 2 * room : room));

	if (!d) {
		__sync_fetch_and_add(&x->s->flow[x->dir & 1].lost, 1);
		return 0;
	}
	io__fill(d, x);
	if (vector)
		payload__gather(d, x, room);
	else if (room)
		payload__copy(d, x, room);
	d->head.size = sizeof(*d) + d->cap_len;
	io__count(d, x);
	emit__submit(d, x->fill, x->now);
	return 0;
}

/* clang-format off */
static __noinline int io__emit_none(const struct transfer *x) { return io__emit_class(x, 0, false); }
static __noinline int io__emit_256(const struct transfer *x)  { return io__emit_class(x, 256, false); }
static __noinline int io__emit_1k(const struct transfer *x)   { return io__emit_class(x, 1024, false); }
static __noinline int io__emit_4k(const struct transfer *x)   { return io__emit_class(x, 4096, false); }
static __noinline int io__emit_16k(const struct transfer *x)  { return io__emit_class(x, 16384, false); }
static __noinline int io__emit_v512(const struct transfer *x) { return io__emit_class(x, 512, true); }
static __noinline int io__emit_v4k(const struct transfer *x)  { return io__emit_class(x, 4096, true); }
static __noinline int io__emit_v16k(const struct transfer *x) { return io__emit_class(x, 16384, true); }
/* clang-format on */

static __always_inline int io__emit(const struct transfer *x)
{
	if (x->want == 0)
		return io__emit_none(x);
	if (x->vectors)
		return x->want <= 512 ? io__emit_v512(x) : x->want <= 4096 ? io__emit_v4k(x) : io__emit_v16k(x);
	if (x->want <= 1024)
		return x->want <= 256 ? io__emit_256(x) : io__emit_1k(x);
	return x->want <= 4096 ? io__emit_4k(x) : io__emit_16k(x);
}

/* An untraced task on an accepted socket of a wanted port: now it is traced. */
static __noinline struct ws_task *io__select_by_port(struct sock *sk, struct task_struct *task)
{
	if (!select__wants_port(sk->__sk_common.skc_num) || !sock__listener(sk) || select__add(task->tgid, 0))
		return NULL;
	__sync_fetch_and_add(&select_generation, 1);
	return select__task(task);
}

static __noinline int io__locate_ring(struct transfer *x, __u64 sk)
{
	io_ring__locate(x, sk);
	return 0;
}

static __always_inline void io__locate(struct transfer *x, __u64 sk)
{
	bool worker = x->task->flags & PF_IO_WORKER;

	payload__locate(x, sk);
	if (x->addr || x->dir != WS_DIR_IN || (!worker && !x->task->io_uring) || TASK_IS_32BIT(x->task))
		return;
	/* A call of its own, whose place among its messages is not known: no request of the ring. */
	if (worker || ARG_NR((struct pt_regs *)bpf_task_pt_regs(x->task)) != NR_RECVMMSG)
		io__locate_ring(x, sk);
}

/* `t` is NULL in a task that is not traced (yet). */
static __always_inline int io__transfer(struct sock *sk, int n, int flags, const enum ws_dir dir, struct ws_task *t)
{
	struct transfer x = {.task = bpf_get_current_task_btf(), .t = t, .wire_len = n, .dir = dir};
	struct tcp_sock *tp;
	bool adopted;

	if ((!t && !select_ports) || !sock__is_tcp(sk))
		return 0;
	if (!x.t)
		x.t = io__select_by_port(sk, x.task);
	tp = bpf_skc_to_tcp_sock(sk);
	if (!x.t || !tp)
		return 0;
	x.now = bpf_ktime_get_ns();
	x.s = bpf_sk_storage_get(&socks, sk, NULL, 0);
	adopted = !x.s;
	if (adopted)
		x.s = io__adopt(sk, tp);
	if (!x.s)
		return 0;
	if (dir == WS_DIR_IN)
		io__range_in(&x, tp);
	else
		io__range_out(&x, tp, (__u64)sk);
	if (x.s->life == SOCK_NEW)
		io__announce(&x, tp, adopted);
	emit__count(WS_CNT_bytes_wire, n);
	x.fill = emit__fill();
	if (!io__spend(&x)) {
		emit__count(WS_CNT_ignored, 1);
		return 0;
	}
	if (x.want && dir == WS_DIR_OUT && t && t->send_sock == (__u64)sk)
		payload__locate_send(&x);
	else if (x.want && !(dir == WS_DIR_IN && flags & MSG_TRUNC)) /* MSG_TRUNC: user memory is stale */
		io__locate(&x, (__u64)sk);
	if (x.want && !x.addr) {
		x.want = 0;
		x.cap = WS_CAP_NO_ADDRESS;
	}
	io__emit(&x);
	/* It was over before its owner had used it or read all: this is the end. */
	if (x.s->life == SOCK_ANNOUNCED && sk->__sk_common.skc_state == TCP_CLOSE && !sock__unread(tp))
		conn__close(tp, x.s, x.s->left_state ? x.s->left_state : TCP_CLOSE, x.now);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(io__sent, struct sock *sk, int ret, int flags)
{
	struct ws_task *t = select__task(bpf_get_current_task_btf());

	if (ret > 0)
		io__transfer(sk, ret, flags, WS_DIR_OUT, t);
	if (t)
		t->send_sock = 0; /* the next turn of tcp_sendmsg_locked starts another send */
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(io__received, struct sock *sk, int ret, int flags)
{
	if (ret <= 0 || flags & MSG_PEEK)
		return 0;
	return io__transfer(sk, ret, flags, WS_DIR_IN, select__task(bpf_get_current_task_btf()));
}

/*
 * splice() and the zero-copy getsockopt() read past sock_recv_length; what they took shows when the
 * window is adjusted. In other calls sock_recv_length follows and says it.
 */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(io__read_unseen, struct sock *sk)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 nr = ARG_NR((struct pt_regs *)bpf_task_pt_regs(task));
	struct ws_task *t;
	struct ws_sock *s;
	struct tcp_sock *tp;
	__s32 n;

	if ((nr != NR_SPLICE && nr != NR_GETSOCKOPT) || task->flags & (PF_KTHREAD | PF_IO_WORKER))
		return 0;
	t = select__task(task);
	tp = t ? bpf_skc_to_tcp_sock(sk) : NULL;
	s = tp ? bpf_sk_storage_get(&socks, sk, NULL, 0) : NULL;
	if (!s || !s->rx_known)
		return 0;
	n = sock__read_end(tp) - s->rx_next;
	return n > 0 ? io__transfer(sk, n, MSG_TRUNC, WS_DIR_IN, t) : 0;
}
