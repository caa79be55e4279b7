/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1.c - HTTP/1.0 and 1.1 (RFC 9112): the row of the table. In: bytes of both directions. Out: a
 * request or a response, in parts when its body is longer than one read.
 *
 * How a response ends depends on the method it answers (6.3), so methods wait in a queue. Responses
 * are in the order of their requests, always; when the queue is known to be wrong (bytes were lost)
 * the method counts as unknown, and the body is believed only until a new response begins a turn.
 */
#include "decode/http1_body.h"
#include "decode/http1_message.h"

#define PENDING_MAX 64

/* A head whose end has not come yet. */
struct head_scan {
	size_t looked; /* bytes among which the end is not */
	size_t parsed; /* bytes that were a good beginning */
};

struct http1 {
	struct http1_body body[2];
	struct head_scan scan[2];
	bool chunked[2]; /* size is not known before the end */
	bool unsure;	 /* the response's end was computed without its method */
	bool early;	 /* a response was read whose request is still to be told (records of two threads) */
	bool asked;	 /* a request was seen */
	bool gap;	 /* requests were lost since the last one */
	uint8_t head, n;
	uint8_t pending[PENDING_MAX]; /* enum http1_method of requests without response */
	uint32_t beyond;	      /* more of them, methods forgotten */
};

static void pending__push(struct http1 *s, enum http1_method method)
{
	bool answered = s->early;
	s->asked = true;
	s->early = s->gap = false;
	if (answered)
		return;
	if (s->n == PENDING_MAX) {
		s->beyond++;
		return;
	}
	s->pending[(s->head + s->n++) % PENDING_MAX] = (uint8_t)method;
}

static enum http1_method pending__pop(struct http1 *s)
{
	if (!s->n) {
		s->early = s->asked && !s->gap && !s->beyond;
		s->beyond -= s->beyond > 0;
		return HTTP1_UNKNOWN;
	}
	enum http1_method m = (enum http1_method)s->pending[s->head];
	s->head = (uint8_t)((s->head + 1) % PENDING_MAX);
	s->n--;
	return m;
}

static bool is_method(struct slice s)
{
	return http1__method(s) != HTTP1_OTHER;
}

/* "HTTP/1.x" ends the line, or could. */
static int recognise__request(struct slice b)
{
	while (b.n && (b.p[0] == '\r' || b.p[0] == '\n'))
		b = slice__sub(b, 1, b.n);
	if (!b.n)
		return 1;
	size_t lf = slice__find(b, '\n');
	struct http1_head h;
	if (http1_head__parse(&h, SIDE_CLIENT, slice__sub(b, 0, lf + 1)) == HEAD_BAD)
		return 0;
	if (lf < b.n)
		return 2;
	/* A known method and much of a target: longer than what chance says. */
	return h.target.n > 256 && is_method(h.method_text) ? 2 : 1;
}

static int http1__recognise(enum decode_side side, struct slice b)
{
	struct http1_head h;
	if (side == SIDE_CLIENT)
		return recognise__request(b);
	size_t lf = slice__find(b, '\n');
	if (http1_head__parse(&h, SIDE_SERVER, slice__sub(b, 0, lf + 1)) == HEAD_BAD)
		return 0;
	return h.status ? 2 : 1;
}

/* RFC 9112, 6.3, for requests. */
static bool frame__request(struct http1_body *body, const struct http1_head *h)
{
	*body = (struct http1_body){0};
	if (h->coding == CODING_OTHER)
		return false; /* (4): its length can not be known */
	if (h->coding == CODING_CHUNKED)
		body->phase = BODY_CHUNK_SIZE; /* (3): stronger than Content-Length */
	else if (h->has_length && h->length)
		*body = (struct http1_body){BODY_LENGTH, h->length, 0};
	return true;
}

static void frame__response(struct http1_body *body, const struct http1_head *h, enum http1_method method)
{
	*body = (struct http1_body){0};
	if (method == HTTP1_HEAD || h->status < 200 || h->status == 204 || h->status == 304)
		return;
	if (h->coding == CODING_CHUNKED)
		body->phase = BODY_CHUNK_SIZE;
	else if (h->coding == CODING_OTHER || !h->has_length)
		body->phase = BODY_CLOSE;
	else if (h->length)
		*body = (struct http1_body){BODY_LENGTH, h->length, 0};
}

static void message__body_size(struct message *m, enum decode_side side, uint64_t size)
{
	const char *key = side == SIDE_CLIENT ? "http.request.body.size" : "http.response.body.size";
	attrs__int(&m->attrs, key, (int64_t)size);
}

