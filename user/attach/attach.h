/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach.h - loads the BPF programs, chooses a hook plan, tells the kernel what to trace.
 *
 * In: selection and sizes. Out: a ring buffer's descriptor for capture, the kernel's counters, and
 * the two things that user space tells the kernel while it runs: budgets and processes.
 */
#ifndef ATTACH_ATTACH_H
#define ATTACH_ATTACH_H

#include <stdio.h>

#include <linux/types.h>

#include "attach/selection.h"
#include "util/slice.h"
#include "wirespan/record.h"

struct attach;
struct bpf_program;
struct ring_buffer;

/* Where bytes are seen. AUTO: the first that this kernel has. */
enum attach_plan { ATTACH_PLAN_AUTO, ATTACH_PLAN_SOCK, ATTACH_PLAN_FENTRY, ATTACH_PLAN_SYSCALL };

/* How records reach us. AUTO: by the ring buffer, unless the kernel has none or refuses it. */
enum attach_transport { ATTACH_TRANSPORT_AUTO, ATTACH_TRANSPORT_RING, ATTACH_TRANSPORT_PERF };

struct attach_options {
	enum attach_plan plan;
	enum attach_transport transport;
	uint32_t ring_bytes;	   /* a power of two; default ATTACH_RING_BYTES */
	struct ws_budget_pair accepted, connected; /* budgets a connection starts with */
	bool verbose;		   /* libbpf's own messages */
	bool may_grow;		   /* attach__select_more() will be called */
};
#define ATTACH_RING_BYTES (8u << 20)

void attach__defaults(struct attach_options *o);
/* "auto", "ring" or "perf" into *t; -EINVAL with a message that quotes another text. */
int attach__parse_transport(const char *text, enum attach_transport *t, char *err, size_t err_size);
/* Does this kernel give us a ring buffer of that size? 0 or -errno. */
int attach__try_ring(uint32_t bytes);
/* "auto", "sock", "fentry" or "syscall" into *plan; -EINVAL with a message that quotes another text. */
int attach__parse_plan(const char *text, enum attach_plan *plan, char *err, size_t err_size);

/* Loads; nothing is traced yet. NULL with a message in err that says what is missing and what would help. */
struct attach *attach__new(const struct selection *sel, const struct attach_options *o, char *err, size_t err_size);
/*
 * Attaches, selects what runs already, and announces the connections that selected processes have open
 * (records of WS_ORIGIN_EXISTING come through the ring like any other). Somebody must have opened that
 * by now (capture__live), for perf buffers hold nothing before. 0, or -errno with a message as above.
 */
int attach__start(struct attach *a, char *err, size_t err_size);
void attach__free(struct attach *a);
/*
 * Ends tracing, and keeps the ring and the counters: what was made can be read to the last record, and
 * then the ledger adds up. Takes some 20 ms.
 */
void attach__stop(struct attach *a);

/* Of the ring buffer, or of the map of the perf buffers. */
int attach__ring_fd(const struct attach *a);
/* Sums over CPUs. */
void attach__counters(struct attach *a, uint64_t value[WS_CNT_MAX]);
/* Budget of one connection from its next turn on; 0 or -errno. */
int attach__set_budget(struct attach *a, uint64_t conn, const struct ws_budget_pair *b);
/* Who tells whether a connection is still open: budgets of others make room when there is none. */
typedef bool attach_knows_fn(void *ctx, uint64_t conn);
void attach__knows(struct attach *a, attach_knows_fn *knows, void *ctx);
/* What later connections to (CONNECTED) or of (ACCEPTED) that port start with. */
int attach__set_port_budget(struct attach *a, enum ws_role role, uint16_t port, const struct ws_budget_pair *b);
/*
 * Select a process (a new one whose exec matched --exe, a command of ours), or tell its context kind.
 * It is the process that has this pid now. 0, -ESRCH if it is gone (no entry is left), -E2BIG if the
 * map is full (counted in processes_full).
 */
