/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis.c - bytes of a Redis connection -> requests and responses.
 *
 * RESP2 and RESP3 ("Redis serialization protocol specification"), inline commands, pipelines. Every
 * command is an exchange of its own, also within MULTI. Attributes: OpenTelemetry semantic
 * conventions for Redis; no value is ever shown (redis_commands.h), nothing of a reply but its error.
 *
 * Replies come in the order of the commands. What is no reply: pushes of RESP3, messages and
 * confirmations of a subscription, lines of MONITOR; commands after CLIENT REPLY OFF have none. The
 * few commands that decide about that are kept in `marks` with their place in the order.
 */
#include "decode/redis.h"

#include <stdio.h>

#include "decode/redis_commands.h"
#include "decode/redis_reply.h"

#define PREFIX 4096    /* bytes of a command that are looked at; of a push that are waited for */
#define INLINE_MAX 32768 /* PROTO_INLINE_MAX_SIZE is 64 KiB */
#define MARKS 16
#define ARGUMENT_MAX (1ll << 31) /* proto-max-bulk-len is 512 MiB by default */

enum mark_kind { MARK_SUBSCRIBE, MARK_UNSUBSCRIBE, MARK_MONITOR, MARK_SELECT };

struct mark {
	uint64_t at; /* replies before it */
	enum mark_kind kind;
	int64_t n; /* SUBSCRIBE: confirmations to come; SELECT: the database before */
};

enum { REPLY_ON, REPLY_OFF, REPLY_SKIP_NEXT };
enum { DATABASE_NEW, DATABASE_KNOWN, DATABASE_UNKNOWN };

struct redis {
	/* client */
	uint64_t skip, args; /* bytes left of this argument, arguments after it */
	bool in_command;
	int reply_mode;
	int database_is;
	int64_t database;
	/* server */
	struct redis_reply reply;
	bool in_reply;
	enum message_kind kind; /* of the reply */
	bool subscribed, monitoring;
	bool resp3; /* pushes have a type of their own */
	/* both */
	uint64_t sent, answered;
	struct mark marks[MARKS];
	unsigned mark_first, mark_n;
};

/* ---- marks ---- */

static void mark__add(struct redis *rd, enum mark_kind kind, int64_t n)
{
	if (rd->mark_n == MARKS) { /* nobody does that */
		rd->mark_first = (rd->mark_first + 1) % MARKS;
		rd->mark_n--;
	}
	rd->marks[(rd->mark_first + rd->mark_n++) % MARKS] = (struct mark){rd->sent, kind, n};
}

/* The mark whose turn it is, if it is of such a kind. */
static struct mark *mark__now(struct redis *rd)
{
	struct mark *k = &rd->marks[rd->mark_first];

	return rd->mark_n && k->at <= rd->answered ? k : NULL;
}

static void mark__drop(struct redis *rd)
{
	rd->mark_first = (rd->mark_first + 1) % MARKS;
	rd->mark_n--;
}

static bool mark__subscribes(const struct mark *k)
{
	return k && (k->kind == MARK_SUBSCRIBE || k->kind == MARK_UNSUBSCRIBE);
}

/* ---- commands ---- */

static void client__reply_mode(struct redis *rd, struct slice what, struct message *m)
{
	if (slice__eq_nocase(what, SLICE("ON"))) {
		rd->reply_mode = REPLY_ON;
		m->flags &= ~(unsigned)MSG_NO_RESPONSE;
		return;
	}
	m->flags |= MSG_NO_RESPONSE;
	if (slice__eq_nocase(what, SLICE("OFF")))
		rd->reply_mode = REPLY_OFF;
	else if (rd->reply_mode != REPLY_OFF)
		rd->reply_mode = REPLY_SKIP_NEXT;
}

static void command__select(struct redis *rd, struct slice index)
{
	int64_t n = 0;

	if (!index.n || index.n > 9)
		return;
	for (size_t i = 0; i < index.n; i++) {
		if (index.p[i] < '0' || index.p[i] > '9')
			return;
		n = n * 10 + (index.p[i] - '0');
	}
	mark__add(rd, MARK_SELECT, rd->database_is == DATABASE_UNKNOWN ? -1 : rd->database);
	rd->database = n;
	rd->database_is = DATABASE_KNOWN;
}

