// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * runtime_go.bpf.c - hand-offs between goroutines, seen at four functions of Go's runtime.
 *
 * Attached by user space to selected Go programs while they serve (user/attach/runtime.c), at an
 * instruction that the kernel emulates, before which the arguments still are in the registers of Go's
 * ABIInternal (1.17; cmd/compile/abi-internal.md): AX, BX, CX, ...; the current g is in R14. What is
 * read are offsets that have been the same in Go 1.19 to 1.26, but for m.curg (user/meta/golang.c).
 *
 *   runtime.send(c, sg, ep, ...)      a receiver waits: it gets the value. Under c's lock
 *   runtime.recv(c, sg, ep, ...)      a sender waits: we get its value, or the oldest of the buffer
 *                                     These two alone tie replies to who asked for them; where that leaves calls
 *                                     without a parent, more are attached:
 *   runtime.typedmemclr(typ, ptr)     where chanrecv and selectgo call it: a value was taken from a channel's buffer
 *   runtime.gostartcallfn(gobuf, fn)  a goroutine is made, on the system stack of its maker's thread
 *   runtime.chansend(c, ep, block)    a value is about to be sent; attached only where values wait in buffers
 *   time.AfterFunc(d, f)              a timer is set; f comes back as gostartcallfn's fn (goFunc: `go f()`)
 *   runtime.goexit1()                 a goroutine ends
 *
 * What waits in a buffer is known again by its bytes, most often pointers. Only for a second: they may come
 * again in a send that is not seen (selectgo's), after one that failed.
 */
#include "batch.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define GO_ARG1(r) ((r)->ax)
#define GO_ARG2(r) ((r)->bx)
#define GO_G(r) ((r)->r14)
#define GO_ARG3(r) ((r)->cx)
#elif defined(__TARGET_ARCH_arm64)
#define GO_ARG1(r) ((r)->regs[0])
#define GO_ARG2(r) ((r)->regs[1])
#define GO_G(r) ((r)->regs[28])
#define GO_ARG3(r) ((r)->regs[2])
#endif

#define VALUE_WORDS 4 /* of a value that is sent, compared */
#define VALUE_LEAST 65536 /* smaller ones are no pointers */
#define VALUE_NS 1000000000ull
#define TIMER_SIZE 0xffffffffu /* go_value: words[0] is what a timer is to run, in its time */
#define TIMER_NS 60000000000ull /* those of longer time are let go */

struct go_value {
	__u32 tgid;
	__u32 size;
	__u64 words[VALUE_WORDS];
};

struct go_sent {
	__u64 cause, sender, channel;
	__u32 n;     /* so many of them are under way */
	__u32 mixed; /* of different causes */
	__u64 time_ns; /* of the last of them */
};

/* User space removes what has waited for longer than VALUE_NS. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct go_value);
	__type(value, struct go_sent);
} go_values SEC(".maps");

#define HCHAN_QCOUNT 0
#define HCHAN_DATAQSIZ 8
#define HCHAN_BUF 16
#define HCHAN_ELEMSIZE 24
#define SUDOG_G 0
#define G_M 48
#define G_SCHED 56
#define M_G0 0

static __always_inline __u64 user__word(__u64 at)
{
	__u64 v = 0;

	bpf_probe_read_user(&v, sizeof(v), (void *)at);
	return v;
}

/* The process, if hand-offs are followed in it. */
static __always_inline struct ws_process *go__process(__u32 *tgid)
{
	struct ws_process *p;

	*tgid = bpf_get_current_pid_tgid() >> 32;
	p = bpf_map_lookup_elem(&processes, tgid);
	return p && p->selected && p->handoffs ? p : NULL;
}

/* A value goes from one goroutine to the other. */
struct handing {
	struct handoff_entry *from, *to;
	__u64 from_g, to_g, channel;
	__u16 size;
	bool all; /* every send is seen */
	__u32 tgid, time;
};

static __always_inline void go__completes(void *ctx, const struct handing *h)
{
	struct handoff_key key = {.g = h->from_g, .tgid = h->tgid, .time = h->time};
	struct batch *b = batch__completes(&key, h->to->cause, h->to_g);

	if (b)
		context__handed(ctx, b->conn, h->to->cause,
				((bpf_ktime_get_ns() - b->replied_ns + 1) >> WS_BATCH_SHIFT) + 1);
}

static __always_inline void go__hand(void *ctx, const struct handing *h)
{
	struct handoff_entry *from = h->from, *to = h->to;
	__u64 cause = handoff__cause(from, h->time), works_for = handoff__cause(to, h->time);
	bool reply = handoff__replies(from, h->to_g);
	struct handoff_key key = {.g = h->to_g, .tgid = h->tgid, .time = h->time};

	handoff__sends(from, h->channel);
	if (from->armer && to->owns) {
		from->completes |= to->cause == from->armer;
		from->strays |= to->cause != from->armer;
	}
	if (reply && h->size && handoff__doubts(from, h->to_g)) {
		if (from->ties)
			context__handed(ctx, from->reply, 0, 0);
		from->reply = reply = 0;
	}
	if (from->mixed && to->cause)
		go__completes(ctx, h);
	if (reply && to->mixed)
		batch__replied(&key, from->reply);
	if (from->client == h->to_g && !reply) {
		from->sure |= h->all;
		from->client = 0;
	}
	if (from->giver == h->to_g && !reply) { /* an answer, most often the last thing that it does for it */
		from->unused = 0;
		if (!from->made)
			handoff__clear(from);
		return;
	}
	if (!h->size) { /* a signal, which brings no work */
		if (to->cause != cause)
			handoff__clear(to);
		return;
	}
	if (reply && works_for && !to->mixed && works_for != cause) {
		/* That call was made for the request of who asked for it, or else we were wrong. */
		if (from->ties || cause)
			context__handed(ctx, from->reply, works_for, 0);
		handoff__replied(from, h->to_g);
		from->used = 1;
		if (!from->owns && !from->armer)
			from->cause = works_for;
		return;
	}
	if (reply)
		handoff__replied(from, h->to_g);
	cause = handoff__use(from, h->time);
	if (!cause && !reply) /* it may be another piece of work: what it gives back now does not tell that it does one after the other */
		to->client = 0;
	handoff__give(to, cause, h->from_g, h->channel, h->all);
	if (cause && to->mixed)
		batch__takes(&key, cause, h->from_g);
}

/* false: there is too little to tell it by, as in nil and true. */
static __always_inline bool go__value(struct go_value *v, __u32 tgid, __u64 at, __u64 size)
{
	__u64 any = 0;
	int i;

	v->tgid = tgid;
	v->size = size;
	if (size >= sizeof(v->words))
		bpf_probe_read_user(v->words, sizeof(v->words), (void *)at);
	else if (size)
		bpf_probe_read_user(v->words, size & (sizeof(v->words) - 1), (void *)at);
	for (i = 0; i < VALUE_WORDS; i++)
		any |= v->words[i];
	return any >= VALUE_LEAST;
}

static __always_inline struct go_sent *go__sent(const struct go_value *v, __u64 now)
{
	struct go_sent *sent = bpf_map_lookup_elem(&go_values, v);

	if (!sent || sent->time_ns + VALUE_NS > now) /* another CPU may have sent since */
		return sent;
	bpf_map_delete_elem(&go_values, v);
	return NULL;
}

/* One of these values has arrived. */
static __always_inline void go__arrived(const struct go_value *v, struct go_sent *sent)
{
	if (sent->n <= 1)
		bpf_map_delete_elem(&go_values, v);
	else
		__sync_fetch_and_add(&sent->n, -1);
}

/* Takes a value out of a buffer. */
static __always_inline void go__take(struct handoff_entry *e, const struct handoff_key *key, __u64 at, __u64 size)
{
	struct go_value v = {};
	struct go_sent *sent = go__value(&v, key->tgid, at, size) ? go__sent(&v, bpf_ktime_get_ns()) : NULL;

	if (!sent || sent->mixed) {
		handoff__blind(e);
		e->client = e->given = 0; /* as in go__hand() */
	} else if (sent->sender != key->g) {
		handoff__give(e, sent->cause, sent->sender, sent->channel, true);
		if (sent->cause && e->mixed)
			batch__takes(key, sent->cause, sent->sender);
	}
	if (sent)
		go__arrived(&v, sent);
}

/* A value that may have been expected to go through the buffer did not. */
static __always_inline void go__forget(__u32 tgid, __u64 at, __u64 size)
{
	struct go_value v = {};
	struct go_sent *sent = go__value(&v, tgid, at, size) ? bpf_map_lookup_elem(&go_values, &v) : NULL;

	if (sent)
		go__arrived(&v, sent);
}

static __always_inline __u16 channel__element(__u64 c)
{
	__u16 size = 0;

	bpf_probe_read_user(&size, sizeof(size), (void *)(c + HCHAN_ELEMSIZE));
	return size;
}

SEC("uprobe")
int go__send(struct pt_regs *regs)
{
	struct handing h = {.from_g = GO_G(regs), .to_g = user__word(GO_ARG2(regs) + SUDOG_G), .channel = GO_ARG1(regs)};
	struct ws_process *p = go__process(&h.tgid);

	if (!p || !h.to_g)
		return 0;
	h.from = handoff__entry_of(h.tgid, p->handoffs, h.from_g, p->goid_offset);
	h.to = handoff__entry_of(h.tgid, p->handoffs, h.to_g, p->goid_offset);
	if (!h.from || !h.to)
		return 0;
	h.size = channel__element(h.channel);
	h.all = p->stage >= WS_GO_SENDS;
	h.time = p->handoffs;
	if (h.all)
		go__forget(h.tgid, GO_ARG3(regs), h.size);
	go__hand(regs, &h);
	return 0;
}

SEC("uprobe")
int go__recv(struct pt_regs *regs)
{
	struct handing h = {.to_g = GO_G(regs), .from_g = user__word(GO_ARG2(regs) + SUDOG_G), .channel = GO_ARG1(regs)};
	struct ws_process *p = go__process(&h.tgid);
	struct ws_go_program *program;
	struct handoff_key key;

	if (!p || !h.from_g)
		return 0;
	h.to = handoff__entry_of(h.tgid, p->handoffs, h.to_g, p->goid_offset);
	h.from = handoff__entry_of(h.tgid, p->handoffs, h.from_g, p->goid_offset);
	program = bpf_map_lookup_elem(&go_programs, &h.tgid);
	if (!h.to || !h.from || !program)
		return 0;
	h.size = channel__element(h.channel);
	h.all = p->stage >= WS_GO_SENDS;
	h.time = p->handoffs;
	if (user__word(h.channel + HCHAN_DATAQSIZ)) { /* the buffer's oldest, which is not this sender's */
		handoff__sends(h.from, h.channel);
		key = (struct handoff_key){.g = h.to_g, .tgid = h.tgid, .time = h.time};
		go__take(h.to, &key,
			 user__word(h.channel + HCHAN_BUF) + user__word(h.channel + program->recvx) * h.size, h.size);
		return 0;
	}
	go__hand(regs, &h);
	return 0;
}

SEC("uprobe")
int go__dequeue(struct pt_regs *regs)
{
	struct handoff_key key;
	struct handoff_entry *e;
	struct ws_process *p;
	__u32 tgid;

	p = go__process(&tgid);
	if (!p)
		return 0;
	key = (struct handoff_key){.g = GO_G(regs), .tgid = tgid, .time = p->handoffs};
	e = handoff__entry(tgid, p->handoffs, key.g);
	if (e)
		go__take(e, &key, GO_ARG2(regs), user__word(GO_ARG1(regs)));
	return 0;
}

/*
 * A timer runs its function in a goroutine of its own, which nobody has made: it was set for a request. Whether it
 * works for that one is another matter (what several requests have put together may wait for it).
 */
static __always_inline void go__made_by_timer(struct handoff_entry *e, __u32 tgid, __u64 function)
{
	struct go_value v = {.tgid = tgid, .size = TIMER_SIZE, .words = {function}};
	struct go_sent *set = bpf_map_lookup_elem(&go_values, &v);

	if (!set)
		return;
	e->armer = set->cause;
	e->cause = WS_CAUSE_TIMER | bpf_ktime_get_ns() << 6 | (bpf_get_smp_processor_id() & 63);
	e->used = e->made = 1;
	bpf_map_delete_elem(&go_values, &v);
}

SEC("uprobe")
int go__create(struct pt_regs *regs)
{
	__u64 m = user__word(GO_G(regs) + G_M), g = user__word(m + M_G0) == GO_G(regs) ? 0 : GO_G(regs);
	struct handoff_key key = {.g = GO_ARG1(regs) - G_SCHED};
	struct handoff_entry fresh = {}, *maker;
	struct ws_process *p;
	__u32 tgid;

	p = go__process(&tgid);
	if (!p)
		return 0;
	if (!g) /* on the system stack */
		g = user__word(m + p->curg_offset);
	key.tgid = tgid;
	key.time = p->handoffs;
	fresh.sure = p->stage >= WS_GO_SENDS;
	maker = g ? handoff__find(tgid, p->handoffs, g) : NULL;
	if (maker) {
		fresh.cause = handoff__use(maker, p->handoffs);
		fresh.giver = g;
		fresh.used = fresh.made = 1;
	} else if (!g && p->stage >= WS_GO_TIMERS) {
		go__made_by_timer(&fresh, tgid, GO_ARG2(regs));
	}
	if (bpf_map_update_elem(&goroutines, &key, &fresh, BPF_ANY))
		emit__count(WS_CNT_goroutines_full, 1);
	return 0;
}

/* A send that does not wait, into a buffer that is full (select with a default): it sends nothing. */
static __always_inline bool channel__refuses(__u64 c, __u64 capacity, bool block)
{
	return !block && user__word(c + HCHAN_QCOUNT) >= capacity;
}

SEC("uprobe")
int go__sends(struct pt_regs *regs)
{
	struct go_sent *sent, fresh = {.n = 1, .sender = GO_G(regs), .channel = GO_ARG1(regs)};
	struct handoff_entry *e;
	struct go_value v = {};
	struct ws_process *p;
	__u64 capacity;
	__u32 tgid;

	p = go__process(&tgid);
	e = p ? handoff__entry(tgid, p->handoffs, fresh.sender) : NULL;
	if (!e)
		return 0;
	handoff__sends(e, fresh.channel);
	capacity = user__word(fresh.channel + HCHAN_DATAQSIZ);
	/* Of a bool only the register's low byte counts. */
	if (!capacity || channel__refuses(fresh.channel, capacity, GO_ARG3(regs) & 0xff) ||
	    !go__value(&v, tgid, GO_ARG2(regs), channel__element(fresh.channel)))
		return 0;
	fresh.cause = handoff__use(e, p->handoffs);
	fresh.time_ns = bpf_ktime_get_ns();
	sent = go__sent(&v, fresh.time_ns);
	if (!sent) {
		if (bpf_map_update_elem(&go_values, &v, &fresh, BPF_ANY))
			emit__count(WS_CNT_values_full, 1);
		return 0;
	}
	sent->mixed |= sent->cause != fresh.cause || sent->sender != fresh.sender || sent->channel != fresh.channel;
	sent->time_ns = fresh.time_ns;
	__sync_fetch_and_add(&sent->n, 1);
	return 0;
}

SEC("uprobe")
int go__timer(struct pt_regs *regs)
{
	struct go_sent fresh = {.n = 1, .sender = GO_G(regs)};
	struct go_value v = {.size = TIMER_SIZE, .words = {GO_ARG2(regs)}};
	struct handoff_entry *e;
	struct ws_process *p;

	p = go__process(&v.tgid);
	e = p && GO_ARG1(regs) < TIMER_NS ? handoff__find(v.tgid, p->handoffs, fresh.sender) : NULL;
	if (!e || !e->cause || e->mixed || e->armer)
		return 0;
	fresh.cause = e->cause;
	fresh.time_ns = bpf_ktime_get_ns() + GO_ARG1(regs);
	if (bpf_map_update_elem(&go_values, &v, &fresh, BPF_ANY))
		emit__count(WS_CNT_values_full, 1);
	return 0;
}

/* Of a timer's goroutine: has it, when all is done, worked for the request that it was set for, and for no other? */
SEC("uprobe")
int go__end(struct pt_regs *regs)
{
	struct handoff_entry *e;
	struct ws_process *p;
	__u32 tgid;

	p = go__process(&tgid);
	e = p ? handoff__find(tgid, p->handoffs, GO_G(regs)) : NULL;
	if (!e || !e->armer)
		return 0;
	if (e->completes && !e->strays)
		context__handed(regs, e->cause, e->armer, 0);
	e->armer = 0;
	return 0;
}
