/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * handoff.bpf.h - which request a goroutine works for: the number that the request got when it was
 * read, handed on with the work from goroutine to goroutine.
 *
 * A goroutine that read a request owns it, whatever others hand to it. Every other one works for whoever
 * made it, or gave it its last piece of work. A value from somebody who works for another request may be
 * work, or a connection that the other one did not need: work comes again and again through the same
 * channel, into which its receiver does not send. All else makes it unknown, but an answer: what
 * comes from whom it gave something to. A reply works for the request whose call it answers: who reads
 * it hands it to whoever asked for it. That is who gave the call to its sender, if that was seen: others
 * may be handed something before it (net/http: the connection, which is free once a reply without a body
 * is read). If it was not, it is whom the reader hands something to first, unless it hands something to others,
 * before it reads again or that one gives it something: then it is not known, and user space is told so.
 */
#ifndef HANDOFF_BPF_H
#define HANDOFF_BPF_H

#include "context.bpf.h"
#include "conn.bpf.h"

struct handoff_key {
	__u64 g; /* address: runtime uses it again for a later goroutine, whose making resets the entry */
	__u32 tgid;
	__u32 time; /* ws_process.handoffs */
};

#define HANDOFF_CHANNELS 4

struct handoff_entry {
	__u64 cause; /* 0: not known */
	__u64 giver; /* goroutine that gave it something last, or made it */
	__u64 client; /* goroutine that gave it its last piece of work, if that has got nothing back yet */
	__u64 channels[HANDOFF_CHANNELS]; /* through which values of other causes have come */
	__u64 reply; /* socket cookie: it has read a reply there, and not handed it on */
	__u64 asker; /* `reply`: ws_sock.asker */
	__u64 tied;  /* `reply`: whom it has handed something to first, while the asker is not known */
	__u64 goid;	     /* 0: not known yet */
	__u64 armer; /* a timer has made it, that was set for this request; `cause` has WS_CAUSE_TIMER. Else 0 */
	__u8 owns;   /* it read the request itself */
	__u8 used;   /* it has sent, or handed on, since it was given `cause` */
	__u8 mixed;  /* it was given several without using them: it batches or queues, and is no longer followed */
	__u8 blind;  /* it took something from a queue: whose is not known */
	__u8 ties;   /* `reply`: who gets it tells whose call that was */
	__u8 sends;  /* bits: it sends into those channels itself */
	__u8 next;   /* of channels, to be forgotten */
	__u8 made;   /* `cause` is its maker's */
	__u8 given;  /* it was given something by `giver` and has sent no call since */
	__u8 completes; /* armer: it has given something to the goroutine that serves this request; */
	__u8 strays;	/* and to one that serves another */
	__u8 unused; /* it was given something of which that is not known, and has neither used it nor answered since */
	__u8 sure; /* it does one piece of work after the other, as far as has been seen */
	__u8 pad[3];
};

/* Not LRU: one that there is no room for is counted. User space removes those of processes that are followed no more. */
struct handoff_goroutines {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct handoff_key);
	__type(value, struct handoff_entry);
};

extern struct handoff_goroutines goroutines SEC(".maps");

static __always_inline struct handoff_entry *handoff__find(__u32 tgid, __u32 time, __u64 g)
{
	struct handoff_key key = {.g = g, .tgid = tgid, .time = time};

	return bpf_map_lookup_elem(&goroutines, &key);
}

/*
 * Only replies are followed, to requests' own goroutines: what others get from buffers, or who made them, is not seen.
 */
static __always_inline bool handoff__is_light(__u32 time)
{
	return time & WS_HANDOFFS_REPLIES;
}

static __always_inline struct handoff_entry *handoff__entry(__u32 tgid, __u32 time, __u64 g)
{
	struct handoff_key key = {.g = g, .tgid = tgid, .time = time};
	struct handoff_entry *e = bpf_map_lookup_elem(&goroutines, &key), fresh = {};

	if (e)
		return e;
	bpf_map_update_elem(&goroutines, &key, &fresh, BPF_NOEXIST);
	e = bpf_map_lookup_elem(&goroutines, &key);
	if (!e)
		emit__count(WS_CNT_goroutines_full, 1);
	return e;
}

/*
 * The same, of this goroutine: not of one that was at its address before. Where goroutines' makings are not seen, the address
 * alone does not tell, but its id.
 */
static __always_inline struct handoff_entry *handoff__entry_of(__u32 tgid, __u32 time, __u64 g, __u16 goid_offset)
{
	struct handoff_entry *e = handoff__entry(tgid, time, g);
	__u64 goid = 0;

	if (!e || !handoff__is_light(time))
		return e;
	bpf_probe_read_user(&goid, sizeof(goid), (void *)(g + goid_offset));
	if (!goid || e->goid == goid)
		return e;
	if (e->goid)
		__builtin_memset(e, 0, sizeof(*e));
	e->goid = goid;
	return e;
}

/* Not known any more; its own requests stay. */
static __always_inline void handoff__clear(struct handoff_entry *e)
{
	if (e->owns || e->armer)
		return;
	e->cause = 0;
	e->used = e->made = 0;
}

/* It was given something, and whose that is, is not known. */
static __always_inline void handoff__blind(struct handoff_entry *e)
{
	handoff__clear(e);
	e->blind = e->unused = 1;
}

static __always_inline int handoff__channel(const struct handoff_entry *e, __u64 channel)
{
	int i;

	for (i = 0; i < HANDOFF_CHANNELS; i++)
		if (e->channels[i] == channel)
			return i;
	return -1;
}

