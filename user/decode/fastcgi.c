// SPDX-License-Identifier: Apache-2.0
/*
 * fastcgi.c - bytes between a web server and PHP-FPM or the like -> requests and responses.
 *
 * "FastCGI Specification" 1.0: records of 8 bytes and a content. A request is BEGIN_REQUEST, PARAMS (what
 * CGI has in its environment, RFC 3875), STDIN; a response STDOUT (a head with "Status:", if it is not
 * 200, and the body), STDERR and END_REQUEST. One request at a time, as all servers do; the parameters of
 * one that is longer than a record are read record by record. It is an HTTP request that is passed
 * on, so that its attributes are those of HTTP.
 */
#include "decode/http1_message.h"
#include "util/cursor.h"

enum {
	BEGIN_REQUEST = 1, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, GET_VALUES_RESULT,
	UNKNOWN_TYPE, TYPES
};

#define HEADER 8
#define PARAMS_MAX 16384 /* of one record that are read */
#define HEAD_MAX 1024	 /* of a response in which its status is looked for */
#define STATUS_OVERLOADED 2

struct fastcgi {
	struct {
		uint64_t left; /* of a record's content and padding, not read yet */
		uint8_t type;  /* of that record */
		bool open;     /* a message has begun and not ended */
	} side[2];
	bool headed; /* the head of the open response was there: its first STDOUT with a content */
};

struct record {
	uint8_t type, padding;
	uint16_t id, content;
};

static bool type__fits(unsigned type, enum decode_side side)
{
	static const uint16_t client = 1 << BEGIN_REQUEST | 1 << ABORT_REQUEST | 1 << PARAMS | 1 << STDIN | 1 << DATA | 1 << GET_VALUES;
	static const uint16_t server = 1 << END_REQUEST | 1 << STDOUT | 1 << STDERR | 1 << GET_VALUES_RESULT | 1 << UNKNOWN_TYPE;

	return type < TYPES && (side == SIDE_CLIENT ? client : server) & 1u << type;
}

/* The first 8 bytes. */
static bool record__parse(struct record *r, enum decode_side side, struct slice bytes)
{
	struct cursor c = cursor__of(bytes);
	uint8_t version = cursor__u8(&c);

	r->type = cursor__u8(&c);
	r->id = cursor__be16(&c);
	r->content = cursor__be16(&c);
	r->padding = cursor__u8(&c);
	return version == 1 && type__fits(r->type, side) && !c.over;
}

/* Every byte of BEGIN_REQUEST and END_REQUEST is known, but for the id, two bits and the application's status. */
static int fastcgi__recognise(enum decode_side side, struct slice s)
{
	static const char begin[17] = "\1\1\0?\0\10\0\0\0??\0\0\0\0\0", end[17] = "\1\3\0?\0\10\0\0????\0\0\0\0";
	static const char out[9] = "\1\6\0????\0", err[9] = "\1\7\0????\0";
	uint8_t type = s.n > 1 ? (uint8_t)s.p[1] : 0;
	const char *form = side == SIDE_CLIENT ? begin : type == STDOUT ? out : type == STDERR ? err : end;
	size_t n = form == out || form == err ? 8 : 16;

	for (size_t i = 0; i < s.n && i < n; i++)
		if (form[i] != '?' && s.p[i] != form[i])
			return 0;
	if (side == SIDE_CLIENT && s.n > 9 && (s.p[9] < 1 || s.p[9] > 3)) /* responder, authorizer, filter */
		return 0;
	return s.n < n || n == 8 ? 1 : 2;
}

/* A length of one byte, or of four with the highest bit set. */
static uint32_t cursor__length(struct cursor *c)
{
	uint32_t n = cursor__u8(c);

	if (!(n & 0x80))
		return n;
	n = (n & 0x7f) << 24;
	n |= (uint32_t)cursor__u8(c) << 16;
	return n | cursor__be16(c);
}

/* HTTP_TRACE_PARENT -> trace-parent (RFC 3875, 4.1.18) */
static void head__field(struct http1_head *h, struct slice name, struct slice value)
{
	char field[64];
	size_t n = 0;

	for (; n < name.n && n < sizeof(field); n++)
		field[n] = name.p[n] == '_' ? '-' : name.p[n] >= 'A' && name.p[n] <= 'Z' ? (char)(name.p[n] | 0x20) : name.p[n];
	if (slice__eq(name, SLICE("HOST")))
		h->host = value;
	else if (slice__eq(name, SLICE("USER_AGENT")))
		h->user_agent = value;
	else
		trace_headers__take(&h->trace, (struct slice){field, n}, value);
}

static void params__take(struct http1_head *h, struct slice name, struct slice value)
{
	if (slice__eq(name, SLICE("REQUEST_METHOD"))) {
		h->method = http1__method(value);
		h->method_text = value;
	} else if (slice__eq(name, SLICE("REQUEST_URI"))) {
		h->target = value;
		h->line_done = true;
	} else if (slice__eq(name, SLICE("SERVER_PROTOCOL"))) {
		h->minor = slice__eq(value, SLICE("HTTP/1.0")) ? 0 : 1;
	} else if (slice__starts(name, SLICE("HTTP_"))) {
		head__field(h, slice__sub(name, 5, name.n), value);
	}
}

static void message__params(struct message *m, struct slice content, const struct connection *conn)
{
	struct cursor c = cursor__of(content);
	struct http1_head h = {.minor = 1};

	trace_headers__init(&h.trace);
	while (cursor__left(&c) && !c.over) {
		uint32_t n_name = cursor__length(&c), n_value = cursor__length(&c);
		struct slice name = cursor__bytes(&c, n_name), value = cursor__bytes(&c, n_value);

		if (!c.over)
			params__take(&h, name, value);
	}
	if (h.line_done)
		http1_message__request(m, &h, conn);
}