int attach__set_process(struct attach *a, uint32_t tgid, const struct ws_process *p);
/* Likewise, what the kernel must know of the program, until the process ends or execs another (programs_full). */
int attach__set_python(struct attach *a, uint32_t tgid, const struct ws_python *p);
int attach__set_java(struct attach *a, uint32_t tgid, const struct ws_java *j);
int attach__set_node(struct attach *a, uint32_t tgid, const struct ws_node *p);
int attach__set_go(struct attach *a, uint32_t tgid, const struct ws_go_program *p);
/* Memory for what waits for promises of that process (bpf/node_promise.bpf.c). 0, or -errno. */
int attach__add_node_waits(struct attach *a, uint32_t tgid);
void attach__drop_node_waits(struct attach *a, uint32_t tgid);
/* Tells the context kind of a process that is selected, and was started then (running.h); else -ESRCH, and nothing is told. */
int attach__tell_process(struct attach *a, uint32_t tgid, uint64_t start, const struct ws_process *p);
/* One that was set as not selected is that no more; false: it was not. Then attach__select_again(), for the rules may name it. */
bool attach__unset_process(struct attach *a, uint32_t tgid);
void attach__select_again(struct attach *a);
/*
 * The selection has more pids, names, cgroups or programs than before (or ports, if there was one from the
 * start): they are traced from now on, with the connections that they have open. 0, or -errno and a message.
 */
int attach__select_more(struct attach *a, char *err, size_t err_size);
/* What the kernel leaves out from now on (bpf/shed.bpf.h). */
struct attach_shed {
	bool paused, low_value;
	uint32_t head; /* bytes; 0: as budgets say */
};
void attach__shed(struct attach *a, const struct attach_shed *s);
/* Calls fn for each process that is selected by now (with --all: for each that runs, and kernel threads), in no order. */
void attach__each_process(const struct attach *a, void (*fn)(void *ctx, uint32_t pid), void *ctx);
bool attach__is_selected(const struct attach *a, uint32_t tgid);
/* Likewise, or what is under way in it still is. Not for --all. */
bool attach__is_traced(const struct attach *a, uint32_t tgid);
/* A traced process: nothing that begins is traced from now on (or it is, again). */
void attach__set_leaving(struct attach *a, uint32_t tgid, bool leaving);
/* One that leaves is traced no more. */
void attach__drop_process(struct attach *a, uint32_t tgid);
/*
 * The selection has fewer pids, names, ports and cgroups than before; attach__select_more() does not look for them
 * any more, nor does the kernel. What was selected by them stays so: see attach__set_leaving().
 */
void attach__select_less(struct attach *a, const struct selection *before);
/*
 * Containers. The processes of a cgroup, and of those below it, are traced or left out from their next action
 * on; 0 forgets. One that has other processes already: attach__announce() tells of their connections.
 */
int attach__set_cgroup(struct attach *a, uint32_t hierarchy, uint64_t id, unsigned verdict /* enum ws_cgroup_verdict */);
void attach__announce(struct attach *a);
/* Tell sleeps on locks from the end of a loop's turn from now on (sched.bpf.c). 0 or -errno. */
int attach__watch_turns(struct attach *a);
/* Tell who wakes threads inside requests, from now on or no longer (wake.bpf.c). 0 or -errno. */
int attach__watch_wakes(struct attach *a, bool on);
/* Words of processes that have ended, when there is no room for others. Every 50 ms. */
void attach__sweep_words(struct attach *a);
/* Who wrote to connections that are no more, likewise. */
void attach__sweep_written(struct attach *a);
/*
 * Values that will not be taken from channels any more; ended: and goroutines of processes that are not followed
 * any more, or were for another time. Once a second at most.
 */
typedef bool attach_follows_fn(void *ctx, uint32_t tgid, uint32_t time);
void attach__sweep_go(struct attach *a, bool ended, attach_follows_fn *follows, void *ctx);
/* A program of bpf/ that is attached to processes later on (uprobe.h); NULL: there is none of that name. */
struct bpf_program *attach__find_program(const struct attach *a, const char *name);
/* Does --exe name this program? Called on EXEC records of unselected processes. */
bool attach__exe_matches(const struct attach *a, uint32_t tgid, struct slice path);
/* Bytes the kernel charges for all our maps (fdinfo memlock). */
uint64_t attach__map_bytes(const struct attach *a);
/* Bytes in the ring that have not been read; 0 where that cannot be seen. */
uint64_t attach__ring_fill(const struct attach *a);
/* ns spent and runs of each program, when kernel.bpf_stats_enabled is on. Returns how many were filled. */
struct attach_program { char name[32]; uint64_t run_ns, runs; };
size_t attach__programs(const struct attach *a, struct attach_program *p, size_t max);

/* `wirespan doctor`: prints kernel, BTF, lockdown, capabilities, every hook with the choice and why. 0 if tracing is possible, else 1. */
int doctor__run(FILE *out);

#endif
