// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * io_syscall.bpf.c - capture plan "syscall": bytes at the system calls, for kernels without the
 * tracepoints of plan "sock". The descriptor leads to the socket by a walk through the task's files,
 * so what is read here is read by address (WS_UNTRUSTED). What moves bytes without a call of its own
 * (io_uring) is not seen: its bytes are gaps in the ranges.
 */
#define WS_UNTRUSTED
#define WS_CASTS
#include "transfer.bpf.h"

#define MESSAGES_MAX 16
#define MESSAGES_LIMIT 1024 /* UIO_MAXIOV: what the kernel takes at most (net/socket.c) */

enum call_kind {
	CALL_OTHER,
	CALL_WRITE,
	CALL_READ,
	CALL_RECVFROM, /* flags in the fourth argument */
	CALL_RECVMSG,  /* in the third */
	CALL_SENDMMSG, /* return messages, not bytes */
	CALL_RECVMMSG,
	CALL_SPLICE, /* either end may be the socket */
};

#if defined(__TARGET_ARCH_x86)
#define ARG_4(r) REG(r, r10)
/* arch/x86/entry/syscalls/syscall_64.tbl */
static const __u8 calls[512] = {
	[0] = CALL_READ,	[1] = CALL_WRITE,   [19] = CALL_READ,	   [20] = CALL_WRITE,	  [40] = CALL_WRITE,
	[44] = CALL_WRITE,	[45] = CALL_RECVFROM, [46] = CALL_WRITE,   [47] = CALL_RECVMSG,	  [275] = CALL_SPLICE,
	[299] = CALL_RECVMMSG,	[307] = CALL_SENDMMSG, [327] = CALL_READ,  [328] = CALL_WRITE,
};
#elif defined(__TARGET_ARCH_arm64)
#define ARG_4(r) REG(r, regs[3])
/* include/uapi/asm-generic/unistd.h */
static const __u8 calls[512] = {
	[63] = CALL_READ,	[64] = CALL_WRITE,    [65] = CALL_READ,	    [66] = CALL_WRITE,	   [71] = CALL_WRITE,
	[76] = CALL_SPLICE,	[206] = CALL_WRITE,   [207] = CALL_RECVFROM, [211] = CALL_WRITE,   [212] = CALL_RECVMSG,
	[243] = CALL_RECVMMSG,	[269] = CALL_SENDMMSG, [286] = CALL_READ,   [287] = CALL_WRITE,
};
#endif

static __always_inline enum call_kind call__kind(__u64 nr)
{
	OPAQUE(nr);
	return nr < sizeof(calls) ? calls[nr] : CALL_OTHER;
}

/* The TCP socket of that descriptor of the current task, or 0. */
static __noinline __u64 call__socket(struct task_struct *task, __u64 fd)
{
	struct files_struct *files = FOUND(task, files);
	struct fdtable *fdt = FOUND(files, fdt);
	struct file **fds = FOUND(fdt, fd), *file = NULL;
	__u64 sk;

	if (fd >= FOUND(fdt, max_fds) || bpf_probe_read_kernel(&file, sizeof(file), fds + fd))
		return 0;
	sk = file__sock(file);
	return sk && sock__is_tcp((struct sock *)sk) ? sk : 0;
}

static __always_inline bool call__sends(enum call_kind kind)
{
	return kind == CALL_WRITE || kind == CALL_SENDMMSG;
}

/* Fills in which socket the call works on, and in which direction. */
static __always_inline void call__find(struct ws_call *c, struct task_struct *task, struct pt_regs *regs,
				       enum call_kind kind)
{
	c->nr = ARG_NR(regs);
	c->dir = call__sends(kind) ? WS_DIR_OUT : WS_DIR_IN;
	c->sock = call__socket(task, (__u32)ARG_FD(regs));
	if (kind == CALL_SPLICE && !c->sock) {
		c->dir = WS_DIR_OUT;
		c->sock = call__socket(task, (__u32)ARG_3(regs));
	}
}

SEC("tp_btf/sys_enter")
int BPF_PROG(call__enters, struct pt_regs *regs, long nr)
{
	struct task_struct *task = task__current();
	enum call_kind kind = call__kind(nr);
	struct ws_task *t;

	if (kind == CALL_OTHER || TASK_IS_32BIT(task))
		return 0;
	t = select__task(task);
	if (!t)
		return 0;
	call__find(&t->call, task, regs, kind);
	t->call.start_ns = bpf_ktime_get_ns();
	t->call.entered = 1;
	return 0;
}

/*
 * Verified on their own, once, whatever calls them: so they take numbers alone. `lengths`: n, after. Not
 * for perf buffers, which want the program's context.
 */
