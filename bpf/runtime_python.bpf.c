// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * runtime_python.bpf.c - which context of CPython made which: asyncio gives each task, each callback and
 * each call of to_thread a copy of the context that asks for it.
 *
 * Attached by user space to selected programs while they serve and calls of theirs have no parent, at the
 * instructions after which a context is made (user/attach/python.c): it is in the register of results
 * (python__returned), or in that of the first argument (python__passed), or, in Python 3.8, in rbx. A record a context, also of such as
 * nobody copies: its address may have been another one's before.
 */
#include "conn.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define PY_RESULT(r) ((r)->ax)
#define PY_ARG1(r) ((r)->di)
#define PY_ARG2(r) ((r)->si)
#elif defined(__TARGET_ARCH_arm64)
#define PY_RESULT(r) ((r)->regs[0])
#define PY_ARG1(r) ((r)->regs[0])
#define PY_ARG2(r) ((r)->regs[1])
#endif
#define OBJECT_TYPE 8 /* PyObject.ob_type */
#define TYPE_NAME 24  /* PyTypeObject.tp_name */

/*
 * uvloop (handles/handle.pxd): UVHandle._handle lies behind the head of the object and the table of its functions;
 * libuv (uv.h, uv/unix.h): uv_handle_t.data, which uvloop points back, and uv_stream_t.io_watcher.fd.
 */
#define UVLOOP_HANDLE 24
#define LIBUV_FD 184
#define FD_MAX (1 << 20)

static __always_inline bool python__is_context(__u64 object, const struct ws_python *p)
{
	__u64 type = 0;

	bpf_probe_read_user(&type, sizeof(type), (void *)(object + OBJECT_TYPE));
	return p->context_type && type == p->context_type;
}

static __always_inline void python__emit(void *ctx, struct task_struct *task, __u64 by, __u64 of)
{
	struct ws_rec_tie *r = emit__reserve(WS_REC_TIE, sizeof(*r));

	if (!r)
		return;
	emit__head(&r->head, WS_REC_TIE, sizeof(*r), bpf_ktime_get_ns());
	r->tgid = OF(task, tgid);
	r->what = WS_TIE_MADE;
	r->by_tid = r->of_tid = OF(task, pid);
	r->by_ctx = by;
	r->of_ctx = of;
	r->word = 0;
	emit__submit(ctx, r, WS_REC_TIE, emit__fill(), r->head.time_ns);
}

/* The state of the current thread, if it is one of a process that is followed. */
static __always_inline struct ws_task *python__task(struct task_struct *task)
{
	struct ws_task *t = select__task(task);

	return t && t->ctx_kind == WS_CTX_PYTHON && t->handoffs ? t : NULL;
}

static __always_inline int python__made(struct pt_regs *regs, __u64 of)
{
	struct task_struct *task = task__current();
	struct ws_task *t = python__task(task);
	__u32 tgid = OF(task, tgid);
	struct ws_python *p = bpf_map_lookup_elem(&python_programs, &tgid);
	__u64 by;

	if (!t || !p || !python__is_context(of, p))
		return 0;
	by = context__python(task, t);
	if (of != by)
		python__emit(regs, task, by, of);
	return 0;
}

SEC("uprobe")
int python__returned(struct pt_regs *regs)
{
	return python__made(regs, PY_RESULT(regs));
}

SEC("uprobe")
int python__passed(struct pt_regs *regs)
{
	return python__made(regs, PY_ARG1(regs));
}

#if defined(__TARGET_ARCH_x86)
SEC("uprobe")
int python__in_rbx(struct pt_regs *regs)
{
	return python__made(regs, regs->bx);
}
#endif

/* The cookie of the TCP socket behind a descriptor of the current task; 0: it is none, or has none. */
static __always_inline __u64 fd__cookie(struct task_struct *task, __u64 fd)
{
	struct sock *sk = (struct sock *)file__sock(fd__file(task, fd));

	return sk ? BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) : 0;
}

/* UVStream.write(self, ...), writelines(): what other classes have by these names does not refer to itself so. */
SEC("uprobe")
int python__writes(struct pt_regs *regs)
{
	struct task_struct *task = task__current();
	struct ws_task *t = python__task(task);
	__u64 self = PY_ARG1(regs), handle = 0, back = 0, cookie, context, *last;
	__s32 fd = -1;

	if (!t || bpf_probe_read_user(&handle, sizeof(handle), (void *)(self + UVLOOP_HANDLE)) ||
	    bpf_probe_read_user(&back, sizeof(back), (void *)handle) || back != self ||
	    bpf_probe_read_user(&fd, sizeof(fd), (void *)(handle + LIBUV_FD)) || fd < 0 || fd >= FD_MAX)
		return 0;
	cookie = fd__cookie(task, fd);
	if (!cookie)
		return 0;
	context = context__python(task, t);
	last = bpf_map_lookup_elem(&python_written, &cookie);
	if (last && *last != context)
		context = PYTHON_NONE;
	if (bpf_map_update_elem(&python_written, &cookie, &context, BPF_ANY)) {
		emit__count(WS_CNT_writes_full, 1);
		python_written_full = 1;
	}
	return 0;
}

/*
 * SimpleQueue.put(self, args, n): args[0] may be a work item of ThreadPoolExecutor (concurrent/futures/thread.py). What
 * else is put there may be anything, such as a connection that is free again.
 */
SEC("uprobe")
int python__puts(struct pt_regs *regs)
{
	static const char work_item[] = "_WorkItem";
	struct task_struct *task = task__current();
	struct ws_task *t = python__task(task);
	struct python_item key = {};
	struct ws_python *p;
	char text[sizeof(work_item)] = {};
	__u64 type = 0, name = 0, by;
	int i;

	if (!t || bpf_probe_read_user(&key.item, sizeof(key.item), (void *)PY_ARG2(regs)) ||
	    bpf_probe_read_user(&type, sizeof(type), (void *)(key.item + OBJECT_TYPE)) ||
	    bpf_probe_read_user(&name, sizeof(name), (void *)(type + TYPE_NAME)) ||
	    bpf_probe_read_user(text, sizeof(text), (void *)name))
		return 0;
	for (i = 0; i < (int)sizeof(work_item); i++)
		if (text[i] != work_item[i])
			return 0;
	key.tgid = OF(task, tgid);
	p = bpf_map_lookup_elem(&python_programs, &key.tgid);
	if (!p)
		return 0;
	p->item_type = type;
	bpf_map_update_elem(&python_items, &key, &type, BPF_ANY);
	by = context__python(task, t);
	if (!t->polls && !t->serves)
		by = python__item(key.tgid, t->python) ?: by;
	python__emit(regs, task, by, key.item | PYTHON_ITEM);
	return 0;
}
