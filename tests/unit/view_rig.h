/* SPDX-License-Identifier: Apache-2.0 */
/* view_rig.h - spans made by hand, and what a person is shown of them. Include after cmocka.h. */
#ifndef TEST_VIEW_RIG_H
#define TEST_VIEW_RIG_H

#include <stdlib.h>
#include <string.h>

#include "meta/meta.h"
#include "util/text.h"
#include "view/store.h"
#include "view/view.h"

#define MS 1000000ull
#define WIDTH 110
#define T0 (1000 * MS)

struct world {
	struct view *v;
	FILE *out;
	char *text;
	size_t size;
};

/* Of a span: what differs from row to row. Ids are small numbers, parent 0 is none. */
struct made {
	uint32_t id, parent;
	const char *service, *name;
	uint64_t from, to; /* ms */
	enum span_kind kind;
	enum evidence evidence;
	int status;	     /* HTTP */
	const char *message; /* an error */
	const char *path, *system, *address;
	uint32_t trace;
};

static inline void open_world(struct world *w, bool live, bool summary, bool colour)
{
	*w = (struct world){0};
	w->out = open_memstream(&w->text, &w->size);
	w->v = view__new(&(struct view_options){.out = w->out, .width = WIDTH, .live = live, .summary = summary, .colour = colour});
	view__tick(w->v, T0);
}

static inline void close_world(struct world *w)
{
	view__free(w->v);
	fclose(w->out);
	free(w->text);
}

static inline void add_ns(struct view *v, const struct made *m, uint64_t start, uint64_t end)
{
	struct process p = {.refs = 1};
	struct attrs a = {0};
	struct span s = {
		.kind = m->kind ? m->kind : SPAN_SERVER, .name = m->name ? m->name : "GET", .has_parent = m->parent,
		.start_ns = start, .end_ns = end, .status = m->message ? SPAN_ERROR : SPAN_UNSET,
		.status_message = m->message, .evidence = m->evidence, .attrs = &a, .process = &p, .trace_id = {[15] = 1},
	};

	text__copy(p.service, sizeof(p.service), slice__of(m->service ? m->service : "shop"));
	memcpy(s.trace_id + 8, &m->trace, 4);
	memcpy(s.span_id, &m->id, 4);
	memcpy(s.parent_id, &m->parent, 4);
	if (m->status)
		attrs__int(&a, "http.response.status_code", m->status);
	if (m->path)
		attrs__str(&a, m->path[0] == '/' ? "url.path" : "url.full", slice__of(m->path));
	if (m->system)
		attrs__str(&a, "db.system.name", slice__of(m->system));
	if (m->address)
		attrs__str(&a, "server.address", slice__of(m->address));
	attrs__int(&a, "server.port", 80);
	view__span(v, &s);
	attrs__free(&a);
}

static inline void add(struct world *w, const struct made *m)
{
	add_ns(w->v, m, T0 + m->from * MS, T0 + m->to * MS);
}

static inline const char *finish(struct world *w)
{
	static const struct view_truth truth = {.exchanges = 12345, .records_made = 7, .records_seen = 6, .records_lost = 1};

	view__finish(w->v, &truth);
	fflush(w->out);
	return w->text;
}

static inline unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

static inline unsigned columns(const char *s, size_t n)
{
	unsigned c = 0;

	for (size_t i = 0; i < n; i++)
		c += ((unsigned char)s[i] & 0xc0) != 0x80;
	return c;
}

/* The line that holds this text. */
static inline const char *line_of(const char *text, const char *what)
{
	static char line[1024];
	const char *at = strstr(text, what), *from = at;

	if (!at)
		fail_msg("\"%s\" is not in:\n%s", what, text);
	while (from > text && from[-1] != '\n')
		from--;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(from, "\n"), from);
	return line;
}

static inline const char *rows_of(const char *text)
{
	const char *rows = strstr(text, "link\n");

	assert_non_null(rows);
	return rows;
}

/* From the first to the last character of the bar, in columns from the left. */
static inline void bar_of(const char *line, unsigned *from, unsigned *to)
{
	static const char *const cells[] = {"█", "▌", "▐"};

	*from = UINT32_MAX;
	*to = 0;
	for (const char *p = line; *p; p++) {
		for (int i = 0; i < 3; i++) {
			unsigned c = columns(line, (size_t)(p - line));

			if (strncmp(p, cells[i], strlen(cells[i])))
				continue;
			*from = c < *from ? c : *from;
			*to = c;
		}
	}
}

#define BAR_FROM 52 /* after service and operation */
#define BAR_COLUMNS (WIDTH - 84)

static inline void check_bars(const char *text)
{
	unsigned bars = 0;

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		char one[1024];
		unsigned from, to;

		snprintf(one, sizeof(one), "%.*s", (int)strcspn(line, "\n"), line);
		bar_of(one, &from, &to);
		if (from == UINT32_MAX)
			continue;
		bars++;
		if (from < BAR_FROM || to >= BAR_FROM + BAR_COLUMNS)
			fail_msg("a bar from %u to %u: %s", from, to, one);
	}
	assert_true(bars > 0);
}

/* No byte that a terminal would take for a command, and nothing that is no UTF-8. */
static inline void check_plain(const char *text, bool colour)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (colour && *p == 27 && p[1] == '[') {
			p += 2 + strspn((const char *)p + 2, "0123456789");
			assert_int_equal(*p, 'm');
			continue;
		}
		if ((*p < ' ' && *p != '\n') || *p == 127 || (*p == 0xc2 && p[1] < 0xa0) || *p == 0xff)
			fail_msg("byte %02x at %td: %.40s", *p, (const char *)p - text, (const char *)p);
	}
}

/* The lost order: a call and its other end are one row; own times; the reason of the error. */
static const struct made shop[] = {
	{.id = 1, .service = "nginx", .name = "POST", .to = 40, .evidence = EV_ROOT, .status = 200, .path = "/orders"},
	{.id = 2, .parent = 1, .service = "nginx", .name = "POST", .from = 1, .to = 39, .kind = SPAN_CLIENT,
	 .evidence = EV_EVENT_LOOP, .status = 200, .path = "http://h:1/orders?x=1", .address = "127.0.0.1"},
	{.id = 3, .parent = 2, .service = "order", .name = "POST", .from = 2, .to = 38, .evidence = EV_CONNECTION,
	 .status = 200, .path = "/orders"},
	{.id = 4, .parent = 3, .service = "order", .name = "INSERT payments", .from = 10, .to = 20, .kind = SPAN_CLIENT,
	 .evidence = EV_THREAD, .message = "duplicate key", .system = "postgresql"},
	{.id = 5, .parent = 3, .service = "order", .name = "GET", .from = 15, .to = 30, .kind = SPAN_CLIENT,
	 .evidence = EV_THREAD, .status = 200, .path = "http://h:2/", .address = "10.0.0.9"},
};

#endif
