/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_head.c - see http1_head.h. RFC 9112 (HTTP/1.1), RFC 9110 (semantics).
 *
 * Strict where two readings of one message would differ (framing), lenient where all agree on what
 * was meant: a line may end with LF alone (2.2), a field may be folded (5.2).
 */
#include "decode/http1_head.h"

#define METHOD_MAX 32
#define UNFOLD_MAX 1024

static const struct slice method_names[HTTP1_METHODS] = {
	[HTTP1_GET] = SLICE("GET"),	    [HTTP1_HEAD] = SLICE("HEAD"),	[HTTP1_POST] = SLICE("POST"),
	[HTTP1_PUT] = SLICE("PUT"),	    [HTTP1_DELETE] = SLICE("DELETE"),	[HTTP1_CONNECT] = SLICE("CONNECT"),
	[HTTP1_OPTIONS] = SLICE("OPTIONS"), [HTTP1_TRACE] = SLICE("TRACE"),	[HTTP1_PATCH] = SLICE("PATCH"),
	[HTTP1_QUERY] = SLICE("QUERY"),
};

/* RFC 9110, 5.6.2: letters, digits and these. */
static const bool token_char[256] = {
	['!'] = true, ['#' ... '\''] = true, ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true, ['0' ... '9'] = true,
	['A' ... 'Z'] = true, ['^' ... 'z'] = true, ['|'] = true, ['~'] = true,
};

/* How many bytes at the beginning of s are a token's. */
static size_t token__length(struct slice s)
{
	size_t n = 0;
	while (n < s.n && token_char[(unsigned char)s.p[n]])
		n++;
	return n;
}

/* RFC 9110, 5.6.2 */
static bool http1__is_token(struct slice s)
{
	return s.n > 0 && token__length(s) == s.n;
}

enum http1_method http1__method(struct slice name)
{
	for (int i = HTTP1_GET; i < HTTP1_METHODS; i++)
		if (slice__eq(name, method_names[i]))
			return (enum http1_method)i;
	return HTTP1_OTHER;
}

struct slice http1__method_name(enum http1_method m)
{
	return method_names[m];
}

/* Without the CR that goes with the LF. */
static struct slice line__chomp(struct slice line)
{
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/* RFC 9112, 3: method SP request-target SP HTTP-version. */
static bool head__request_line(struct http1_head *h, struct slice line, bool done)
{
	size_t sp = slice__find(line, ' ');
	h->method_text = slice__sub(line, 0, sp);
	if (h->method_text.n > METHOD_MAX)
		return false;
	if (!done && h->method_text.n == 0)
		return true;
	if (!http1__is_token(h->method_text))
		return false;
	if (sp == line.n)
		return !done;
	h->method = http1__method(h->method_text);
	h->target = slice__sub(line, sp + 1, line.n);
	size_t end = slice__find(h->target, ' ');
	struct slice version = slice__sub(h->target, end + 1, h->target.n);
	bool spaced = end < h->target.n;
	h->target.n = end;
	if (spaced && end == 0)
		return false;
	if (!done)
		return slice__starts(SLICE("HTTP/1."), slice__sub(version, 0, 7));
	if (version.n != 8 || !slice__starts(version, SLICE("HTTP/1.")))
		return false;
	h->minor = (uint8_t)(version.p[7] - '0');
	return h->minor <= 9;
}

/* RFC 9112, 4: HTTP-version SP status-code SP [reason]; some leave the second blank out. */
static bool head__status_line(struct http1_head *h, struct slice line, bool done)
{
	static const char form[] = "HTTP/1.d ddd";
	for (size_t i = 0; i < line.n && i < sizeof(form) - 1; i++) {
		bool digit = line.p[i] >= '0' && line.p[i] <= '9';
		if (form[i] == 'd' ? !digit : line.p[i] != form[i])
			return false;
	}
	if (line.n < 12)
		return !done;
	/* The CR may be the last byte that is there. */
	if (line.n > 12 && line.p[12] != ' ' && (done || line.p[12] != '\r'))
		return false;
	h->minor = (uint8_t)(line.p[7] - '0');
	for (int i = 9; i < 12; i++)
		h->status = h->status * 10 + (unsigned)(line.p[i] - '0');
	return h->status >= 100;
}

static void take__host(struct http1_head *h, struct slice v)
{
	h->host = v;
}

static void take__user_agent(struct http1_head *h, struct slice v)
{
	h->user_agent = v;
}

/* RFC 9112, 6.3 (5): digits only; a list or several lines only if all are the same. */
static void take__length(struct http1_head *h, struct slice v)
{
	do {
		size_t comma = slice__find(v, ',');
		struct slice one = slice__trim(slice__sub(v, 0, comma));
		uint64_t n = 0;
		h->broken |= one.n == 0 || one.n > 18;
		for (size_t i = 0; i < one.n && !h->broken; i++) {
			h->broken |= one.p[i] < '0' || one.p[i] > '9';
			n = n * 10 + (uint64_t)(one.p[i] - '0');
		}
		h->broken |= h->has_length && n != h->length;
		h->has_length = true;
		h->length = n;
		v = slice__sub(v, comma + 1, v.n);
	} while (v.n && !h->broken);
}

/* RFC 9112, 6.1: what counts is the last coding, and that chunked is applied once. */
static void take__coding(struct http1_head *h, struct slice v)
{
	while (v.n) {
		size_t comma = slice__find(v, ',');
		struct slice one = slice__trim(slice__sub(v, 0, comma));
		one = slice__trim(slice__sub(one, 0, slice__find(one, ';')));
		v = slice__sub(v, comma + 1, v.n);
		if (!one.n)
			continue;
		h->broken |= h->coding == CODING_CHUNKED;
		h->coding = slice__eq_nocase(one, SLICE("chunked")) ? CODING_CHUNKED : CODING_OTHER;
	}
	if (h->coding == CODING_NONE)
		h->coding = CODING_OTHER; /* an empty field says nothing that could be trusted */
}

static const struct {
	struct slice name;
	void (*take)(struct http1_head *h, struct slice value);
} fields[] = {
	{SLICE("Host"), take__host},
	{SLICE("User-Agent"), take__user_agent},
	{SLICE("Content-Length"), take__length},
	{SLICE("Transfer-Encoding"), take__coding},
};

/* RFC 9112, 5.2: a fold, with the blanks around it, becomes one blank. */
static struct slice value__unfold(struct slice v, char *out)
{
	size_t n = 0;
	for (size_t i = 0; i < v.n && n < UNFOLD_MAX; i++) {
		if (v.p[i] != '\r' && v.p[i] != '\n') {
			out[n++] = v.p[i];
			continue;
		}
		while (n && (out[n - 1] == ' ' || out[n - 1] == '\t'))
			n--;
		while (i + 1 < v.n && strchr(" \t\r\n", v.p[i + 1]) && v.p[i + 1])
			i++;
		out[n++] = ' ';
	}
	return slice__trim((struct slice){out, n});
}

/* Lengths of the names that anybody here wants: most fields of a message stop at this question. */
#define LENGTHS (1u << 2 | 1u << 4 | 1u << 7 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 14 | 1u << 17)

static void head__take(struct http1_head *h, enum decode_side side, struct slice name, struct slice value, bool folded)
{
	char flat[UNFOLD_MAX];
	if (name.n > 17 || !(LENGTHS >> name.n & 1))
		return;
	value = slice__trim(value);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if ((name.p[0] | 0x20) != (fields[i].name.p[0] | 0x20) || !slice__eq_nocase(name, fields[i].name))
			continue;
		/* Nobody folds these; two readers would not agree on what it means. */
		h->broken |= folded;
		fields[i].take(h, value);
		return;
	}
	if (side == SIDE_CLIENT)
		trace_headers__take(&h->trace, name, folded ? value__unfold(value, flat) : value);
}

