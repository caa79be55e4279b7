/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive.h - the framework under test, with every row of the table. Bytes go in as chunks; what
 * comes out is checked against the contract of decode.h; a breach aborts, so that a fuzzer, a
 * sanitizer and a person all notice.
 *
 * Checked: what parsers answer (every row is wrapped), that messages of a direction follow one
 * another and begin before they end, that every byte and every answer is counted once.
 */
#ifndef FUZZ_DRIVE_H
#define FUZZ_DRIVE_H

#include "decode/decode.h"

#define DRIVE_ROWS_MAX 8

/* What a row really has in the way of answers. */
struct drive_row {
	const char *name;
	uint64_t answers[DECODE_MAX];
};

extern unsigned drive_rows;
extern struct drive_row drive_row[DRIVE_ROWS_MAX];

/* Wraps the table; call first. */
void drive__init(void);

struct drive {
	struct decode *decode;
	struct connection conn;
	uint64_t next[2];   /* offsets, by enum ws_dir */
	uint64_t now, bytes, answered;
	bool turned[2];
	uint64_t told[2];   /* up to this offset messages were told of */
	bool open[2];
};

void drive__open(struct drive *d, enum ws_role role, enum ws_origin origin);
/* `lost` bytes, then these, then `missing` ones that were not captured. */
void drive__send(struct drive *d, enum ws_dir dir, struct slice bytes, uint64_t missing, uint64_t lost);
/* Ends the connection and checks the ledger. */
void drive__close(struct drive *d);

/* A dialogue of a protocol: odd and even turns do not alternate by themselves, see side. */
#define SEED_TURNS 10
struct seed {
	const char *protocol;
	struct { enum decode_side side; struct slice bytes; } turn[SEED_TURNS]; /* ends with an empty one */
};
/* The first turn of a protocol's first seed is enough to be recognised by. */
extern const struct seed seeds[];
extern const unsigned seeds_n;
const struct seed *seed__first(const char *protocol);

#endif
