/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_recognise.c - could these bytes be Redis's? A command must have the name of one; a reply
 * must be whole, or one of the few that other protocols do not begin with.
 */
#include <ctype.h>

#include "decode/redis.h"
#include "decode/redis_commands.h"
#include "decode/redis_reply.h"

enum { NO, PERHAPS, YES };

/* *2\r\n$3\r\nGET\r\n */
static int array__recognise(struct slice s)
{
	int64_t count, n;
	int head = redis__number(s, &count), name;

	if (head <= 0)
		return head == 0 ? PERHAPS : NO;
	if (count < 1 || count > 1 << 20)
		return NO;
	s = slice__sub(s, (size_t)head, SIZE_MAX);
	if (!s.n)
		return PERHAPS;
	name = s.p[0] == '$' ? redis__number(s, &n) : -1;
	if (name <= 0)
		return name == 0 ? PERHAPS : NO;
	if (n < 1 || n >= REDIS_NAME_MAX)
		return NO;
	s = slice__sub(s, (size_t)name, SIZE_MAX);
	for (size_t i = 0; i < s.n && i < (size_t)n; i++)
		if (!isalnum((unsigned char)s.p[i]) && !memchr("._-|", s.p[i], 4))
			return NO;
	if (s.n < (size_t)n + 2)
		return PERHAPS;
	return s.p[n] == '\r' && s.p[n + 1] == '\n' ? YES : NO;
}

/* PING\r\n. Words that other protocols begin with, too, are left open: the answer will tell. */
static int inline__recognise(struct slice s)
{
	size_t end = slice__find(s, '\n');
	struct slice line = slice__sub(s, 0, end), word;
	const struct redis_command *c;

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	word = slice__sub(line, 0, slice__find(line, ' '));
	for (size_t i = 0; i < word.n; i++)
		if (!isalpha((unsigned char)word.p[i]))
			return NO;
	if (!word.n || word.n > 16 || memmem(line.p, line.n, "HTTP", 4) || memmem(line.p, line.n, "://", 3))
		return NO;
	if (word.n == s.n)
		return PERHAPS;
	c = redis_command__of(word);
	if (!c)
		return NO;
	/* memcached's are in lower case. */
	return end == s.n || c->flags & CMD_AMBIGUOUS || islower((unsigned char)word.p[0]) ? PERHAPS : YES;
}

/* +OK\r\n, -ERR ...\r\n: other protocols say so, too, but not with these words. */
static int status__recognise(struct slice s)
{
	static const struct slice words[] = {SLICE("+OK\r\n"), SLICE("+PONG\r\n"), SLICE("+QUEUED\r\n")};
	size_t end = slice__find(s, '\n'), i = 1;

	for (size_t w = 0; w < 3; w++)
		if (slice__starts(s, words[w]))
			return YES;
	if (end == s.n)
		return s.n < REPLY_LINE_MAX ? PERHAPS : NO;
	if (s.p[0] == '+' || end < 2 || s.p[end - 1] != '\r')
		return s.p[0] == '+' && end > 1 && s.p[end - 1] == '\r' ? PERHAPS : NO;
	while (i < end && (isupper((unsigned char)s.p[i]) || s.p[i] == '_'))
		i++;
	return i > 2 && s.p[i] == ' ' ? YES : PERHAPS;
}

static int reply__recognise(struct slice s)
{
	struct redis_reply r = {0};
	struct slice error = {NULL, 0};
	uint64_t used;
	int64_t n;

	switch (s.p[0]) {
	case '+': case '-':
		return status__recognise(s);
	case '$': case '*': case ':': case '%': case '~': case '>': case '=': case '!': case '|':
		if (s.n > 1 && s.p[1] != '?' && redis__number(s, &n) < 0)
			return NO;
		break;
	case '_':
		return slice__starts(s, SLICE("_\r\n")) ? YES : slice__starts(SLICE("_\r\n"), s) ? PERHAPS : NO;
	case '#':
		if (s.n > 1 && s.p[1] != 't' && s.p[1] != 'f')
			return NO;
		break;
	case ',': case '(':
		if (s.n > 1 && !isdigit((unsigned char)s.p[1]) && s.p[1] != '-')
			return NO;
		break;
	default:
		return NO;
	}
	switch (redis_reply__walk(&r, s, 0, &used, &error)) {
	case REPLY_DONE: return YES;
	case REPLY_BAD: return NO;
	default: break;
	}
	/* Several levels into it, or far: nothing else looks like that. */
	return r.depth && used > 64 ? YES : PERHAPS;
}

int redis__recognise(enum decode_side side, struct slice begin)
{
	if (!begin.n)
		return PERHAPS;
	if (side == SIDE_SERVER)
		return reply__recognise(begin);
	return begin.p[0] == '*' ? array__recognise(begin) : inline__recognise(begin);
}
