/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * python.bpf.h - the context (contextvars) that a thread of Python runs in: asyncio gives each task a copy of its own.
 *
 * PyThreadState.context holds it, and nothing has to be probed: the thread's state is found once, in the
 * list of the main interpreter, by its thread_id, which is pthread_self() and so the thread pointer.
 */
#ifndef PYTHON_BPF_H
#define PYTHON_BPF_H

#include "select.bpf.h"

/*
 * What was written to a transport of uvloop and is sent later, by the loop: the context in which it was, by socket
 * cookie. Gone when it is sent.
 */
struct python_written {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64); /* PYTHON_NONE: of several */
};

extern struct python_written python_written SEC(".maps");
extern __u32 python_written_full; /* user space is to remove what belongs to sockets that are gone */

/*
 * Work items of ThreadPoolExecutor that have been put into its queue, and of which class they are. Their end is seen
 * nowhere, so the oldest make room; who is found to be at one that is not here is counted.
 */
struct python_item {
	__u64 item;
	__u32 tgid, pad;
};

struct python_items {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct python_item);
	__type(value, __u64);
};

extern struct python_items python_items SEC(".maps");

#define PYTHON_ITEM 1 /* set in the address of an item where it stands for a context: it is an even one */

#define PYTHON_NONE 1 /* no address of anything */
#define PYTHON_RETRY_NS 100000000 /* looking costs 11 us where nothing is found */

/* The state of the thread with this thread pointer; PYTHON_NONE: not found; 0: nothing is known of the process. */
extern __u64 python__state(__u64 tgid, __u64 pointer);
/* The context that it is in, 0 if there is none; PYTHON_NONE: the state is not this thread's any more. */
extern __u64 python__context(__u64 tgid, __u64 pointer, __u64 state);

/* The item that the thread with this state is at, with PYTHON_ITEM; 0: none that is known. */
extern __u64 python__item(__u64 tgid, __u64 state);
/*
 * What is sent on this socket, watched by a loop or not, while the thread is in `context`: the context that it was
 * written in; 0: not known.
 */
extern __u64 python__sends(__u64 tgid, __u64 cookie, __u64 context, __u64 watched);

#endif
