// SPDX-License-Identifier: Apache-2.0
/* otlp_pb.c - the agent's hot path: one pass over a span, nothing allocated but the growing buffer. */
#include "export/otlp.h"
#include "meta/meta.h"
#include "util/cursor.h"

#define RESOURCE_USUAL 2048 /* bytes around the spans of a group */

enum { REQUEST_RESOURCE_SPANS = 1 };
enum { RESOURCE_SPANS_RESOURCE = 1, RESOURCE_SPANS_SCOPE_SPANS = 2, RESOURCE_SPANS_SCHEMA_URL = 3 };
enum { RESOURCE_ATTRIBUTES = 1 };
enum { SCOPE_SPANS_SCOPE = 1, SCOPE_SPANS_SPANS = 2, SCOPE_SPANS_SCHEMA_URL = 3 };
enum { SCOPE_NAME = 1, SCOPE_VERSION = 2 };
enum {
	SPAN_F_TRACE_ID = 1,
	SPAN_F_SPAN_ID = 2,
	SPAN_F_TRACE_STATE = 3,
	SPAN_F_PARENT_SPAN_ID = 4,
	SPAN_F_NAME = 5,
	SPAN_F_KIND = 6,
	SPAN_F_START = 7,
	SPAN_F_END = 8,
	SPAN_F_ATTRIBUTES = 9,
	SPAN_F_DROPPED_ATTRIBUTES = 10,
	SPAN_F_LINKS = 13,
	SPAN_F_DROPPED_LINKS = 14,
	SPAN_F_STATUS = 15,
	SPAN_F_FLAGS = 16,
};
enum { LINK_TRACE_ID = 1, LINK_SPAN_ID = 2, LINK_ATTRIBUTES = 4, LINK_FLAGS = 6 };
enum { STATUS_MESSAGE = 2, STATUS_CODE = 3 };
enum { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE = 2 };
enum { ANY_STRING = 1, ANY_BOOL = 2, ANY_INT = 3, ANY_DOUBLE = 4, ANY_ARRAY = 5 };
enum { ARRAY_VALUES = 1 };

/* A list is seldom: its lengths are filled in later. */
static void pb__list(struct pb *b, unsigned field, const struct attrs *list, const struct attr *a)
{
	struct cursor c = cursor__of(attr__text(list, a));
	size_t pair = pb__open(b, field), any, array, value;

	pb__bytes_field(b, KEY_VALUE_KEY, (struct slice){a->key, a->key_len});
	any = pb__open(b, KEY_VALUE_VALUE);
	array = pb__open(b, ANY_ARRAY);
	for (struct slice s = cursor__cstr(&c); !c.over; s = cursor__cstr(&c)) {
		value = pb__open(b, ARRAY_VALUES);
		pb__bytes_field(b, ANY_STRING, s);
		pb__close(b, value);
	}
	pb__close(b, array);
	pb__close(b, any);
	pb__close(b, pair);
}

/* AnyValue: its size, and itself. */
static size_t any__size(const struct attr *a)
{
	switch (a->type) {
	case ATTR_STR: return 1 + pb__varint_size(a->str.len) + a->str.len;
	case ATTR_INT: return 1 + pb__varint_size((uint64_t)a->i);
	case ATTR_DOUBLE: return 9;
	default: return 2;
	}
}

static unsigned char *any__put(unsigned char *p, const struct attrs *list, const struct attr *a)
{
	switch (a->type) {
	case ATTR_STR:
		return pb__put_bytes(p, ANY_STRING, list->text + a->str.off, a->str.len);
	case ATTR_INT:
		return pb__put_varint(pb__put_tag(p, ANY_INT, PB_VARINT), (uint64_t)a->i);
	case ATTR_DOUBLE:
		p = pb__put_tag(p, ANY_DOUBLE, PB_FIXED64);
		for (int i = 0; i < 8; i++)
			*p++ = (unsigned char)((uint64_t)a->i >> (8 * i)); /* the bits of a->d */
		return p;
	default:
		return pb__put_varint(pb__put_tag(p, ANY_BOOL, PB_VARINT), a->i != 0);
	}
}

/* Two thirds of a span are attributes: each is sized first, then written in one go. */
static void pb__attributes(struct pb *b, unsigned field, const struct attrs *list)
{
	for (unsigned i = 0; i < list->n; i++) {
		const struct attr *a = &list->v[i];
		size_t any = any__size(a);
		size_t pair = 2 + pb__varint_size(a->key_len) + a->key_len + pb__varint_size(any) + any;
		unsigned char *p;

		if (a->type == ATTR_LIST) {
			pb__list(b, field, list, a);
			continue;
		}
		p = pb__room(b, 20 + pair);
		p = pb__put_varint(pb__put_tag(p, field, PB_LEN), pair);
		p = pb__put_bytes(p, KEY_VALUE_KEY, a->key, a->key_len);
		p = pb__put_varint(pb__put_tag(p, KEY_VALUE_VALUE, PB_LEN), any);
		b->n = (size_t)(any__put(p, list, a) - b->p);
	}
}

