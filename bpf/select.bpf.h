/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * select.bpf.h - is this task traced? Every handler that runs in a task's context asks first.
 *
 * Four levels: most processes of a machine are none of ours, and `select_passed` says so in 3 ns; the
 * task's own storage caches the verdict (14 ns) until `select_generation` moves; map `processes` holds
 * what was decided for a process; select__decide() applies the rules.
 */
#ifndef SELECT_BPF_H
#define SELECT_BPF_H

#include "emit.bpf.h"

/* The system call that is under way, in plan "syscall". */
struct ws_call {
	__u64 sock; /* 0: no TCP socket */
	__u64 nr, start_ns;
	__u32 dir; /* enum ws_dir */
	__u32 entered; /* we saw it begin */
};

struct ws_task {
	__u32 generation;
	__u8 selected; /* enum ws_selected */
	__u8 ctx_kind; /* enum ws_ctx_kind */
	__u16 goid_offset;
	__u32 handoffs; /* ws_process.handoffs */
	__u32 pad2;
	__u64 python; /* WS_CTX_PYTHON: its PyThreadState; 0: not known */
	__u64 python_retry_ns; /* it was not found: not before then again */
	__u64 java; /* WS_CTX_JAVA: its JavaThread; 0: not known */
	__u64 java_retry_ns;
	/* WS_CTX_NODE, see node.bpf.h. Addresses: of the ids that run, of the count of scopes that are open. */
	__u64 node_fields, node_depth;
	__u64 node_read, node_turn; /* number of the last read if no scope has begun since, 0: one has; the thread's sleeps then */
	__u64 node_ids;		    /* ws_actor.user_ctx */
	__u64 node_queued;	    /* WS_NODE_IDS of what queued the microtasks that run now; 0: the scope's own, or not known */
	__u64 node_last;	    /* WS_NODE_IDS of the scope that runs */
	__u32 node_scope;	    /* scopes of this thread so far; */
	__u32 node_time;	    /* while probes had been attached for this time */
	/* What promises resume, see node_promise.bpf.c. */
	__u64 node_job;	      /* WS_NODE_CONTEXT of the microtask that runs; 0: not known */
	__u64 node_function;  /* that it calls */
	__u64 node_frame;     /* that was told last; of the scope itself */
	__u64 node_counter;   /* ids given out when the scope began */
	__u32 node_own;	      /* number of the scope itself */
	__u32 node_main;      /* its tgid, if it is the first thread; 0: it is not */
	__u32 node_collected; /* garbage collections; */
	__u32 node_moved;     /* those after which it has been found out what is where */
	__u32 node_full;      /* 1: the last one was a full one */
	__u32 node_told;      /* 1: node_job was told as one that is not known */
	/* WS_CTX_TOKIO: addresses of the task whose turn it is, 0: none's; of the one that was woken last (tokio.bpf.h) */
	__u64 tokio_task, tokio_woken;
	/* The send that is under way: io_sock.bpf.c. In the task, for threads may share a socket. */
	__u64 send_sock, send_start_ns;
	__u64 send_addr; /* of its bytes; of the kernel's copy of its vector if send_vectors; 0: not the user's */
	__u32 send_vectors;
	__u32 send_left;     /* bytes, when a turn of it began last */
	__u64 inner_sleeps; /* sched.bpf.c */
	__u64 polls;	    /* sched.bpf.c: 1 */
	__u32 calls;	    /* 1: it has used a connection to somebody; wake.bpf.c */
	__u32 serves;	    /* 1: it has read from an accepted connection, and not written since */
	struct ws_call call;
};

struct select_tasks {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct ws_task);
};

/* The same by address, where there is no storage (before 5.11): else it has one entry. One goes when its task does. */
struct select_tasks_by_address {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct ws_task);
};

struct select_processes {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct ws_process);
};

/* What else user space tells of a process that runs this runtime; gone with the process, or its program. */
#define PROGRAMS(X)                                                                                                    \
	X(python_programs, struct ws_python)                                                                           \
	X(go_programs, struct ws_go_program)                                                                           \
	X(java_programs, struct ws_java)                                                                               \
	X(node_programs, struct ws_node)

#define DECLARE(map, program)                                                                                          \
	struct map {                                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                                       \
		__uint(max_entries, 1024);                                                                             \
		__type(key, __u32);                                                                                    \
		__type(value, program);                                                                                \
	};                                                                                                             \
	extern struct map map SEC(".maps");
PROGRAMS(DECLARE)
#undef DECLARE

