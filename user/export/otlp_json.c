// SPDX-License-Identifier: Apache-2.0
/*
 * otlp_json.c - OTLP/JSON (protobuf's JSON mapping with hex ids, 64-bit integers as strings), and
 * the line format of --json, which has the same names but plain objects for attributes.
 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/otlp.h"
#include "meta/meta.h"
#include "util/cursor.h"

static json_t *json__slice(struct slice s)
{
	json_t *j = json_stringn(s.p ? s.p : "", s.n);

	return j ? j : json_string("");
}

static json_t *json__text(const char *text)
{
	struct attrs scratch = {0};
	json_t *j = json__slice(otlp__utf8(text, &scratch));

	attrs__free(&scratch);
	return j;
}

/* What JSON has no number for is a string in protobuf's mapping. */
static json_t *json__double(double d)
{
	return isfinite(d) ? json_real(d) : json_string(isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
}

static json_t *json__hex(const uint8_t *id, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char text[33];

	for (size_t i = 0; i < n; i++) {
		text[2 * i] = digits[id[i] >> 4];
		text[2 * i + 1] = digits[id[i] & 15];
	}
	return json_stringn(text, 2 * n);
}

static json_t *json__u64(uint64_t v)
{
	return json_sprintf("%llu", (unsigned long long)v);
}

static json_t *json__list(struct slice items)
{
	struct cursor c = cursor__of(items);
	json_t *array = json_array();

	for (struct slice s = cursor__cstr(&c); !c.over; s = cursor__cstr(&c))
		json_array_append_new(array, json__slice(s));
	return array;
}

static json_t *json__plain(const struct attrs *list, const struct attr *a)
{
	switch (a->type) {
	case ATTR_STR:
		return json__slice(attr__text(list, a));
	case ATTR_BOOL:
		return json_boolean(a->i != 0);
	case ATTR_INT:
		return json_integer(a->i);
	case ATTR_LIST:
		return json__list(attr__text(list, a));
	default:
		return json__double(a->d);
	}
}

static json_t *json__plain_attributes(const struct attrs *list)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < list->n; i++)
		json_object_set_new(o, list->v[i].key, json__plain(list, &list->v[i]));
	return o;
}

static json_t *json__string_values(struct slice items)
{
	struct cursor c = cursor__of(items);
	json_t *array = json_array();

	for (struct slice s = cursor__cstr(&c); !c.over; s = cursor__cstr(&c))
		json_array_append_new(array, json_pack("{s:o}", "stringValue", json__slice(s)));
	return array;
}

/* AnyValue: int64 is a string in JSON. */
static json_t *json__any(const struct attrs *list, const struct attr *a)
{
	static const char *const names[] = {"stringValue", "intValue", "boolValue", "doubleValue"};
	json_t *o = json_object();

	if (a->type == ATTR_LIST)
		return json_pack("{s:{s:o}}", "arrayValue", "values", json__string_values(attr__text(list, a)));
	json_object_set_new(o, names[a->type],
			    a->type == ATTR_INT ? json_sprintf("%lld", (long long)a->i) : json__plain(list, a));
	return o;
}

static json_t *json__attributes(const struct attrs *list)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < list->n; i++)
		json_array_append_new(array, json_pack("{s:s, s:o}", "key", list->v[i].key, "value",
						       json__any(list, &list->v[i])));
	return array;
}

static json_t *json__status(const struct span *s)
{
	json_t *o = json_object();

	if (s->status == SPAN_UNSET)
		return o;
	json_object_set_new(o, "code", json_integer(s->status));
	if (s->status_message)
		json_object_set_new(o, "message", json__text(s->status_message));
	return o;
}