static void pb__text_field(struct pb *b, unsigned field, const char *text)
{
	struct attrs scratch = {0};

	pb__bytes_field(b, field, otlp__utf8(text, &scratch));
	attrs__free(&scratch);
}

static void pb__status(struct pb *b, const struct span *s)
{
	size_t status;

	if (s->status == SPAN_UNSET)
		return;
	status = pb__open(b, SPAN_F_STATUS);
	if (s->status_message)
		pb__text_field(b, STATUS_MESSAGE, s->status_message);
	pb__varint_field(b, STATUS_CODE, s->status);
	pb__close(b, status);
}

static void pb__links(struct pb *b, const struct span *s)
{
	for (unsigned i = 0; i < s->n_links; i++) {
		const struct span_link *l = &s->links[i];
		size_t link = pb__open(b, SPAN_F_LINKS), pair, any;

		pb__bytes_field(b, LINK_TRACE_ID, (struct slice){(const char *)l->trace_id, 16});
		pb__bytes_field(b, LINK_SPAN_ID, (struct slice){(const char *)l->span_id, 8});
		pair = pb__open(b, LINK_ATTRIBUTES);
		pb__bytes_field(b, KEY_VALUE_KEY, SLICE(OTLP_LINK_EVIDENCE));
		any = pb__open(b, KEY_VALUE_VALUE);
		pb__bytes_field(b, ANY_STRING, slice__of(evidence__name(l->evidence)));
		pb__close(b, any);
		pb__close(b, pair);
		pb__fixed32_field(b, LINK_FLAGS, otlp__link_flags(l));
		pb__close(b, link);
	}
	if (s->links_dropped)
		pb__varint_field(b, SPAN_F_DROPPED_LINKS, s->links_dropped);
}

void otlp_pb__span(struct pb *b, const struct span *s)
{
	size_t span = pb__open(b, SCOPE_SPANS_SPANS);

	pb__bytes_field(b, SPAN_F_TRACE_ID, (struct slice){(const char *)s->trace_id, 16});
	pb__bytes_field(b, SPAN_F_SPAN_ID, (struct slice){(const char *)s->span_id, 8});
	if (s->tracestate)
		pb__text_field(b, SPAN_F_TRACE_STATE, s->tracestate);
	if (s->has_parent)
		pb__bytes_field(b, SPAN_F_PARENT_SPAN_ID, (struct slice){(const char *)s->parent_id, 8});
	pb__text_field(b, SPAN_F_NAME, s->name);
	pb__varint_field(b, SPAN_F_KIND, s->kind);
	pb__fixed64_field(b, SPAN_F_START, s->start_ns);
	pb__fixed64_field(b, SPAN_F_END, s->end_ns);
	pb__attributes(b, SPAN_F_ATTRIBUTES, s->attrs);
	if (s->attrs->dropped)
		pb__varint_field(b, SPAN_F_DROPPED_ATTRIBUTES, s->attrs->dropped);
	pb__links(b, s);
	pb__status(b, s);
	pb__fixed32_field(b, SPAN_F_FLAGS, otlp__flags(s));
	pb__close(b, span);
}

static void pb__group(struct pb *b, const struct otlp_group *g)
{
	size_t rs = pb__open(b, REQUEST_RESOURCE_SPANS), part, scope;

	part = pb__open(b, RESOURCE_SPANS_RESOURCE);
	pb__attributes(b, RESOURCE_ATTRIBUTES, &g->process->resource);
	pb__close(b, part);
	part = pb__open(b, RESOURCE_SPANS_SCOPE_SPANS);
	scope = pb__open(b, SCOPE_SPANS_SCOPE);
	pb__bytes_field(b, SCOPE_NAME, SLICE(OTLP_SCOPE));
	pb__bytes_field(b, SCOPE_VERSION, SLICE(WIRESPAN_VERSION));
	pb__close(b, scope);
	pb__append(b, g->spans.p, g->spans.n);
	pb__bytes_field(b, SCOPE_SPANS_SCHEMA_URL, SLICE(OTLP_SCHEMA_URL));
	pb__close(b, part);
	pb__bytes_field(b, RESOURCE_SPANS_SCHEMA_URL, SLICE(OTLP_SCHEMA_URL));
	pb__close(b, rs);
}

char *otlp_pb__body(const struct otlp_batch *batch, size_t *size)
{
	struct pb b = {0};

	pb__room(&b, batch->bytes + batch->n_groups * RESOURCE_USUAL);
	for (size_t i = 0; i < batch->n_groups; i++)
		pb__group(&b, &batch->groups[i]);
	*size = b.n;
	return (char *)b.p;
}