static void command__reset(struct redis *rd)
{
	rd->subscribed = rd->monitoring = rd->resp3 = false;
	rd->reply_mode = REPLY_ON;
	rd->database = 0;
	rd->database_is = DATABASE_KNOWN;
}

/* What the command does to the connection. second: its second argument, of CLIENT REPLY. */
static void command__effects(struct redis *rd, const struct redis_text *t, struct slice second, struct message *m)
{
	unsigned flags = t->command ? t->command->flags : 0;
	struct slice first = {t->first, t->first_n};

	if (rd->reply_mode != REPLY_ON)
		m->flags |= MSG_NO_RESPONSE;
	if (rd->reply_mode == REPLY_SKIP_NEXT)
		rd->reply_mode = REPLY_ON;
	if (flags & CMD_CLIENT && slice__eq_nocase(first, SLICE("REPLY")))
		client__reply_mode(rd, second, m);
	if (flags & CMD_SELECT && !(m->flags & MSG_NO_RESPONSE))
		command__select(rd, first);
	if (flags & CMD_MONITOR)
		mark__add(rd, MARK_MONITOR, 0);
	if (flags & CMD_RESET)
		command__reset(rd);
	if (flags & (CMD_SUBSCRIBE | CMD_UNSUBSCRIBE)) {
		mark__add(rd, flags & CMD_SUBSCRIBE ? MARK_SUBSCRIBE : MARK_UNSUBSCRIBE, t->count > 1 ? (int64_t)t->count - 1 : 1);
		m->flags |= MSG_NO_RESPONSE;
	}
	if (flags & CMD_REPLICATION)
		m->flags |= MSG_NO_RESPONSE;
	if (!(m->flags & MSG_NO_RESPONSE))
		rd->sent++;
}

static void command__namespace(const struct redis *rd, const struct parse_input *in, struct attrs *a)
{
	char buf[24], *p = buf + sizeof(buf);
	int64_t n = rd->database;

	/* A connection that we saw from its beginning starts with database 0. */
	if (rd->database_is == DATABASE_UNKNOWN || (rd->database_is == DATABASE_NEW && in->conn && in->conn->origin != WS_ORIGIN_NEW))
		return;
	do /* every command comes by here: snprintf would be half of its cost */
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	attrs__str(a, "db.namespace", (struct slice){p, (size_t)(buf + sizeof(buf) - p)});
}

static void command__describe(struct redis *rd, const struct parse_input *in, const struct redis_text *t,
			      struct slice second, struct message *m)
{
	m->kind = MSG_REQUEST;
	m->flags |= MSG_BEGINS;
	attrs__str(&m->attrs, "db.system.name", SLICE("redis"));
	command__namespace(rd, in, &m->attrs);
	attrs__str(&m->attrs, "db.operation.name", (struct slice){t->name, t->name_n});
	attrs__str(&m->attrs, "db.query.text", (struct slice){t->text, t->text_n});
	if (t->command && t->command->flags & CMD_PROCEDURE && t->first_n)
		attrs__str(&m->attrs, "db.stored_procedure.name", (struct slice){t->first, t->first_n});
	memcpy(m->name, t->name, t->name_n);
	m->name[t->name_n] = '\0';
	command__effects(rd, t, second, m);
}

/* One argument of an array at s: bytes of its head; the argument as far as it is there. 0, -1 as ever. */
static int argument__read(struct slice s, struct slice *arg, uint64_t *size)
{
	int64_t n = 0;
	int head;

	if (s.n && s.p[0] != '$')
		return -1;
	head = s.n ? redis__number(s, &n) : 0;
	if (head <= 0)
		return head;
	if (n < 0 || n > ARGUMENT_MAX)
		return -1;
	*size = (uint64_t)n;
	*arg = slice__sub(s, (size_t)head, (size_t)n);
	if (s.n - (size_t)head > (size_t)n && s.p[(size_t)head + (size_t)n] != '\r')
		return -1;
	return head;
}

