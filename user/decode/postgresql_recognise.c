/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgresql_recognise.c - could these bytes be PostgreSQL's? Asked in the middle of streams too, so
 * a message counts only when its body, too, is what its type says.
 *
 * PostgreSQL manual, chapter 55.7 "Message Formats".
 */
#include "decode/postgresql.h"
#include "decode/sql.h"
#include "util/cursor.h"

enum { NO, PERHAPS, YES };

#define EMPTY {4, 4}
#define ANY(least) {least, PG_MESSAGE_MAX}

const struct pg_bounds pg_bounds[2][128] = {
	[SIDE_CLIENT] = {
		['B'] = ANY(12), ['C'] = {6, 4096}, ['c'] = EMPTY, ['D'] = {6, 4096}, ['d'] = ANY(4),
		['E'] = {9, 4096}, ['F'] = ANY(14), ['f'] = {5, 65536}, ['H'] = EMPTY, ['P'] = ANY(8),
		['p'] = {4, 65536}, ['Q'] = ANY(5), ['S'] = EMPTY, ['X'] = EMPTY,
	},
	[SIDE_SERVER] = {
		['1'] = EMPTY, ['2'] = EMPTY, ['3'] = EMPTY, ['A'] = {10, 65536}, ['C'] = {5, 1024}, ['c'] = EMPTY,
		['D'] = ANY(6), ['d'] = ANY(4), ['E'] = {5, 1 << 20}, ['G'] = {7, 16384}, ['H'] = {7, 16384},
		['I'] = EMPTY, ['K'] = {12, 264}, ['N'] = {5, 1 << 20}, ['n'] = EMPTY, ['R'] = {8, 65536},
		['S'] = {6, 65536}, ['s'] = EMPTY, ['T'] = {6, 1 << 20}, ['t'] = {6, 1 << 19}, ['V'] = ANY(8),
		['v'] = {12, 65536}, ['W'] = {7, 16384}, ['Z'] = {5, 5},
	},
};

/* What a body says: NO, YES, or PERHAPS (nothing in it tells, or there is too little of it). */
typedef int (*body_check)(struct cursor c, uint32_t n);

static bool printable(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' && !strchr("\t\r\n", s.p[i]))
			return false;
	return true;
}

/* The end was reached: exactly? Or were there too few bytes? */
static int verdict(const struct cursor *c)
{
	return c->over ? PERHAPS : cursor__left(c) ? NO : YES;
}

static int check__text(struct cursor c, uint32_t n)
{
	struct slice all = {(const char *)c.p, cursor__left(&c)};
	struct slice text = cursor__cstr(&c);
	int begins = sql__begins(c.over ? all : text);

	if (!printable(c.over ? all : text) || begins == NO || (!c.over && text.n + 1 != n))
		return NO;
	return begins;
}

static int check__parse(struct cursor c, uint32_t n)
{
	struct slice name = cursor__cstr(&c);
	if (c.over)
		return PERHAPS;
	struct slice rest = {(const char *)c.p, cursor__left(&c)};
	struct slice text = cursor__cstr(&c);
	int begins = sql__begins(c.over ? rest : text);

	if (!printable(name) || !printable(c.over ? rest : text) || begins == NO)
		return NO;
	if (c.over)
		return begins;
	cursor__bytes(&c, (size_t)cursor__be16(&c) * 4);
	return verdict(&c);
}

static int check__bind(struct cursor c, uint32_t n)
{
	struct slice portal = cursor__cstr(&c), name = cursor__cstr(&c);

	if (!printable(portal) || !printable(name))
		return NO;
	for (unsigned formats = cursor__be16(&c); formats && !c.over; formats--)
		if (cursor__be16(&c) > 1)
			return NO;
	for (unsigned values = cursor__be16(&c); values && !c.over; values--) {
		uint32_t len = cursor__be32(&c);
		if (len != UINT32_MAX)
			cursor__bytes(&c, len);
	}
	for (unsigned formats = cursor__be16(&c); formats && !c.over; formats--)
		if (cursor__be16(&c) > 1)
			return NO;
	return verdict(&c);
}

static int check__what_and_name(struct cursor c, uint32_t n)
{
	uint8_t what = cursor__u8(&c);
	struct slice name;

	if (!c.over && what != 'S' && what != 'P')
		return NO;
	name = cursor__cstr(&c);
	return printable(name) ? verdict(&c) : NO;
}

static int check__execute(struct cursor c, uint32_t n)
{
	struct slice name = cursor__cstr(&c);

	cursor__be32(&c);
	return printable(name) ? verdict(&c) : NO;
}

static int check__row(struct cursor c, uint32_t n)
{
	for (unsigned columns = cursor__be16(&c); columns && !c.over; columns--) {
		uint32_t len = cursor__be32(&c);
		if (len != UINT32_MAX)
			cursor__bytes(&c, len);
	}
	return verdict(&c);
}

