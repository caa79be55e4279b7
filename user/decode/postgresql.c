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

#include "decode/postgresql_bodies.h"

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
	const struct pg_reader *r = pg_reader__of(side, h->type);
	h->size = (uint64_t)len + 1;
	h->want = PG_HEADER + (len - 4 < r->want ? len - 4 : r->want);
	return HEAD_OK;
}

/* Reads one message whose head is known; s: what is there of it. */
static void message__read(struct pg *pg, const struct parse_input *in, struct message *m, const struct head *h,
			  struct slice s)
{
	struct pg_side *side = &pg->side[in->side];
	const struct pg_reader *r = pg_reader__of(in->side, h->type);
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
	enum decode_status st;

	if (encryption__answered(pg, in, m)) {
		*consumed = 1;
		return in->bytes.p[0] == 'N' ? DECODE_OK : DECODE_UPGRADE;
	}
	st = pg__walk(pg, in, m, consumed);
	m->forgotten = pg->statements.forgotten;
	pg->statements.forgotten = 0;
	return st;
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