/* The arguments after the first PREFIX bytes are walked over, never looked at. */
static bool command__walk(struct redis *rd, const struct parse_input *in, struct message *m, uint64_t *used)
{
	uint64_t there = in->bytes.n + in->missing, size;
	struct slice arg;

	for (;;) {
		uint64_t n = rd->skip < there - *used ? rd->skip : there - *used;
		rd->skip -= n;
		*used += n;
		if (rd->skip)
			return true;
		if (!rd->args) {
			rd->in_command = false;
			m->flags |= MSG_ENDS;
			return true;
		}
		struct slice rest = slice__sub(in->bytes, *used < in->bytes.n ? (size_t)*used : in->bytes.n, SIZE_MAX);
		int head = argument__read(rest, &arg, &size);
		if (head <= 0)
			return head == 0;
		*used += (uint64_t)head;
		rd->skip = size + 2;
		rd->args--;
	}
}

enum { TEXT_OK, TEXT_MORE, TEXT_BAD };

/* *N and its arguments, as far as the first PREFIX bytes of the command hold them. */
static int command__text(const struct parse_input *in, uint64_t count, size_t from, struct redis_text *t, struct slice *second,
			 struct message *m)
{
	struct slice prefix = slice__sub(in->bytes, 0, PREFIX);
	bool all = in->bytes.n >= PREFIX || in->missing;
	size_t at = from;

	redis_text__begin(t, count);
	while (t->seen < count) {
		struct slice arg = {NULL, 0};
		uint64_t size = 0;
		int head = argument__read(slice__sub(prefix, at, SIZE_MAX), &arg, &size);
		bool whole = head > 0 && prefix.n - at - (size_t)head >= size + 2;
		if (head < 0)
			return TEXT_BAD;
		if (!whole && !all)
			return TEXT_MORE;
		if (head == 0) {
			if (in->bytes.n < PREFIX)
				m->flags |= MSG_CUT;
			redis_text__rest(t);
			return t->seen ? TEXT_OK : TEXT_MORE;
		}
		if (!redis_text__arg(t, arg, whole))
			return t->seen || whole ? TEXT_BAD : TEXT_MORE;
		if (t->seen == 3 && whole)
			*second = arg;
		if (!whole) {
			if (t->seen < count) {
				redis_text__rest(t);
				m->flags |= in->bytes.n < PREFIX ? MSG_CUT : 0;
			}
			return TEXT_OK;
		}
		at += (size_t)head + (size_t)size + 2;
	}
	return TEXT_OK;
}

/* Part of a command, of which not even the name is there. */
static enum decode_status command__unknown(struct redis *rd, struct message *m)
{
	m->kind = MSG_REQUEST;
	if (!rd->in_command) {
		m->flags |= MSG_BEGINS;
		attrs__str(&m->attrs, "db.system.name", SLICE("redis"));
		snprintf(m->name, sizeof(m->name), "redis");
		rd->sent++;
	}
	return DECODE_TRUNC;
}

static enum decode_status command__array(struct redis *rd, const struct parse_input *in, struct message *m, uint64_t *used)
{
	struct slice second = {NULL, 0};
	struct redis_text t;
	int64_t count;
	int head = redis__number(in->bytes, &count), is;

	if (head < 0 || (head > 0 && count > 1 << 30))
		return DECODE_BAD;
	if (head == 0)
		return in->missing ? command__unknown(rd, m) : DECODE_MORE;
	*used = (uint64_t)head;
	if (count <= 0)
		return DECODE_OK; /* no command, no answer */
	is = command__text(in, (uint64_t)count, (size_t)head, &t, &second, m);
	if (is == TEXT_BAD)
		return DECODE_BAD;
	if (is == TEXT_MORE)
		return in->missing ? command__unknown(rd, m) : in->bytes.n >= PREFIX ? DECODE_BAD : DECODE_MORE;
	command__describe(rd, in, &t, second, m);
	rd->in_command = true;
	rd->args = (uint64_t)count;
	if (!command__walk(rd, in, m, used))
		return DECODE_BAD;
	return t.command && t.command->flags & CMD_REPLICATION ? DECODE_UPGRADE : DECODE_OK;
}

/* The next word of an inline command, quoted or not. */
static struct slice inline__word(struct slice *line)
{
	struct slice word;