static enum message_kind kind_of(enum decode_side side)
{
	return side == SIDE_CLIENT ? MSG_REQUEST : MSG_RESPONSE;
}

/* A part of a body; *consumed is what came before it in the same call. */
static enum decode_status http1__body(struct http1 *s, const struct parse_input *in, struct message *m, uint64_t *consumed)
{
	struct http1_body *b = &s->body[in->side];
	size_t at = *consumed < in->bytes.n ? (size_t)*consumed : in->bytes.n;
	uint64_t used;
	bool good = http1_body__advance(b, slice__sub(in->bytes, at, in->bytes.n), in->missing, &used);
	*consumed += used;
	m->kind = kind_of(in->side);
	if (b->phase == BODY_NONE) {
		m->flags |= MSG_ENDS;
		if (s->chunked[in->side])
			message__body_size(m, in->side, b->size);
	}
	if (*consumed)
		return DECODE_OK;
	if (!good) {
		/* The message has no end that could be found. */
		*b = (struct http1_body){0};
		return DECODE_BAD;
	}
	return in->missing ? DECODE_TRUNC : DECODE_MORE;
}

static enum decode_status http1__request(struct http1 *s, const struct parse_input *in, const struct http1_head *h,
					 struct message *m, uint64_t *consumed)
{
	if (!frame__request(&s->body[SIDE_CLIENT], h))
		return DECODE_BAD;
	s->chunked[SIDE_CLIENT] = h->coding == CODING_CHUNKED;
	pending__push(s, h->method);
	http1_message__request(m, h, in->conn);
	m->flags |= MSG_BEGINS;
	*consumed = h->size;
	/* The answer may come before the content has gone: 100 (Continue), an early error. */
	if (s->body[SIDE_CLIENT].phase != BODY_NONE)
		m->flags |= MSG_UNSENT_OK;
	return http1__body(s, in, m, consumed);
}

static enum decode_status http1__response(struct http1 *s, const struct parse_input *in, const struct http1_head *h,
					  struct message *m, uint64_t *consumed)
{
	*consumed = h->size;
	/* Interim responses belong to the exchange, but say nothing about its end. */
	if (h->status < 200 && h->status != 101)
		return DECODE_OK;
	enum http1_method method = pending__pop(s);
	bool tunnel = h->status == 101 || (method == HTTP1_CONNECT && h->status < 300);
	http1_message__response(m, h);
	m->kind = MSG_RESPONSE;
	m->flags |= MSG_BEGINS;
	if (tunnel) {
		m->flags |= MSG_ENDS;
		return DECODE_UPGRADE;
	}
	frame__response(&s->body[SIDE_SERVER], h, method);
	s->unsure = method == HTTP1_UNKNOWN;
	s->chunked[SIDE_SERVER] = h->coding == CODING_CHUNKED;
	if (s->body[SIDE_SERVER].phase == BODY_LENGTH)
		message__body_size(m, SIDE_SERVER, h->length);
	return http1__body(s, in, m, consumed);
}

/* The head was not captured to its end: what it says so far, and where its body ends is not known. */
static enum decode_status http1__cut(struct http1 *s, const struct parse_input *in, const struct http1_head *h,
				     struct message *m)
{
	m->flags = MSG_BEGINS | MSG_CUT;
	if (in->side == SIDE_CLIENT) {
		pending__push(s, h->method);
		http1_message__request(m, h, in->conn);
		m->kind = MSG_REQUEST;
	} else if (!h->status || h->status == 101 || h->status >= 200) {
		pending__pop(s);
		http1_message__response(m, h);
		m->kind = MSG_RESPONSE;
	}
	return DECODE_TRUNC;
}

/*
 * Not one byte was captured. After a turn it was a message all the same, which pairing must count;
 * otherwise it may be any number of them. An interim response is known by its length.
 */
static enum decode_status http1__unseen(struct http1 *s, const struct parse_input *in, struct message *m,
					uint64_t *consumed)
{
	const uint64_t interim = sizeof("HTTP/1.1 100 Continue\r\n\r\n") - 1;
	const struct http1_head nothing = {0};

	if (!in->missing)
		return DECODE_MORE;
	if (!in->turned)
		return DECODE_TRUNC;
	if (in->side == SIDE_SERVER && s->body[SIDE_CLIENT].phase != BODY_NONE && in->missing == interim) {
		*consumed = interim;
		return DECODE_OK;
	}
	return http1__cut(s, in, &nothing, m);
}

