/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_body.c - see http1_body.h. Content itself is never looked at: bytes that were not captured
 * are as good as those that were, as long as no size line is among them.
 */
#include "decode/http1_body.h"

#define LINE_MAX_BYTES 4096   /* a size line with its extensions */
#define TRAILER_MAX 16384     /* all of it */
#define SIZE_DIGITS 15

/* What is still to be passed over. */
struct input {
	struct slice bytes;
	uint64_t missing, used;
};

enum step { STEP_ON, STEP_WAIT, STEP_BAD };

static uint64_t input__pass(struct input *in, uint64_t n)
{
	uint64_t all = in->bytes.n + in->missing;
	if (n > all)
		n = all;
	uint64_t real = n < in->bytes.n ? n : in->bytes.n;
	in->bytes = slice__sub(in->bytes, (size_t)real, in->bytes.n);
	in->missing -= n - real;
	in->used += n;
	return n;
}

/* A line with its LF, without its CR and LF. */
static enum step input__line(struct input *in, size_t max, struct slice *line)
{
	size_t lf = slice__find(in->bytes, '\n');
	if (lf > max)
		return STEP_BAD;
	if (lf == in->bytes.n)
		return STEP_WAIT;
	*line = slice__sub(in->bytes, 0, lf);
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	input__pass(in, lf + 1);
	return STEP_ON;
}

static int hex__value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 9112, 7.1: chunk-size [ chunk-ext ], blanks before the ';' tolerated. */
static bool chunk__size(struct slice line, uint64_t *size)
{
	size_t i = 0;
	for (*size = 0; i < line.n && hex__value(line.p[i]) >= 0; i++)
		*size = *size << 4 | (uint64_t)hex__value(line.p[i]);
	struct slice rest = slice__trim(slice__sub(line, i, line.n));
	return i > 0 && i <= SIZE_DIGITS && (!rest.n || rest.p[0] == ';');
}

/*
 * The end of a transfer was not captured, and what is missing is exactly as long as the last chunk
 * with an empty trailer (after the line end of the chunk before it): that is what it was.
 */
static bool body__ends_unseen(const struct http1_body *b, const struct input *in)
{
	const uint64_t last = sizeof("0\r\n\r\n") - 1;
	return in->bytes.n == 0 && in->missing == last + (b->phase == BODY_CHUNK_END ? 2 : 0);
}

static enum step body__content(struct http1_body *b, struct input *in)
{
	uint64_t n = input__pass(in, b->left);
	b->size += n;
	b->left -= n;
	if (b->left)
		return STEP_WAIT;
	b->phase = b->phase == BODY_LENGTH ? BODY_NONE : BODY_CHUNK_END;
	return STEP_ON;
}

static enum step body__chunk_size(struct http1_body *b, struct input *in)
{
	struct slice line;
	if (body__ends_unseen(b, in)) {
		input__pass(in, in->missing);
		b->phase = BODY_NONE;
		return STEP_ON;
	}
	enum step s = input__line(in, LINE_MAX_BYTES, &line);
	if (s != STEP_ON)
		return s;
	uint64_t size;
	if (!chunk__size(line, &size))
		return STEP_BAD;
	b->left = size;
	b->phase = size ? BODY_CHUNK_DATA : BODY_TRAILER;
	return STEP_ON;
}

static enum step body__chunk_end(struct http1_body *b, struct input *in)
{
	struct slice line;
	if (body__ends_unseen(b, in)) {
		input__pass(in, in->missing);
		b->phase = BODY_NONE;
		return STEP_ON;
	}
	enum step s = input__line(in, 1, &line);
	if (s == STEP_ON)
		b->phase = BODY_CHUNK_SIZE;
	return s == STEP_ON && line.n ? STEP_BAD : s;
}

/* RFC 9112, 7.1.2: fields that nobody here wants; an empty line ends the message. */
static enum step body__trailer(struct http1_body *b, struct input *in)
{
	struct slice line;
	uint64_t before = in->used;
	enum step s = input__line(in, TRAILER_MAX, &line);
	if (s != STEP_ON)
		return s;
	b->left += in->used - before;
	if (!line.n)
		b->phase = BODY_NONE;
	else if (b->left > TRAILER_MAX || slice__find(line, ':') == line.n)
		return STEP_BAD;
	return STEP_ON;
}

static enum step body__step(struct http1_body *b, struct input *in)
{
	switch (b->phase) {
	case BODY_LENGTH:
	case BODY_CHUNK_DATA: return body__content(b, in);
	case BODY_CHUNK_SIZE: return body__chunk_size(b, in);
	case BODY_CHUNK_END: return body__chunk_end(b, in);
	case BODY_TRAILER: return body__trailer(b, in);
	case BODY_CLOSE: b->size += input__pass(in, UINT64_MAX); return STEP_WAIT;
	case BODY_NONE: break;
	}
	return STEP_WAIT;
}

bool http1_body__advance(struct http1_body *b, struct slice bytes, uint64_t missing, uint64_t *used)
{
	struct input in = {bytes, missing, 0};
	enum step s = STEP_ON;
	*used = 0;
	while (s == STEP_ON && b->phase != BODY_NONE) {
		struct http1_body before = *b;
		s = body__step(b, &in);
		/* What came before the fault is the body's; the fault is for the next call. */
		if (s == STEP_BAD)
			*b = before;
		else
			*used = in.used;
	}
	return s != STEP_BAD || *used > 0;
}
