/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgresql_cycle.c - statements of one cycle -> name and attributes of its span.
 *
 * OpenTelemetry semantic conventions, database spans: db.query.*, db.operation.*, batches.
 */
#include "decode/postgresql_cycle.h"

void pg_cycle__clear(struct pg_cycle *cy)
{
	for (unsigned i = 0; i < cy->n; i++)
		pg_query__unref(cy->query[i]);
	pg_query__unref(cy->bound);
	*cy = (struct pg_cycle){0};
}

void pg_cycle__is(struct pg_cycle *cy, enum cycle_what what)
{
	if (what > cy->what)
		cy->what = what;
}

/* A query plays a part in the cycle. */
void pg_cycle__query(struct pg_cycle *cy, struct pg_query *q)
{
	struct pg_query *last = cy->n ? cy->query[cy->n - 1] : NULL;

	if (!q)
		return;
	if (q->flags & SQL_COPY_IN)
		cy->copy_in = true;
	if (!(q->flags & SQL_TRANSACTION)) {
		if (!cy->main)
			cy->main = q;
		cy->mixed |= !slice__eq(cy->main->summary, q->summary);
	}
	if (last && (q == last || slice__eq(q->text, last->text)))
		return;
	if (cy->n == CYCLE_QUERIES) {
		if (cy->main == q)
			cy->main = NULL;
		return;
	}
	cy->query[cy->n++] = pg_query__ref(q);
}

/* Executes replace what was only prepared or described so far. */
void pg_cycle__execute(struct pg_cycle *cy, struct pg_query *q)
{
	pg_query__ref(q); /* it may be held by nothing but the cycle */
	if (cy->what < CYCLE_EXECUTE) {
		pg_cycle__clear(cy);
		cy->what = CYCLE_EXECUTE;
	}
	if (q && q->flags & SQL_TRANSACTION)
		cy->transactions++;
	else
		cy->executes++;
	pg_cycle__query(cy, q);
	pg_query__unref(q);
}

/* The texts of a batch are joined with "; " (semantic conventions, db.query.text). */
static void cycle__text(const struct pg_cycle *cy, struct attrs *a)
{
	char buf[SQL_TEXT_MAX];
	size_t n = 0;

	if (cy->n == 1) {
		if (cy->query[0]->text.n)
			attrs__str(a, "db.query.text", cy->query[0]->text);
		return;
	}
	for (unsigned i = 0; i < cy->n; i++) {
		struct slice s = cy->query[i]->text;
		if (n && n + 2 <= sizeof(buf)) {
			memcpy(buf + n, "; ", 2);
			n += 2;
		}
		s = slice__sub(s, 0, sizeof(buf) - n);
		memcpy(buf + n, s.p, s.n);
		n += s.n;
	}
	attrs__str(a, "db.query.text", (struct slice){buf, n});
}

/* Whole words only. */
void pg_message__name(struct message *m, struct slice name)
{
	if (name.n >= sizeof(m->name)) {
		const char *space = memrchr(name.p, ' ', sizeof(m->name) - 1);
		name.n = space ? (size_t)(space - name.p) : sizeof(m->name) - 1;
	}
	memcpy(m->name, name.p, name.n);
	m->name[name.n] = '\0';
}

/* "PREPARE " + "INSERT payments"; a batch of different statements is just "BATCH". Bytes written. */
static size_t join(char *out, size_t size, const char *prefix, struct slice s)
{
	size_t n = strlen(prefix);

	memcpy(out, prefix, n);
	if (n && s.n)
		out[n++] = ' ';
	s = slice__sub(s, 0, size - n);
	if (s.n)
		memcpy(out + n, s.p, s.n);
	return n + s.n;
}

static const char *cycle__prefix(const struct pg_cycle *cy)
{
	static const char *const prefix[] = {
		[CYCLE_SYNC] = "SYNC", [CYCLE_CLOSE] = "DEALLOCATE", [CYCLE_DESCRIBE] = "DESCRIBE",
		[CYCLE_PREPARE] = "PREPARE", [CYCLE_EXECUTE] = "", [CYCLE_UNKNOWN] = "",
	};

	if (cy->what == CYCLE_OTHER)
		return cy->other;
	return cy->what == CYCLE_EXECUTE && cy->executes > 1 ? "BATCH" : prefix[cy->what];
}

void pg_cycle__describe(const struct pg_cycle *cy, struct slice database, struct message *m)
{
	const struct pg_query *q = cy->main ? cy->main : cy->n ? cy->query[0] : NULL;
	const char *prefix = cycle__prefix(cy);
	bool mixed = cy->executes > 1 && cy->mixed;
	char buf[SQL_SUMMARY_MAX + 16];
	size_t n;

	attrs__str(&m->attrs, "db.system.name", SLICE("postgresql"));
	if (database.n)
		attrs__str(&m->attrs, "db.namespace", database);
	if (q)
		cycle__text(cy, &m->attrs);
	n = join(buf, SQL_SUMMARY_MAX, prefix, q && !mixed ? q->summary : SLICE(""));
	if (n)
		attrs__str(&m->attrs, "db.query.summary", (struct slice){buf, n});
	pg_message__name(m, n ? (struct slice){buf, n} : SLICE("postgresql"));
	if (cy->what != CYCLE_EXECUTE)
		n = join(buf, sizeof(buf), prefix, SLICE(""));
	else
		n = join(buf, sizeof(buf), prefix, q && !mixed ? q->operation : SLICE(""));
	if (n)
		attrs__str(&m->attrs, "db.operation.name", (struct slice){buf, n});
	if (q && !mixed && q->collection.n)
		attrs__str(&m->attrs, "db.collection.name", q->collection);
	if (cy->executes > 1)
		attrs__int(&m->attrs, "db.operation.batch.size", cy->executes);
	for (unsigned i = 0; i < cy->n; i++)
		if (cy->query[i]->flags & SQL_CUT)
			m->flags |= MSG_CUT;
}
