// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * wake.bpf.c - "thread A, which has made calls, woke thread B, which waits inside a request".
 *
 * That is how a pool hands back a result: FutureTask's done, a condition variable, sem_post, the end
 * of a thread that is joined. Only wakes of a thread that waits on a futex, by a thread that is in the
 * call that wakes waiters of the same word; not those of a contended mutex. So it is a record or two a
 * task. Attached by user space once a process that serves makes calls on threads that read no
 * request: it costs every wake of the machine 0.05 to 0.1 us.
 */
#include "java.bpf.h"
#include "payload.bpf.h"

#define FUTEX_CMD_MASK 0x7f /* include/uapi/linux/futex.h, less FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME */
#define FUTEX_WAIT 0
#define MUTEX_CONTENDED 2 /* glibc's lll_lock: the value that it waits with */

/*
 * Words that threads wait on which make calls and serve nothing: of a pool. If one that serves waits on
 * the same word, it is no result that it waits for but a lock that all want, such as Python's GIL.
 */
struct wake_word {
	__u64 word;
	__u32 tgid, pad;
};

/* User space removes those of processes that are gone. */
struct wake_words {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct wake_word);
	__type(value, __u32); /* who waited: tid */
} wake_words SEC(".maps");

__u32 wake_full = 0; /* a word had no room: until user space has made some, none is known not to be a pool's */

/* What the task waits on; 0: on no futex, or for a mutex. */
static __always_inline __u64 wake__word(struct task_struct *task)
{
	struct pt_regs *regs = task__regs(task);

	if (ARG_NR(regs) != NR_FUTEX)
		return 0;
	if ((ARG_2(regs) & FUTEX_CMD_MASK) == FUTEX_WAIT && (__u32)ARG_3(regs) == MUTEX_CONTENDED)
		return 0;
	return ARG_FD(regs);
}

/* Is the current task waking waiters of this word, and no interrupt in its name? */
static __always_inline bool wake__by_futex(__u64 word)
{
	struct task_struct *me = task__current();
	struct pt_regs *regs = task__regs(me);
	__u64 nr = ARG_NR(regs);

	return nr == NR_FUTEX ? ARG_FD(regs) == word : nr == NR_EXIT; /* clear_child_tid: who joins waits on that */
}

/* In Java: at what task `by` is, and what `of` waits for. `by` is in HotSpot, so no object is moved meanwhile. */
static __always_inline void wake__java(struct ws_rec_tie *r, struct task_struct *by, struct ws_task *mine,
				       struct task_struct *of, struct ws_task *t)
{
	__u64 waits = java__found(of, t);

	r->by_ctx = java__task(by, mine);
	r->of_ctx = waits ? java__waits(OF(of, tgid), OF(of, pid), waits) : WS_JAVA_WAIT_UNKNOWN;
}

static __always_inline int wake__emit(void *ctx, struct ws_task *mine, struct task_struct *of, struct ws_task *t, __u64 word)
{
	struct task_struct *by = task__current();
	struct ws_rec_tie *r = emit__reserve(WS_REC_TIE, sizeof(*r));

	if (!r)
		return 0;
	emit__head(&r->head, WS_REC_TIE, sizeof(*r), bpf_ktime_get_ns());
	r->tgid = OF(of, tgid);
	r->what = WS_TIE_WOKE;
	r->by_tid = OF(by, pid);
	r->of_tid = OF(of, pid);
	r->by_ctx = r->of_ctx = 0;
	if (mine->ctx_kind == WS_CTX_JAVA)
		wake__java(r, by, mine, of, t);
	r->word = word;
	emit__submit_as(ctx, r, WS_REC_TIE, BPF_RB_NO_WAKEUP); /* a run queue is locked here */
	return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(wake__waking, struct task_struct *of)
{
	struct task_struct *me = task__current();
	struct wake_word w = {};
	struct ws_task *t, *mine;
	__u32 *other, tid;

	/* Most wakes are none of ours: what is cheap goes first. */
	if (OF(me, tgid) != OF(of, tgid) || select__passes(of))
		return 0;
	t = task__state(of, false);
	if (!t || !t->selected || (!t->serves && !t->calls))
		return 0;
	w.word = wake__word(of);
	w.tgid = OF(of, tgid);
	tid = OF(of, pid);
	if (!w.word || !wake__by_futex(w.word))
		return 0;
	other = bpf_map_lookup_elem(&wake_words, &w);
	if (!t->serves) {
		if (!other && bpf_map_update_elem(&wake_words, &w, &tid, BPF_ANY)) {
			emit__count(WS_CNT_words_full, 1);
			wake_full = 1;
		}
		return 0;
	}
	mine = task__state(me, false);
	if (!mine || !mine->calls || (other ? *other != tid : wake_full))
		return 0;
	return wake__emit(ctx, mine, of, t, w.word);
}
