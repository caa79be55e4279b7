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

void store__drop(struct store *s, struct vtrace *t)
{
	struct vspan *v, *next;
	uint64_t key;

	for (v = t->spans; v; v = next) {
		next = v->next;
		free(v);
		s->spans--;
	}
	memcpy(&key, t->id, 8);
	table__remove(&s->by_id, key);
	list__remove(&t->all);
	free(t);
}

void store__free(struct store *s)
{
	while (!list__empty(&s->all))
		store__drop(s, LIST_ENTRY(s->all.next, struct vtrace, all));
	table__free(&s->by_id);
}

/* "POST /orders"; for a database what the span is called. */
static void vspan__name(struct vspan *v, const struct span *s)
{
	struct slice path = attrs__get_str(s->attrs, "url.path");
	struct slice full = attrs__get_str(s->attrs, "url.full");
	int64_t http = attrs__get_int(s->attrs, "http.response.status_code", 0);

	if (!path.n && full.n) { /* scheme://host/path?query */
		for (int slashes = 0; full.n && slashes < 3; full.p++, full.n--)
			slashes += *full.p == '/';
		if (full.n)
			full.p--, full.n++;
		path = slice__sub(full, 0, slice__find(full, '?'));
	}
	if (path.n)
		snprintf(v->operation, sizeof(v->operation), "%s %.*s", s->name, (int)path.n, path.p);
	else
		snprintf(v->operation, sizeof(v->operation), "%s", s->name);
	if (http)
		snprintf(v->code, sizeof(v->code), "%d", (int)http);
	else
		text__copy(v->code, sizeof(v->code), attrs__get_str(s->attrs, "db.response.status_code"));
}

/* A call to somebody who is not traced is shown under that name. */
static void vspan__set_service(struct vspan *v, const struct span *s)
{
	struct slice system = attrs__get_str(s->attrs, "db.system.name");
	struct slice peer = attrs__get_str(s->attrs, "server.address");

	if (s->kind != SPAN_CLIENT)
		text__copy(v->service, sizeof(v->service), slice__of(s->process->service));
	else if (system.n)
		text__copy(v->service, sizeof(v->service), system);
	else
		snprintf(v->service, sizeof(v->service), "%.*s:%d", (int)peer.n, peer.p ? peer.p : "",
			 (int)attrs__get_int(s->attrs, "server.port", 0));
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
	if (s->status_message)
		snprintf(v->message, sizeof(v->message), "%s", s->status_message);
	return v;
}

struct vtrace *store__add(struct store *st, const struct span *s, uint64_t now)
{
	struct vspan *v = vspan__new(s);
	struct vtrace *t;
	uint64_t key;

	memcpy(&key, s->trace_id, 8);
	t = table__get(&st->by_id, key);
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
	t->n++;
	t->touched_ns = now;
	if (!s->has_parent || s->evidence == EV_HEADER)
		t->root = v;
	st->spans++;
	return t;
}

static struct vspan *vtrace__find(const struct vtrace *t, const uint8_t id[8])
{
	struct vspan *v = t->spans;

	while (v && memcmp(v->span_id, id, 8))
		v = v->next;
	return v;
}

static void row__insert(struct vspan *parent, struct vspan *row)
{
	struct vspan **at = &parent->child;

	while (*at && (*at)->start_ns <= row->start_ns)
		at = &(*at)->sibling;
	row->sibling = *at;
	*at = row;
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

void vtrace__arrange(struct vtrace *t)
{
	struct vspan *v, *p;

	for (v = t->spans; v; v = v->next)
		v->server = v->child = v->sibling = NULL;
	for (v = t->spans; v; v = v->next) {
		p = v->has_parent && v->evidence == EV_CONNECTION ? vtrace__find(t, v->parent_id) : NULL;
		if (p && p->kind == SPAN_CLIENT)
			p->server = v;
	}
	for (v = t->spans; v; v = v->next) {
		p = v->has_parent ? vtrace__find(t, v->parent_id) : NULL;
		if (!p) {
			if (!t->root || v->start_ns < t->root->start_ns)
				t->root = v;
			continue;
		}
		if (p->server == v)
			continue;
		/* Below the row that the parent is part of. */
		if (p->kind == SPAN_SERVER && p->has_parent && p->evidence == EV_CONNECTION) {
			struct vspan *call = vtrace__find(t, p->parent_id);

			p = call ? call : p;
		}
		row__insert(p, v);
	}
	for (v = t->spans; v; v = v->next)
		row__set_own(v);
}

bool vtrace__has_error(const struct vtrace *t)
{
	for (const struct vspan *v = t->spans; v; v = v->next)
		if (v->error)
			return true;
	return false;
}
