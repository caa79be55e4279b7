// SPDX-License-Identifier: Apache-2.0
#include "decode/sql_lex.h"

const uint8_t sql_class[256] = {
	[' '] = C_SPACE, ['\t'] = C_SPACE, ['\n'] = C_SPACE, ['\r'] = C_SPACE, ['\f'] = C_SPACE, ['\v'] = C_SPACE,
	['0' ... '9'] = C_DIGIT, ['A' ... 'Z'] = C_ALPHA, ['a' ... 'z'] = C_ALPHA, ['_'] = C_ALPHA,
	[0x80 ... 0xFF] = C_ALPHA, ['"'] = C_QUOTE,
};

static void lex__comment(struct lexer *l)
{
	unsigned depth = 0;

	do {
		if (lex__peek(l, 0) == '/' && lex__peek(l, 1) == '*')
			depth++, l->p += 2;
		else if (lex__peek(l, 0) == '*' && lex__peek(l, 1) == '/')
			depth--, l->p += 2;
		else
			l->p++;
	} while (depth && l->p < l->end);
}

/* Spaces and comments, as many as there are. */
static void lex__space(struct lexer *l)
{
	while (l->p < l->end) {
		if (class_of(*l->p) & C_SPACE) {
			l->p++;
		} else if (*l->p == '-' && lex__peek(l, 1) == '-') {
			const char *nl = memchr(l->p, '\n', (size_t)(l->end - l->p));
			l->p = nl ? nl + 1 : l->end;
		} else if (*l->p == '/' && lex__peek(l, 1) == '*') {
			lex__comment(l);
		} else {
			return;
		}
	}
}

/* From the opening quote to behind the closing one; a doubled quote is part of it. */
static void lex__quoted(struct lexer *l, char quote, bool backslash)
{
	l->p++;
	while (l->p < l->end) {
		char c = *l->p++;
		if (c == '\\' && backslash && l->p < l->end)
			l->p++;
		else if (c == quote && lex__peek(l, 0) == quote)
			l->p++;
		else if (c == quote)
			return;
	}
}

static void lex__word(struct lexer *l)
{
	while (l->p < l->end && (class_of(*l->p) & (C_ALPHA | C_DIGIT) || *l->p == '$'))
		l->p++;
}

/* Digits, point, exponent, 0x..., 1_000; trailing letters are swallowed rather than shown. */
static void lex__number(struct lexer *l)
{
	while (l->p < l->end) {
		char c = *l->p;
		bool sign = (c == '+' || c == '-') && (l->p[-1] == 'e' || l->p[-1] == 'E') && class_of(lex__peek(l, 1)) & C_DIGIT;
		if (!(class_of(c) & (C_ALPHA | C_DIGIT)) && c != '.' && !sign)
			return;
		l->p++;
	}
}

/* $1 or $tag$ ... $tag$ or a lone $. */
static enum token_kind lex__dollar(struct lexer *l)
{
	const char *tag = l->p++;

	if (class_of(lex__peek(l, 0)) & C_DIGIT) {
		while (class_of(lex__peek(l, 0)) & C_DIGIT)
			l->p++;
		return T_PARAM;
	}
	while (class_of(lex__peek(l, 0)) & (C_ALPHA | C_DIGIT))
		l->p++;
	if (lex__peek(l, 0) != '$')
		return l->p == l->end ? T_LITERAL : T_PUNCT; /* cut within a tag: a string may have begun */
	l->p++;
	size_t n = (size_t)(l->p - tag);
	const char *close = memmem(l->p, (size_t)(l->end - l->p), tag, n);
	l->p = close ? close + n : l->end;
	return T_LITERAL;
}

/* A word, or a string with a prefix: E'' B'' X'' N'' U&'' U&"". */
static enum token_kind lex__word_or_string(struct lexer *l)
{
	char c = *l->p & ~0x20, next = lex__peek(l, 1);

	if (next == '\'' && (c == 'E' || c == 'B' || c == 'X' || c == 'N')) {
		l->p++;
		lex__quoted(l, '\'', c == 'E' || l->backslash);
		return T_LITERAL;
	}
	if (c == 'U' && next == '&' && (lex__peek(l, 2) == '\'' || lex__peek(l, 2) == '"')) {
		char quote = lex__peek(l, 2);
		l->p += 2;
		lex__quoted(l, quote, false);
		return quote == '"' ? T_QUOTED : T_LITERAL;
	}
	lex__word(l);
	return T_WORD;
}

static enum token_kind lex__kind(struct lexer *l)
{
	unsigned cls = class_of(*l->p);

	if (cls & C_ALPHA)
		return lex__word_or_string(l);
	if (cls & C_DIGIT || (*l->p == '.' && class_of(lex__peek(l, 1)) & C_DIGIT)) {
		l->p++;
		lex__number(l);
		return T_LITERAL;
	}
	if (*l->p == '\'') {
		lex__quoted(l, '\'', l->backslash);
		return T_LITERAL;
	}
	if (*l->p == '"') {
		lex__quoted(l, '"', false);
		return T_QUOTED;
	}
	if (*l->p == '$')
		return lex__dollar(l);
	l->p++;
	return T_PUNCT;
}

struct token lex__next(struct lexer *l)
{
	const char *from = l->p;
	enum token_kind kind;

	if (l->p == l->end)
		return (struct token){T_END, {from, 0}};
	lex__space(l);
	kind = l->p > from ? T_SPACE : lex__kind(l);
	return (struct token){kind, {from, (size_t)(l->p - from)}};
}

char lex__ahead(const struct lexer *l)
{
	struct lexer copy = *l;

	lex__space(&copy);
	return lex__peek(&copy, 0);
}

struct slice lex__qualified(struct lexer *l, struct slice s)
{
	while (lex__peek(l, 0) == '.' && class_of(lex__peek(l, 1)) & (C_ALPHA | C_QUOTE)) {
		l->p++;
		if (*l->p == '"')
			lex__quoted(l, '"', false);
		else
			lex__word(l);
	}
	return (struct slice){s.p, (size_t)(l->p - s.p)};
}