static int check__columns(struct cursor c, uint32_t n)
{
	for (unsigned columns = cursor__be16(&c); columns && !c.over; columns--) {
		if (!printable(cursor__cstr(&c)))
			return NO;
		cursor__bytes(&c, 18);
	}
	return verdict(&c);
}

static int check__parameters(struct cursor c, uint32_t n)
{
	cursor__bytes(&c, (size_t)cursor__be16(&c) * 4);
	return verdict(&c);
}

static int check__tag(struct cursor c, uint32_t n)
{
	struct slice tag = cursor__cstr(&c);

	if (!printable(tag) || (tag.n && !(tag.p[0] >= 'A' && tag.p[0] <= 'Z')))
		return NO;
	return verdict(&c);
}

/* ErrorResponse, NoticeResponse: the first field is S, the severity. */
static int check__fields(struct cursor c, uint32_t n)
{
	uint8_t field = cursor__u8(&c);
	struct slice severity = cursor__cstr(&c);

	if (c.over)
		return field && field != 'S' ? NO : PERHAPS;
	return field == 'S' && severity.n && severity.n < 32 && printable(severity) ? YES : NO;
}

static int check__status(struct cursor c, uint32_t n)
{
	uint8_t status = cursor__u8(&c);

	return c.over ? PERHAPS : status == 'I' || status == 'T' || status == 'E' ? YES : NO;
}

static int check__two_strings(struct cursor c, uint32_t n)
{
	struct slice a = cursor__cstr(&c), b = cursor__cstr(&c);

	if (!printable(a) || !printable(b) || (!c.over && !a.n))
		return NO;
	return verdict(&c);
}

static int check__authentication(struct cursor c, uint32_t n)
{
	uint32_t what = cursor__be32(&c);

	return c.over ? PERHAPS : what <= 12 ? YES : NO;
}

static int check__empty(struct cursor c, uint32_t n)
{
	return YES;
}

static const body_check body_checks[2][128] = {
	[SIDE_CLIENT] = {
		['B'] = check__bind, ['C'] = check__what_and_name, ['D'] = check__what_and_name, ['E'] = check__execute,
		['H'] = check__empty, ['P'] = check__parse, ['Q'] = check__text, ['S'] = check__empty, ['X'] = check__empty,
		['c'] = check__empty,
	},
	[SIDE_SERVER] = {
		['1'] = check__empty, ['2'] = check__empty, ['3'] = check__empty, ['C'] = check__tag, ['c'] = check__empty,
		['D'] = check__row, ['E'] = check__fields, ['I'] = check__empty, ['N'] = check__fields, ['n'] = check__empty,
		['R'] = check__authentication, ['S'] = check__two_strings, ['s'] = check__empty, ['T'] = check__columns,
		['t'] = check__parameters, ['Z'] = check__status,
	},
};

int pg_startup__recognise(struct slice s)
{
	struct cursor c = cursor__of(s);
	uint32_t len = cursor__be32(&c), code = cursor__be32(&c);

	if (s.n && s.p[0])
		return NO;
	if (c.over)
		return s.n < 2 || !s.p[1] ? PERHAPS : NO;
	if (len < 8 || len > PG_STARTUP_MAX)
		return NO;
	switch (code) {
	case PG_SSL:
	case PG_GSSENC: return len == 8 ? YES : NO;
	case PG_CANCEL: return len >= 16 && len <= 268 ? YES : NO; /* 3.2 has keys of up to 256 bytes */
	}
	return code >> 16 == PG_VERSION_3 >> 16 && len > 8 ? YES : NO;
}

/* The first message decides, unless its body tells nothing: then those that follow. */
int pg__recognise(enum decode_side side, struct slice begin)
{
	struct cursor c = cursor__of(begin);

	if (side == SIDE_CLIENT && begin.n && !begin.p[0])
		return pg_startup__recognise(begin);
	if (side == SIDE_SERVER && begin.n == 1 && (begin.p[0] == 'S' || begin.p[0] == 'N'))
		return PERHAPS; /* the answer to SSLRequest, or the beginning of a message */
	while (cursor__left(&c)) {
		uint8_t type = cursor__u8(&c);
		if (type > 127 || !pg_bounds[side][type].max)
			return NO;
		if (cursor__left(&c) && c.p[0] > PG_MESSAGE_MAX >> 24)
			return NO;
		uint32_t len = cursor__be32(&c);
		if (c.over)
			return PERHAPS;
		if (!pg_header__valid(side, type, len))
			return NO;
		size_t n = len - 4 < cursor__left(&c) ? len - 4 : cursor__left(&c);
		struct slice body = cursor__bytes(&c, n);
		body_check check = body_checks[side][type];
		int is = check ? check(cursor__of(body), len - 4) : PERHAPS;
		/* A body that is whole, and yet too short for what it says, is none. */
		if (is == PERHAPS && check && n == len - 4)
			return NO;
		if (is != PERHAPS)
			return is;
	}
	return PERHAPS;
}
