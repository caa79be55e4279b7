// SPDX-License-Identifier: Apache-2.0
/* postgresql_bodies.c - PostgreSQL manual, chapter 55.7 "Message Formats". Contract: postgresql_bodies.h. */
#include "decode/postgresql_bodies.h"

#include <stdio.h>

#include "decode/postgresql_error.h"

#define NOTIFICATION_MAX 16384
#define ERROR_MAX 8192 /* all fields of nearly every error */

/* ---- what clients say ---- */

static struct pg_query *query__of(struct pg *pg, struct cursor *c, bool cut)
{
	struct slice rest = {(const char *)c->p, cursor__left(c)};
	struct slice text = cursor__cstr(c);

	/* Longer than what is looked at, or not captured. */
	return pg_query__new(c->over ? rest : text, c->over || cut, pg->backslash);
}

static bool read__query(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	struct pg_query *q = query__of(pg, c, cut);
	bool copy_in = q && q->flags & SQL_COPY_IN;

	pg_cycle__execute(&pg->cycle, q);
	pg->cycle.simple = true;
	pg_query__unref(q);
	if (copy_in)
		m->flags |= MSG_UNSENT_OK;
	return !copy_in;
}

static bool read__parse(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	struct slice name = cursor__cstr(c);
	struct pg_query *q;

	if (c->over)
		return false;
	q = query__of(pg, c, cut);
	if (pg->cycle.what < CYCLE_EXECUTE) {
		pg_cycle__is(&pg->cycle, CYCLE_PREPARE);
		pg_cycle__query(&pg->cycle, q);
	}
	pg_statements__set(&pg->statements, name, q);
	return false;
}

static bool read__bind(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	struct slice portal = cursor__cstr(c), name = cursor__cstr(c);

	struct pg_query *q;

	if (c->over)
		return false;
	q = pg_statements__get(&pg->statements, name);
	pg_portals__set(&pg->statements, portal, q);
	pg_query__ref(q);
	pg_query__unref(pg->cycle.bound);
	pg->cycle.bound = q;
	return false;
}

static bool read__execute(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	struct slice portal = cursor__cstr(c);

	pg_cycle__execute(&pg->cycle, c->over ? NULL : pg_portals__get(&pg->statements, portal));
	return false;
}

static bool read__describe(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	uint8_t what = cursor__u8(c);
	struct slice name = cursor__cstr(c);

	if (c->over || pg->cycle.what > CYCLE_DESCRIBE)
		return false;
	pg_cycle__is(&pg->cycle, CYCLE_DESCRIBE);
	pg_cycle__query(&pg->cycle, what == 'S' ? pg_statements__get(&pg->statements, name)
					     : pg_portals__get(&pg->statements, name));
	return false;
}

static bool read__close(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	uint8_t what = cursor__u8(c);
	struct slice name = cursor__cstr(c);

	if (c->over)
		return false;
	if (pg->cycle.what <= CYCLE_CLOSE) {
		pg_cycle__is(&pg->cycle, CYCLE_CLOSE);
		if (what == 'S')
			pg_cycle__query(&pg->cycle, pg_statements__get(&pg->statements, name));
	}
	if (what == 'S')
		pg_statements__close(&pg->statements, name);
	else
		pg_portals__set(&pg->statements, name, NULL);
	return false;
}

/* While COPY data is awaited the server ignores Sync (55.2.6). */
static bool read__sync(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	return !pg->cycle.copy_in || pg->cycle.copy_done;
}

static bool read__flush(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	m->flags |= MSG_UNSENT_OK;
	return false;
}

static bool read__call(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	pg->cycle.what = CYCLE_OTHER;
	pg->cycle.other = "FUNCTION CALL";
	return true;
}

/* CopyDone, CopyFail: the end of a request that began with Query; one with Execute ends with Sync. */
static bool read__copy_done(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	pg->cycle.copy_done = true;
	return pg->cycle.simple;
}

static bool read__terminate(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	m->flags |= MSG_NO_RESPONSE | MSG_SILENT;
	return true;
}

