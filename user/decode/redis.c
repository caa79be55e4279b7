/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis.c - bytes of a Redis connection -> requests (redis_request.c) and responses.
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

/* ---- marks ---- */

/* The mark whose turn it is, if it is of such a kind. */
static struct mark *mark__now(struct redis *rd)
{
	struct mark *k = &rd->marks[rd->mark_first];

	return rd->mark_n && k->at <= rd->answered ? k : NULL;
}

static void mark__drop(struct redis *rd)
{
	rd->mark_first = (rd->mark_first + 1) % REDIS_MARKS;
	rd->mark_n--;
}

static bool mark__subscribes(const struct mark *k)
{
	return k && (k->kind == MARK_SUBSCRIBE || k->kind == MARK_UNSUBSCRIBE);
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
		bool confirms = false, known = part > 0, text = !rest.n || rest.p[0] == '$' || rest.p[0] == '_';
		if (part == 2 && rest.n && rest.p[0] == ':')
			return redis__number(rest, left) ? 2 : 1;
		head = redis__number(rest, &n); /* $9, or $-1 and _ for no channel */
		if (rest.n && rest.p[0] == '_')
			head = rest.n < 3 ? 0 : 3, n = -1;
		if (head <= 0 || !text)
			return head == 0 && text;
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
		if (is == 1 && s.n < REDIS_PREFIX && !in->missing)
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
	if (kind == MSG_PUSH && is == REPLY_GOES_ON && in->bytes.n < REDIS_PREFIX && !in->missing)
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
	enum decode_status st = in->side == SIDE_CLIENT ? redis__command(state, in, m, consumed)
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
