/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql.c - statement text -> sanitised text and summary.
 *
 * Three layers: the lexer yields tokens that cover every byte; sql__read copies them to the text,
 * a literal as ?; the summary follows the same tokens with a few flags per level of parentheses. It
 * is no parser of SQL: it knows where names of tables may stand, and stays silent where it is unsure.
 */
#include "decode/sql.h"

enum token_kind { T_END, T_SPACE, T_WORD, T_QUOTED, T_LITERAL, T_PARAM, T_PUNCT };

struct token {
	enum token_kind kind;
	struct slice s;
};

struct lexer {
	const char *p, *end;
	bool backslash;
};

/* ---- lexer ---- */

enum { C_SPACE = 1, C_DIGIT = 2, C_ALPHA = 4, C_QUOTE = 8 };

static const uint8_t char_class[256] = {
	[' '] = C_SPACE, ['\t'] = C_SPACE, ['\n'] = C_SPACE, ['\r'] = C_SPACE, ['\f'] = C_SPACE, ['\v'] = C_SPACE,
	['0' ... '9'] = C_DIGIT, ['A' ... 'Z'] = C_ALPHA, ['a' ... 'z'] = C_ALPHA, ['_'] = C_ALPHA,
	[0x80 ... 0xFF] = C_ALPHA, ['"'] = C_QUOTE,
};

static inline unsigned class_of(char c)
{
	return char_class[(unsigned char)c];
}

/* 0 past the end, which is in no class. */
static inline char lex__peek(const struct lexer *l, size_t ahead)
{
	return (size_t)(l->end - l->p) > ahead ? l->p[ahead] : 0;
}

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

static struct token lex__next(struct lexer *l)
{
	const char *from = l->p;
	enum token_kind kind;

	if (l->p == l->end)
		return (struct token){T_END, {from, 0}};
	lex__space(l);
	kind = l->p > from ? T_SPACE : lex__kind(l);
	return (struct token){kind, {from, (size_t)(l->p - from)}};
}

/* The first byte of the next token that is no space; 0 at the end. */
static char lex__ahead(const struct lexer *l)
{
	struct lexer copy = *l;

	lex__space(&copy);
	return lex__peek(&copy, 0);
}

/* A name goes on as long as .name follows without space: schema.table */
static struct slice lex__qualified(struct lexer *l, struct slice s)
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

/* ---- keywords ---- */

enum keyword_flag {
	K_OP = 1 << 0,	      /* may begin a statement */
	K_NESTED = 1 << 1,    /* ... and an operation within one (a CTE, after EXPLAIN or AS) */
	K_ANYWHERE = 1 << 2,  /* reserved word: an operation wherever it stands */
	K_NAME = 1 << 3,      /* operation: its target follows */
	K_INTO = 1 << 4,      /* operation: its target follows INTO */
	K_FROM = 1 << 5,      /* operation: its targets follow FROM */
	K_USING = 1 << 6,     /* operation: more targets follow USING */
	K_LIST = 1 << 7,      /* operation: its target may be a list */
	K_MAKES = 1 << 8,     /* operation: the kind of object follows: CREATE TABLE */
	K_TRANSACTION = 1 << 9,
	K_OPAQUE = 1 << 10,   /* operation: the rest tells nothing (GRANT SELECT ON ...) */
	K_OBJECT = 1 << 11,   /* kind of object */
	K_SKIP = 1 << 12,     /* may stand before a target, or between CREATE and the kind */
	K_ENDS_FROM = 1 << 13,
	K_PREFIX = 1 << 14,   /* an operation may follow: EXPLAIN ANALYZE, ... AS */
	K_OTHER = 1 << 15,    /* operation or kind of object: the target is no table */
};

enum keyword_id { W_OTHER, W_FROM, W_JOIN, W_INTO, W_USING, W_WITH, W_BOOL, W_DISTINCT, W_STDIN, W_RECURSIVE, W_COPY, W_MATERIALIZED };

