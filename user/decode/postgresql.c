/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgresql.c - bytes of a PostgreSQL connection -> requests and responses.
 *
 * PostgreSQL manual, chapter 55 "Frontend/Backend Protocol", protocol 3.0 (and 3.2, whose cancel
 * keys are longer). Attributes: OpenTelemetry semantic conventions for SQL databases.
 *
 * What is paired is a cycle: a Query, or everything up to and with a Sync; its response is everything
 * up to ReadyForQuery. Several Executes in one cycle are a batch. One call of parse() eats as many
 * messages of a cycle as there are; rows, values and COPY data are passed over by their length.
 *
 * Start-up and login are one silent cycle whose answer ends with the first ReadyForQuery.
 */
#include "decode/postgresql.h"

#include <stdio.h>

#include "decode/postgresql_cycle.h"
#include "decode/postgresql_error.h"
#include "util/cursor.h"

#define NOTIFICATION_MAX 16384
#define ERROR_MAX 8192 /* all fields of nearly every error */

struct pg_side {
	uint64_t skip;		/* bytes left of the message being passed over */
	enum message_kind kind; /* of it */
	bool open;		/* a request or response has begun */
	bool ending;		/* ... and ends with this message */
	bool lone;		/* this message is one by itself: do not touch `open` */
};

struct pg {
	struct pg_side side[2];
	struct pg_cycle cycle;
	struct pg_statements statements;
	unsigned waiting; /* cycles begun and not answered by ReadyForQuery yet */
	bool asked_encryption, backslash, lost, failed;
	int64_t rows;
	char database[64];
};

/* Looks at the first bytes of a body (cut: more were wanted). True: request or response ends with it. */
typedef bool (*body_reader)(struct pg *pg, struct message *m, struct cursor *c, bool cut);

struct reader {
	body_reader read;
	uint16_t want; /* bytes of the body to look at */
};

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

