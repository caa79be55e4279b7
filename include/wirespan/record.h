/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause OR GPL-2.0-only */
/*
 * record.h - what the kernel half tells the user half, and the bounds both obey.
 *
 * Compiled by bpf/ (after vmlinux.h) and by user/ (after <linux/types.h>). Every record begins
 * with struct ws_rec and is padded by hand to a multiple of eight; tests/unit/test_record.c holds
 * the layout. A reader checks type and size before it reads any other field.
 *
 * Clocks are CLOCK_MONOTONIC in nanoseconds (bpf_ktime_get_ns); 0 means unknown.
 * Sequence numbers are TCP's own, 32 bits, in host order.
 */
#ifndef WIRESPAN_RECORD_H
#define WIRESPAN_RECORD_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define WS_COMM_LEN 16
#define WS_PATH_LEN 256
#define WS_PAYLOAD_MAX 16384 /* bytes of one transfer copied at most */

enum ws_rec_type {
	WS_REC_DATA = 1, /* struct ws_rec_data: one transfer on a connection */
	WS_REC_CONN,	 /* struct ws_rec_conn: a connection became known */
	WS_REC_CLOSE,	 /* struct ws_rec_close: it reached TCP_CLOSE */
	WS_REC_PROC,	 /* struct ws_rec_proc: a process forked, exec'ed or exited */
	WS_REC_TIE,	 /* struct ws_rec_tie: one thread or coroutine woke or made another */
	WS_REC_HANDED,	 /* struct ws_rec_handed: a reply was handed to a context that works for a request */
	WS_REC_KERNEL_MAX,
	/* Written by user space into recordings only; see user/capture/recording.h */
	WS_REC_META = 32, /* struct ws_rec_meta: what a process is called */
	WS_REC_CLOCK,	  /* struct ws_rec_clock: monotonic to wall time */
	WS_REC_COUNTERS,  /* struct ws_rec_counters: the kernel's ledger at the end */
};

struct ws_rec {
	__u16 type; /* enum ws_rec_type */
	__u16 flags;
	__u32 size;    /* bytes of this record that hold meaning, header and payload */
	__u64 time_ns; /* when it was made; for a transfer, when the call had moved the bytes */
};

/* Who ran the code: thread, the runtime's own context in it, and that thread's counters. */
struct ws_actor {
	__u32 tgid; /* in the initial PID namespace */
	__u32 tid;
	/*
	 * Goroutine id; address of Python's context, of HAProxy's task; what Node.js runs while it sends (WS_NODE_IDS);
	 * 0 where the runtime has none or it is not known yet.
	 */
	__u64 user_ctx;
	/*
	 * The request that this context works for, as its runtime's hand-offs tell: the number that it got when
	 * it was read (in the actor of that DATA record). 0: none, or not known. Node.js: each read has a number
	 * of its own; for a send, number of the scope (struct ws_rec_scope).
	 */
	__u64 cause;
	__u64 cpu_ns;	    /* se.sum_exec_runtime */
	__u64 run_delay_ns; /* sched_info.run_delay */
	__u64 switches;	    /* a change means that the thread has slept (nvcsw, less sleeps on locks and faults) */
};

enum ws_dir { WS_DIR_IN = 0, WS_DIR_OUT = 1 }; /* received by, sent by the owner of the socket */

/* Why payload is shorter than the transfer. */
enum ws_cap {
	WS_CAP_WHOLE,	   /* it is not */
	WS_CAP_BUDGET,	   /* the connection's budget said so */
	WS_CAP_MAX,	   /* WS_PAYLOAD_MAX or the bound on vectors was reached */
	WS_CAP_SHED,	   /* the ring was nearly full */
	WS_CAP_NO_ADDRESS, /* sendfile, splice, io_uring, 32-bit program: no user address at hand */
	WS_CAP_FAULT,	   /* the address could not be read */
	WS_CAP_LOAD,	   /* heads are kept short while the agent sheds load */
};

struct ws_rec_data {
	struct ws_rec head;
	__u64 conn; /* socket cookie */
	struct ws_actor actor;
	/* OUT: when tcp_sendmsg_locked began. IN: when the byte at `seq` became readable. */
	__u64 start_ns;
	__u32 seq; /* of the first byte */
	__u32 wire_len;
	__u32 cap_len; /* bytes in payload: the first ones of the transfer */
	__u8 dir;      /* enum ws_dir */
	__u8 cap;      /* enum ws_cap */
	__u8 watched;  /* IN: the socket is in an epoll set, as those of event loops are */
	__u8 polls;    /* the thread has been seen to sleep in epoll_wait: it runs an event loop */
	__u8 payload[];
};

