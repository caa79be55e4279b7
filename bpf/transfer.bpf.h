/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * transfer.bpf.h - one transfer, whatever plan saw it: its connection, its range, its budget, its record.
 *
 * Ranges: sent are [write_seq - n, write_seq), read are [copied_seq - n, copied_seq), less a FIN.
 */
#ifndef TRANSFER_BPF_H
#define TRANSFER_BPF_H

#include "handoff.bpf.h"
#include "io_ring.bpf.h"
#include "node.bpf.h"
#include "shed.bpf.h"
#include "tokio.bpf.h"

/* What a hook has seen: a transfer, or one of several that a call made. */
struct part {
	void *ctx; /* of the program */
	__u32 n; /* bytes */
	__u32 flags; /* MSG_... */
	__u32 after; /* bytes that the same call moved after these */
	__u32 pad;
	__u64 msghdr; /* address of its user_msghdr; 0: as the registers say */
	__u64 iter; /* address of the iov_iter that has received; 0: as the registers say */
	__u64 start_ns; /* of the call; 0: as io__send_starts says */
};

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
	__u64 read = AT(tp, bytes_received) - (AT(tp, rcv_nxt) - start);
	__u64 sent = AT(tp, bytes_acked) + (start - AT(tp, snd_una));

	/* bytes_acked counts the SYN of a connect() (tcp_snd_una_update), bytes_received no FIN. */
	return dir == WS_DIR_IN ? AT(tp, bytes_acked) <= 1 && read + 1 <= 2 : sent <= 1 && AT(tp, bytes_received) == 0;
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

/* By itself, for the stack: 512 bytes are all that a chain of calls may have. */
static __noinline int io__announce(struct transfer *x, struct tcp_sock *tp, bool adopted)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct conn_news news = {.now = x->now, .origin = WS_ORIGIN_NEW};
	struct ws_actor actor;

	/* rcvq_space.time is the instant of ESTABLISHED until the first read (6.18, FACTS section 7). */
	if (adopted && !io__is_first(tp, x->dir, x->seq))
		news.origin = WS_ORIGIN_EXISTING;
	else if (adopted)
		x->s->established_ns = AT(tp, rcvq_space.time) * 1000;
	context__fill(&actor, x->task, x->t, x->user_ctx);
	news.snd_seq = x->dir == WS_DIR_OUT ? x->seq : sock__sent_end(tp, AT(sk, __sk_common.skc_state));
	news.rcv_seq = x->dir == WS_DIR_IN ? x->seq : sock__read_end(tp);
	conn__announce(x->ctx, tp, x->s, &actor, &news);
	return 0;
}

/* struct file had a list until 5.11 (commit 319c15174757). */
struct file___5_10 {
	struct list_head f_ep_links;
};

/* Is the socket in an epoll set? Its reader is then an event loop rather than a thread that waits for it. */
static __always_inline bool io__watched(struct tcp_sock *tp)
{
	struct socket *so = AT(tp, inet_conn.icsk_inet.sk.sk_socket);
	struct file *f = so ? AT(so, file) : NULL;
	struct file___5_10 *old;

	if (!f)
		return false;
	if (bpf_core_field_exists(f->f_ep))
		return AT(f, f_ep) != NULL;
	old = (void *)f;
	return BPF_CORE_READ(old, f_ep_links.next) != (void *)old + bpf_core_field_offset(old->f_ep_links);
}

/* The range of a read. rx_next settles what a FIN makes ambiguous. */
static __always_inline void io__range_in(struct transfer *x, struct tcp_sock *tp)
{
	struct ws_sock *s = x->s;
	__u32 seq = AT(tp, copied_seq) - x->after - x->wire_len;

	if (s->rx_known && seq - s->rx_next <= 1)
		seq = s->rx_next;
	else
		seq = sock__read_end(tp) - x->after - x->wire_len;
	s->rx_next = seq + x->wire_len;
	s->rx_known = 1;
	x->seq = seq;
	x->start_ns = io__arrival(s, seq, s->rx_next);
	x->watched = io__watched(tp);
}

