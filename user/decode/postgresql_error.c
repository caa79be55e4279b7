/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgresql_error.c - see postgresql_error.h. In: SQLSTATE and message. Out: the message that may leave.
 *
 * PostgreSQL puts two things between quotes: names of the schema ("unique constraint "payments_pkey"")
 * and what the user wrote ("invalid input syntax for type integer: "secret""). The SQLSTATE tells which
 * (PostgreSQL manual, appendix A). What a procedure raises is its author's text, whatever its SQLSTATE.
 */
#include "decode/postgresql_error.h"

#include <string.h>

enum tell {
	TELL_NOTHING, /* somebody's own text, or a code that nobody knows */
	TELL_FRAME,   /* the words around what the user wrote */
	TELL_ALL,     /* names of the schema only */
};

/* By SQLSTATE or its first characters; the longest one that fits. */
static const struct {
	char code[6];
	enum tell tell;
} tells[] = {
	{"00", TELL_FRAME}, {"01", TELL_FRAME}, {"02", TELL_FRAME}, {"03", TELL_FRAME}, {"08", TELL_ALL},
	{"09", TELL_FRAME}, {"0A", TELL_FRAME}, {"0B", TELL_FRAME}, {"0F", TELL_FRAME}, {"0L", TELL_FRAME},
	{"0P", TELL_FRAME}, {"0Z", TELL_FRAME}, {"20", TELL_FRAME}, {"21", TELL_FRAME}, {"22", TELL_FRAME},
	{"23", TELL_ALL},   {"24", TELL_FRAME}, {"25", TELL_FRAME}, {"26", TELL_ALL},	{"27", TELL_FRAME},
	{"28", TELL_ALL},   {"2B", TELL_ALL},	{"2D", TELL_FRAME}, {"2F", TELL_FRAME}, {"34", TELL_ALL},
	{"39", TELL_FRAME}, {"3B", TELL_ALL},	{"3D", TELL_ALL},   {"3F", TELL_ALL},	{"40", TELL_ALL},
	{"42", TELL_ALL},   {"44", TELL_ALL},	{"53", TELL_ALL},   {"54", TELL_FRAME}, {"55", TELL_ALL},
	{"57", TELL_ALL},   {"58", TELL_FRAME}, {"72", TELL_FRAME}, {"F0", TELL_FRAME}, {"HV", TELL_FRAME},
	{"XX", TELL_FRAME},
	{"42601", TELL_FRAME}, /* syntax error: text of the query */
	{"42602", TELL_FRAME}, {"42622", TELL_FRAME}, /* a name that is none */
	{"55P04", TELL_FRAME}, /* a value of an enum */
	{"57014", TELL_FRAME}, /* "COPY from stdin failed: ", then the client's own words */
	{"P0002", TELL_FRAME}, {"P0003", TELL_FRAME}, /* SELECT INTO; the others of P0 are RAISE and ASSERT */
};

/* PL/pgSQL, PL/Perl, PL/Tcl, PL/Python: RAISE may take any SQLSTATE. */
static bool raised_by_procedure(struct slice file)
{
	static const struct slice files[] = {SLICE("pl_exec.c"), SLICE("plperl.c"), SLICE("pltcl.c")};

	for (size_t slash; (slash = slice__find(file, '/')) < file.n;)
		file = slice__sub(file, slash + 1, file.n);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (slice__eq(file, files[i]))
			return true;
	return slice__starts(file, SLICE("plpy"));
}

static enum tell error__tell(const struct pg_error *e)
{
	enum tell tell = TELL_NOTHING;
	size_t best = 0;

	/* The file is among the last fields. */
	if (e->cut || e->code.n != 5 || raised_by_procedure(e->file))
		return TELL_NOTHING;
	for (size_t i = 0; i < sizeof(tells) / sizeof(tells[0]); i++) {
		size_t n = strlen(tells[i].code);
		if (n <= best || memcmp(e->code.p, tells[i].code, n) != 0)
			continue;
		tell = tells[i].tell;
		best = n;
	}
	return tell;
}

/* Other languages have other quotation marks: none of them is ASCII. */
static bool is_quote(char c)
{
	return c == '"' || c == '\'' || c == '`' || (unsigned char)c > 0x7e;
}

static bool is_pair(char open, char close)
{
	return open == close || ((unsigned char)open > 0x7e && (unsigned char)close > 0x7e);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* How many bytes at s.p[i] must not be told; 0: this one may. quoted: the last quote's end. */
static size_t frame__hidden(struct slice s, size_t i, size_t quoted)
{
	size_t n = 0;

	if (i >= 2 && s.p[i - 1] == ' ' && s.p[i - 2] == ':')
		return s.n - i;
	if (is_quote(s.p[i])) /* a quote in the value can not be told from its end: up to the last one */
		return quoted > i + 1 && is_pair(s.p[i], s.p[quoted - 1]) ? quoted - i : s.n - i;
	if (!is_digit(s.p[i]) || (i && is_word(s.p[i - 1])))
		return 0;
	while (i + n < s.n && (is_word(s.p[i + n]) || s.p[i + n] == '.'))
		n++;
	return n;
}

static void frame__copy(struct slice s, char *out, size_t size)
{
	size_t quoted = s.n, n = 0;

	while (quoted && !is_quote(s.p[quoted - 1]))
		quoted--;
	for (size_t i = 0, hidden; i < s.n && n + 1 < size; i += hidden ? hidden : 1) {
		hidden = frame__hidden(s, i, quoted);
		out[n++] = hidden ? '?' : s.p[i];
	}
	out[n] = '\0';
}

void pg_error__message(const struct pg_error *e, char *out, size_t size)
{
	enum tell tell = error__tell(e);
	size_t n = e->text.n < size - 1 ? e->text.n : size - 1;

	out[0] = '\0';
	if (tell == TELL_NOTHING || !e->text.n)
		return;
	if (tell == TELL_FRAME) {
		frame__copy(e->text, out, size);
		return;
	}
	memcpy(out, e->text.p, n);
	out[n] = '\0';
}
