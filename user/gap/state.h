/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.h - what an agent leaves for the one after it: what the open connections had moved, and how many connections
 * the network namespaces of the traced processes had opened. One file, "agent.state", in a directory of its own.
 *
 * It has two places, which are written in turn: whoever is killed while writing has left what it wrote before. Nothing
 * is opened, made or renamed for that, so an agent that has given up the right to change files keeps its state all
 * the same. No fsync: what a power failure tears is of another boot, and of no use.
 */
#ifndef GAP_STATE_H
#define GAP_STATE_H

#include "conn/conn.h"
#include "gap/netns.h"
#include "util/proc.h"

#define STATE_CONNS_MAX 65536
#define STATE_FILE "agent.state"

struct state {
	char boot[PROC_BOOT_SIZE]; /* /proc/sys/kernel/random/boot_id */
	uint64_t boot_ns;   /* CLOCK_BOOTTIME: when it was so */
	uint64_t wall_ns;   /* CLOCK_REALTIME, for people */
	uint64_t selection; /* selection__hash() */
	bool ended;	    /* the agent wrote it at its end */
	bool cut;	    /* there was more than it has room for */
	struct conn_moved *conns; /* ours */
	size_t n_conns;
	struct netns_opened *nets; /* ours */
	size_t n_nets;
};

void state__free(struct state *s);

struct state_file;

/* Made if need be (own_dir.h), 0600. NULL with a message in err. */
struct state_file *state_file__open(const char *dir, char *err, size_t err_size);
/* It is ours until it is freed: 0. -EWOULDBLOCK: another agent has it. To be read and written by who has it only. */
int state_file__lock(struct state_file *f);
void state_file__free(struct state_file *f);
/* 1: there was one. 0: the file is new. -errno, and a message in err: what is there is no state that we can use. */
int state_file__read(struct state_file *f, struct state *s, char *err, size_t err_size);
/* 0 or -errno; what was written before stays. Not more than STATE_CONNS_MAX and NETNS_MAX are written. */
int state_file__write(struct state_file *f, const struct state *s);

#endif