/*
 * RFC 9112, 5.1: no blank between name and colon. A server must refuse that, a proxy takes it out
 * of a response: so do we, since the reader at the end was given it that way.
 */
static bool head__field(struct http1_head *h, enum decode_side side, struct slice line, bool folded)
{
	struct slice name = slice__sub(line, 0, token__length(line));
	size_t colon = name.n;
	while (side == SIDE_SERVER && colon < line.n && (line.p[colon] == ' ' || line.p[colon] == '\t'))
		colon++;
	if (!name.n || colon == line.n || line.p[colon] != ':')
		return false;
	head__take(h, side, name, slice__sub(line, colon + 1, line.n), folded);
	return true;
}

static bool starts_blank(struct slice s)
{
	return s.n && (s.p[0] == ' ' || s.p[0] == '\t');
}

/* The next field of `rest`, with the lines folded to it; its size, or 0 when its end is not there. */
static size_t field__next(struct slice rest, struct slice *line, bool *folded)
{
	size_t lf = slice__find(rest, '\n');
	*line = line__chomp(slice__sub(rest, 0, lf));
	*folded = false;
	if (!line->n) /* ends the head: a blank after it is the body's */
		return lf < rest.n ? lf + 1 : 0;
	while (lf < rest.n && starts_blank(slice__sub(rest, lf + 1, 1))) {
		lf += 1 + slice__find(slice__sub(rest, lf + 1, rest.n), '\n');
		*line = line__chomp(slice__sub(rest, 0, lf));
		*folded = true;
	}
	return lf < rest.n ? lf + 1 : 0;
}

static enum http1_answer head__fields(struct http1_head *h, enum decode_side side, struct slice rest, size_t before)
{
	struct slice line;
	bool folded;
	/* RFC 9112, 2.2: a blank right after the start line is smuggling, or a proxy's mistake. */
	if (starts_blank(rest))
		return HEAD_BAD;
	for (size_t used; (used = field__next(rest, &line, &folded)) > 0; before += used) {
		rest = slice__sub(rest, used, rest.n);
		if (!line.n && !folded) {
			h->size = before + used;
			return h->broken ? HEAD_BAD : HEAD_WHOLE;
		}
		if (!head__field(h, side, line, folded))
			return HEAD_BAD;
	}
	return HEAD_PART;
}

enum http1_answer http1_head__parse(struct http1_head *h, enum decode_side side, struct slice bytes)
{
	size_t lf = slice__find(bytes, '\n');
	struct slice line = slice__sub(bytes, 0, lf);
	memset(h, 0, offsetof(struct http1_head, trace));
	trace_headers__init(&h->trace);
	h->line_done = lf < bytes.n;
	line = h->line_done ? line__chomp(line) : line;
	if (!(side == SIDE_CLIENT ? head__request_line : head__status_line)(h, line, h->line_done))
		return HEAD_BAD;
	if (!h->line_done)
		return HEAD_PART;
	return head__fields(h, side, slice__sub(bytes, lf + 1, bytes.n), lf + 1);
}