struct keyword {
	const char *s;
	uint8_t n;
	uint8_t id; /* enum keyword_id */
	uint16_t flags;
};

#define KW(text, f) {text, sizeof(text) - 1, W_OTHER, f}
#define KW_ID(text, i, f) {text, sizeof(text) - 1, i, f}
#define LETTER(c) [(c) - 'A']

static const struct keyword keywords[26][12] = {
	LETTER('A') = {KW("AS", K_PREFIX), KW("ALTER", K_OP | K_MAKES), KW("ANALYZE", K_OP | K_NAME | K_LIST | K_PREFIX | K_SKIP),
		       KW("ABORT", K_OP | K_TRANSACTION)},
	LETTER('B') = {KW("BEGIN", K_OP | K_TRANSACTION)},
	LETTER('C') = {KW("COMMIT", K_OP | K_TRANSACTION), KW("CREATE", K_OP | K_MAKES),
		       KW_ID("COPY", W_COPY, K_OP | K_NAME), KW("CALL", K_OP | K_NAME | K_OTHER), KW("CLOSE", K_OP | K_OPAQUE),
		       KW("COMMENT", K_OP | K_OPAQUE), KW("CHECKPOINT", K_OP | K_OPAQUE), KW("CLUSTER", K_OP | K_NAME),
		       KW("CONCURRENTLY", K_SKIP)},
	LETTER('D') = {KW("DELETE", K_OP | K_NESTED | K_FROM | K_USING), KW_ID("DISTINCT", W_DISTINCT, 0),
		       KW("DROP", K_OP | K_MAKES | K_LIST), KW("DEALLOCATE", K_OP | K_NAME | K_OTHER), KW("DECLARE", K_OP),
		       KW("DISCARD", K_OP | K_OPAQUE), KW("DO", K_OP | K_OPAQUE), KW("DATABASE", K_OBJECT | K_OTHER),
		       KW("DOMAIN", K_OBJECT | K_OTHER)},
	LETTER('E') = {KW("END", K_OP | K_TRANSACTION), KW("EXECUTE", K_OP | K_NAME | K_OTHER), KW("EXPLAIN", K_OP | K_PREFIX),
		       KW("EXISTS", K_SKIP), KW("EXTENSION", K_OBJECT | K_OTHER), KW("EXCEPT", K_ENDS_FROM)},
	LETTER('F') = {KW_ID("FROM", W_FROM, K_SKIP), KW_ID("FALSE", W_BOOL, 0), KW("FETCH", K_OP | K_OPAQUE | K_ENDS_FROM),
		       KW("FOR", K_ENDS_FROM), KW("FUNCTION", K_OBJECT | K_OTHER), KW("FOREIGN", K_SKIP), KW("FULL", K_SKIP),
		       KW("FREEZE", K_SKIP)},
	LETTER('G') = {KW("GROUP", K_ENDS_FROM), KW("GRANT", K_OP | K_OPAQUE), KW("GLOBAL", K_SKIP)},
	LETTER('H') = {KW("HAVING", K_ENDS_FROM)},
	LETTER('I') = {KW("INSERT", K_OP | K_NESTED | K_INTO), KW_ID("INTO", W_INTO, 0), KW("INTERSECT", K_ENDS_FROM),
		       KW("IF", K_SKIP), KW("INDEX", K_OBJECT | K_OTHER), KW("IMPORT", K_OP | K_OPAQUE)},
	LETTER('J') = {KW_ID("JOIN", W_JOIN, 0)},
	LETTER('L') = {KW("LIMIT", K_ENDS_FROM), KW("LATERAL", K_SKIP), KW("LOCK", K_OP | K_NAME | K_LIST),
		       KW("LISTEN", K_OP | K_NAME | K_OTHER), KW("LOAD", K_OP | K_OPAQUE), KW("LOCAL", K_SKIP)},
	LETTER('M') = {KW("MERGE", K_OP | K_NESTED | K_INTO | K_USING), KW("MOVE", K_OP | K_OPAQUE),
		       KW_ID("MATERIALIZED", W_MATERIALIZED, K_OBJECT)},
	LETTER('N') = {KW("NOT", K_SKIP), KW("NOTIFY", K_OP | K_NAME | K_OTHER)},
	LETTER('O') = {KW("ORDER", K_ENDS_FROM), KW("ONLY", K_SKIP), KW("OFFSET", K_ENDS_FROM), KW("OR", K_SKIP)},
	LETTER('P') = {KW("PREPARE", K_OP | K_NAME | K_SKIP | K_OTHER), KW("POLICY", K_OBJECT | K_OTHER), KW("PROCEDURE", K_OBJECT | K_OTHER),
		       KW("PUBLICATION", K_OBJECT | K_OTHER)},
	LETTER('R') = {KW("RETURNING", K_ENDS_FROM), KW("ROLLBACK", K_OP | K_TRANSACTION),
		       KW("RELEASE", K_OP | K_TRANSACTION), KW("RESET", K_OP | K_OPAQUE), KW("REVOKE", K_OP | K_OPAQUE),
		       KW("REINDEX", K_OP | K_MAKES), KW("REFRESH", K_OP | K_MAKES), KW_ID("RECURSIVE", W_RECURSIVE, K_SKIP),
		       KW("REPLACE", K_SKIP), KW("ROLE", K_OBJECT | K_OTHER), KW("RULE", K_OBJECT | K_OTHER), KW("REASSIGN", K_OP | K_OPAQUE)},
	LETTER('S') = {KW("SELECT", K_OP | K_NESTED | K_ANYWHERE | K_FROM | K_INTO), KW("SET", K_OP | K_OPAQUE | K_ENDS_FROM),
		       KW_ID("STDIN", W_STDIN, 0), KW("SHOW", K_OP | K_OPAQUE), KW("START", K_OP | K_TRANSACTION),
		       KW("SAVEPOINT", K_OP | K_TRANSACTION), KW("SCHEMA", K_OBJECT | K_OTHER), KW("SEQUENCE", K_OBJECT | K_OTHER),
		       KW("SERVER", K_OBJECT | K_OTHER), KW("SUBSCRIPTION", K_OBJECT | K_OTHER), KW("START_REPLICATION", K_OP | K_OPAQUE)},
	LETTER('T') = {KW("TABLE", K_OP | K_NAME | K_OBJECT | K_SKIP), KW_ID("TRUE", W_BOOL, 0),
		       KW("TRUNCATE", K_OP | K_NAME | K_LIST), KW("TEMP", K_SKIP), KW("TEMPORARY", K_SKIP),
		       KW("TYPE", K_OBJECT | K_OTHER), KW("TRIGGER", K_OBJECT | K_OTHER), KW("TABLESPACE", K_OBJECT | K_OTHER)},
	LETTER('U') = {KW("UPDATE", K_OP | K_NESTED | K_NAME | K_FROM), KW_ID("USING", W_USING, 0),
		       KW("UNION", K_ENDS_FROM), KW("UNLISTEN", K_OP | K_NAME | K_OTHER), KW("UNLOGGED", K_SKIP),
		       KW("UNIQUE", K_SKIP), KW("USER", K_OBJECT | K_OTHER)},
	LETTER('V') = {KW("VALUES", K_OP | K_ENDS_FROM), KW("VACUUM", K_OP | K_NAME | K_LIST), KW("VIEW", K_OBJECT),
		       KW("VERBOSE", K_PREFIX | K_SKIP)},
	LETTER('W') = {KW("WHERE", K_ENDS_FROM), KW_ID("WITH", W_WITH, K_ENDS_FROM), KW("WINDOW", K_ENDS_FROM)},
};

