/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * tokio.bpf.h - which request a task of tokio works for, and who has asked for a call.
 *
 * A task that reads requests of one connection, and of no other, makes the calls that it sends for the one that it read
 * last (hyper serves HTTP/1 so). A task that such a one makes works for its request if, when it has ended, no
 * other request's task has woken it, and it none.
 *
 * Every other task sends what others ask for (hyper's, of a connection to a server). Whose call it is must be told
 * twice: somebody who works for the request woke the task for the very turn (poll) in which it sent the call, and
 * once it has read of the reply it wakes somebody who works for that request, and nobody else. One that has woken
 * others as well may send calls for many together, and is never believed again: who was not waiting yet is not woken.
 */
#ifndef TOKIO_BPF_H
#define TOKIO_BPF_H

#include "conn.bpf.h"
#include "context.bpf.h"

#define TOKIO_WAKERS 4
#define TOKIO_MANY (~0ull) /* in the last place: there were more */

struct tokio_key {
	__u64 task; /* address of its header, which lives as long as the task does */
	__u32 tgid;
	__u32 time; /* ws_process.handoffs */
};

struct tokio_task {
	__u64 cause;  /* of the request that it has read; WS_CAUSE_TIMER and a number of its own, if it was made for one */
	__u64 armer;  /* it was made for this request; 0: for none */
	__u64 conn;   /* socket cookie: it reads requests there; 0: it reads none */
	__u64 call;   /* socket cookie: there it has sent what others asked for; 0: nowhere yet */
	__u64 wakes; /* the request of whom it has woken since it has read of the reply */
	__u64 now[TOKIO_WAKERS], next[TOKIO_WAKERS]; /* causes of those who have woken it for this turn; for the next one */
	__u64 asked[TOKIO_WAKERS]; /* for that in which it sent the call */
	__u8 runs;    /* it is in a turn, */
	__u8 sent;    /* in which it has sent a call */
	__u8 replied; /* it has read of the reply to that */
	__u8 told;    /* and user space knows to whom that went */
	__u8 batches; /* it has woken others after a reply as well */
	__u8 several; /* it works for several, or for whom is not known */
	__u8 used;    /* its own number was told to user space: */
	__u8 sends;   /* with a call that it sent itself */
};

/* Not LRU: one that there is no room for is counted. User space removes those of processes that are followed no more. */
struct tokio_tasks {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct tokio_key);
	__type(value, struct tokio_task);
};

extern struct tokio_tasks tokio_tasks SEC(".maps");

static __always_inline struct tokio_task *tokio__find(__u64 task, const struct ws_task *t)
{
	struct tokio_key key = {.task = task, .tgid = bpf_get_current_pid_tgid() >> 32, .time = t->handoffs};

	return task ? bpf_map_lookup_elem(&tokio_tasks, &key) : NULL;
}

static __always_inline struct tokio_task *tokio__entry(__u64 task, const struct ws_task *t)
{
	struct tokio_key key = {.task = task, .tgid = bpf_get_current_pid_tgid() >> 32, .time = t->handoffs};
	struct tokio_task *e = tokio__find(task, t), fresh = {};

	if (e || !task)
		return e;
	if (bpf_map_update_elem(&tokio_tasks, &key, &fresh, BPF_NOEXIST))
		emit__count(WS_CNT_tokio_tasks_full, 1);
	return bpf_map_lookup_elem(&tokio_tasks, &key);
}

/* For whom it works, or the number that stands for itself; 0: not known. */
static __always_inline __u64 tokio__cause(const struct tokio_task *e)
{
	return e->several ? 0 : e->cause;
}

/* The request that it works for; 0: none, or not known. */
static __always_inline __u64 tokio__request(const struct tokio_task *e)
{
	return e->several ? 0 : e->armer ? e->armer : e->conn ? e->cause : 0;
}

static __always_inline void causes__add(__u64 v[TOKIO_WAKERS], __u64 cause)
{
	int i;

	for (i = 0; i < TOKIO_WAKERS; i++) {
		if (v[i] == cause)
			return;
		if (!v[i]) {
			v[i] = cause;
			return;
		}
	}
	v[TOKIO_WAKERS - 1] = TOKIO_MANY;
}

static __always_inline void causes__add_all(__u64 v[TOKIO_WAKERS], const __u64 of[TOKIO_WAKERS])
{
	int i;

	for (i = 0; i < TOKIO_WAKERS; i++)
		if (of[i])
			causes__add(v, of[i]);
}

static __always_inline bool causes__have(const __u64 v[TOKIO_WAKERS], __u64 cause)
{
	int i;

	for (i = 0; i < TOKIO_WAKERS && v[TOKIO_WAKERS - 1] != TOKIO_MANY; i++)
		if (cause && v[i] == cause)
			return true;
	return false;
}

static __always_inline __u64 tokio__number(__u64 now)
{
	return now << 6 | (bpf_get_smp_processor_id() & 63); /* unique: one at a time on a CPU */
}

static __always_inline __u64 tokio__request_read(struct ws_sock *s, struct tokio_task *e, __u64 now)
{
	if (s->last_dir != WS_DIR_IN || !s->cause)
		s->cause = tokio__number(now);
	if (e->armer || (e->conn && e->conn != s->cookie))
		e->several = 1;
	e->armer = 0;
	e->conn = s->cookie;
	e->cause = s->cause;
	return s->cause;
}

static __always_inline __u64 tokio__call_sent(struct ws_sock *s, struct tokio_task *e)
{
	if (e->conn && !e->several)
		return e->cause;
	if (e->call != s->cookie || s->last_dir != WS_DIR_OUT) {
		e->call = s->cookie;
		e->wakes = 0;
		e->replied = e->told = 0;
		__builtin_memcpy(e->asked, e->now, sizeof(e->asked));
	} else { /* more of the same call, or another one before a reply to it */
		causes__add_all(e->asked, e->now);
	}
	e->sent = 1;
	if (!e->armer || e->several)
		return 0;
	e->used = e->sends = 1;
	return e->cause;
}

/* ws_actor.cause of the transfer. Called before the budget's turn is taken: s->last_dir is who spoke before. */
static __always_inline __u64 tokio__transfer(struct ws_sock *s, struct ws_task *t, int dir, __u64 now)
{
	bool accepted = s->role == WS_ROLE_ACCEPTED;
	struct tokio_task *e;

	e = dir == (accepted ? WS_DIR_IN : WS_DIR_OUT) ? tokio__entry(t->tokio_task, t) : tokio__find(t->tokio_task, t);
	if (!e)
		return 0;
	if (accepted)
		return dir == WS_DIR_IN ? tokio__request_read(s, e, now) : tokio__cause(e);
	if (dir == WS_DIR_OUT)
		return tokio__call_sent(s, e);
	e->replied |= e->call == s->cookie;
	return 0;
}

#endif
