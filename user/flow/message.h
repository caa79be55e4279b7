/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h - decode -> exchange: a request or a response, or a part of one, as one protocol's
 * parser understood it. Valid during the call only; whoever keeps it copies it.
 */
#ifndef FLOW_MESSAGE_H
#define FLOW_MESSAGE_H

#include "flow/chunk.h"
#include "util/attrs.h"

enum message_kind {
	MSG_NONE,     /* nothing to pair: bytes passed over (interim response, keep-alive, start-up) */
	MSG_REQUEST,  /* begins or goes on */
	MSG_RESPONSE, /* begins or goes on; belongs to the oldest request without one */
	MSG_PUSH,     /* from the server without a request */
};

enum message_flag {
	MSG_BEGINS = 1,	       /* first bytes of the message */
	MSG_ENDS = 2,	       /* last bytes of it */
	MSG_CUT = 4,	       /* ended early: bytes were missing (TRUNC) */
	MSG_NO_RESPONSE = 8,   /* request: none will come */
	MSG_UNSENT_OK = 16,    /* response may come before the request has ended (100-continue, early error) */
	MSG_ERROR = 32,	       /* response: the operation failed (error_type says how) */
	MSG_SILENT = 64,       /* request: pair it, but make no span (start-up, health of the protocol itself) */
};

/* What the request said about the trace it belongs to. W3C Trace Context level 1; B3. */
struct trace_context {
	bool valid;
	uint8_t trace_id[16], span_id[8];
	uint8_t flags; /* bit 0: sampled */
	bool has_span; /* b3 may come without */
};

struct message {
	enum message_kind kind;
	unsigned flags; /* enum message_flag */
	const char *protocol; /* its name in the table: "http"; static */
	uint64_t offset, end; /* of this part in its direction; set by the framework */
	uint64_t peer_offset; /* of the other direction when the message began; set by the framework */
	struct stamp first, last; /* of its first and last byte in this part; set by the framework */
	/*
	 * What to put on the span: semantic conventions, already redacted. A request's and its
	 * response's are merged. `name` is the span name (HTTP: "POST"; database: "INSERT payments").
	 */
	struct attrs attrs;
	char name[96];
	char error_type[48];	 /* MSG_ERROR: error.type: "500", "23505", "WRONGTYPE" */
	char error_message[256]; /* MSG_ERROR: status description; may be empty */
	bool client_error;	 /* MSG_ERROR, but only for the client's span (HTTP 4xx) */
	struct trace_context trace; /* request */
	unsigned forgotten; /* names of the connection that the parser had no room for any more */
	char tracestate[513];	    /* request; W3C list of up to 512 characters, empty if none or longer */
};

#endif