static const struct pg_reader client_readers[128] = {
	['Q'] = {read__query, SQL_INPUT_MAX + 1}, ['P'] = {read__parse, SQL_INPUT_MAX + 256}, ['B'] = {read__bind, 512},
	['E'] = {read__execute, 256}, ['D'] = {read__describe, 256}, ['C'] = {read__close, 256}, ['S'] = {read__sync, 0},
	['H'] = {read__flush, 0}, ['F'] = {read__call, 0}, ['c'] = {read__copy_done, 0}, ['f'] = {read__copy_done, 0},
	['X'] = {read__terminate, 0},
};

/* ---- what servers say ---- */

static void error__field(struct pg_error *e, uint8_t field, struct slice value)
{
	switch (field) {
	case 'C': e->code = value; return;
	case 'M': e->text = value; return;
	case 'F': e->file = value; return;
	}
}

/* The detail, which holds values, is not looked at. */
static void error__tell(const struct pg_error *e, struct message *m)
{
	if (e->code.n)
		attrs__str(&m->attrs, "db.response.status_code", e->code);
	snprintf(m->error_type, sizeof(m->error_type), "%.*s", (int)e->code.n, e->code.n ? e->code.p : "");
	if (!m->error_type[0])
		snprintf(m->error_type, sizeof(m->error_type), "_OTHER");
	pg_error__message(e, m->error_message, sizeof(m->error_message));
}

/* True: the connection ends with it. Only the first error of a cycle is told. */
static bool error__read(struct pg *pg, struct message *m, struct cursor *c)
{
	struct pg_error e = {0};
	bool fatal = false;

	m->flags |= MSG_ERROR;
	for (uint8_t field = cursor__u8(c); field; field = cursor__u8(c)) {
		struct slice value = cursor__cstr(c);
		if (c->over)
			break;
		if (field == 'S' || field == 'V') /* V is never translated; before 9.6 there is only S */
			fatal = slice__eq(value, SLICE("FATAL")) || slice__eq(value, SLICE("PANIC"));
		else
			error__field(&e, field, value);
	}
	e.cut = c->over;
	if (!pg->failed)
		error__tell(&e, m);
	pg->failed = true;
	return fatal;
}

static bool read__error(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	bool fatal = error__read(pg, m, c);

	if (fatal)
		pg->waiting = 0; /* no ReadyForQuery follows */
	return fatal;
}

/* "SELECT 5" */
static bool read__complete(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	struct slice tag = cursor__cstr(c);
	int64_t rows = 0;

	if (c->over || !slice__starts(tag, SLICE("SELECT ")))
		return false;
	for (size_t i = sizeof("SELECT ") - 1; i < tag.n && tag.p[i] >= '0' && tag.p[i] <= '9' && rows < INT64_MAX / 20; i++)
		rows = rows * 10 + (tag.p[i] - '0');
	if (rows <= INT64_MAX / 20)
		pg->rows += rows;
	attrs__int(&m->attrs, "db.response.returned_rows", pg->rows);
	return false;
}

static bool read__ready(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	if (pg->waiting)
		pg->waiting--;
	return true;
}

static bool read__parameter(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	struct slice name = cursor__cstr(c), value = cursor__cstr(c);

	if (!c->over && slice__eq(name, SLICE("standard_conforming_strings")))
		pg->backslash = slice__eq(value, SLICE("off"));
	return false;
}

static bool read__notification(struct pg *pg, struct message *m, struct cursor *c, bool cut)
{
	attrs__str(&m->attrs, "db.system.name", SLICE("postgresql"));
	pg_message__name(m, SLICE("NOTIFICATION"));
	return true;
}

static const struct pg_reader server_readers[128] = {
	['E'] = {read__error, ERROR_MAX}, ['C'] = {read__complete, 64}, ['Z'] = {read__ready, 1},
	['S'] = {read__parameter, 256}, ['A'] = {read__notification, NOTIFICATION_MAX},
};

const struct pg_reader *pg_reader__of(enum decode_side side, uint8_t type)
{
	return side == SIDE_CLIENT ? &client_readers[type] : &server_readers[type];
}
