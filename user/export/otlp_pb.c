// SPDX-License-Identifier: Apache-2.0
/* otlp_pb.c - the agent's hot path: one pass over a span, nothing allocated but the growing buffer. */
#include "export/otlp.h"
#include "meta/meta.h"

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
	SPAN_F_STATUS = 15,
	SPAN_F_FLAGS = 16,
};
enum { STATUS_MESSAGE = 2, STATUS_CODE = 3 };
enum { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE = 2 };
enum { ANY_STRING = 1, ANY_BOOL = 2, ANY_INT = 3, ANY_DOUBLE = 4 };

static void pb__any(struct pb *b, const struct attrs *list, const struct attr *a)
{
	uint64_t bits;

	switch (a->type) {
	case ATTR_STR:
		pb__bytes_field(b, ANY_STRING, attr__text(list, a));
		break;
	case ATTR_BOOL:
		pb__varint_field(b, ANY_BOOL, a->i != 0);
		break;
	case ATTR_INT:
		pb__varint_field(b, ANY_INT, (uint64_t)a->i);
		break;
	case ATTR_DOUBLE:
		memcpy(&bits, &a->d, 8);
		pb__fixed64_field(b, ANY_DOUBLE, bits);
		break;
	}
}

static void pb__attributes(struct pb *b, unsigned field, const struct attrs *list)
{
	for (unsigned i = 0; i < list->n; i++) {
		size_t pair = pb__open(b, field), value;

		pb__bytes_field(b, KEY_VALUE_KEY, (struct slice){list->v[i].key, list->v[i].key_len});
		value = pb__open(b, KEY_VALUE_VALUE);
		pb__any(b, list, &list->v[i]);
		pb__close(b, value);
		pb__close(b, pair);
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

	for (size_t i = 0; i < batch->n_groups; i++)
		pb__group(&b, &batch->groups[i]);
	*size = b.n;
	return (char *)b.p;
}