/* plain: attributes as an object, as in a line; else as OTLP has them. */
static json_t *json__links(const struct span *s, bool plain)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < s->n_links; i++) {
		const struct span_link *l = &s->links[i];
		const char *evidence = evidence__name(l->evidence);
		json_t *attributes = plain ? json_pack("{s:s}", OTLP_LINK_EVIDENCE, evidence) :
					     json_pack("[{s:s, s:{s:s}}]", "key", OTLP_LINK_EVIDENCE, "value", "stringValue", evidence);

		json_array_append_new(array, json_pack("{s:o, s:o, s:i, s:o}", "traceId", json__hex(l->trace_id, 16), "spanId",
						       json__hex(l->span_id, 8), "flags", (int)otlp__link_flags(l), "attributes",
						       attributes));
	}
	return array;
}

/* What both formats share. */
static json_t *json__span(const struct span *s, bool plain)
{
	json_t *o = json_object();

	json_object_set_new(o, "traceId", json__hex(s->trace_id, 16));
	json_object_set_new(o, "spanId", json__hex(s->span_id, 8));
	json_object_set_new(o, "parentSpanId", s->has_parent ? json__hex(s->parent_id, 8) : json_string(""));
	if (s->tracestate)
		json_object_set_new(o, "traceState", json__text(s->tracestate));
	json_object_set_new(o, "flags", json_integer(otlp__flags(s)));
	json_object_set_new(o, "name", json__text(s->name));
	json_object_set_new(o, "kind", json_integer(s->kind));
	json_object_set_new(o, "startTimeUnixNano", json__u64(s->start_ns));
	json_object_set_new(o, "endTimeUnixNano", json__u64(s->end_ns));
	json_object_set_new(o, "status", json__status(s));
	json_object_set_new(o, "events", json_array());
	json_object_set_new(o, "links", json__links(s, plain));
	if (s->links_dropped)
		json_object_set_new(o, "droppedLinksCount", json_integer(s->links_dropped));
	if (s->attrs->dropped)
		json_object_set_new(o, "droppedAttributesCount", json_integer(s->attrs->dropped));
	return o;
}

static int append(const char *p, size_t n, void *ctx)
{
	pb__append(ctx, p, n);
	return 0;
}

/* The text of j, which is let go. */
static void text__append(struct pb *b, json_t *j)
{
	if (json_dump_callback(j, append, b, JSON_COMPACT | JSON_ENCODE_ANY))
		abort();
	json_decref(j);
}

void otlp_json__span(struct pb *b, const struct span *s)
{
	json_t *o = json__span(s, false);

	json_object_set_new(o, "attributes", json__attributes(s->attrs));
	if (b->n)
		pb__append(b, ",", 1);
	text__append(b, o);
}

void otlp_json__line(FILE *out, const struct span *s)
{
	json_t *o = json__span(s, true);

	json_object_set_new(o, "attributes", json__plain_attributes(s->attrs));
	json_object_set_new(o, "resource", json__plain_attributes(&s->process->resource));
	json_dumpf(o, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(o);
}

static void text__literal(struct pb *b, const char *text)
{
	pb__append(b, text, strlen(text));
}

static void text__group(struct pb *b, const struct otlp_group *g)
{
	text__literal(b, "{\"resource\":{\"attributes\":");
	text__append(b, json__attributes(&g->process->resource));
	text__literal(b, "},\"scopeSpans\":[{\"scope\":");
	text__append(b, json_pack("{s:s, s:s}", "name", OTLP_SCOPE, "version", WIRESPAN_VERSION));
	text__literal(b, ",\"spans\":[");
	pb__append(b, g->spans.p, g->spans.n);
	text__literal(b, "],\"schemaUrl\":\"" OTLP_SCHEMA_URL "\"}],\"schemaUrl\":\"" OTLP_SCHEMA_URL "\"}");
}

char *otlp_json__body(const struct otlp_batch *batch, size_t *size)
{
	struct pb b = {0};

	text__literal(&b, "{\"resourceSpans\":[");
	for (size_t i = 0; i < batch->n_groups; i++) {
		if (i)
			pb__append(&b, ",", 1);
		text__group(&b, &batch->groups[i]);
	}
	text__literal(&b, "]}");
	*size = b.n;
	return (char *)b.p;
}