static const struct keyword no_keyword;

static const struct keyword *keyword__of(struct slice s)
{
	unsigned letter = (unsigned)((s.p[0] | 0x20) - 'a');

	if (letter >= 26)
		return &no_keyword;
	for (const struct keyword *k = keywords[letter]; k < keywords[letter] + 12 && k->s; k++)
		if (k->n == s.n && strncasecmp(k->s, s.p, s.n) == 0)
			return k;
	return &no_keyword;
}

/* ---- summary ---- */

enum level_flag {
	L_MAY_FROM = 1,	 /* an operation here takes its targets from FROM */
	L_MAY_INTO = 2,
	L_MAY_USING = 4,
	L_IN_FROM = 8,	 /* a comma is followed by one more target */
	L_IN_WITH = 16,	 /* a comma is followed by one more name of a CTE */
};

enum want { WANT_NOTHING, WANT_OBJECT, WANT_NAME, WANT_TABLE, WANT_CTE }; /* TABLE: or a function, which is none */

#define LEVELS 64
#define CTES 8

struct summary {
	struct sql *q;
	uint8_t level[LEVELS]; /* deeper ones share the last */
	unsigned depth;
	enum want want;
	bool start, full, opaque, several, top, only_transaction, list, other;
	char before;			   /* previous token if it was punctuation */
	const struct keyword *before_word; /* ... if it was a word */
	bool copy;
	struct slice cte[CTES];
	unsigned ctes;
};