	*line = slice__trim(*line);
	if (line->n && (line->p[0] == '"' || line->p[0] == '\'')) {
		char quote = line->p[0];
		size_t n = 1;
		while (n < line->n && line->p[n] != quote)
			n += line->p[n] == '\\' ? 2 : 1;
		word = slice__sub(*line, 1, n - 1);
		*line = slice__sub(*line, n + 1, SIZE_MAX);
		return word;
	}
	word = slice__sub(*line, 0, slice__find(*line, ' '));
	*line = slice__sub(*line, word.n, SIZE_MAX);
	return word;
}

static bool line__is_http(struct slice line)
{
	return memmem(line.p, line.n, " HTTP/", 6);
}

static enum decode_status command__inline(struct redis *rd, const struct parse_input *in, struct message *m, uint64_t *used)
{
	size_t end = slice__find(in->bytes, '\n');
	struct slice line = slice__sub(in->bytes, 0, end), words, second = {NULL, 0};
	struct redis_text t;
	uint64_t count = 0;

	if (end == in->bytes.n)
		return in->missing ? command__unknown(rd, m) : end > INLINE_MAX ? DECODE_BAD : DECODE_MORE;
	*used = (uint64_t)end + 1;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	for (words = slice__trim(line); words.n; words = slice__trim(words), count++)
		inline__word(&words);
	if (!count)
		return DECODE_OK;
	redis_text__begin(&t, count);
	for (words = line; t.seen < count;) {
		struct slice word = inline__word(&words);
		/* Whatever comes after a loss must not be shown as the name of a command. */
		if (!t.seen && (!redis_command__of(word) || line__is_http(line)))
			return DECODE_BAD;
		if (!redis_text__arg(&t, word, true))
			return DECODE_BAD;
		if (t.seen == 3)
			second = word;
	}
	command__describe(rd, in, &t, second, m);
	m->flags |= MSG_ENDS;
	return t.command->flags & CMD_REPLICATION ? DECODE_UPGRADE : DECODE_OK;
}

static enum decode_status client__parse(struct redis *rd, const struct parse_input *in, struct message *m, uint64_t *used)
{
	if (rd->in_command) {
		m->kind = MSG_REQUEST;
		if (!command__walk(rd, in, m, used))
			return *used ? DECODE_OK : DECODE_BAD;
		if (*used)
			return DECODE_OK;
		return in->missing ? command__unknown(rd, m) : DECODE_MORE;
	}
	if (!in->bytes.n)
		return command__unknown(rd, m);
	if (in->bytes.p[0] == '*')
		return command__array(rd, in, m, used);
	return command__inline(rd, in, m, used);
}

/* ---- replies ---- */

static void error__fill(struct message *m, struct slice line)
{
	size_t n = slice__find(line, ' ');
	struct slice prefix = {line.p, n}, args;

	for (size_t i = 0; i < n; i++)
		if (!(line.p[i] >= 'A' && line.p[i] <= 'Z') && line.p[i] != '_')
			prefix = SLICE("ERR"); /* by convention only a word in upper case is one */
	if (!n)
		prefix = SLICE("ERR");
	/* "unknown command 'x', with args beginning with: ..." */
	args.p = memmem(line.p, line.n, ", with args", 11);
	if (args.p)
		line.n = (size_t)(args.p - line.p);
	m->flags |= MSG_ERROR;
	attrs__str(&m->attrs, "db.response.status_code", prefix);
	snprintf(m->error_type, sizeof(m->error_type), "%.*s", (int)prefix.n, prefix.p);
	snprintf(m->error_message, sizeof(m->error_message), "%.*s", (int)line.n, line.p);
}

/* A reply to a command begins: what it means for the connection. error: it is one. */
static void marks__answered(struct redis *rd, bool error)
{
	struct mark *k = mark__now(rd);

	if (k && k->kind == MARK_MONITOR && !error)
		rd->monitoring = true;
	if (k && k->kind == MARK_SELECT && error) {
		rd->database = k->n < 0 ? 0 : k->n;
		rd->database_is = k->n < 0 ? DATABASE_UNKNOWN : DATABASE_KNOWN;
	}
	if (k)
		mark__drop(rd);
}

