// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * runtime_node.bpf.c - when Node.js begins to run a callback, and for which resource.
 *
 * Attached by user space to selected processes while they serve, at one function that every callback scope
 * passes: node::AsyncHooks::push_async_context(), called by the constructors of node::InternalCallbackScope
 * (src/api/callback.cc). The two ids are passed in registers that are out of reach; but the scope, which holds
 * them too, is on the stack, and one of the caller's registers points to it:
 *
 *   InternalCallbackScope { Environment *env_; async_context { double async_id, trigger_async_id; } ... }
 *
 * Most scopes are nested in one that has begun already, and are left at once.
 */
#include "node.bpf.h"

#define SCOPE_WITHIN 65536   /* bytes: so far above the stack pointer a scope is looked for */
#define HOOKS_WITHIN 16384   /* so far into the Environment its AsyncHooks lie */

struct node_scope {
	__u64 env;
	__u64 id, trigger;
};

static __always_inline bool node__is_scope(struct node_scope *s, __u64 at, __u64 stack, __u64 hooks)
{
	return at > stack && at - stack < SCOPE_WITHIN && bpf_probe_read_user(s, sizeof(*s), (void *)at) == 0 &&
	       s->env < hooks && hooks - s->env < HOOKS_WITHIN;
}

#if defined(__TARGET_ARCH_x86)
static __always_inline bool node__find_scope(struct node_scope *s, struct pt_regs *r)
{
	__u64 hooks = r->di, stack = r->sp;

	return node__is_scope(s, r->bx, stack, hooks) || node__is_scope(s, r->r12, stack, hooks) ||
	       node__is_scope(s, r->r13, stack, hooks) || node__is_scope(s, r->r14, stack, hooks) ||
	       node__is_scope(s, r->r15, stack, hooks);
}
#elif defined(__TARGET_ARCH_arm64)
static __always_inline bool node__find_scope(struct node_scope *s, struct pt_regs *r)
{
	return false; /* user space does not attach it */
}
#endif

SEC("uprobe")
int node__scope(struct pt_regs *regs)
{
	struct task_struct *task = task__current();
	struct ws_task *t = select__task(task);
	struct node_scope s = {};
	struct node_fields f = {};
	__u64 depth = 0, fields = 0, counter, ids;
	struct ws_node *p;
	__u32 tgid;

	if (!t || t->ctx_kind != WS_CTX_NODE || !t->handoffs || !node__find_scope(&s, regs))
		return 0;
	tgid = OF(task, tgid);
	p = bpf_map_lookup_elem(&node_programs, &tgid);
	if (!p || bpf_probe_read_user(&depth, sizeof(depth), (void *)(s.env + p->depth)) || depth != 1 ||
	    bpf_probe_read_user(&fields, sizeof(fields), (void *)(s.env + p->fields)) ||
	    bpf_probe_read_user(&f, sizeof(f), (void *)fields))
		return 0;
	counter = node__whole(f.counter);
	if (!counter)
		return 0;
	ids = node__ids(s.id, s.trigger, counter);
	t->node_queued = 0;
	if (t->node_time != t->handoffs) {
		t->node_read = 0; /* of before */
		t->node_fields = 0;
		t->node_main = tgid == (__u32)OF(task, pid) ? tgid : 0;
		t->node_collected = t->node_moved = (__u32)t->handoffs << 24; /* what lies there is of another time */
	}
	if (t->node_read && t->node_turn != OF(task, nvcsw) - t->inner_sleeps)
		t->node_read = 0; /* it was not told to anybody: it lies several turns back */
	/* The parser's are several for one read; those of the timers are all the same. */
	if (!t->node_read && t->node_fields && ids == t->node_last)
		return 0;
	t->node_time = t->handoffs;
	t->node_fields = fields;
	t->node_depth = s.env + p->depth;
	t->node_last = ids;
	node__next(t);
	t->node_own = t->node_scope;
	t->node_frame = WS_NODE_CONTEXT(t->node_own, 0);
	t->node_counter = counter;
	t->node_job = 0;
	node__emit(regs, task, t, WS_TIE_SCOPE, ids, counter, t->node_read);
	t->node_read = 0;
	return 0;
}

/*
 * Builtins_EnqueueMicrotask(): code that waits for a promise is about to be queued. What is queued while a timer runs is
 * run before the next timer is (lib/internal/timers.js), when no resource is told any more.
 */
SEC("uprobe")
int node__microtask(struct pt_regs *regs)
{
	struct ws_task *t = select__task(task__current());
	struct node_fields f = {};
	__u64 ids;

	if (!t || t->ctx_kind != WS_CTX_NODE || !t->handoffs || !t->node_fields || t->node_time != t->handoffs ||
	    bpf_probe_read_user(&f, sizeof(f), (void *)t->node_fields) || !node__whole(f.id))
		return 0;
	ids = node__ids(f.id, f.trigger, node__whole(f.counter));
	t->node_queued = ids >> 32 == t->node_last >> 32 ? 0 : ids;
	return 0;
}
