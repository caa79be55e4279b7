/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive.h - the stages from conn to span under test, with every row of the protocol table. Records
 * go in, as the kernel makes them; what crosses a border on the way is checked against the contract
 * of that border; a breach aborts, so that a fuzzer, a sanitizer and a person all notice.
 *
 * Checked: that chunks follow one another, what parsers answer (every row is wrapped), that messages
 * of a direction follow one another and begin before they end, that spans are fit to be exported,
 * and that everything is counted once: records, bytes, answers, exchanges, spans.
 */
#ifndef FUZZ_DRIVE_H
#define FUZZ_DRIVE_H

#include "check.h"
#include "conn/conn.h"
#include "sample/sample.h"

#define DRIVE_ROWS_MAX 8
#define DRIVE_CONNS 8	      /* 2i and 2i + 1 are the two ends of one connection */
#define DRIVE_PAYLOAD_MAX 8192
#define DRIVE_LATE_MAX 4      /* records on their way */

/* What a row really has in the way of answers. */
struct drive_row {
	const char *name;
	uint64_t answers[DECODE_MAX];
};

extern unsigned drive_rows;
extern struct drive_row drive_row[DRIVE_ROWS_MAX];

/* Wraps the table; call first. */
void drive__init(void);

/* One end. */
struct drive_conn {
	enum ws_role role;
	uint32_t seq[2];    /* of the next byte, by enum ws_dir */
	uint32_t unmade[2]; /* records lost */
	/* What was handed on. */
	uint64_t end[2];
	bool begun[2];
	uint64_t told[2]; /* up to this offset messages were told of */
	bool open[2];
};

struct drive_record {
	_Alignas(8) unsigned char bytes[sizeof(struct ws_rec_data) + DRIVE_PAYLOAD_MAX];
	size_t n;
	unsigned wait; /* for so many others; 0: none is here */
};

struct drive {
	struct conns *conns;
	struct decode *decode;
	struct exchanges *exchanges;
	struct linker *linker;
	struct sampler *sampler; /* keeps all, unless told otherwise */
	struct drive_conn conn[DRIVE_CONNS];
	uint64_t now, switches;
	uint64_t data, chunks, bytes, answered, spans;
	bool json; /* spans are encoded as JSON, too: slow */
};

void drive__open(struct drive *d);
/* From now on half of the traces are kept, or none. */
void drive__sample(struct drive *d, bool half, bool paused);
/* A CONN record. flags: of its head. */
void drive__connect(struct drive *d, unsigned conn, enum ws_role role, enum ws_origin origin, unsigned flags);

struct transfer {
	unsigned conn;
	enum ws_dir dir;
	struct slice bytes;  /* up to DRIVE_PAYLOAD_MAX */
	uint32_t missing;    /* that follow and were not captured */
	uint32_t lost;	     /* before it, without a record */
	int32_t shift;	     /* of its sequence number, for no reason */
	uint8_t cap;	     /* why they are missing; 0: the budget */
	uint8_t actor;	     /* any: of 2 processes, 4 threads, 4 goroutines */
	bool polls, watched, unstamped;
	bool unmade; /* this very record is lost */
	bool twice;  /* comes twice */
	bool both;   /* the other end moves the same bytes */
	unsigned late; /* comes after so many others */
};

void drive__send(struct drive *d, const struct transfer *t);
/* A CLOSE record. */
void drive__end(struct drive *d, unsigned conn);
/* A TIE record; actors as those of transfers, of one process. */
void drive__tie(struct drive *d, uint8_t by, uint8_t of, bool made);
/* Time goes by. */
void drive__tick(struct drive *d, uint64_t ns);
/* Ends what is open and checks the ledger. */
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