/* The confirmation of a subscription, or the refusal. left: how many subscriptions there are now. */
static void marks__confirmed(struct redis *rd, int64_t left)
{
	struct mark *k = mark__now(rd);

	if (left >= 0)
		rd->subscribed = left > 0;
	if (mark__subscribes(k) && (left < 0 || --k->n <= 0))
		mark__drop(rd);
}

/* The words that begin what a subscription sends; those with `confirms` end with a count. */
static const struct { struct slice word; bool confirms; } push_words[] = {
	{SLICE("message"), false}, {SLICE("pmessage"), false}, {SLICE("smessage"), false}, {SLICE("subscribe"), true},
	{SLICE("psubscribe"), true}, {SLICE("ssubscribe"), true}, {SLICE("unsubscribe"), true},
	{SLICE("punsubscribe"), true}, {SLICE("sunsubscribe"), true},
};

/* *left: of a confirmation the count, else -1. 2 yes, 1 too few bytes, 0 no. */
static int push__recognise(struct slice s, int64_t *left)
{
	int64_t n = 0;
	int head = redis__number(s, &n);
	size_t at = (size_t)head;

	*left = -1;
	if (head <= 0)
		return head == 0;
	if (n < 3 || n > 4)
		return 0;
	for (int part = 0; part < 3; part++) {
		struct slice arg = {NULL, 0}, rest = slice__sub(s, at, SIZE_MAX);
		bool confirms = false, known = part > 0;
		if (part == 2 && rest.n && rest.p[0] == ':')
			return redis__number(rest, left) ? 2 : 1;
		head = redis__number(rest, &n); /* $9, or $-1 and _ for no channel */
		if (rest.n && rest.p[0] == '_')
			head = rest.n < 3 ? 0 : 3, n = -1;
		if (head <= 0 || (rest.n && !strchr("$_", rest.p[0])))
			return head == 0 && (!rest.n || strchr("$_", rest.p[0]));
		arg = slice__sub(rest, (size_t)head, n > 0 ? (size_t)n : 0);
		for (size_t i = 0; !part && i < sizeof(push_words) / sizeof(push_words[0]); i++) {
			known |= slice__eq(arg, push_words[i].word);
			confirms |= known && push_words[i].confirms && slice__eq(arg, push_words[i].word);
		}
		if (!known)
			return arg.n < (size_t)(n > 0 ? n : 0) && n < 16;
		if (!part && !confirms)
			return 2;
		at += (size_t)head + (n >= 0 ? (size_t)n + 2 : 0);
	}
	return 0;
}

/* What begins here? MSG_NONE: too few bytes. */
static enum message_kind reply__kind(struct redis *rd, const struct parse_input *in, int64_t *left)
{
	const struct mark *k = mark__now(rd);
	struct slice s = in->bytes;
	int is;

	*left = -1;
	switch (s.p[0]) {
	case '>':
		push__recognise(s, left);
		rd->resp3 = true;
		return MSG_PUSH;
	case '*':
		if (rd->resp3)
			return MSG_RESPONSE;
		if (!rd->subscribed && !mark__subscribes(k) && rd->sent != rd->answered)
			return MSG_RESPONSE;
		is = push__recognise(s, left);
		if (is == 1 && s.n < PREFIX && !in->missing)
			return MSG_NONE;
		return is == 2 ? MSG_PUSH : MSG_RESPONSE;
	case '+':
		if (rd->monitoring && s.n < 2 && !in->missing)
			return MSG_NONE;
		if (rd->monitoring && s.n > 1 && s.p[1] >= '0' && s.p[1] <= '9')
			return MSG_PUSH;
		/* fall through */
	case '-':
		/* +QUEUED or an error instead of the confirmation. */
		if (mark__subscribes(k))
			return MSG_PUSH;
	}
	return MSG_RESPONSE;
}

static void reply__ended(struct redis *rd, struct message *m)
{
	rd->in_reply = false;
	if (m->kind != MSG_RESPONSE)
		return;
	m->flags |= MSG_ENDS;
	if (rd->answered < rd->sent)
		rd->answered++;
}

