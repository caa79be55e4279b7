/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode.h - streams -> messages. The contract between the framework (decode.c), the table of
 * protocols (table.c) and the parsers (one file each).
 *
 * The framework finds out which protocol a connection speaks, keeps what a parser has not consumed
 * yet (bounded), passes over bytes that were not captured, and finds the beginning of the next
 * message again after a gap. A parser looks at bytes and answers with one of these:
 *
 *   OK       *consumed > 0 bytes were understood; m says what they are (MSG_NONE: nothing to pair)
 *   MORE     a longer prefix is needed; nothing consumed, nothing changed
 *   TRUNC    a longer prefix is needed, but `missing` says that it was not captured: m holds what
 *            could be read (MSG_NONE: nothing); the rest of this direction's turn is passed over
 *   BAD      this is not the protocol, or a broken sender: nothing consumed
 *   UPGRADE  as OK, but what follows, on both sides, is another protocol (TLS, WebSocket, a tunnel)
 *
 * With missing == 0 a parser never answers TRUNC; with missing > 0 it never answers MORE. Parsers
 * hold no pointers into `bytes`, allocate bounded memory only, and read only through util/cursor.h
 * or slices.
 *
 * A message may come in parts (a body longer than one read): the first part has MSG_BEGINS, the last
 * has MSG_ENDS, one that is whole has both. Where the length of what is missing is known, a parser
 * consumes it (*consumed may reach bytes.n + missing) and answers OK, with MSG_CUT if it would have
 * wanted to read it. After TRUNC the framework itself ends the message: at the next turn of the
 * other direction or at close, with the clocks of the last byte that moved; MSG_ENDS is ignored.
 */
#ifndef DECODE_DECODE_H
#define DECODE_DECODE_H

#include "exchange/exchange.h"
#include "flow/chunk.h"
#include "flow/message.h"

enum decode_status { DECODE_OK, DECODE_MORE, DECODE_TRUNC, DECODE_BAD, DECODE_UPGRADE, DECODE_MAX };

enum decode_side { SIDE_CLIENT = 0, SIDE_SERVER = 1 }; /* who wrote the bytes */

struct parse_input {
	enum decode_side side;
	struct slice bytes; /* may be empty when missing > 0, never NULL */
	uint64_t missing;   /* bytes that follow `bytes` and were not captured: may be consumed, not read */
	const struct connection *conn;
	bool turned; /* bytes begin where the other side had just spoken: most likely a new message */
};

struct protocol {
	const char *name; /* "http", "postgresql", "redis" */
	size_t state_size; /* per connection; zeroed before first use */
	/*
	 * Could bytes from this side begin like that? 0 no, 1 perhaps (more bytes will tell), 2 yes.
	 * Asked at the first bytes of a stream, and again where a message may begin: on connections
	 * that are older than we are, and after a gap. "Yes" must therefore be hard to say by chance.
	 */
	int (*recognise)(enum decode_side side, struct slice begin);
	/* m is empty (MSG_NONE) at the call; flow/message.h says which fields the framework sets. */
	enum decode_status (*parse)(void *state, const struct parse_input *in, struct message *m, uint64_t *consumed);
	/* Bytes of this side were lost, or a message was cut: what comes next is a new message. */
	void (*resync)(void *state, enum decode_side side);
	/* The connection was closed: a message that ends with the stream ends here. True: m is filled. May be NULL. */
	bool (*finish)(void *state, enum decode_side side, struct message *m);
	void (*release)(void *state); /* frees what state owns; may be NULL */
	bool multiplexed;	      /* every byte is needed: WS_BUDGET_STREAM */
};

extern const struct protocol protocol_http1, protocol_postgresql, protocol_redis, protocol_fastcgi;
extern const struct protocol *const protocols[]; /* table.c; ends with NULL */

#define DECODE_HOLD_MAX 65536	 /* unconsumed bytes kept per direction */
#define DECODE_RECOGNISE_MAX 1024 /* bytes after which "perhaps" means no */
#define DECODE_PROTOCOLS_MAX 16

/*
 * Every byte, that of gaps included, ends in exactly one of understood, undecodable and skipped
 * (held ones once they are resolved); every answer of a parser in exactly one of answers[].
 */
struct decode_counters {
	uint64_t messages, truncated, bad, resyncs;
	uint64_t answers[DECODE_MAX];
	uint64_t understood_bytes;  /* consumed by parsers, captured or not */
	uint64_t undecodable_bytes; /* on connections whose protocol is unknown, or after BAD */
	uint64_t skipped_bytes;	    /* passed over until the next message after TRUNC or a gap */
	uint64_t lost_bytes;	    /* of all these, in gaps */
	uint64_t forgotten;	    /* names of connections (prepared statements) that there was no room for */
	uint64_t recognised, opaque, upgraded; /* connections */
	uint64_t ok[DECODE_PROTOCOLS_MAX]; /* messages by protocol, in the order of the table */
};

struct decode;
struct decoder; /* of one connection */

struct decode *decode__new(struct exchanges *x); /* x is borrowed */
void decode__free(struct decode *d);

/* conn->decoder is made at the first chunk. Calls exchanges__message(), __opaque() and __lost(). */
void decode__chunk(struct decode *d, struct connection *conn, const struct chunk *c);
/* No more chunks will come; frees conn->decoder. */
void decode__closed(struct decode *d, struct connection *conn, uint64_t time_ns);
/*
 * The budget this connection wants now. True: it differs from the one that it has. *for_port: other
 * connections of its port will want it, too; else it is about this one only.
 */
bool decode__budget(struct decode *d, struct connection *conn, struct ws_budget_pair *b, bool *for_port);
const struct decode_counters *decode__counters(const struct decode *d);

#endif