static __always_inline void io__range_out(struct transfer *x, struct tcp_sock *tp, __u64 sk)
{
	x->seq = sock__sent_end(tp, AT(tp, inet_conn.icsk_inet.sk.__sk_common.skc_state)) - x->after - x->wire_len;
	if (!x->start_ns)
		x->start_ns = x->t->send_sock == sk ? x->t->send_start_ns : 0;
	if (x->t->ctx_kind == WS_CTX_PYTHON && x->t->handoffs)
		x->watched = io__watched(tp);
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
	__u32 may = 0, head = shed_head;

	if (s->last_dir != x->dir) {
		s->last_dir = x->dir;
		if (s->budget_generation != budget_generation)
			io__look_up_budget(s);
		f->left = f->budget.head_bytes;
		if (head && f->left > head)
			f->left = head;
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
		/* What was left out for load teaches nobody a larger head. */
		x->cap = head && f->budget.mode == WS_BUDGET_HEAD && f->budget.head_bytes > head ? WS_CAP_LOAD : WS_CAP_BUDGET;
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
	d->head.flags = shed__flags(x);
	d->conn = x->s->cookie;
	context__fill(&d->actor, x->task, x->t, x->user_ctx);
	d->actor.cause = x->cause;
	d->start_ns = x->start_ns;
	d->seq = x->seq;
	d->wire_len = x->wire_len;
	d->cap_len = 0;
	d->dir = x->dir;
	d->cap = x->cap;
	d->watched = x->watched;
	d->polls = x->t->polls;
}

/* Why bytes are missing, counted for records that are made; lost ones have their own counter. */
static __always_inline void io__count(const struct transfer *x, __u32 cap_len, __u8 cap)
{
	if (cap_len)
		emit__count(WS_CNT_bytes_captured, cap_len);
	if (cap == WS_CAP_LOAD)
		emit__count(WS_CNT_sampled_heads, 1);
	if (cap <= WS_CAP_BUDGET || cap == WS_CAP_LOAD)
		return;
	if (cap == WS_CAP_SHED) {
		emit__count(WS_CNT_shed_payload, 1);
		emit__count(WS_CNT_shed_bytes, x->shed);
	} else {
		emit__count(cap == WS_CAP_MAX	? WS_CNT_cut_max :
			    cap == WS_CAP_NO_ADDRESS ? WS_CNT_no_address :
							  WS_CNT_fault, 1);
	}
}

/* One class of record: `room` bytes of payload, reserved twice for a vector (see payload__gather). */
static __always_inline int io__emit_class(const struct transfer *x, const __u64 room, const bool vector)
{
	struct ws_rec_data *d = emit__reserve(WS_REC_DATA, sizeof(*d) + (vector ? 2 * room : room));
	__u32 cap_len;
	__u8 cap;

	if (!d) {
		__sync_fetch_and_add(&x->s->flow[x->dir & 1].lost, 1);
		return 0;
	}
	io__fill(d, x);
	if (vector)
		payload__gather(d, x, room);
	else if (room)
		payload__copy(d, x, room);
	cap_len = d->cap_len;
	cap = d->cap;
	d->head.size = sizeof(*d) + cap_len;
	if (emit__submit(x->ctx, d, WS_REC_DATA, x->fill, x->now) == 0)
		io__count(x, cap_len, cap);
	else
		__sync_fetch_and_add(&x->s->flow[x->dir & 1].lost, 1);
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
	if (!select__wants_port(AT(sk, __sk_common.skc_num)) || !sock__listener(sk) || select__add(OF(task, tgid), 0))
		return NULL;
	__sync_fetch_and_add(&select_generation, 1);
	return select__task(task);
}

static __noinline int io__locate_ring(struct transfer *x, __u64 sk)
{
	io_ring__locate(x, sk);
	return 0;
}

static __noinline int io__locate_iter(struct transfer *x, __u64 iter)
{
	struct iov_iter it;

	if (bpf_probe_read_kernel(&it, sizeof(it), (void *)iter) == 0)
		payload__locate_behind(x, &it);
	return 0;
}

/* `iter`: struct part. Behind too many vectors it does not show their beginning, and the registers may. */
static __always_inline void io__locate(struct transfer *x, __u64 sk, __u64 iter)
{
	bool worker = OF(x->task, flags) & PF_IO_WORKER;

	if (iter)
		io__locate_iter(x, iter);
	if (x->addr)
		return;
	payload__locate(x, sk);
	if (x->addr || x->dir != WS_DIR_IN || (!worker && !OF(x->task, io_uring)) || TASK_IS_32BIT(x->task))
		return;
	/* A call of its own, whose place among its messages is not known: no request of the ring. */
	if (worker || ARG_NR(task__regs(x->task)) != NR_RECVMMSG)
		io__locate_ring(x, sk);
}

static __noinline __u64 io__cause(const struct transfer *x)
{
	if (x->t->ctx_kind == WS_CTX_NODE)
		return node__transfer(x->task, x->t, x->dir, x->now);
	if (x->t->ctx_kind == WS_CTX_TOKIO)
		return tokio__transfer(x->s, x->t, x->dir, x->now);
	return handoff__transfer(x->s, x->t, x->task, x->dir, x->now);
}

static __always_inline void io__identify_python(struct transfer *x)
{
	__u64 tgid = bpf_get_current_pid_tgid() >> 32, item = 0;

	if (!x->t->polls && !x->t->serves && x->s->role == WS_ROLE_CONNECTED)
		item = python__item(tgid, x->t->python);
	x->user_ctx = item ? item : python__sends(tgid, x->s->cookie, x->user_ctx, x->watched);
}

/* Once a transfer, and not from deeper down: the walks through runtimes want a stack of their own. */
static __noinline int io__identify(struct transfer *x)
{
	x->user_ctx = context__user(x->task, x->t);
	if (x->t->ctx_kind == WS_CTX_PYTHON && x->t->handoffs && x->dir == WS_DIR_OUT)
		io__identify_python(x);
	if (x->t->ctx_kind == WS_CTX_JAVA && x->user_ctx & WS_USER_VIRTUAL && x->s->role == WS_ROLE_CONNECTED)
		x->cause = java__awaits(bpf_get_current_pid_tgid() >> 32, (__u32)bpf_get_current_pid_tgid(), x->t->java);
	return 0;
}

/* `t` is NULL in a task that is not traced (yet). */
static __always_inline int io__transfer(struct sock *sk, const struct part *p, const enum ws_dir dir, struct ws_task *t)
{
	struct transfer x = {.task = task__current(), .t = t, .wire_len = p->n, .after = p->after, .dir = dir,
			     .start_ns = p->start_ns, .ctx = p->ctx};
	struct tcp_sock *tp;
	bool adopted;

	if ((!t && !select_ports) || !sock__is_tcp(sk))
		return 0;
	if (!x.t)
		x.t = io__select_by_port(sk, x.task);
	tp = sock__tcp(sk);
	if (!x.t || !tp)
		return 0;
	x.now = bpf_ktime_get_ns();
	x.s = sock__get(sk);
	adopted = !x.s;
	if (adopted)
		x.s = io__adopt(sk, tp);
	if (!x.s)
		return 0;
	if (dir == WS_DIR_IN)
		io__range_in(&x, tp);
	else
		io__range_out(&x, tp, (__u64)sk);
	if (x.s->role == WS_ROLE_ACCEPTED)
		x.t->serves = dir == WS_DIR_IN;
	else
		x.t->calls = 1;
	if (x.t->handoffs)
		x.cause = io__cause(&x);
	emit__count(WS_CNT_bytes_wire, p->n);
	if (shed__hides(&x))
		goto over;
	if (x.t->ctx_kind != WS_CTX_THREAD)
		io__identify(&x);
	if (x.s->life == SOCK_NEW)
		io__announce(&x, tp, adopted || x.s->shed);
	x.fill = emit__fill();
	if (!io__spend(&x)) {
		emit__count(WS_CNT_ignored, 1);
		return 0;
	}
	if (x.want && p->msghdr)
		payload__locate_msghdr(&x, p->msghdr);
	else if (x.want && dir == WS_DIR_OUT && t && t->send_sock == (__u64)sk)
		payload__locate_send(&x);
	else if (x.want && !(p->flags & MSG_TRUNC && dir == WS_DIR_IN)) /* MSG_TRUNC: user memory is stale */
		io__locate(&x, (__u64)sk, p->iter);
	if (x.want && !x.addr) {
		x.want = 0;
		x.cap = WS_CAP_NO_ADDRESS;
	}
	io__emit(&x);
over:
	/* It was over before its owner had used it or read all: this is the end. */
	if (x.s->life == SOCK_ANNOUNCED && AT(sk, __sk_common.skc_state) == TCP_CLOSE && !sock__unread(tp))
		conn__close(x.ctx, tp, x.s, x.s->left_state ? x.s->left_state : TCP_CLOSE, x.now);
	return 0;
}

/* n: bytes sent, or -errno. */
static __always_inline int io__send_ends(void *ctx, struct sock *sk, int n, struct ws_task *t)
{
	struct part p = {.ctx = ctx, .n = n};

	if (n > 0)
		io__transfer(sk, &p, WS_DIR_OUT, t);
	if (t)
		t->send_sock = 0; /* the next turn of tcp_sendmsg_locked starts another send */
	return 0;
}

#endif