extern struct select_tasks tasks SEC(".maps");
extern struct select_tasks_by_address tasks_by_address SEC(".maps");
extern struct select_processes processes SEC(".maps");
extern const volatile bool select_all, select_ports;
extern bool select_exes, select_containers; /* a reload may move them */
extern const volatile __u32 select_hierarchy; /* the one in which containers are looked for */
extern __u32 select_generation;

/*
 * Verdict of the process of the task at this address, decided now if it was not before. A number, as
 * functions verified on their own take no pointers into the kernel: bpf_get_current_task().
 */
#define SELECT_YES 1ull /* bits 0..7: enum ws_selected, 8..15: ctx_kind, 16..31: goid_offset, 32..39: handoffs */
extern __u64 select__decide(__u64 task_addr);
/* From now on traced. 0, or -1: it was left out by name, or the map is full (counted). */
extern int select__add(__u32 tgid, __u64 like);
/* Is it a port that was asked for? */
extern int select__wants_port(__u32 port);

static __noinline struct ws_task *task__by_address(struct task_struct *task, bool make)
{
	static const struct ws_task nothing = {};
	__u64 key = (__u64)task;
	struct ws_task *t = bpf_map_lookup_elem(&tasks_by_address, &key);

	/* Nobody would remove one that is made after proc__exit. */
	if (t || !make || BPF_CORE_READ(task, flags) & PF_EXITING)
		return t;
	if (bpf_map_update_elem(&tasks_by_address, &key, &nothing, BPF_NOEXIST) == 0)
		emit__count(WS_CNT_tasks_evicted, 1); /* less those that are there: attach__evicted() */
	return bpf_map_lookup_elem(&tasks_by_address, &key);
}

/* What we know of a task; `make`, which only the current one may ask for: never NULL but for want of memory. */
static __always_inline struct ws_task *task__state(struct task_struct *task, bool make)
{
	if (HAS_STORAGE)
		return bpf_task_storage_get(&tasks, task, NULL, make ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
	return task__by_address(task, make);
}

static __always_inline void task__forget(struct task_struct *task)
{
	__u64 key = (__u64)task;

	if (!HAS_STORAGE && bpf_map_delete_elem(&tasks_by_address, &key) == 0)
		emit__count(WS_CNT_tasks_evicted, -1);
}

/* Another program runs in it from now on. Its sleeps go on being counted. */
static __always_inline void task__renew(struct ws_task *t)
{
	t->generation = 0;
	t->python = t->python_retry_ns = 0;
	t->java = t->java_retry_ns = 0;
	t->node_fields = t->node_read = 0;
	t->send_sock = 0;
	t->polls = 0;
	t->calls = t->serves = 0;
}

static __always_inline void programs__forget(__u32 tgid)
{
#define FORGET(map, program) bpf_map_delete_elem(&map, &tgid);
	PROGRAMS(FORGET)
#undef FORGET
}

/* Processes that are not traced, by tgid: generation << 32 | tgid. Each keeps its slot until another takes it. */
#define PASSED_SLOTS 4096 /* a power of two */
extern __u64 select_passed[PASSED_SLOTS];

static __always_inline __u64 *passed__slot(__u32 tgid)
{
	__u64 at = tgid;

	OPAQUE(at);
	return &select_passed[at & (PASSED_SLOTS - 1)];
}

static __always_inline __u64 passed__mark(__u32 tgid)
{
	return (__u64)select_generation << 32 | tgid;
}

/* The process is another one from now on, or another program. */
static __always_inline void select__reconsider(__u32 tgid)
{
	*passed__slot(tgid) = 0;
}

/* The task is known to be none of ours; false says nothing. */
static __always_inline bool select__passes(struct task_struct *task)
{
	__u32 tgid = OF(task, tgid);

	return *passed__slot(tgid) == passed__mark(tgid);
}

/* The state of the current task if it is traced, else NULL. */
static __always_inline struct ws_task *select__task(struct task_struct *task)
{
	__u32 generation = select_generation;
	struct ws_task *t;
	__u64 v;

	if (select__passes(task))
		return NULL;
	t = task__state(task, true);
	if (!t) {
		emit__count(WS_CNT_no_task_storage, 1);
		return NULL;
	}
	if (t->generation != generation) {
		v = select__decide(bpf_get_current_task());
		t->selected = v & 0xff;
		t->ctx_kind = v >> 8;
		t->goid_offset = v >> 16;
		t->handoffs = v >> 32 & 0xff;
		t->generation = generation;
	}
	if (!t->selected)
		*passed__slot(OF(task, tgid)) = (__u64)generation << 32 | OF(task, tgid);
	return t->selected ? t : NULL;
}

#endif
