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
	__u64 user_ctx;	    /* goroutine id, ...; 0 where the runtime has none or it is not known yet */
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

enum ws_role { WS_ROLE_UNKNOWN, WS_ROLE_ACCEPTED, WS_ROLE_CONNECTED };
enum ws_origin { WS_ORIGIN_NEW, WS_ORIGIN_EXISTING }; /* existing: open before it was known to us */

struct ws_rec_conn {
	struct ws_rec head;
	__u64 conn;
	struct ws_actor actor;	/* CONNECTED: who called connect(); else who used it first; tgid 0: unknown */
	__u64 connect_ns;	/* CONNECTED: SYN_SENT */
	__u64 established_ns;
	__u8 local[16], remote[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
	__u16 local_port, remote_port; /* host order */
	__u32 netns;		       /* inode number */
	__u32 snd_seq, rcv_seq;	       /* the next byte to be sent, to be read, when this record was made */
	__u8 role;		       /* enum ws_role */
	__u8 origin;		       /* enum ws_origin */
	__u8 failed;		       /* connect() never reached ESTABLISHED */
	__u8 pad[5];
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

enum ws_proc_what { WS_PROC_FORK = 1, WS_PROC_EXEC, WS_PROC_EXIT };

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
struct ws_process {
	__u8 selected;
	__u8 ctx_kind;	    /* enum ws_ctx_kind */
	__u16 goid_offset;  /* WS_CTX_GO: offset of runtime.g.goid */
	__u32 pad;
};

enum ws_ctx_kind { WS_CTX_THREAD, WS_CTX_GO };

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
	X(lost_data, "data records lost: ring buffer full")                                                            \
	X(lost_conn, "connection records lost: ring buffer full")                                                      \
	X(lost_close, "close records lost: ring buffer full")                                                          \
	X(lost_proc, "process records lost: ring buffer full")                                                         \
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
	X(missed_runs, "program runs skipped by the kernel: the same one was running on that CPU")

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
