/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - what conn.c and order.c share: a connection, and the bytes of its directions as far as they are known. */
#ifndef CONN_STATE_H
#define CONN_STATE_H

#include "conn/conn.h"
#include "conn/peer.h"
#include "util/list.h"
#include "util/table.h"

/* A transfer that came too early, copied. */
struct held {
	struct held *next;
	uint64_t since;
	struct ws_rec_data *data; /* behind this, with its payload */
};

struct stream {
	bool known;    /* next means something */
	bool begun;    /* a chunk was passed on */
	uint64_t next; /* offset of the next byte: TCP sequence, extended */
	uint64_t lost; /* bytes lost since the last chunk */
	bool shed;     /* they were left out on purpose */
	uint64_t left_ns; /* since then its process is not traced; 0: it is */
	struct held *held;
	unsigned n_held;
};

struct entry {
	struct connection c;
	struct stream stream[2];
	int last_dir; /* of the last chunk, -1 none */
	bool addressed; /* a CONN record came */
	uint64_t closed_at;
	uint32_t end[2];       /* the socket's last sequence numbers: by enum ws_dir */
	bool lost_records[2];  /* the kernel could not make all records of that direction */
	uint64_t key;	       /* as struct conn_moved's; 0: not known */
	uint64_t before[2];    /* bytes before offset 0 of its streams (modulo 2^64), by enum ws_dir */
	struct list by_use;
	struct list lingering;
};

struct conns {
	struct table by_id;
	struct peers peers;
	struct decode *decode;
	struct exchanges *exchanges;
	struct meta *meta;
	budget_fn *budget;
	void *budget_ctx;
	struct conn_counters counters;
	struct list by_use;    /* all entries, least recently used first */
	struct list lingering; /* closed ones, by time */
	unsigned n_held;
};

/* conn.c: the connection is of this process, from now on. */
void entry__use_process(struct conns *cs, struct entry *e, uint32_t tgid);

/* order.c: passes a transfer on, or keeps it until its turn. */
void order__take(struct conns *cs, struct entry *e, const struct ws_rec_data *d, struct slice payload);
/* What waits has waited long enough: what is missing before it is a gap. */
void order__force(struct conns *cs, struct entry *e, enum ws_dir dir);
/* Likewise at the end, with what the socket's last sequence numbers tell of lost bytes. */
void order__end(struct conns *cs, struct entry *e, enum ws_dir dir);

#endif