/* "404 Not Found" -> 404: three digits, alone or before a blank (RFC 3875, 6.3.3). 0: no status. */
static unsigned status__parse(struct slice value)
{
	unsigned status = 0;

	if (value.n < 3 || (value.n > 3 && value.p[3] != ' ' && value.p[3] != '\t'))
		return 0;
	for (size_t i = 0; i < 3; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return 0;
		status = status * 10 + (unsigned)(value.p[i] - '0');
	}
	return status;
}

/* Its lines end with LF, or with CR and LF (RFC 3875, 6.3: NL is the system's). */
static void message__status(struct message *m, struct slice head)
{
	struct http1_head h = {.status = 200}; /* "if omitted" */

	while (head.n) {
		size_t end = slice__find(head, '\n');
		struct slice line = slice__sub(head, 0, end);

		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (!line.n) /* the end of the head */
			break;
		if (line.n >= 7 && slice__eq_nocase(slice__sub(line, 0, 7), SLICE("status:")))
			h.status = status__parse(slice__trim(slice__sub(line, 7, line.n)));
		head = slice__sub(head, end + 1, head.n);
	}
	http1_message__response(m, &h);
}

static void message__end(struct message *m, struct slice content)
{
	uint8_t status = content.n > 4 ? (uint8_t)content.p[4] : 0; /* after appStatus */

	m->flags |= MSG_ENDS;
	if (!status)
		return;
	m->flags |= MSG_ERROR;
	memcpy(m->error_type, status == STATUS_OVERLOADED ? "overloaded" : "_OTHER", status == STATUS_OVERLOADED ? 11 : 7);
}

/* How much of a record's content is read, rather than passed over. */
static size_t record__wanted(const struct fastcgi *f, const struct record *r)
{
	size_t max = r->type == PARAMS			       ? PARAMS_MAX :
		     r->type == STDOUT && !f->headed		       ? HEAD_MAX :
		     r->type == END_REQUEST || r->type == BEGIN_REQUEST ? HEADER :
									  0;

	return r->content < max ? r->content : max;
}

/* What the record does to its message; `content` as far as it was wanted and is there. */
static void fastcgi__record(struct fastcgi *f, const struct parse_input *in, const struct record *r, struct slice content,
			    struct message *m)
{
	bool *open = &f->side[in->side].open, begins = in->side == SIDE_CLIENT ? r->type == BEGIN_REQUEST : !*open;

	if (r->type >= GET_VALUES || (!*open && !begins))
		return; /* management; or of a request whose beginning was not seen */
	m->kind = in->side == SIDE_CLIENT ? MSG_REQUEST : MSG_RESPONSE;
	m->flags = begins ? MSG_BEGINS : 0;
	if (r->type == PARAMS) {
		message__params(m, content, in->conn);
	} else if (r->type == STDOUT && !f->headed && r->content) { /* errors may be told before it */
		message__status(m, content);
		f->headed = true;
	} else if (r->type == END_REQUEST) {
		message__end(m, content);
		f->headed = false;
	} else if (r->type == ABORT_REQUEST || (r->type == STDIN && !r->content)) {
		m->flags |= MSG_ENDS;
	}
	*open = !(m->flags & MSG_ENDS);
}

/* The rest of a record: bytes of a body, or padding. */
static enum decode_status fastcgi__rest(struct fastcgi *f, const struct parse_input *in, struct message *m, uint64_t *consumed)
{
	uint64_t *left = &f->side[in->side].left, there = in->bytes.n + in->missing;

	*consumed = there < *left ? there : *left;
	*left -= *consumed;
	if (f->side[in->side].open)
		m->kind = in->side == SIDE_CLIENT ? MSG_REQUEST : MSG_RESPONSE;
	return DECODE_OK;
}

static enum decode_status fastcgi__parse(void *state, const struct parse_input *in, struct message *m, uint64_t *consumed)
{
	struct fastcgi *f = state;
	struct record r;
	size_t wanted;

	*consumed = 0;
	if (f->side[in->side].left)
		return fastcgi__rest(f, in, m, consumed);
	if (in->bytes.n < HEADER)
		return in->missing ? DECODE_TRUNC : DECODE_MORE;
	if (!record__parse(&r, in->side, in->bytes))
		return DECODE_BAD;
	wanted = record__wanted(f, &r);
	if (in->bytes.n < HEADER + wanted && !in->missing)
		return DECODE_MORE;
	fastcgi__record(f, in, &r, slice__sub(in->bytes, HEADER, wanted), m);
	if (in->bytes.n < HEADER + wanted && m->kind != MSG_NONE)
		m->flags |= MSG_CUT;
	f->side[in->side].left = (uint64_t)HEADER + r.content + r.padding;
	*consumed = HEADER + wanted < in->bytes.n + in->missing ? HEADER + wanted : in->bytes.n + in->missing;
	f->side[in->side].left -= *consumed;
	return DECODE_OK;
}

static void fastcgi__resync(void *state, enum decode_side side)
{
	struct fastcgi *f = state;

	f->side[side].left = 0;
	f->side[side].open = false;
	if (side == SIDE_SERVER)
		f->headed = false;
}

const struct protocol protocol_fastcgi = {
	.name = "fastcgi",
	.state_size = sizeof(struct fastcgi),
	.recognise = fastcgi__recognise,
	.parse = fastcgi__parse,
	.resync = fastcgi__resync,
};