int call__sent(__u64 sk, __u64 lengths, __u64 flags, __u64 msghdr, __u64 start_ns)
{
	struct part p = {.n = lengths, .after = lengths >> 32, .flags = flags, .msghdr = msghdr, .start_ns = start_ns};

	if (!use_perf)
		io__transfer((struct sock *)sk, &p, WS_DIR_OUT, select__task(task__current()));
	return 0;
}

int call__received(__u64 sk, __u64 lengths, __u64 flags, __u64 msghdr)
{
	/* When bytes became readable is not when the call began. */
	struct part p = {.n = lengths, .after = lengths >> 32, .flags = flags, .msghdr = msghdr};

	if (!use_perf)
		io__transfer((struct sock *)sk, &p, WS_DIR_IN, select__task(task__current()));
	return 0;
}

/* Numbers as well, for what lies in memory lies on the stack. */
static __noinline int call__sent_perf(void *ctx, __u64 sk, __u64 lengths, __u64 msghdr, __u64 start_ns)
{
	struct part p = {.ctx = ctx, .n = lengths, .after = lengths >> 32, .msghdr = msghdr, .start_ns = start_ns};

	return io__transfer((struct sock *)sk, &p, WS_DIR_OUT, select__task(task__current()));
}

static __noinline int call__received_perf(void *ctx, __u64 sk, __u64 lengths, __u64 flags, __u64 msghdr)
{
	struct part p = {.ctx = ctx, .n = lengths, .after = lengths >> 32, .flags = flags, .msghdr = msghdr};

	return io__transfer((struct sock *)sk, &p, WS_DIR_IN, select__task(task__current()));
}

static __always_inline void call__moved(const struct ws_call *c, const struct part *p)
{
	__u64 lengths = p->n | (__u64)p->after << 32;

	if (use_perf && c->dir == WS_DIR_OUT)
		call__sent_perf(p->ctx, c->sock, lengths, p->msghdr, c->start_ns);
	else if (use_perf)
		call__received_perf(p->ctx, c->sock, lengths, p->flags, p->msghdr);
	else if (c->dir == WS_DIR_OUT)
		call__sent(c->sock, lengths, p->flags, p->msghdr, c->start_ns);
	else
		call__received(c->sock, lengths, p->flags, p->msghdr);
}

/* Beside each message the kernel has written its length. */
static __always_inline __u32 message__length(__u64 message)
{
	struct mmsghdr *m = (void *)message;
	__u32 n = 0;

	bpf_probe_read_user(&n, sizeof(n), &m->msg_len);
	return n;
}

/* The bytes of all messages. */
__noinline int call__total(__u64 vec, __u32 n)
{
	__u32 i, total = 0;

	for (i = 0; i < MESSAGES_LIMIT && i < n; i++)
		total += message__length(vec + i * sizeof(struct mmsghdr));
	return total;
}

/* A record for each message; of many, one without payload for all. Perf buffers: of more than one. */
static __always_inline void call__messages(void *ctx, const struct ws_call *c, __u64 vec, __u32 n)
{
	__u64 left = call__total(vec, n);
	__u32 i;
	struct part p = {.ctx = ctx, .n = left};

	if (n == 1)
		p.msghdr = vec;
	if (n == 1 || n > MESSAGES_MAX || use_perf) {
		call__moved(c, &p);
		return;
	}
	for (i = 0; i < MESSAGES_MAX && i < n; i++) {
		p.msghdr = vec + i * sizeof(struct mmsghdr);
		p.n = message__length(p.msghdr);
		left -= p.n;
		UNTIE(left); /* else its bounds tell one turn of the loop from the next, and the verifier goes through all */
		p.after = left;
		if (p.n)
			call__moved(c, &p);
	}
}

SEC("tp_btf/sys_exit")
int BPF_PROG(call__returns, struct pt_regs *regs, long ret)
{
	struct task_struct *task = task__current();
	enum call_kind kind = call__kind(ARG_NR(regs));
	struct part p = {.ctx = ctx, .n = ret};
	struct ws_call c = {};
	struct ws_task *t;

	if (kind == CALL_OTHER || ret <= 0 || TASK_IS_32BIT(task))
		return 0;
	t = select__task(task);
	if (!t && !select_ports)
		return 0;
	if (t && t->call.entered && t->call.nr == ARG_NR(regs))
		c = t->call;
	else
		call__find(&c, task, regs, kind); /* it was under way when we came */
	if (t)
		t->call.entered = 0;
	if (kind == CALL_RECVFROM)
		p.flags = ARG_4(regs);
	else if (kind == CALL_RECVMSG)
		p.flags = ARG_3(regs);
	else if (kind == CALL_SPLICE)
		p.flags = MSG_TRUNC; /* no bytes in user memory */
	if (!c.sock || p.flags & (MSG_PEEK | MSG_ERRQUEUE))
		return 0;
	if (kind == CALL_SENDMMSG || kind == CALL_RECVMMSG)
		call__messages(ctx, &c, ARG_2(regs), ret);
	else
		call__moved(&c, &p);
	return 0;
}