static const struct reader client_readers[128] = {
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

static const struct reader server_readers[128] = {
	['E'] = {read__error, ERROR_MAX}, ['C'] = {read__complete, 64}, ['Z'] = {read__ready, 1},
	['S'] = {read__parameter, 256}, ['A'] = {read__notification, NOTIFICATION_MAX},
};

/* ---- the walk ---- */

static enum message_kind client__kind(const struct pg *pg, uint8_t type)
{
	switch (type) {
	case 'p': return MSG_NONE; /* never looked at: passwords */
	case 'd':
	case 'c':
	case 'f': return pg->side[SIDE_CLIENT].open && pg->cycle.copy_in ? MSG_REQUEST : MSG_NONE;
	}
	return MSG_REQUEST;
}

/* Some messages come without having been asked for. */
static enum message_kind server__kind(const struct pg *pg, uint8_t type)
{
	bool idle = !pg->waiting && !pg->side[SIDE_SERVER].open;

	switch (type) {
	case 'A': return MSG_PUSH;
	case 'S':
	case 'N': return idle ? MSG_NONE : MSG_RESPONSE;
	case 'E': return idle ? MSG_PUSH : MSG_RESPONSE; /* "terminating connection due to administrator command" */
	}
	return MSG_RESPONSE;
}

static enum message_kind kind__of(const struct pg *pg, enum decode_side side, uint8_t type)
{
	return side == SIDE_CLIENT ? client__kind(pg, type) : server__kind(pg, type);
}

static void side__begin(struct pg *pg, const struct parse_input *in, struct message *m)
{
	struct pg_side *s = &pg->side[in->side];

	m->flags |= MSG_BEGINS;
	s->open = true;
	if (in->side == SIDE_SERVER) {
		pg->rows = 0;
		pg->failed = false;
		return;
	}
	pg_cycle__clear(&pg->cycle);
	if (pg->lost && in->turned)
		pg->waiting = 0; /* the answers to what was before were lost */
	pg->lost = false;
	pg->waiting++;
}

static void side__end(struct pg *pg, enum decode_side side, struct message *m)
{
	struct pg_side *s = &pg->side[side];

	s->ending = false;
	m->flags |= MSG_ENDS;
	if (s->lone)
		return;
	s->open = false;
	if (side == SIDE_CLIENT) {
		if (!(m->flags & MSG_SILENT))
			pg_cycle__describe(&pg->cycle, slice__of(pg->database), m);
	} else if (!pg->waiting) {
		pg->side[SIDE_CLIENT].open = false; /* COPY that failed before its data came */
	}
}

/* Login is a cycle of its own, from the start-up message to the first ReadyForQuery. */
static void startup__parameters(struct pg *pg, struct cursor *c)
{
	struct slice user = {NULL, 0}, database = {NULL, 0};

	for (;;) {
		struct slice name = cursor__cstr(c), value = cursor__cstr(c);
		if (c->over || !name.n)
			break;
		if (slice__eq(name, SLICE("database")))
			database = value;
		else if (slice__eq(name, SLICE("user")))
			user = value;
	}
	if (!database.n)
		database = user; /* what the server does */
	if (database.n && database.n < sizeof(pg->database)) {
		memcpy(pg->database, database.p, database.n);
		pg->database[database.n] = '\0';
	}
}

/* The whole message is in `bytes`, or what follows it was not captured. */
static void startup__read(struct pg *pg, const struct parse_input *in, struct message *m, struct slice bytes)
{
	struct cursor c = cursor__of(bytes);
	struct pg_side *s = &pg->side[SIDE_CLIENT];
	uint32_t len = cursor__be32(&c), code = cursor__be32(&c);

	s->skip = len;
	s->kind = m->kind = MSG_REQUEST;
	s->ending = true;
	s->lone = false;
	side__begin(pg, in, m);
	if (code == PG_CANCEL) {
		m->flags |= MSG_NO_RESPONSE;
		pg->waiting--;
		pg->cycle.what = CYCLE_OTHER;
		pg->cycle.other = "CANCEL";
		return;
	}
	m->flags |= MSG_SILENT | MSG_UNSENT_OK;
	if (code == PG_SSL || code == PG_GSSENC)
		pg->asked_encryption = true;
	else
		startup__parameters(pg, &c);
}

/* What a message needs before it can be read; 0: not a message. */
struct head {
	uint64_t size; /* of the whole message */
	size_t want;   /* bytes of it to look at */
	uint8_t type;  /* 0: start-up */
};

enum head_is { HEAD_OK, HEAD_SHORT, HEAD_BAD };

static enum head_is head__read(enum decode_side side, struct slice s, struct head *h)
{
	struct cursor c = cursor__of(s);

	if (side == SIDE_CLIENT && s.n && !s.p[0]) {
		int is = pg_startup__recognise(s);
		h->type = 0;
		h->size = cursor__be32(&c);
		h->want = (size_t)h->size;
		return is == 2 ? HEAD_OK : is == 1 ? HEAD_SHORT : HEAD_BAD;
	}
	h->type = cursor__u8(&c);
	uint32_t len = cursor__be32(&c);
	if (s.n && (h->type > 127 || !pg_bounds[side][h->type].max))
		return HEAD_BAD;
	if (c.over)
		return HEAD_SHORT;
	if (!pg_header__valid(side, h->type, len))
		return HEAD_BAD;
	const struct reader *r = side == SIDE_CLIENT ? &client_readers[h->type] : &server_readers[h->type];
	h->size = (uint64_t)len + 1;
	h->want = PG_HEADER + (len - 4 < r->want ? len - 4 : r->want);
	return HEAD_OK;
}

/* Reads one message whose head is known; s: what is there of it. */
static void message__read(struct pg *pg, const struct parse_input *in, struct message *m, const struct head *h,
			  struct slice s)
{
	struct pg_side *side = &pg->side[in->side];
	const struct reader *r = in->side == SIDE_CLIENT ? &client_readers[h->type] : &server_readers[h->type];
	bool cut = s.n < h->want, last = false;

	m->kind = side->kind = kind__of(pg, in->side, h->type);
	side->lone = m->kind == MSG_PUSH || m->kind == MSG_NONE || h->type == 'X';
	side->skip = h->size;
	if (side->lone && m->kind != MSG_NONE)
		m->flags |= MSG_BEGINS;
	else if (!side->open && !side->lone)
		side__begin(pg, in, m);
	if (r->read) {
		struct cursor c = cursor__of(slice__sub(s, PG_HEADER, h->want - PG_HEADER));
		last = r->read(pg, m, &c, cut);
		if (cut && c.over)
			m->flags |= MSG_CUT;
	}
	side->ending = m->kind != MSG_NONE && (last || side->lone);
}

/* The server answers SSLRequest and GSSENCRequest with one byte (55.2.10). */
static bool encryption__answered(struct pg *pg, const struct parse_input *in, struct message *m)
{
	if (in->side != SIDE_SERVER || !pg->asked_encryption || !in->bytes.n)
		return false;
	pg->asked_encryption = false;
	if (!memchr("SGN", in->bytes.p[0], 3))
		return false; /* an error, in the shape of all others */
	m->kind = MSG_RESPONSE;
	m->flags = MSG_BEGINS | MSG_ENDS;
	pg->side[SIDE_SERVER].open = false;
	if (pg->waiting)
		pg->waiting--;
	return true;
}

/* Nothing more can be read in this turn: tell what is known. */
static enum decode_status pg__truncated(struct pg *pg, const struct parse_input *in, struct message *m)
{
	struct pg_side *s = &pg->side[in->side];
	bool request = in->side == SIDE_CLIENT;

	if (!s->open && !request && !pg->waiting)
		return DECODE_TRUNC; /* a notification or the like */
	m->kind = request ? MSG_REQUEST : MSG_RESPONSE;
	if (!s->open)
		side__begin(pg, in, m);
	if (request) {
		if (pg->cycle.bound && pg->cycle.what < CYCLE_EXECUTE)
			pg_cycle__execute(&pg->cycle, pg->cycle.bound);
		else if (pg->cycle.what == CYCLE_SYNC)
			pg->cycle.what = CYCLE_UNKNOWN;
		pg_cycle__describe(&pg->cycle, slice__of(pg->database), m);
	} else if (pg->waiting) {
		pg->waiting--;
	}
	s->open = false;
	return DECODE_TRUNC;
}

static bool side__passes(struct pg_side *s, uint64_t there, uint64_t *used)
{
	uint64_t n = s->skip < there - *used ? s->skip : there - *used;

	s->skip -= n;
	*used += n;
	return s->skip == 0;
}

static enum decode_status pg__walk(struct pg *pg, const struct parse_input *in, struct message *m, uint64_t *consumed)
{
	struct pg_side *s = &pg->side[in->side];
	uint64_t there = in->bytes.n + in->missing, used = 0;
	enum head_is is = HEAD_SHORT;
	struct head h;

	if (s->skip)
		m->kind = s->kind;
	while (side__passes(s, there, &used)) {
		if (s->ending) {
			side__end(pg, in->side, m);
			break;
		}
		if (used >= in->bytes.n)
			break;
		struct slice rest = slice__sub(in->bytes, (size_t)used, SIZE_MAX);
		is = head__read(in->side, rest, &h);
		if (is != HEAD_OK || (rest.n < h.want && !in->missing))
			break;
		/* One message at a time: what is paired differently waits for the next call. */
		if (used && (!h.type || kind__of(pg, in->side, h.type) != m->kind || (h.type == 'X' && s->open)))
			break;
		if (h.type)
			message__read(pg, in, m, &h, slice__sub(rest, 0, h.want));
		else
			startup__read(pg, in, m, slice__sub(rest, 0, h.want));
	}
	*consumed = used;
	if (s->skip && s->kind == MSG_PUSH) { /* told once */
		s->kind = MSG_NONE;
		s->ending = false;
	}
	if (used)
		return DECODE_OK;
	if (is == HEAD_BAD)
		return DECODE_BAD;
	return in->missing ? pg__truncated(pg, in, m) : DECODE_MORE;
}

static enum decode_status pg__parse(void *state, const struct parse_input *in, struct message *m, uint64_t *consumed)
{
	struct pg *pg = state;

	if (encryption__answered(pg, in, m)) {
		*consumed = 1;
		return in->bytes.p[0] == 'N' ? DECODE_OK : DECODE_UPGRADE;
	}
	return pg__walk(pg, in, m, consumed);
}

static void pg__resync(void *state, enum decode_side side)
{
	struct pg *pg = state;
	struct pg_side *s = &pg->side[side];

	if (side == SIDE_SERVER && s->open && pg->waiting)
		pg->waiting--;
	*s = (struct pg_side){0};
	pg->lost = true;
	pg->asked_encryption = false;
}

static void pg__release(void *state)
{
	struct pg *pg = state;

	pg_cycle__clear(&pg->cycle);
	pg_statements__free(&pg->statements);
}

const struct protocol protocol_postgresql = {
	.name = "postgresql",
	.state_size = sizeof(struct pg),
	.recognise = pg__recognise,
	.parse = pg__parse,
	.resync = pg__resync,
	.release = pg__release,
};
