/* SPDX-License-Identifier: Apache-2.0 */
/* sql_lex.h - tokens of SQL as PostgreSQL writes it; they cover every byte. */
#ifndef DECODE_SQL_LEX_H
#define DECODE_SQL_LEX_H

#include <stdbool.h>
#include <stdint.h>

#include "util/slice.h"

enum token_kind { T_END, T_SPACE, T_WORD, T_QUOTED, T_LITERAL, T_PARAM, T_PUNCT };

struct token {
	enum token_kind kind;
	struct slice s;
};

struct lexer {
	const char *p, *end;
	bool backslash;
};

enum { C_SPACE = 1, C_DIGIT = 2, C_ALPHA = 4, C_QUOTE = 8 };

extern const uint8_t sql_class[256];

static inline unsigned class_of(char c)
{
	return sql_class[(unsigned char)c];
}

/* 0 past the end, which is in no class. */
static inline char lex__peek(const struct lexer *l, size_t ahead)
{
	return (size_t)(l->end - l->p) > ahead ? l->p[ahead] : 0;
}

struct token lex__next(struct lexer *l);
/* The first byte of the next token that is no space; 0 at the end. */
char lex__ahead(const struct lexer *l);
/* A name goes on as long as .name follows without space: schema.table */
struct slice lex__qualified(struct lexer *l, struct slice s);

#endif