/* RFC 9112, 2.2: an empty line before a message is passed over. */
static size_t blank__lines(struct slice b)
{
	size_t n = 0;
	while (n < b.n && (b.p[n] == '\n' || (b.p[n] == '\r' && n + 1 < b.n && b.p[n + 1] == '\n')))
		n++;
	return n;
}

/* Where an empty line ends, at or after `from`; 0: nowhere. */
static size_t empty__line(struct slice b, size_t from)
{
	for (size_t lf; (lf = from + slice__find(slice__sub(b, from, b.n), '\n')) < b.n; from = lf + 1) {
		struct slice next = slice__sub(b, lf + 1, 2);
		if (next.n && next.p[0] == '\r')
			next = slice__sub(next, 1, 1);
		if (next.n && next.p[0] == '\n')
			return lf + 1;
	}
	return 0;
}

/* Many small pieces: parsed again only when the end has come, or twice as much (it may turn out bad). */
static bool head__waits(struct head_scan *scan, struct slice b)
{
	size_t from = scan->looked > 2 ? scan->looked - 2 : 0;
	if (b.n < scan->looked || b.n >= 2 * scan->parsed || empty__line(b, from))
		return false;
	scan->looked = b.n;
	return true;
}

static enum decode_status http1__head(struct http1 *s, const struct parse_input *in, struct message *m, uint64_t *consumed)
{
	struct head_scan *scan = &s->scan[in->side];
	struct http1_head h;
	if (!in->missing && head__waits(scan, in->bytes))
		return DECODE_MORE;
	*scan = (struct head_scan){0};
	*consumed = blank__lines(in->bytes);
	if (*consumed)
		return DECODE_OK;
	if (!in->bytes.n || slice__eq(in->bytes, SLICE("\r")))
		return http1__unseen(s, in, m, consumed);
	switch (http1_head__parse(&h, in->side, in->bytes)) {
	case HEAD_BAD: return DECODE_BAD;
	case HEAD_PART:
		if (in->missing)
			return http1__cut(s, in, &h, m);
		*scan = (struct head_scan){in->bytes.n, in->bytes.n};
		return DECODE_MORE;
	case HEAD_WHOLE: break;
	}
	return (in->side == SIDE_CLIENT ? http1__request : http1__response)(s, in, &h, m, consumed);
}

/* A response begins although the one before it should still go on: its end was computed wrongly. */
static bool http1__begins_anew(const struct http1 *s, const struct parse_input *in)
{
	bool doubtful = s->body[SIDE_SERVER].phase == BODY_CLOSE || s->unsure;
	return in->side == SIDE_SERVER && in->turned && doubtful && slice__starts(in->bytes, SLICE("HTTP/1."));
}

static enum decode_status http1__parse(void *state, const struct parse_input *in, struct message *m, uint64_t *consumed)
{
	struct http1 *s = state;
	*consumed = 0;
	if (s->body[in->side].phase == BODY_NONE || http1__begins_anew(s, in))
		return http1__head(s, in, m, consumed);
	return http1__body(s, in, m, consumed);
}

/*
 * Requests that were lost can not be counted: their responses' methods are unknown. After lost
 * responses a turn has begun, so that only its newest request can be unanswered.
 */
static void http1__resync(void *state, enum decode_side side)
{
	struct http1 *s = state;
	s->body[side] = (struct http1_body){0};
	s->scan[side] = (struct head_scan){0};
	s->early = false;
	if (side == SIDE_CLIENT) {
		s->n = 0;
		s->beyond = 0;
		s->gap = true;
	} else if (s->n > 1) {
		s->head = (uint8_t)((s->head + s->n - 1) % PENDING_MAX);
		s->n = 1;
	}
}

/* RFC 9112, 6.3 (8): a response without a length ends with the connection. */
static bool http1__finish(void *state, enum decode_side side, struct message *m)
{
	struct http1 *s = state;
	if (side != SIDE_SERVER || s->body[side].phase != BODY_CLOSE)
		return false;
	m->kind = MSG_RESPONSE;
	m->flags = MSG_ENDS;
	message__body_size(m, side, s->body[side].size);
	s->body[side] = (struct http1_body){0};
	return true;
}

const struct protocol protocol_http1 = {
	.name = "http",
	.state_size = sizeof(struct http1),
	.recognise = http1__recognise,
	.parse = http1__parse,
	.resync = http1__resync,
	.finish = http1__finish,
};
