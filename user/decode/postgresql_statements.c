/* SPDX-License-Identifier: Apache-2.0 */
/* postgresql_statements.c - names of prepared statements and portals -> sanitised text; bounded. */
#include "decode/postgresql_statements.h"

#include <stdlib.h>

#define NAME_SEED 0x70675f6e616d65ull

struct statement {
	struct list used;
	uint64_t name;
	struct pg_query *query;
	size_t bytes;
};

static struct slice copy(char **to, const char *from, size_t n)
{
	struct slice s = {*to, n};

	memcpy(*to, from, n);
	*to += n;
	return s;
}

struct pg_query *pg_query__new(struct slice text, bool cut, bool backslash)
{
	struct sql sql;
	struct pg_query *q;
	char *to;

	sql__read(&sql, text, backslash);
	q = malloc(sizeof(*q) + sql.text_n + sql.summary_n + sql.operation_n + sql.collection_n);
	if (!q)
		return NULL;
	q->refs = 1;
	q->flags = sql.flags | (cut ? SQL_CUT : 0);
	to = q->data;
	q->text = copy(&to, sql.text, sql.text_n);
	q->summary = copy(&to, sql.summary, sql.summary_n);
	q->operation = copy(&to, sql.operation, sql.operation_n);
	q->collection = copy(&to, sql.collection, sql.collection_n);
	return q;
}

struct pg_query *pg_query__ref(struct pg_query *q)
{
	if (q)
		q->refs++;
	return q;
}

void pg_query__unref(struct pg_query *q)
{
	if (q && --q->refs == 0)
		free(q);
}

static uint64_t name__hash(struct slice name)
{
	return hash__bytes(NAME_SEED, name.p, name.n);
}

static void statement__free(struct pg_statements *s, struct statement *st)
{
	table__remove(&s->named, st->name);
	list__remove(&st->used);
	s->n--;
	s->bytes -= st->bytes;
	pg_query__unref(st->query);
	free(st);
}

static struct statement *statement__oldest(struct pg_statements *s)
{
	return s->n ? LIST_ENTRY(s->used.next, struct statement, used) : NULL;
}

static void statement__add(struct pg_statements *s, uint64_t name, struct pg_query *q)
{
	struct statement *st = malloc(sizeof(*st));

	if (!st) {
		pg_query__unref(q);
		return;
	}
	*st = (struct statement){.name = name, .query = q, .bytes = sizeof(*st) + sizeof(*q) + q->text.n + q->summary.n};
	while (s->n && (s->n >= PG_STATEMENTS_MAX || s->bytes + st->bytes > PG_STATEMENT_BYTES_MAX)) {
		statement__free(s, statement__oldest(s));
		s->forgotten++;
	}
	list__append(&s->used, &st->used);
	table__set(&s->named, name, st);
	s->n++;
	s->bytes += st->bytes;
}

void pg_statements__set(struct pg_statements *s, struct slice name, struct pg_query *q)
{
	if (!name.n) {
		pg_query__unref(s->unnamed);
		s->unnamed = q;
		return;
	}
	if (!s->used.next)
		list__init(&s->used);
	pg_statements__close(s, name);
	if (q)
		statement__add(s, name__hash(name), q);
}

struct pg_query *pg_statements__get(struct pg_statements *s, struct slice name)
{
	struct statement *st;

	if (!name.n)
		return s->unnamed;
	st = s->n ? table__get(&s->named, name__hash(name)) : NULL;
	if (!st)
		return NULL;
	list__append(&s->used, &st->used);
	return st->query;
}

void pg_statements__close(struct pg_statements *s, struct slice name)
{
	struct statement *st = name.n && s->n ? table__get(&s->named, name__hash(name)) : NULL;

	if (st)
		statement__free(s, st);
}

/* Named portals are few and live for a transaction: the newest ones are kept. */
void pg_portals__set(struct pg_statements *s, struct slice name, struct pg_query *q)
{
	struct pg_query **at = &s->unnamed_portal;
	uint64_t hash = name.n ? name__hash(name) : 0;

	if (name.n) {
		unsigned i = 0;
		while (i < PG_PORTALS_MAX && s->portal[i].name != hash)
			i++;
		if (i == PG_PORTALS_MAX) {
			i = s->next_portal++ % PG_PORTALS_MAX;
			s->forgotten += s->portal[i].query != NULL;
		}
		s->portal[i].name = hash;
		at = &s->portal[i].query;
	}
	pg_query__ref(q);
	pg_query__unref(*at);
	*at = q;
}

struct pg_query *pg_portals__get(const struct pg_statements *s, struct slice name)
{
	uint64_t hash;

	if (!name.n)
		return s->unnamed_portal;
	hash = name__hash(name);
	for (unsigned i = 0; i < PG_PORTALS_MAX; i++)
		if (s->portal[i].name == hash)
			return s->portal[i].query;
	return NULL;
}

void pg_statements__free(struct pg_statements *s)
{
	while (s->n)
		statement__free(s, statement__oldest(s));
	table__free(&s->named);
	pg_query__unref(s->unnamed);
	pg_query__unref(s->unnamed_portal);
	for (unsigned i = 0; i < PG_PORTALS_MAX; i++)
		pg_query__unref(s->portal[i].query);
	*s = (struct pg_statements){0};
}
