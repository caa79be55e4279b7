/* SPDX-License-Identifier: Apache-2.0 */
/* redis_reply.c - where does a reply of RESP end? */
#include "decode/redis_reply.h"

#define STREAM UINT64_MAX	      /* elements until . */
#define STREAM_STRING (UINT64_MAX - 1) /* parts of a string until ;0 */
#define BULK_MAX (512ll << 20 << 2)    /* proto-max-bulk-len is 512 MiB by default */
#define COUNT_MAX (1ll << 31)

int redis__number(struct slice s, int64_t *n)
{
	size_t i = 1;
	bool minus = s.n > 1 && s.p[1] == '-';
	int64_t v = 0;

	i += minus;
	for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
		if (i > 18)
			return -1;
		v = v * 10 + (s.p[i] - '0');
	}
	if (i >= s.n)
		return 0;
	if (s.p[i] != '\r' || i == 1u + minus)
		return -1;
	if (i + 1 == s.n)
		return 0;
	if (s.p[i + 1] != '\n')
		return -1;
	*n = minus ? -v : v;
	return (int)(i + 2);
}

/* An element ended. True: the reply with it. */
static bool reply__complete(struct redis_reply *r)
{
	while (r->depth) {
		uint64_t *left = &r->left[r->depth - 1];
		if (*left >= STREAM_STRING || --*left)
			return false;
		r->depth--;
		if (r->attributes >> r->depth & 1) {
			r->attributes &= ~(1ull << r->depth);
			return false; /* what it is about follows */
		}
	}
	return true;
}

static bool reply__push(struct redis_reply *r, uint64_t left, bool attribute)
{
	if (r->depth == REPLY_DEPTH)
		return false;
	if (attribute)
		r->attributes |= 1ull << r->depth;
	r->left[r->depth++] = left;
	return true;
}

/*
 * One element, or the head of one, at s: how many bytes it takes; 0 not all there, -1 it is none.
 * *done: the reply ended with it.
 */

/* + - : _ # , ( are lines. */
static int64_t element__line(struct redis_reply *r, struct slice s, bool *done, struct slice *error)
{
	size_t end = slice__find(slice__sub(s, 0, REPLY_LINE_MAX), '\n');

	if (end == s.n)
		return 0;
	if (s.p[0] == '-' && !r->depth)
		*error = slice__sub(s, 1, end - 1 - (end > 1 && s.p[end - 1] == '\r'));
	if (end == REPLY_LINE_MAX) { /* longer: look for its end later */
		r->line = r->element = true;
		return REPLY_LINE_MAX;
	}
	if (end < 2 || s.p[end - 1] != '\r')
		return -1;
	*done = reply__complete(r);
	return (int64_t)end + 1;
}

/* $ = ! are strings with a length. */
static int64_t element__bulk(struct redis_reply *r, struct slice s, bool *done, struct slice *error)
{
	int64_t n;
	int head;

	if (s.n >= 4 && s.p[1] == '?')
		return s.p[2] == '\r' && s.p[3] == '\n' && reply__push(r, STREAM_STRING, false) ? 4 : -1;
	if (s.n >= 2 && s.p[1] == '?')
		return 0;
	head = redis__number(s, &n);
	if (head <= 0)
		return head;
	if (n < -1 || n > BULK_MAX)
		return -1;
	if (n < 0) {
		*done = reply__complete(r);
		return head;
	}
	if (s.p[0] == '!' && !r->depth) {
		size_t want = (size_t)n < REPLY_LINE_MAX ? (size_t)n : REPLY_LINE_MAX;
		if (s.n - (size_t)head < want)
			return 0;
		*error = slice__sub(s, (size_t)head, want);
	}
	r->skip = (uint64_t)n + 2;
	r->element = true;
	return head;
}

