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
struct ring_buffer;

/* Where bytes are seen. AUTO: the first that this kernel has. */
enum attach_plan { ATTACH_PLAN_AUTO, ATTACH_PLAN_SOCK, ATTACH_PLAN_SYSCALL };

struct attach_options {
	enum attach_plan plan;
	uint32_t ring_bytes;	   /* a power of two; default ATTACH_RING_BYTES */
	struct ws_budget_pair accepted, connected; /* budgets a connection starts with */
	bool verbose;		   /* libbpf's own messages */
};
#define ATTACH_RING_BYTES (8u << 20)

void attach__defaults(struct attach_options *o);
/* "auto", "sock" or "syscall" into *plan; -EINVAL with a message that quotes another text. */
int attach__parse_plan(const char *text, enum attach_plan *plan, char *err, size_t err_size);

/*
 * Loads, attaches, selects what runs already, and announces the connections that selected processes
 * have open (records of WS_ORIGIN_EXISTING come through the ring like any other). NULL with a message
 * in err that says what is missing and what would help.
 */
struct attach *attach__new(const struct selection *sel, const struct attach_options *o, char *err, size_t err_size);
void attach__free(struct attach *a);
/*
 * Ends tracing, and keeps the ring and the counters: what was made can be read to the last record, and
 * then the ledger adds up. Takes some 20 ms.
 */
void attach__stop(struct attach *a);

int attach__ring_fd(const struct attach *a);
/* Sums over CPUs. */
void attach__counters(const struct attach *a, uint64_t value[WS_CNT_MAX]);
/* Budget of one connection from its next turn on; 0 or -errno. */
int attach__set_budget(struct attach *a, uint64_t conn, const struct ws_budget_pair *b);
/* What later connections to (CONNECTED) or of (ACCEPTED) that port start with. */
int attach__set_port_budget(struct attach *a, enum ws_role role, uint16_t port, const struct ws_budget_pair *b);
/*
 * Select a process (a new one whose exec matched --exe, a command of ours), or tell its context kind.
 * It is the process that has this pid now. 0, -ESRCH if it is gone (no entry is left), -E2BIG if the
 * map is full (counted in processes_full).
 */
int attach__set_process(struct attach *a, uint32_t tgid, const struct ws_process *p);
bool attach__is_selected(const struct attach *a, uint32_t tgid);
/* Tell sleeps on locks from the end of a loop's turn from now on (sched.bpf.c). 0 or -errno. */
int attach__watch_turns(struct attach *a);
/* Does --exe name this program? Called on EXEC records of unselected processes. */
bool attach__exe_matches(const struct attach *a, uint32_t tgid, struct slice path);
/* Bytes the kernel charges for all our maps (fdinfo memlock). */
uint64_t attach__map_bytes(const struct attach *a);
/* ns spent and runs of each program, when kernel.bpf_stats_enabled is on. Returns how many were filled. */
struct attach_program { char name[32]; uint64_t run_ns, runs; };
size_t attach__programs(const struct attach *a, struct attach_program *p, size_t max);

/* `wirespan doctor`: prints kernel, BTF, lockdown, capabilities, every hook with the choice and why. 0 if tracing is possible, else 1. */
int doctor__run(FILE *out);

#endif
