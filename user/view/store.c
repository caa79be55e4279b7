// SPDX-License-Identifier: Apache-2.0
#include "view/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "meta/meta.h"
#include "util/text.h"

void store__init(struct store *s)
{
	*s = (struct store){0};
	list__init(&s->all);
}

static uint64_t trace__key(const uint8_t id[16])
{
	return hash__bytes(0, id, 16);
}

void store__drop(struct store *s, struct vtrace *t)
{
	struct vspan *v, *next;

	for (v = t->spans; v; v = next) {
		next = v->next;
		free(v);
		s->spans--;
	}
	table__remove(&s->by_id, trace__key(t->id));
	list__remove(&t->all);
	free(t);
}

void store__free(struct store *s)
{
	while (!list__empty(&s->all))
		store__drop(s, LIST_ENTRY(s->all.next, struct vtrace, all));
	table__free(&s->by_id);
}

/* The path of scheme://host/path?query. */
static struct slice url__path(struct slice url)
{
	int slashes = 0;

	for (size_t i = 0; i < url.n; i++) {
		slashes += url.p[i] == '/';
		if (slashes == 3)
			return slice__sub(url, i, slice__find(slice__sub(url, i, url.n), '?'));
	}
	return (struct slice){NULL, 0};
}

/* "POST /orders"; for a database what the span is called. */
static void vspan__name(struct vspan *v, const struct span *s)
{
	struct slice path = attrs__get_str(s->attrs, "url.path");
	int64_t http = attrs__get_int(s->attrs, "http.response.status_code", 0);
	char name[2 * sizeof(v->operation)];

	if (!path.n)
		path = url__path(attrs__get_str(s->attrs, "url.full"));
	snprintf(name, sizeof(name), "%s%s%.*s", s->name, path.n ? " " : "", (int)path.n, path.n ? path.p : "");
	text__shown(v->operation, sizeof(v->operation), slice__of(name));
	if (http)
		snprintf(v->code, sizeof(v->code), "%d", (int)http);
	else
		text__shown(v->code, sizeof(v->code), attrs__get_str(s->attrs, "db.response.status_code"));
}

/* A call to somebody who is not traced is shown under that name. */
static void vspan__set_service(struct vspan *v, const struct span *s)
{
	struct slice system = attrs__get_str(s->attrs, "db.system.name");
	struct slice peer = attrs__get_str(s->attrs, "server.address");
	char name[sizeof(v->service) + 8];

	text__shown(v->service, sizeof(v->service),
		    s->kind != SPAN_CLIENT ? slice__of(s->process->service) : system.n ? system : SLICE("unknown"));
	if (s->kind != SPAN_CLIENT || system.n || !peer.n)
		return;
	snprintf(name, sizeof(name), "%.*s:%d", (int)peer.n, peer.p, (int)attrs__get_int(s->attrs, "server.port", 0));
	text__shown(v->service, sizeof(v->service), slice__of(name));
}

static struct vspan *vspan__new(const struct span *s)
{
	struct vspan *v = calloc(1, sizeof(*v));

	if (!v)
		abort();
	memcpy(v->span_id, s->span_id, 8);
	memcpy(v->parent_id, s->parent_id, 8);
	v->has_parent = s->has_parent;
	v->error = s->status == SPAN_ERROR;
	v->incomplete = s->lost || s->cut;
	v->kind = s->kind;
	v->evidence = s->evidence;
	v->start_ns = s->start_ns;
	v->end_ns = s->end_ns;
	vspan__name(v, s);
	vspan__set_service(v, s);
	text__shown(v->why, sizeof(v->why), attrs__get_str(s->attrs, "wirespan.link.why"));
	if (s->status_message)
		text__shown(v->message, sizeof(v->message), slice__of(s->status_message));
	return v;
}