/* * ~ > % | hold elements. */
static int64_t element__aggregate(struct redis_reply *r, struct slice s, bool *done)
{
	uint64_t each = s.p[0] == '%' || s.p[0] == '|' ? 2 : 1;
	int64_t n;
	int head;

	if (s.n >= 2 && s.p[1] == '?') {
		if (s.n < 4)
			return 0;
		return s.p[2] == '\r' && s.p[3] == '\n' && reply__push(r, STREAM, s.p[0] == '|') ? 4 : -1;
	}
	head = redis__number(s, &n);
	if (head <= 0)
		return head;
	if (n < -1 || n > COUNT_MAX)
		return -1;
	if (n > 0)
		return reply__push(r, (uint64_t)n * each, s.p[0] == '|') ? head : -1;
	if (s.p[0] != '|')
		*done = reply__complete(r);
	return head;
}

static bool reply__in(const struct redis_reply *r, uint64_t what)
{
	return r->depth && r->left[r->depth - 1] == what;
}

/* The end of a streamed aggregate, itself an element. */
static bool reply__pop(struct redis_reply *r)
{
	bool attribute;

	r->depth--;
	attribute = r->attributes >> r->depth & 1;
	r->attributes &= ~(1ull << r->depth);
	return !attribute && reply__complete(r);
}

/* ;4\r\nabcd\r\n ... ;0\r\n */
static int64_t element__part(struct redis_reply *r, struct slice s, bool *done)
{
	int64_t n;
	int head = redis__number(s, &n);

	if (head <= 0)
		return head;
	if (n < 0 || n > BULK_MAX)
		return -1;
	if (n == 0) {
		*done = reply__pop(r);
		return head;
	}
	r->skip = (uint64_t)n + 2;
	r->element = false;
	return head;
}

static int64_t reply__element(struct redis_reply *r, struct slice s, bool *done, struct slice *error)
{
	if (reply__in(r, STREAM_STRING))
		return s.p[0] == ';' ? element__part(r, s, done) : -1;
	switch (s.p[0]) {
	case '+': case '-': case ':': case '_': case '#': case ',': case '(':
		return element__line(r, s, done, error);
	case '$': case '=': case '!':
		return element__bulk(r, s, done, error);
	case '*': case '~': case '>': case '%': case '|':
		return element__aggregate(r, s, done);
	case '.':
		if (!reply__in(r, STREAM))
			return -1;
		if (s.n < 3)
			return 0;
		if (s.p[1] != '\r' || s.p[2] != '\n')
			return -1;
		*done = reply__pop(r);
		return 3;
	}
	return -1;
}

/* What an element still needs: the rest of a string, of a line. False: more bytes. */
static bool reply__pass(struct redis_reply *r, struct slice bytes, uint64_t there, uint64_t *used)
{
	if (r->skip) {
		uint64_t n = r->skip < there - *used ? r->skip : there - *used;
		r->skip -= n;
		*used += n;
		return r->skip == 0;
	}
	if (r->line) {
		struct slice rest = slice__sub(bytes, *used < bytes.n ? (size_t)*used : bytes.n, SIZE_MAX);
		size_t end = slice__find(rest, '\n');
		r->line = end == rest.n;
		*used += r->line ? end : end + 1;
	}
	return !r->line;
}

enum reply_status redis_reply__walk(struct redis_reply *r, struct slice bytes, uint64_t missing, uint64_t *used,
				    struct slice *error)
{
	uint64_t there = bytes.n + missing;
	bool done = false;

	*used = 0;
	while (!done) {
		if (!reply__pass(r, bytes, there, used))
			break;
		if (r->element) {
			r->element = false;
			done = reply__complete(r);
			continue;
		}
		if (*used >= bytes.n)
			break;
		int64_t n = reply__element(r, slice__sub(bytes, (size_t)*used, SIZE_MAX), &done, error);
		if (n < 0)
			return REPLY_BAD;
		if (n == 0)
			break;
		*used += (uint64_t)n;
	}
	return done ? REPLY_DONE : *used ? REPLY_GOES_ON : REPLY_MORE;
}