/* Does work come to it through this channel? Not where this is the first time, or where it sends there too. */
static __always_inline bool handoff__is_work(struct handoff_entry *e, __u64 channel)
{
	int i = handoff__channel(e, channel);

	if (i >= 0)
		return !(e->sends & 1 << i);
	i = e->next & (HANDOFF_CHANNELS - 1);
	e->channels[i] = channel;
	e->sends &= ~(1 << i);
	e->next = i + 1;
	return false;
}

static __always_inline void handoff__sends(struct handoff_entry *e, __u64 channel)
{
	int i = handoff__channel(e, channel);

	if (i >= 0)
		e->sends |= 1 << i;
}

/*
 * It gets a value. all: every send is seen, so that work can be told. If it has not used the last piece of
 * work, it does not do one after the other. Of one that is not known it may yet be the turn: then what it does next is
 * not known either.
 */
static __always_inline void handoff__give(struct handoff_entry *e, __u64 cause, __u64 giver, __u64 channel, bool all)
{
	bool work;

	if (e->owns)
		return;
	e->giver = giver;
	e->given = 1;
	if (e->tied == giver)
		e->reply = 0;
	e->unused |= !cause;
	if (e->cause == cause || e->armer)
		return;
	work = cause && handoff__is_work(e, channel);
	if (work)
		e->client = giver;
	if (work && all && !e->unused && e->sure) {
		e->mixed |= !e->used && e->cause;
		e->cause = cause;
		e->used = e->blind = e->made = 0;
		return;
	}
	handoff__blind(e);
}

/* What is known of the request that it works for; 0: nothing. */
static __always_inline __u64 handoff__cause(const struct handoff_entry *e, __u32 time)
{
	return handoff__is_light(time) && !e->owns ? 0 : e->cause;
}

/* What it does now is done for this request. */
static __always_inline __u64 handoff__use(struct handoff_entry *e, __u32 time)
{
	e->used = 1;
	e->unused = 0;
	return e->mixed ? 0 : handoff__cause(e, time);
}

static __always_inline __u64 handoff__request_read(struct ws_sock *s, struct handoff_entry *e, __u64 now)
{
	if (s->last_dir != WS_DIR_IN || !s->cause)
		s->cause = now << 6 | (bpf_get_smp_processor_id() & 63); /* unique: one at a time on a CPU */
	e->cause = s->cause;
	e->owns = 1;
	e->giver = 0;
	e->mixed = e->blind = e->unused = e->made = e->given = 0;
	return s->cause;
}

static __always_inline __u64 handoff__call_sent(struct ws_sock *s, struct handoff_entry *e, __u64 g, __u32 time)
{
	__u64 cause = handoff__use(e, time);

	/* Two calls without a reply between them: what answers which is not known here. */
	s->cause = s->last_dir == WS_DIR_OUT && s->cause != cause ? 0 : cause;
	s->blind = !cause && (e->blind || handoff__is_light(time));
	if (s->last_dir != WS_DIR_OUT || s->sender != g || e->given) /* else: more of the same call */
		s->asker = e->given ? e->giver : e->owns ? g : 0;
	s->sender = g;
	if (s->early) { /* nothing that is read from now on belongs to it */
		s->sender = s->asker = s->cause = 0;
		s->early = s->blind = 0;
	}
	e->given = 0;
	return cause;
}

static __always_inline __u64 handoff__reply_read(struct ws_sock *s, struct handoff_entry *e, __u64 g)
{
	if (!e->owns && !e->armer) {
		e->cause = s->cause;
		e->used = e->blind = e->unused = e->made = 0;
	}
	if (s->last_dir == WS_DIR_IN) {
		/* More of the same, or it is there before the end of the send that asked for it is seen. */
		if (s->reader == g && (e->reply != s->cookie || e->tied)) {
			s->early = 1;
			e->reply = 0;
		}
		return e->cause;
	}
	e->reply = s->sender != g && s->asker != g && !e->owns ? s->cookie : 0;
	e->asker = s->asker;
	e->tied = 0;
	e->ties = s->blind;
	s->reader = g;
	return e->cause;
}

/* Is it the reply, as far as is known, that this goroutine gets from e? */
static __always_inline bool handoff__replies(const struct handoff_entry *e, __u64 to_g)
{
	return e->reply && (!e->asker || to_g == e->asker);
}

/* Somebody else has been handed something before, and nobody knows who has asked. */
static __always_inline bool handoff__doubts(const struct handoff_entry *e, __u64 to_g)
{
	return !e->asker && e->tied && e->tied != to_g;
}

/* That goroutine has got the reply. */
static __always_inline void handoff__replied(struct handoff_entry *e, __u64 to_g)
{
	if (e->asker)
		e->reply = 0;
	else if (!e->tied)
		e->tied = to_g;
}

/* Called before the budget's turn is taken: s->last_dir is who spoke before. */
static __always_inline __u64 handoff__transfer(struct ws_sock *s, struct ws_task *t, struct task_struct *task, int dir,
					       __u64 now)
{
	struct handoff_entry *e;
	__u64 g;

	if (t->ctx_kind != WS_CTX_GO)
		return 0;
	g = context__go_g(task);
	e = g ? handoff__entry_of(bpf_get_current_pid_tgid() >> 32, t->handoffs, g, t->goid_offset) : NULL;
	if (!e)
		return 0;
	if (s->role == WS_ROLE_ACCEPTED)
		return dir == WS_DIR_IN ? handoff__request_read(s, e, now) : handoff__use(e, t->handoffs);
	return dir == WS_DIR_IN ? handoff__reply_read(s, e, g) : handoff__call_sent(s, e, g, t->handoffs);
}

#endif
