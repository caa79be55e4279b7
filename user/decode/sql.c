/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql.c - statement text -> sanitised text and summary.
 *
 * Three layers: the lexer (sql_lex.h) yields tokens that cover every byte; sql__read copies them to the
 * text, a literal as ?; the summary follows the same tokens with a few flags per level of parentheses. It
 * is no parser of SQL: it knows where names of tables may stand, and stays silent where it is unsure.
 */
#include "decode/sql.h"

#include "decode/sql_keywords.h"
#include "decode/sql_lex.h"

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