/*
 * ws_rec.flags of a CONN record: connect() was just called; the local port is not chosen yet. A second
 * record follows when the connection stands or has failed.
 */
#define WS_CONN_CONNECTING 1

/*
 * ws_rec.flags of a DATA record. SHED: transfers of this direction before it were left out on purpose
 * (shed.bpf.h). Then TURNED says whether the other direction spoke last, which may have been left out, too.
 */
#define WS_DATA_SHED 1
#define WS_DATA_TURNED 2

enum ws_role { WS_ROLE_UNKNOWN, WS_ROLE_ACCEPTED, WS_ROLE_CONNECTED };
enum ws_origin { WS_ORIGIN_NEW, WS_ORIGIN_EXISTING }; /* existing: open before it was known to us */

struct ws_rec_conn {
	struct ws_rec head;
	__u64 conn;
	struct ws_actor actor;	/* CONNECTED: who called connect(); else who used it first; tgid 0: unknown */
	union {
		__u64 connect_ns; /* NEW, CONNECTED: SYN_SENT */
		__u64 first;	  /* EXISTING: sequence of the first byte that it sent << 32 | that it read; 0: not known */
	};
	__u64 established_ns;
	__u8 local[16], remote[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
	__u16 local_port, remote_port; /* host order */
	__u32 netns;		       /* inode number */
	__u32 snd_seq, rcv_seq;	       /* the next byte to be sent, to be read, when this record was made */
	__u8 role;		       /* enum ws_role */
	__u8 origin;		       /* enum ws_origin */
	__u8 failed;		       /* connect() never reached ESTABLISHED */
	__u8 pad[5];
	/*
	 * How much lies before snd_seq and rcv_seq, more than 32 bits of it: with them, numbers that stay the same
	 * as long as the socket lives. The SYN counts in `sent` of one that has connected. Not in older recordings.
	 */
	__u64 sent, read;
};

struct ws_rec_close {
	struct ws_rec head;
	__u64 conn;
	__u32 snd_seq, rcv_seq; /* end of what was sent and of what was read */
	__u32 lost[2];		/* data records that could not be made, by enum ws_dir */
	__u32 srtt_us, retransmits;
	__u32 state; /* the TCP state it left */
	__u32 pad;
};

struct ws_rec_handed {
	struct ws_rec head;
	__u64 conn;  /* the reply to the call sent last on it; with WS_CAUSE_TIMER: such a cause */
	__u64 cause; /* ws_actor.cause of whoever got the reply, 0: not known, whatever was said; of the one request that this timer's goroutine worked for */
	__u32 tgid;
	/*
	 * Not 0: it got something from somebody who had asked for the reply in the name of several; so long ago, by
	 * 2^WS_BATCH_SHIFT ns, rounded up, was that handed to him.
	 */
	__u32 batch;
};
#define WS_BATCH_SHIFT 10
#define WS_CAUSE_TIMER (1ull << 63) /* no request's, but what a timer does; its end may tell for which request */

enum ws_proc_what { WS_PROC_FORK = 1, WS_PROC_EXEC, WS_PROC_EXIT, WS_PROC_CGROUP_MADE, WS_PROC_CGROUP_GONE };

struct ws_rec_proc {
	struct ws_rec head;
	__u32 tgid, ptgid;
	__u8 what;     /* enum ws_proc_what */
	__u8 selected; /* the kernel already traces it */
	__u16 path_len;
	__u32 pad;
	char comm[WS_COMM_LEN];
	char path[]; /* EXEC: file name as given to exec, path_len bytes, no NUL */
};

/*
 * A WS_REC_PROC of a cgroup (what: WS_PROC_CGROUP_*), where containers are selected: size, what, path_len
 * and path lie where they do in struct ws_rec_proc.
 */
#define WS_CGROUP_PATH_LEN 1024 /* TRACE_CGROUP_PATH_LEN, kernel/cgroup/cgroup-internal.h */

struct ws_rec_cgroup {
	struct ws_rec head;
	__u64 id; /* of its kernfs node: the inode number of its folder */
	__u8 what;
	__u8 pad;
	__u16 path_len;
	__u32 hierarchy; /* 0: version 2 */
	__u64 unused[2];
	char path[]; /* from the root of its hierarchy, path_len bytes, no NUL */
};

/* Of cgroups: what user space has decided for the processes in them. */
enum ws_cgroup_verdict { WS_CGROUP_WANTED = 1, WS_CGROUP_LEFT_OUT };

enum ws_tie { WS_TIE_WOKE = 1, WS_TIE_MADE, WS_TIE_SCOPE, WS_TIE_PROMISE };

/* Of the same process: `by` woke, or made, `of`. */
struct ws_rec_tie {
	struct ws_rec head;
	__u32 tgid;
	__u32 what; /* enum ws_tie */
	__u32 by_tid, of_tid;
	__u64 by_ctx, of_ctx; /* as ws_actor.user_ctx; WOKE in Java, of_ctx: enum ws_java_wait */
	__u64 word; /* WOKE: the address that `of` waited on; 0 unknown */
};

/*
 * A WS_REC_TIE of a thread of Node.js (what: WS_TIE_SCOPE): the outermost callback scope that it enters, and all
 * that is done until the next one is done in it. tgid and what lie where they do in struct ws_rec_tie.
 */
struct ws_rec_scope {
	struct ws_rec head;
	__u32 tgid, what;
	__u32 tid;
	__u32 number;  /* 1, 2, ... of the thread's; skips none that was not lost */
	__u64 ids;     /* WS_NODE_IDS of the scope: of its resource, and of what triggered that */
	__u64 counter; /* the id that was given out last. Ids are given out in ascending order */
	__u64 read;    /* number of the read (ws_actor.cause) that it handles; 0: none that is known */
};

/*
 * With WS_TIE_PROMISE the same record says that microtasks of the scope go on for somebody else from now on: `number`
 * is the next one, and `ids` is WS_NODE_CONTEXT of what was at work when they were told to; 0: not known. `read` 1: that is
 * what was not known a moment ago.
 */
#define WS_NODE_CONTEXT(number, id) ((__u64)(number) << 32 | (__u32)(id))

/* Bits of ws_actor.cause of a send of Node.js. */
#define WS_NODE_SCOPE 0xffffffffull	/* number of the scope */
#define WS_NODE_MICROTASK (1ull << 32) /* it is a microtask that sends */

/* Two ids of async_hooks: their low 32 bits, as each is at most 2^31 older than the newest; 0: none, or older. */
#define WS_NODE_IDS(id, trigger) ((__u64)(__u32)(id) << 32 | (__u32)(trigger))

/* User records of a recording: strings follow one after the other, see capture/recording.c. */
struct ws_rec_meta {
	struct ws_rec head;
	__u32 tgid, text_len;
	char text[]; /* key=value, each ended by NUL */
};

struct ws_rec_clock {
	struct ws_rec head; /* time_ns: monotonic */
	__u64 wall_ns;	    /* the same instant, CLOCK_REALTIME */
};

/*
 * Selection. The kernel keeps per process (map `processes`, key tgid) what was decided; user space
 * writes the same entries for processes that were running at the start.
 */
enum ws_selected {
	WS_SELECTED_NO,
	WS_SELECTED_YES,
	WS_SELECTED_LEAVING, /* the rules name it no more: what is under way is told to its end, nothing that begins is */
};

struct ws_process {
	__u8 selected;	    /* enum ws_selected */
	__u8 ctx_kind;	    /* enum ws_ctx_kind */
	__u16 goid_offset;  /* WS_CTX_GO: offset of runtime.g.goid; WS_CTX_HAPROXY: of th_ctx, words below the thread pointer */
	__u16 curg_offset;  /* WS_CTX_GO: offset of runtime.m.curg */
	__u8 handoffs;	    /* probes follow hand-offs in it: which time they were attached, never 0; else 0 */
	__u8 stage;	    /* how many of the stages of user/attach/runtime_table.c are attached */
};

/* WS_CTX_GO: bit of `handoffs`: replies only are followed to who asked for them, that is stage 1; */
#define WS_HANDOFFS_REPLIES 0x80
#define WS_GO_SENDS 3 /* from this stage on every send is seen; */
#define WS_GO_TIMERS 4 /* and what timers do */

/* Offsets in a Go program (map `go_programs`, key tgid). */
struct ws_go_program {
	__u32 recvx; /* of runtime.hchan.recvx */
};

/* Where CPython keeps a thread's context (map `python_programs`, key tgid). */
struct ws_python {
	__u64 interpreter; /* address of _PyRuntime.interpreters.main */
	__u16 threads;	   /* offsets: of the first thread's state in the interpreter; */
	__u16 next, thread_id, context; /* in a state */
	__u64 context_type;  /* address of PyContext_Type; 0: not known */
	__u8 sends_later;    /* a loop of it sends what tasks have written, when they have ended (uvloop) */
	__u8 pad[5];
	__u16 frame;	     /* offset in a state: the frame that runs, or what holds it: */
	__u16 held;	     /* offset there, plus 1; 0: it is the frame */
	__u16 previous, locals; /* in a frame: of that of the caller; of the first local variable */
	__u16 pad2;
	__u64 item_type; /* the class of work items, once one was put (the kernel's half) */
};

/* Where Node.js keeps what runs, seen from its node::Environment (map `node_programs`, key tgid). */
struct ws_node {
	__u32 fields; /* offset of the address of async_id_fields, see node.bpf.h */
	__u32 depth;  /* offset of async_callback_scope_depth_ */
};

#define WS_JAVA_RESULTS 3

/* Where HotSpot keeps what its threads do (map `java_programs`, key tgid). Offsets are of fields; classes as objects name them. */
struct ws_java {
	__u64 threads;	/* address of ThreadsSMRSupport::_java_thread_list; until JDK 11 of the first JavaThread */
	__u64 oop_base; /* of compressed references */
	__u64 class_base; /* of compressed classes */
	__u64 fork_join;  /* address of class ForkJoinTask; 0: not loaded yet */
	__u32 worker;	/* class ThreadPoolExecutor$Worker; 0: not loaded yet */
	__u32 virtual_thread; /* class VirtualThread; 0: not loaded yet, or there is none */
	__u32 results[WS_JAVA_RESULTS]; /* classes that a thread waits on for the end of a task; 0: not loaded yet */
	__u32 run, future, waiter; /* VirtualThread$VThreadContinuation$1, ThreadPerTaskExecutor$ThreadBoundFuture, FutureTask$WaitNode; 0: likewise */
	__u16 length, array;		/* ThreadsList */
	__u16 next;			/* JavaThread: where they are linked; 0: they are in a ThreadsList */
	__u16 os_thread, object, mounted, owner; /* JavaThread; mounted, owner: 0: it has none */
	__u16 fork_join_at;		/* where a class names that class, if it is one of its */
	__u16 tid, state;		/* OSThread */
	__u16 holder, target, blocker, number;	/* java.lang.Thread; target: of its holder, if that is not 0 */
	__u16 worker_thread, worker_done; /* ThreadPoolExecutor$Worker: thread, completedTasks */
	__u16 continuation, body, task;	  /* VirtualThread.cont; Continuation.target; the task of that */
	__u16 runner, waiters, waiter_thread, waiter_next; /* FutureTask; its WaitNode */
	__u8 shift;	/* of compressed references */
	__u8 class_shift;
	__u8 wide;	/* references are not compressed */
	__u8 handles;	/* JavaThread has handles of objects, not references */
	__u8 pad[6];
};

/*
 * ws_actor.user_ctx of Java: the virtual thread that the thread carries, by Thread.threadId(); or the task
 * that a thread of a ThreadPoolExecutor is at, by how many it has completed.
 */
#define WS_USER_VIRTUAL (1ull << 63)
#define WS_USER_TASK (1ull << 62)
/*
 * ws_actor.cause of a virtual thread of Java at a call: WS_USER_VIRTUAL and the number of the one that waits for its task
 * (Future.get()); this, if several do. 0: none, or not known.
 */
#define WS_CAUSE_SEVERAL WS_USER_VIRTUAL

/*
 * ws_rec_tie.of_ctx of Java: what `of` waited for. A NOTICE may be of anything (Object.wait); OTHER is a lock, or
 * something of HotSpot's own: until JDK 13 threads that the collector has stopped wait for a mutex that they hand on.
 */
enum ws_java_wait { WS_JAVA_WAIT_UNKNOWN, WS_JAVA_WAIT_RESULT, WS_JAVA_WAIT_NOTICE, WS_JAVA_WAIT_OTHER };

enum ws_ctx_kind { WS_CTX_THREAD, WS_CTX_GO, WS_CTX_PYTHON, WS_CTX_HAPROXY, WS_CTX_JAVA, WS_CTX_NODE, WS_CTX_TOKIO };

/* Capture budget of one direction. */
enum ws_budget_mode {
	WS_BUDGET_HEAD,	  /* the first head_bytes after the direction turned */
	WS_BUDGET_STREAM, /* every byte, WS_PAYLOAD_MAX a transfer */
	WS_BUDGET_SIZES,  /* clocks and lengths */
	WS_BUDGET_IGNORE, /* no record at all (counted) */
};

struct ws_budget {
	__u32 mode; /* enum ws_budget_mode */
	__u32 head_bytes;
};

struct ws_budget_pair {
	struct ws_budget dir[2]; /* by enum ws_dir */
};

/*
 * The kernel's ledger: per-CPU counters, in the order of this list: X(name, meaning).
 * For every kind of record: made = submitted + lost.
 */
#define WS_COUNTERS(X)                                                                                                 \
	X(made_data, "data records attempted")                                                                         \
	X(made_conn, "connection records attempted")                                                                   \
	X(made_close, "close records attempted")                                                                       \
	X(made_proc, "process records attempted")                                                                      \
	X(made_tie, "tie records attempted")                                                                           \
	X(made_handed, "handed records attempted")                                                                           \
	X(lost_data, "data records lost: ring buffer full")                                                            \
	X(lost_conn, "connection records lost: ring buffer full")                                                      \
	X(lost_close, "close records lost: ring buffer full")                                                          \
	X(lost_proc, "process records lost: ring buffer full")                                                         \
	X(lost_tie, "tie records lost: ring buffer full")                                                              \
	X(lost_handed, "handed records lost: ring buffer full")                                                              \
	X(shed_payload, "data records sent without payload: ring buffer nearly full")                                  \
	X(shed_bytes, "bytes of payload left out for that")                                                            \
	X(no_address, "data records without payload: no user address")                                                 \
	X(fault, "data records cut short: user memory not readable")                                                   \
	X(cut_max, "data records cut short: longer than the largest payload")                                          \
	X(ignored, "transfers on connections told to be ignored")                                                      \
	X(no_socket_storage, "transfers not seen: socket storage could not be had")                                    \
	X(no_task_storage, "decisions not cached: task storage could not be had")                                      \
	X(processes_full, "processes not selected: map full")                                                          \
	X(bytes_wire, "bytes moved on traced connections")                                                             \
	X(bytes_captured, "bytes of payload copied")                                                                   \
	X(missed_runs, "program runs skipped by the kernel: the same one was running on that CPU")                    \
	X(listeners_full, "listening ports not kept: map full, or no socket storage")                                  \
	X(budgets_full, "budgets of connections or ports not stored: map full")                                        \
	X(sampled_data, "transfers left out for load")                                                                 \
	X(sampled_exchanges, "of these, the first of a request")                                                       \
	X(sampled_bytes, "bytes that they moved")                                                                      \
	X(sampled_heads, "data records whose head was kept short for load")                                            \
	X(programs_full, "processes whose runtime is not followed: map full")                                          \
	X(goroutines_full, "goroutines not followed: map full")                                                        \
	X(batches_full, "pieces of work not kept with their batch: map full")                                          \
	X(node_waits_full, "functions that wait for promises, not kept: map full")                                     \
	X(values_full, "values in channels' buffers not followed: map full")                                           \
	X(words_full, "words that pools wait on not kept: map full")                                                   \
	X(writes_full, "sockets of uvloop whose writes are not followed: map full")                                    \
	X(items_forgotten, "transfers in work items of Python that are not known any more, or not yet")                \
	X(ring_waits_full, "requests of io_uring whose buffers are not known: map full")                               \
	X(tasks_evicted, "threads forgotten while they ran: too many at once")                                        \
	X(tokio_tasks_full, "tasks of tokio not followed: map full")

enum ws_counter {
#define X(name, text) WS_CNT_##name,
	WS_COUNTERS(X)
#undef X
	WS_CNT_MAX
};

struct ws_rec_counters {
	struct ws_rec head;
	__u64 value[WS_CNT_MAX]; /* size tells how many there are */
};

#endif