struct vtrace *store__add(struct store *st, const struct span *s, uint64_t now)
{
	struct vspan *v = vspan__new(s);
	uint64_t key = trace__key(s->trace_id);
	struct vtrace *t = table__get(&st->by_id, key);

	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			abort();
		memcpy(t->id, s->trace_id, 16);
		table__set(&st->by_id, key, t);
		list__append(&st->all, &t->all);
	}
	v->next = t->spans;
	t->spans = v;
	v->nth = t->n++;
	t->touched_ns = now;
	if (!s->has_parent || s->evidence == EV_HEADER)
		t->root = v;
	st->spans++;
	return t;
}

/* Duration less what the rows below cover together. They are sorted by start. */
static void row__set_own(struct vspan *row)
{
	uint64_t covered = 0, reached = row->start_ns;

	for (const struct vspan *c = row->child; c; c = c->sibling) {
		uint64_t from = c->start_ns > reached ? c->start_ns : reached;
		uint64_t to = c->end_ns < row->end_ns ? c->end_ns : row->end_ns;

		if (to > from) {
			covered += to - from;
			reached = to;
		}
	}
	row->own_ns = vspan__duration(row) - covered;
}

static uint64_t span__key(const uint8_t id[8])
{
	uint64_t key;

	memcpy(&key, id, 8);
	return key;
}

static struct vspan *vspan__parent(const struct table *ids, const struct vspan *v)
{
	return v->has_parent ? table__get(ids, span__key(v->parent_id)) : NULL;
}

static void rows__pair(const struct vtrace *t, const struct table *ids)
{
	for (struct vspan *v = t->spans; v; v = v->next) {
		struct vspan *p = v->evidence == EV_CONNECTION ? vspan__parent(ids, v) : NULL;

		if (!p || p->kind != SPAN_CLIENT || v->kind != SPAN_SERVER || p->server)
			continue;
		p->server = v;
		v->client = p;
	}
}

/* Parents in a circle are none: its earliest row goes to the top. */
static void circle__cut(struct vspan *circle)
{
	struct vspan *first = circle;

	for (struct vspan *v = circle->up; v != circle; v = v->up)
		if (v->start_ns < first->start_ns)
			first = v;
	first->up = NULL;
}

static void rows__cut_circles(const struct vtrace *t)
{
	unsigned walk = 0;

	for (struct vspan *v = t->spans; v; v = v->next) {
		struct vspan *p = v;

		for (walk++; p && !p->walk; p = p->up)
			p->walk = walk;
		if (p && p->walk == walk)
			circle__cut(p);
	}
}

static int latest_first(const void *a, const void *b)
{
	const struct vspan *x = *(struct vspan *const *)a, *y = *(struct vspan *const *)b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? 1 : -1;
	return x->nth < y->nth ? 1 : -1;
}

/* Each row to its place: from the last to the first, so that it is always put in front. */
static void rows__order(struct vtrace *t)
{
	struct vspan **rows = calloc(t->n, sizeof(*rows)), **at, *v;
	size_t n = 0;

	if (!rows)
		abort();
	for (v = t->spans; v; v = v->next)
		if (!v->client)
			rows[n++] = v;
	qsort(rows, n, sizeof(*rows), latest_first);
	t->root = NULL;
	for (size_t i = 0; i < n; i++) {
		at = rows[i]->up ? &rows[i]->up->child : &t->root;
		rows[i]->sibling = *at;
		*at = rows[i];
	}
	free(rows);
}

void vtrace__arrange(struct vtrace *t)
{
	struct table ids = {0};
	struct vspan *v, *p;

	for (v = t->spans; v; v = v->next) {
		v->server = v->client = v->up = v->child = v->sibling = NULL;
		v->walk = 0;
		table__set(&ids, span__key(v->span_id), v);
	}
	rows__pair(t, &ids);
	for (v = t->spans; v; v = v->next) {
		p = v->client ? NULL : vspan__parent(&ids, v);
		v->up = p && p->client ? p->client : p;
	}
	rows__cut_circles(t);
	rows__order(t);
	for (v = t->spans; v; v = v->next)
		row__set_own(v);
	table__free(&ids);
}

bool vtrace__has_error(const struct vtrace *t)
{
	for (const struct vspan *v = t->spans; v; v = v->next)
		if (v->error)
			return true;
	return false;
}