/* Nothing more can be read in this turn. */
static enum decode_status reply__truncated(struct redis *rd, struct message *m)
{
	if (!rd->in_reply && rd->sent == rd->answered)
		return DECODE_TRUNC;
	if (rd->in_reply && rd->kind != MSG_RESPONSE)
		return DECODE_TRUNC;
	m->kind = MSG_RESPONSE;
	m->flags = rd->in_reply ? 0 : MSG_BEGINS;
	rd->in_reply = false;
	if (rd->answered < rd->sent)
		rd->answered++;
	return DECODE_TRUNC;
}

static enum decode_status server__begin(struct redis *rd, const struct parse_input *in, struct message *m, uint64_t *used)
{
	struct redis_reply before;
	struct slice error = {NULL, 0};
	int64_t left = -1;
	enum reply_status is;
	enum message_kind kind = in->bytes.n ? reply__kind(rd, in, &left) : MSG_NONE;

	if (kind == MSG_NONE)
		return in->missing ? reply__truncated(rd, m) : DECODE_MORE;
	rd->reply = (struct redis_reply){0};
	before = rd->reply;
	is = redis_reply__walk(&rd->reply, in->bytes, in->missing, used, &error);
	/* A push is told whole, if it is short: parts of it would look like several. */
	if (kind == MSG_PUSH && is == REPLY_GOES_ON && in->bytes.n < PREFIX && !in->missing)
		is = REPLY_MORE;
	if (is == REPLY_BAD)
		return DECODE_BAD;
	if (is == REPLY_MORE) {
		rd->reply = before;
		return in->missing ? reply__truncated(rd, m) : DECODE_MORE;
	}
	m->kind = kind;
	m->flags = kind == MSG_PUSH ? MSG_BEGINS | MSG_ENDS : MSG_BEGINS;
	rd->kind = kind == MSG_PUSH ? MSG_NONE : kind; /* its other parts */
	rd->in_reply = true;
	if (error.p)
		error__fill(m, error);
	if (kind == MSG_PUSH && (left >= 0 || in->bytes.p[0] == '-' || (in->bytes.p[0] == '+' && !rd->monitoring)))
		marks__confirmed(rd, left);
	else if (kind == MSG_RESPONSE)
		marks__answered(rd, error.p);
	if (is == REPLY_DONE)
		reply__ended(rd, m);
	return DECODE_OK;
}

static enum decode_status server__parse(struct redis *rd, const struct parse_input *in, struct message *m, uint64_t *used)
{
	struct slice error = {NULL, 0};
	enum reply_status is;

	if (!rd->in_reply)
		return server__begin(rd, in, m, used);
	is = redis_reply__walk(&rd->reply, in->bytes, in->missing, used, &error);
	m->kind = rd->kind;
	if (error.p && m->kind == MSG_RESPONSE) /* behind an attribute */
		error__fill(m, error);
	if (is == REPLY_DONE)
		reply__ended(rd, m);
	if (is == REPLY_DONE || *used)
		return DECODE_OK;
	if (is == REPLY_BAD)
		return DECODE_BAD;
	return in->missing ? reply__truncated(rd, m) : DECODE_MORE;
}

static enum decode_status redis__parse(void *state, const struct parse_input *in, struct message *m, uint64_t *consumed)
{
	enum decode_status st = in->side == SIDE_CLIENT ? client__parse(state, in, m, consumed)
							: server__parse(state, in, m, consumed);

	if (st != DECODE_OK && st != DECODE_UPGRADE)
		*consumed = 0;
	return st;
}

static void redis__resync(void *state, enum decode_side side)
{
	struct redis *rd = state;

	if (side == SIDE_CLIENT) {
		rd->in_command = false;
		rd->skip = rd->args = 0;
		rd->database_is = DATABASE_UNKNOWN; /* a SELECT may have been lost */
		return;
	}
	rd->in_reply = false;
	rd->reply = (struct redis_reply){0};
	/* How many replies were lost nobody knows. */
	rd->answered = rd->sent;
	rd->mark_n = 0;
}

const struct protocol protocol_redis = {
	.name = "redis",
	.state_size = sizeof(struct redis),
	.recognise = redis__recognise,
	.parse = redis__parse,
	.resync = redis__resync,
};