static uint8_t *summary__level(struct summary *s)
{
	return &s->level[s->depth < LEVELS ? s->depth : LEVELS - 1];
}

static void summary__append(struct summary *s, struct slice word, bool upper)
{
	struct sql *q = s->q;
	size_t space = q->summary_n ? 1 : 0;

	if (s->full || q->summary_n + space + word.n > SQL_SUMMARY_MAX) {
		s->full = true;
		return;
	}
	if (space)
		q->summary[q->summary_n++] = ' ';
	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i];
		q->summary[q->summary_n++] = upper && c >= 'a' && c <= 'z' ? (char)(c - 0x20) : c;
	}
}

static void operation__append(struct sql *q, const struct keyword *k)
{
	size_t space = q->operation_n ? 1 : 0;

	if (q->operation_n + space + k->n > sizeof(q->operation))
		return;
	if (space)
		q->operation[q->operation_n++] = ' ';
	memcpy(q->operation + q->operation_n, k->s, k->n);
	q->operation_n += k->n;
}

/* The operation of the statement is the one outside all parentheses, if there is one. */
static void summary__operation(struct summary *s, const struct keyword *k)
{
	uint8_t *level = summary__level(s);

	summary__append(s, (struct slice){k->s, k->n}, false);
	s->only_transaction &= !!(k->flags & K_TRANSACTION);
	if (!s->top && (s->depth == 0 || !s->q->operation_n)) {
		s->q->operation_n = 0;
		operation__append(s->q, k);
		s->top = s->depth == 0;
	}
	*level = (k->flags & K_FROM ? L_MAY_FROM : 0) | (k->flags & K_INTO ? L_MAY_INTO : 0) |
		 (k->flags & K_USING ? L_MAY_USING : 0);
	s->want = k->flags & K_NAME ? WANT_NAME : k->flags & K_MAKES ? WANT_OBJECT : WANT_NOTHING;
	s->list = k->flags & K_LIST;
	s->other = k->flags & K_OTHER;
	s->opaque = k->flags & (K_OPAQUE | K_TRANSACTION);
	s->copy = k->id == W_COPY;
	s->start = false;
}

static void summary__target(struct summary *s, struct slice name)
{
	struct sql *q = s->q;

	for (unsigned i = 0; i < s->ctes; i++)
		if (slice__eq_nocase(s->cte[i], name))
			return;
	summary__append(s, name, false);
	if (s->other || s->several || slice__eq((struct slice){q->collection, q->collection_n}, name))
		return;
	if (q->collection_n || name.n > sizeof(q->collection)) {
		q->collection_n = 0;
		s->several = true;
		return;
	}
	memcpy(q->collection, name.p, name.n);
	q->collection_n = (uint16_t)name.n;
}

