/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode.h - streams -> messages. The contract between the framework (decode.c), the table of
 * protocols (table.c) and the parsers (one file each).
 *
 * The framework finds out which protocol a connection speaks, keeps what a parser has not consumed
 * yet (bounded), passes over bytes that were not captured, and finds the beginning of the next
 * message again after a gap. A parser looks at bytes and answers with one of four different things:
 *
 *   OK     *consumed > 0 bytes were understood; m says what they are (MSG_NONE: nothing to pair)
 *   MORE   a longer prefix is needed; nothing consumed, nothing changed
 *   TRUNC  a longer prefix is needed, but `missing` says that it was not captured: m holds what
 *          could be read, the rest of this message is passed over
 *   BAD    this is not the protocol, or a broken sender: nothing consumed
 *
 * With missing == 0 a parser never answers TRUNC. Parsers hold no pointers into `bytes`, allocate
 * bounded memory only, and read only through util/cursor.h or slices.
 */
#ifndef DECODE_DECODE_H
#define DECODE_DECODE_H

#include "exchange/exchange.h"
#include "flow/chunk.h"
#include "flow/message.h"

enum decode_status { DECODE_OK, DECODE_MORE, DECODE_TRUNC, DECODE_BAD };

enum decode_side { SIDE_CLIENT = 0, SIDE_SERVER = 1 }; /* who wrote the bytes */

struct parse_input {
	enum decode_side side;
	struct slice bytes;
	uint64_t missing;  /* bytes that follow `bytes` and were not captured: may be consumed, not read */
	const struct connection *conn;
};

struct protocol {
	const char *name; /* "http", "postgresql", "redis" */
	size_t state_size; /* per connection; zeroed before first use */
	/* Could a stream from this side begin like that? 0 no, 1 perhaps (more bytes will tell), 2 yes. */
	int (*recognise)(enum decode_side side, struct slice begin);
	enum decode_status (*parse)(void *state, const struct parse_input *in, struct message *m, uint64_t *consumed);
	/* Bytes of this side were lost, or a message was cut: expect a new message. */
	void (*resync)(void *state, enum decode_side side);
	/* The sockets of this end and the other were closed: a message that ends with the stream ends here. True: m is filled. */
	bool (*finish)(void *state, enum decode_side side, struct message *m);
	void (*release)(void *state); /* frees what state owns; may be NULL */
	bool multiplexed;	      /* every byte is needed: WS_BUDGET_STREAM */
};

extern const struct protocol *const protocols[]; /* table.c; ends with NULL */

struct decode_counters {
	uint64_t messages, truncated, bad, resyncs;
	uint64_t undecodable_bytes; /* on connections whose protocol is unknown, or after BAD */
	uint64_t ok[16];	    /* messages by protocol, in the order of the table */
};

struct decode;
struct decoder; /* of one connection */

struct decode *decode__new(struct exchanges *x); /* x is borrowed */
void decode__free(struct decode *d);

/* conn->decoder is made at the first chunk. Calls exchanges__message() and exchanges__opaque(). */
void decode__chunk(struct decode *d, struct connection *conn, const struct chunk *c);
/* No more chunks will come; frees conn->decoder. */
void decode__closed(struct decode *d, struct connection *conn, uint64_t time_ns);
/* The budget this connection wants now. True: it differs from the one asked for before. */
bool decode__budget(struct decode *d, struct connection *conn, struct ws_budget_pair *b);
const struct decode_counters *decode__counters(const struct decode *d);

#endif
