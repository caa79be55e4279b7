/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - what the files behind attach.h share: load.c, existing.c, tell.c, measure.c and attach.c. */
#ifndef ATTACH_STATE_H
#define ATTACH_STATE_H

#include "attach/attach.h"
#include "wirespan.skel.h"

struct attach {
	struct wirespan_bpf *skel;
	struct bpf_link *turns; /* sched.bpf.c, when wanted */
	struct bpf_link *wakes; /* wake.bpf.c, likewise */
	const struct selection *sel; /* borrowed */
	uint64_t starts[SELECT_MAX]; /* of the selection's pids, when we first saw them; 0: there was none */
	size_t n_starts;
	int cpus;
	bool perf; /* perf buffers instead of the ring */
	uint64_t full; /* processes that had no room in the map */
	uint64_t budgets_full; /* budgets that had none */
	uint64_t programs_full; /* programs, as ws_python and ws_go_program tell */
	unsigned node_waits;	/* maps in node_waits, of so many entries, of so many bytes each */
	uint32_t node_waits_each, node_wait_size;
	uint64_t tasks_evicted; /* as attach__evicted() found last */
	uint64_t words_swept_ns, budgets_swept_ns, written_swept_ns;
	attach_knows_fn *knows;
	void *knows_ctx;
	char *err;
	size_t err_size;
};

/* load.c: the message goes to a->err; rc. */
int attach__fail(struct attach *a, int rc, const char *what, const char *next);
/* What the kernel says no to: for want of a right, or of something that doctor looks for. */
int attach__refused(struct attach *a, int rc, const char *what);
int attach__load(struct attach *a, const struct attach_options *o);
/* What each exec, and each cgroup, of the machine is told of for. */
void attach__switch(struct attach *a);

/* existing.c: from now on the selection's pids name the processes that have them now. */
void attach__see_pids(struct attach *a);
/* Selects what runs already, and announces its connections. A best effort: what it misses is found at its next use. */
void attach__existing(struct attach *a, bool at_start);
/* Which ports are servers. */
void attach__listeners(struct attach *a);

/* sweep.c: room in the map of budgets. False: there is none. */
bool attach__sweep_budgets(struct attach *a);
/* All words, for wakes are not told any more. */
void attach__forget_words(struct attach *a);
/* Of the tasks by address that were made and have not ended, those that are not there. */
uint64_t attach__evicted(struct attach *a, uint64_t made);

/* tell.c: verdicts cached in tasks are out of date. */
void attach__moved(struct attach *a);
/* The entry of a process that was started then (running.h); flags of bpf_map_update_elem(). */
int attach__store(struct attach *a, uint32_t pid, uint64_t start, const struct ws_process *p, uint64_t flags);

#endif