/* A word that may be the name that is wanted. True: it was used up. */
static bool summary__wanted(struct summary *s, struct lexer *l, struct token *t, const struct keyword *k)
{
	enum want want = s->want;

	if (want == WANT_OBJECT && k->flags & K_OBJECT) {
		summary__append(s, (struct slice){k->s, k->n}, false);
		if (s->depth == 0)
			operation__append(s->q, k);
		s->other = k->flags & K_OTHER;
		/* CREATE MATERIALIZED VIEW: one more of these may follow. */
		s->want = k->id == W_MATERIALIZED ? WANT_OBJECT : WANT_NAME;
		return true;
	}
	if (k->flags & K_SKIP)
		return true;
	s->want = WANT_NOTHING;
	if (want == WANT_OBJECT || k->flags & (K_ENDS_FROM | K_ANYWHERE))
		return false;
	if (want == WANT_CTE) {
		if (s->ctes < CTES)
			s->cte[s->ctes++] = t->s;
		return true;
	}
	t->s = lex__qualified(l, t->s);
	if (want == WANT_NAME || lex__ahead(l) != '(')
		summary__target(s, t->s);
	return true;
}

static void summary__with(struct summary *s)
{
	if (!s->start && s->before != '(' && !(s->before_word->flags & K_PREFIX))
		return;
	*summary__level(s) |= L_IN_WITH;
	s->want = WANT_CTE;
	s->start = false;
}

/* Words that say where names of tables follow. */
static void summary__clause(struct summary *s, const struct lexer *l, const struct keyword *k)
{
	uint8_t *level = summary__level(s);

	switch (k->id) {
	case W_FROM:
		/* Not EXTRACT(x FROM y), not IS DISTINCT FROM. */
		if (*level & L_MAY_FROM && s->before_word->id != W_DISTINCT) {
			*level |= L_IN_FROM;
			s->want = WANT_TABLE;
		}
		return;
	case W_JOIN:
		if (*level & L_IN_FROM)
			s->want = WANT_TABLE;
		return;
	case W_INTO:
		if (*level & L_MAY_INTO) {
			*level &= ~L_MAY_INTO;
			s->want = WANT_NAME;
		}
		return;
	case W_USING:
		if (*level & L_MAY_USING && lex__ahead(l) != '(') {
			*level |= L_IN_FROM;
			s->want = WANT_TABLE;
		}
		return;
	case W_STDIN:
		if (s->copy && s->before_word->id == W_FROM)
			s->q->flags |= SQL_COPY_IN;
		return;
	}
	if (k->flags & K_ENDS_FROM)
		*level &= ~L_IN_FROM;
}

static bool summary__may_operate(const struct summary *s, const struct lexer *l, const struct keyword *k)
{
	if (s->start)
		return k->flags & K_OP;
	if (k->flags & K_ANYWHERE)
		return true;
	if (!(k->flags & K_NESTED))
		return false;
	if (s->before != '(' && s->before != ')' && !(s->before_word->flags & K_PREFIX))
		return false;
	/* A column may be called "update"; something follows an operation. */
	return class_of(lex__ahead(l)) & (C_ALPHA | C_QUOTE);
}

static void summary__word(struct summary *s, struct lexer *l, struct token *t)
{
	const struct keyword *k = keyword__of(t->s);

	if (k->id == W_BOOL)
		t->kind = T_LITERAL;
	if (s->start && s->q->statements++) {
		s->q->operation_n = 0; /* of which statement? */
		s->top = true;
	}
	if (s->opaque)
		return;
	if (k->id == W_WITH)
		summary__with(s);
	else if (summary__may_operate(s, l, k))
		summary__operation(s, k);
	else if (s->want == WANT_NOTHING || !summary__wanted(s, l, t, k))
		summary__clause(s, l, k);
	s->start = false;
	s->before = 0;
	s->before_word = k;
}

