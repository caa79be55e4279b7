/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - private to the framework: what decode keeps of a connection and of its directions.
 *
 *   decode.c   chunks and closes in; the life of a decoder
 *   budget.c   how much should be captured
 *   seek.c     which protocol is it?
 *   stream.c   bytes of one direction -> the parser -> messages with their clocks
 */
#ifndef DECODE_STREAM_H
#define DECODE_STREAM_H

#include "decode/decode.h"

struct decode {
	struct exchanges *exchanges;
	struct decode_counters counters;
	struct message m;   /* filled by parsers, used again and again */
	struct message end; /* the framework's own: ends a message, says nothing else */
};

/* One direction. */
struct stream {
	char *held; /* bytes that no parser has consumed yet */
	uint32_t n, cap;
	bool seen; /* any byte so far */
	bool sure; /* seek: held begins where the connection began */
	bool skip; /* not in step with the messages: wait for one to begin */
	bool open; /* a message has begun and not ended */
	enum message_kind kind;
	uint64_t next;	     /* offset after the last byte that moved */
	uint64_t part_end;   /* where the last part told of ended */
	uint64_t begun_peer; /* peer_offset of the open message */
	uint64_t held_peer;  /* as of the first held byte */
	/* This turn: bytes that moved, those that were captured; a part of a message was told of. */
	uint64_t turn_bytes, turn_captured;
	bool turn_told;
	uint8_t calm; /* turns in a row that needed no STREAM */
	/* Of the first held byte, of the last one that moved, of the last one that was told of. */
	struct stamp held_at, last, part_last;
};

enum decoder_mode { DECODER_SEEK, DECODER_KNOWN, DECODER_OPAQUE };

struct decoder {
	enum decoder_mode mode;
	unsigned row; /* of protocols[] */
	const struct protocol *protocol;
	void *state;
	uint8_t misses; /* turns that no row recognised */
	uint8_t bad;	/* in a row */
	uint64_t opaque_bytes;
	struct stream stream[2]; /* by enum ws_dir */
	struct ws_budget_pair want, asked; /* asked: before that, what the connection seems to have */
	bool has_asked;
};

/* One chunk on its way, so that every function need not be given all of these. */
struct pass {
	struct decode *d;
	struct connection *conn;
	struct decoder *r;
	struct stream *s;
	enum ws_dir dir;
	const struct chunk *c;
};

static inline enum decode_side pass__side(const struct pass *p)
{
	return connection__request_dir(p->conn) == p->dir ? SIDE_CLIENT : SIDE_SERVER;
}

/* The bytes of this chunk, after those that are held. */
void stream__feed(struct pass *p);
/* c->lost_before: what the parser can pass over, it passes over. */
void stream__lost(struct pass *p);
/* c->lost_before was left out on purpose: whole messages that are none of our business. */
void stream__leave_out(struct pass *p);
/* What is held, on its own. */
void stream__feed_held(struct pass *p);
/* Ends the open message where the last byte moved. */
void stream__end(struct pass *p);
/* A message that the parser ended by itself (protocol->finish). */
void stream__finish(struct pass *p);
/* Keeps bytes. False: more than the bound. */
bool stream__hold(struct stream *s, struct slice bytes);
void stream__drop(struct stream *s);

/* From here on nobody understands this connection. */
void decoder__give_up(struct pass *p);
/* Bytes that no parser will understand. */
void decoder__opaque(struct pass *p, uint64_t bytes);

void seek__chunk(struct pass *p);

void budget__init(struct decoder *r);
/* Before anything is made of the chunk. */
void budget__chunk(struct pass *p);
/* More of this direction was wanted. framing: not of a message's head, but of what follows in the same turn. */
void budget__more(struct pass *p, bool framing);

#endif
