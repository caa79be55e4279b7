// SPDX-License-Identifier: Apache-2.0
/*
 * redis_request.c - what a client sends: arrays and inline commands. Of each the first REDIS_PREFIX bytes
 * are looked at, and what it changes for the connection is kept. Contract: redis.h.
 */
#include "decode/redis.h"

#include <stdio.h>

#include "decode/redis_commands.h"

#define INLINE_MAX 32768 /* PROTO_INLINE_MAX_SIZE is 64 KiB */
#define ARGUMENT_MAX (1ll << 31) /* proto-max-bulk-len is 512 MiB by default */

/* Remembers a command, at its place in the order of the replies. */
static void mark__add(struct redis *rd, enum mark_kind kind, int64_t n)
{
	if (rd->mark_n == REDIS_MARKS) { /* nobody does that */
		rd->mark_first = (rd->mark_first + 1) % REDIS_MARKS;
		rd->mark_n--;
	}
	rd->marks[(rd->mark_first + rd->mark_n++) % REDIS_MARKS] = (struct mark){rd->sent, kind, n};
}

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

/* The arguments after the first REDIS_PREFIX bytes are walked over, never looked at. */
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

/* *N and its arguments, as far as the first REDIS_PREFIX bytes of the command hold them. */
static int command__text(const struct parse_input *in, uint64_t count, size_t from, struct redis_text *t, struct slice *second,
			 struct message *m)
{
	struct slice prefix = slice__sub(in->bytes, 0, REDIS_PREFIX);
	bool all = in->bytes.n >= REDIS_PREFIX || in->missing;
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
			if (in->bytes.n < REDIS_PREFIX)
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
				m->flags |= in->bytes.n < REDIS_PREFIX ? MSG_CUT : 0;
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
		return in->missing ? command__unknown(rd, m) : in->bytes.n >= REDIS_PREFIX ? DECODE_BAD : DECODE_MORE;
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

enum decode_status redis__command(struct redis *rd, const struct parse_input *in, struct message *m, uint64_t *used)
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