static void summary__punct(struct summary *s, char c)
{
	uint8_t *level = summary__level(s);

	s->before = c;
	s->before_word = &no_keyword;
	switch (c) {
	case '(':
		s->depth++;
		/* FROM (a JOIN b): still a list of tables. */
		*summary__level(s) = s->want == WANT_TABLE ? L_MAY_FROM | L_IN_FROM : 0;
		if (s->want != WANT_TABLE)
			s->want = WANT_NOTHING;
		return;
	case ')':
		if (s->depth)
			s->depth--;
		s->want = WANT_NOTHING;
		return;
	case ',':
		if (*level & L_IN_FROM)
			s->want = WANT_TABLE;
		else if (*level & L_IN_WITH)
			s->want = WANT_CTE;
		else if (s->list && s->depth == 0)
			s->want = WANT_NAME;
		return;
	case ';':
		s->depth = 0;
		s->level[0] = 0;
		s->want = WANT_NOTHING;
		s->start = true;
		s->opaque = s->list = s->copy = false;
		return;
	}
}

static void summary__token(struct summary *s, struct lexer *l, struct token *t)
{
	if (t->kind == T_WORD) {
		summary__word(s, l, t);
	} else if (t->kind == T_PUNCT) {
		summary__punct(s, t->s.p[0]);
	} else if (t->kind == T_QUOTED && s->want > WANT_OBJECT) {
		summary__wanted(s, l, t, &no_keyword);
		s->before = 0;
		s->before_word = &no_keyword;
	} else if (t->kind != T_SPACE) {
		s->before = 0;
		s->before_word = &no_keyword;
		s->want = WANT_NOTHING;
	}
}

/* ---- text ---- */

static void text__append(struct sql *q, struct slice s)
{
	size_t room = SQL_TEXT_MAX - q->text_n;

	if (s.n > room) {
		q->flags |= SQL_CUT;
		s.n = room;
	}
	memcpy(q->text + q->text_n, s.p, s.n);
	q->text_n += (uint16_t)s.n;
}

/* A sign that belongs to the number behind it: x = -1, but not x -1. */
static bool is_sign(const struct token *t, const struct lexer *l, char before)
{
	char c = lex__peek(l, 0);

	return t->kind == T_PUNCT && (t->s.p[0] == '-' || t->s.p[0] == '+') && (class_of(c) & C_DIGIT || c == '.') && before &&
	       before != ')' && before != ']';
}

void sql__read(struct sql *q, struct slice text, bool backslash)
{
	struct slice in = slice__sub(text, 0, SQL_INPUT_MAX);
	struct lexer l = {in.p, in.p + in.n, backslash};
	struct summary s = {.q = q, .start = true, .only_transaction = true, .before_word = &no_keyword};
	bool space = false;
	char before = '('; /* the token before, if it was punctuation */

	q->flags = text.n > SQL_INPUT_MAX ? SQL_CUT : 0;
	q->statements = 0;
	q->text_n = q->summary_n = q->operation_n = q->collection_n = 0;
	if (!in.n)
		return;
	for (struct token t = lex__next(&l); t.kind != T_END; t = lex__next(&l)) {
		if (t.kind == T_SPACE) {
			space = q->text_n > 0;
			continue;
		}
		summary__token(&s, &l, &t);
		if (space)
			text__append(q, SLICE(" "));
		space = false;
		if (is_sign(&t, &l, before))
			continue;
		before = t.kind == T_PUNCT ? t.s.p[0] : 0;
		text__append(q, t.kind == T_LITERAL ? SLICE("?") : t.s);
	}
	if (s.only_transaction && q->statements && q->summary_n)
		q->flags |= SQL_TRANSACTION;
}

int sql__begins(struct slice text)
{
	struct lexer l = {text.p, text.p + text.n, false};
	struct token t;

	if (!text.n)
		return 1;
	do
		t = lex__next(&l);
	while (t.kind == T_SPACE || (t.kind == T_PUNCT && t.s.p[0] == '('));
	if (t.kind == T_END)
		return 1;
	if (t.kind != T_WORD)
		return 0;
	if (l.p == l.end)
		return 1;
	const struct keyword *k = keyword__of(t.s);
	return k->flags & K_OP || k->id == W_WITH ? 2 : 0;
}
