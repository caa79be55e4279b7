/* SPDX-License-Identifier: Apache-2.0 */
/* link_rig.h - exchange/ and link/ driven with messages made by hand, the spans that come out, and what to ask of them. */
#ifndef LINK_RIG_H
#define LINK_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "exchange/exchange.h"
#include "meta/meta.h"

#define MAX 1024

struct seen {
	uint8_t trace[16], id[8], parent[8];
	bool has_parent;
	enum evidence evidence;
	char name[32];
	bool error, outlives, probe;
	uint8_t links[4][24]; /* trace and span */
	unsigned n_links;
	uint64_t start, end;
};

struct world {
	struct seen spans[MAX];
	unsigned n;
	struct linker *linker;
	struct exchanges *exchanges;
	struct meta *meta;
	uint64_t now;
	uint64_t next_conn;
	uint32_t next_seq;
};

static inline void on_span(void *ctx, const struct span *s)
{
	struct world *w = ctx;
	struct seen *v = &w->spans[w->n++];

	assert_in_range(w->n, 1, MAX);
	memcpy(v->trace, s->trace_id, 16);
	memcpy(v->id, s->span_id, 8);
	memcpy(v->parent, s->parent_id, 8);
	v->has_parent = s->has_parent;
	v->evidence = s->evidence;
	v->outlives = attrs__find(s->attrs, "wirespan.link.outlives_parent");
	v->error = s->status == SPAN_ERROR;
	v->probe = s->root.probe;
	snprintf(v->name, sizeof(v->name), "%s", s->name);
	assert_true(s->end_ns >= s->start_ns);
	v->start = s->start_ns;
	v->end = s->end_ns;
	for (v->n_links = 0; v->n_links < s->n_links; v->n_links++) {
		assert_in_range(v->n_links, 0, 3);
		memcpy(v->links[v->n_links], s->links[v->n_links].trace_id, 16);
		memcpy(v->links[v->n_links] + 16, s->links[v->n_links].span_id, 8);
	}
}

static inline int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->linker = linker__new(on_span, w);
	w->exchanges = exchanges__new(w->linker);
	w->meta = meta__new(false);
	w->now = 1000000000;
	w->next_seq = 5000;
	*state = w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	linker__free(w->linker);
	exchanges__free(w->exchanges);
	meta__free(w->meta);
	free(w);
	return 0;
}

static inline void release(struct connection *c)
{
	process__unref(c->process);
	free(c);
}

static inline struct connection *conn(struct world *w, enum ws_role role, uint32_t pid)
{
	struct connection *c = calloc(1, sizeof(*c));

	c->id = ++w->next_conn;
	c->role = role;
	c->refs = 1;
	c->release = release;
	c->process = process__ref(meta__process(w->meta, pid));
	return c;
}

static inline void pair(struct connection *a, struct connection *b)
{
	a->peer = b;
	b->peer = a;
	a->had_peer = b->had_peer = true;
}

static inline void unplug(struct world *w, struct connection *c)
{
	exchanges__closed(w->exchanges, c, w->now);
	connection__unref(c);
}

static inline struct stamp stamp(struct world *w, uint32_t pid, uint32_t tid, uint64_t turn)
{
	w->now += 1000;
	return (struct stamp){w->now - 500, w->now, {.tgid = pid, .tid = tid, .switches = turn}, false, false};
}

struct half {
	struct connection *c;
	uint32_t seq, other; /* first byte; where the other direction stands */
	const char *name;
	unsigned flags;
	struct trace_context trace;
	const char *agent; /* User-Agent; or NULL */
	int status;
};

static inline void say(struct world *w, enum message_kind kind, const struct half *h, struct stamp at)
{
	struct message m = {
		.kind = kind,
		.flags = MSG_BEGINS | MSG_ENDS | h->flags,
		.protocol = "http",
		.offset = (1ull << 32) + h->seq,
		.end = (1ull << 32) + h->seq + 10,
		.peer_offset = (1ull << 32) + h->other,
		.first = at,
		.last = at,
		.trace = h->trace,
	};

	if (h->name)
		snprintf(m.name, sizeof(m.name), "%s", h->name);
	if (h->agent)
		attrs__str(&m.attrs, "user_agent.original", slice__of(h->agent));
	if (h->status)
		attrs__int(&m.attrs, "http.response.status_code", h->status);
	exchanges__message(w->exchanges, h->c, &m);
	attrs__free(&m.attrs);
}

static inline void request(struct world *w, struct connection *c, uint32_t seq, const char *name, struct stamp at)
{
	say(w, MSG_REQUEST, &(struct half){.c = c, .seq = seq, .other = seq + 100000, .name = name}, at);
}

static inline void response(struct world *w, struct connection *c, uint32_t seq, struct stamp at)
{
	say(w, MSG_RESPONSE, &(struct half){.c = c, .seq = seq + 100000}, at);
}

static inline const struct seen *find(const struct world *w, const char *name)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!strcmp(w->spans[i].name, name))
			return &w->spans[i];
	fail_msg("no span '%s' among %u", name, w->n);
	return NULL;
}

/* Time passes: what waits to see what follows a reply goes on. */
static inline void later(struct world *w)
{
	linker__tick(w->linker, w->now + 100000000);
}

static inline void check_child(const struct world *w, const char *child, const char *parent, enum evidence e)
{
	const struct seen *c = find(w, child), *p = find(w, parent);

	assert_string_equal(evidence__name(c->evidence), evidence__name(e));
	assert_true(c->has_parent);
	assert_memory_equal(c->parent, p->id, 8);
	assert_memory_equal(c->trace, p->trace, 16);
}

static inline void check_alone(const struct world *w, const char *name, enum evidence e)
{
	const struct seen *c = find(w, name);

	assert_string_equal(evidence__name(c->evidence), evidence__name(e));
	assert_false(c->has_parent);
}

/* In a coroutine's context, of a loop. */
static inline struct stamp in_context(struct world *w, uint64_t context)
{
	struct stamp s = stamp(w, 10, 10, w->now);

	s.actor.user_ctx = context;
	s.polls = s.watched = true;
	return s;
}

/* Spans of that name with that evidence, and a parent where it gives one. */
static inline unsigned count(const struct world *w, const char *name, enum evidence e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n; i++)
		n += !strcmp(w->spans[i].name, name) && w->spans[i].evidence == e && w->spans[i].has_parent == (e == EV_WAKE || e == EV_ANSWER);
	return n;
}

#endif
