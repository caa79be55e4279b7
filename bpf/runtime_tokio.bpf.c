// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * runtime_tokio.bpf.c - tasks of tokio: whose turn it is on a thread, who wakes whom, who makes whom.
 *
 * Attached by user space to selected programs while they serve and calls of theirs have no parent, at functions of
 * tokio::runtime (1.x) that are compiled once, whatever the futures are (user/attach/tokio.c). The first field of a
 * task's header is its State, so the addresses of both are the same.
 *
 *   task::state::State::transition_to_running(&self)   a turn of the task begins (Future::poll),
 *   task::state::State::transition_to_idle(&self)      ends,
 *   task::state::State::transition_to_complete(&self)  and was the last one
 *   task::waker::wake_by_ref(header), wake_by_val      somebody wakes the task
 *   multi_thread::worker::Handle::schedule_task(&self, header, ..), schedule_option_task_without_yield(&self, header)
 *   current_thread: Schedule::schedule(&self, header)  it is queued: because somebody wakes it, or has made it
 *
 * What a thread does between turns, as what epoll tells, is nobody's.
 */
#include "tokio.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define TOKIO_ARG1(r) ((r)->di)
#define TOKIO_ARG2(r) ((r)->si)
#elif defined(__TARGET_ARCH_arm64)
#define TOKIO_ARG1(r) ((r)->regs[0])
#define TOKIO_ARG2(r) ((r)->regs[1])
#endif

/* The state of the current thread, if it is one of a process that is followed. */
static __always_inline struct ws_task *tokio__thread(void)
{
	struct ws_task *t = select__task(task__current());

	return t && t->ctx_kind == WS_CTX_TOKIO && t->handoffs ? t : NULL;
}

SEC("uprobe")
int tokio__runs(struct pt_regs *regs)
{
	struct ws_task *t = tokio__thread();
	struct tokio_task *e;

	if (!t)
		return 0;
	t->tokio_task = TOKIO_ARG1(regs);
	e = tokio__find(t->tokio_task, t);
	if (!e)
		return 0;
	__builtin_memcpy(e->now, e->next, sizeof(e->now));
	__builtin_memset(e->next, 0, sizeof(e->next));
	e->runs = 1;
	e->sent = 0;
	return 0;
}

SEC("uprobe")
int tokio__idle(struct pt_regs *regs)
{
	struct ws_task *t = tokio__thread();
	struct tokio_task *e = t ? tokio__find(t->tokio_task, t) : NULL;

	if (e)
		e->runs = 0;
	if (t)
		t->tokio_task = 0;
	return 0;
}

SEC("uprobe")
int tokio__ends(struct pt_regs *regs)
{
	struct ws_task *t = tokio__thread();
	struct tokio_key key = {.task = TOKIO_ARG1(regs), .tgid = bpf_get_current_pid_tgid() >> 32};
	struct tokio_task *e;

	if (!t)
		return 0;
	t->tokio_task = 0;
	key.time = t->handoffs;
	e = bpf_map_lookup_elem(&tokio_tasks, &key);
	if (!e)
		return 0;
	if (e->armer && e->used && !e->several)
		context__handed(regs, e->cause, e->armer, 0);
	bpf_map_delete_elem(&tokio_tasks, &key);
	return 0;
}

/* Of tasks that were made for a request: does this one, or that, work for another as well? */
static __always_inline void tokio__mix(struct tokio_task *by, struct tokio_task *of)
{
	__u64 woken = tokio__request(of), wakes = tokio__request(by);

	/* But for what it has asked for itself. */
	if (of->armer && wakes != of->armer && !causes__have(by->asked, of->cause))
		of->several = 1;
	/* But for those who send for others. */
	if (by->armer && woken && woken != by->armer && !of->call)
		by->several = 1;
}

/* It has woken others than who works for one request. */
static __always_inline void tokio__doubt(void *ctx, struct tokio_task *e, __u64 request)
{
	if (e->told)
		context__handed(ctx, e->call, 0, 0);
	if (request && e->wakes != TOKIO_MANY && !e->batches) {
		e->batches = 1;
		if (e->armer && e->sends)
			context__handed(ctx, e->cause, 0, 0);
	}
	e->told = 0;
	e->wakes = TOKIO_MANY;
}

/* by, which sends what others ask for, wakes `of` (or somebody who is not known), having read of a reply. */
static __always_inline void tokio__reply(void *ctx, struct tokio_task *by, struct tokio_task *of)
{
	__u64 request = of ? tokio__request(of) : 0, gets = of ? tokio__cause(of) : 0;

	if (!request || (by->wakes && by->wakes != request)) {
		tokio__doubt(ctx, by, request);
		return;
	}
	by->wakes = request;
	if (by->batches || by->told || !causes__have(by->asked, gets))
		return;
	by->told = of->used = 1;
	context__handed(ctx, by->call, gets, 0);
}

/* by, whose turn it is, wakes `of`. */
static __always_inline void tokio__wake(struct tokio_task *by, struct tokio_task *of)
{
	__u64 asks = tokio__cause(by);

	if (asks) {
		causes__add(of->next, asks);
		if (of->runs) /* it may find what it was woken for in this very turn */
			causes__add(of->now, asks);
		if (of->runs && of->sent)
			causes__add(of->asked, asks);
	}
	tokio__mix(by, of);
}

SEC("uprobe")
int tokio__wakes(struct pt_regs *regs)
{
	struct ws_task *t = tokio__thread();
	struct tokio_task *by, *of;
	__u64 woken = TOKIO_ARG1(regs);

	if (!t)
		return 0;
	t->tokio_woken = woken;
	if (!t->tokio_task || t->tokio_task == woken)
		return 0;
	of = tokio__find(woken, t);
	by = tokio__find(t->tokio_task, t);
	if (by && of)
		tokio__wake(by, of);
	else if (of && of->armer)
		of->several = 1;
	if (by && by->call && by->replied)
		tokio__reply(regs, by, of);
	return 0;
}

/* A task that was not woken before is new: whoever runs has made it. */
SEC("uprobe")
int tokio__queues(struct pt_regs *regs)
{
	struct ws_task *t = tokio__thread();
	struct tokio_key key = {.task = TOKIO_ARG2(regs), .tgid = bpf_get_current_pid_tgid() >> 32};
	struct tokio_task fresh = {}, *by;

	if (!t)
		return 0;
	if (t->tokio_woken == key.task) {
		t->tokio_woken = 0;
		return 0;
	}
	if (!t->tokio_task || t->tokio_task == key.task)
		return 0;
	key.time = t->handoffs;
	by = tokio__find(t->tokio_task, t);
	fresh.armer = by ? tokio__request(by) : 0;
	if (!fresh.armer) {
		bpf_map_delete_elem(&tokio_tasks, &key);
		return 0;
	}
	fresh.cause = WS_CAUSE_TIMER | tokio__number(bpf_ktime_get_ns());
	fresh.next[0] = tokio__cause(by);
	if (bpf_map_update_elem(&tokio_tasks, &key, &fresh, BPF_ANY))
		emit__count(WS_CNT_tokio_tasks_full, 1);
	return 0;
}
