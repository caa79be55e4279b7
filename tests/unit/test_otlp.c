// SPDX-License-Identifier: Apache-2.0
/*
 * test_otlp.c - spans built by hand, encoded by export/, decoded by somebody else: protobuf-c with
 * code from otlp.proto, jansson. Both bodies must say the same. And what a collector's answer says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/otlp.h"
#include "guard.h"
#include "meta/meta.h"
#include "otlp.pb-c.h"

#define TRACE "0102030405060708090a0b0c0d0e0fff"
#define REPLACED "\xEF\xBF\xBD"
#define SCHEMA "https://opentelemetry.io/schemas/"
#define FLAG_KNOWN 0x100  /* trace.proto: SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK */
#define FLAG_REMOTE 0x200 /* trace.proto: SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK */

/* What goes in, and, where it is not the same, what comes out. */
struct sample {
	const char *name, *name_out;
	enum span_kind kind;
	bool has_parent;
	uint8_t trace_flags;
	uint64_t start, end;
	enum span_status status;
	const char *message, *message_out;
	const char *tracestate;
	uint32_t flags_out, dropped;
};

static const struct sample samples[] = {
	{"GET", NULL, SPAN_SERVER, false, 1, 1700000000000000000, 1700000000000000001, SPAN_UNSET, NULL, NULL, NULL,
	 1 | FLAG_KNOWN, 0},
	{"GET /x", NULL, SPAN_SERVER, true, 1, 1, 2, SPAN_ERROR, "no", NULL, "a=1,b=2", 1 | FLAG_KNOWN | FLAG_REMOTE, 7},
	{"INSERT payments", NULL, SPAN_CLIENT, true, 0, 0, UINT64_MAX, SPAN_OK, NULL, NULL, "", FLAG_KNOWN, 0},
	{"x", NULL, SPAN_INTERNAL, true, 255, 5, 5, SPAN_ERROR, "", NULL, NULL, 255 | FLAG_KNOWN, 300},
	{"caf\xC3\xA9", NULL, SPAN_CLIENT, false, 0, 9, 9, SPAN_ERROR, "\xE6\x97\xA5", NULL, NULL, FLAG_KNOWN, 0},
	/* Cut in the middle of a character; bytes of another encoding; a message that is not told without an error. */
	{"caf\xC3", "caf" REPLACED, SPAN_CLIENT, false, 0, 1, 2, SPAN_ERROR, "\xFF\xFEok", REPLACED REPLACED "ok", NULL,
	 FLAG_KNOWN, 0},
	{"quote\"\\\n\x1b[31m", NULL, SPAN_SERVER, false, 0, 1, 2, SPAN_UNSET, NULL, NULL, NULL, FLAG_KNOWN, 0},
};
#define SAMPLES (sizeof(samples) / sizeof(*samples))

static char long_text[3000];

static struct process *process__made(const char *service)
{
	struct process *p = calloc(1, sizeof(*p));

	p->refs = 1;
	attrs__str(&p->resource, "service.name", slice__of(service));
	attrs__int(&p->resource, "process.pid", 42);
	return p;
}

static void add_attributes(struct attrs *a)
{
	memset(long_text, 'l', sizeof(long_text) - 1);
	attrs__str(a, "str", SLICE("value"));
	attrs__str(a, "empty", SLICE(""));
	attrs__str(a, "long", slice__of(long_text));
	attrs__str(a, "invalid", SLICE("a\xC0\x80z"));
	attrs__str(a, "nul", SLICE("a\0b"));
	attrs__int(a, "zero", 0);
	attrs__int(a, "min", INT64_MIN);
	attrs__int(a, "max", INT64_MAX);
	attrs__bool(a, "true", true);
	attrs__bool(a, "false", false);
	attrs__double(a, "double", 0.1);
	attrs__double(a, "negative", -1e300);
	attrs__double(a, "nan", NAN);
	attrs__double(a, "inf", -INFINITY);
}

static const struct span_link links[] = {
	{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}, {0xab, 0, 0, 0, 0, 0, 0, 0}, 1, EV_GOROUTINE},
	{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}, {0xab, 0, 0, 0, 0, 0, 0, 1}, 0, EV_WAKE},
};
#define LINKS_OF(i) ((i) % 3) /* the i-th span has so many, and i of them did not fit */

/* i: also its id, so that spans can be told apart. */
static void make(struct span *s, struct attrs *a, const struct sample *from, uint16_t i, const struct process *p)
{
	*s = (struct span){
		.kind = from->kind, .name = from->name, .start_ns = from->start, .end_ns = from->end,
		.status = from->status, .status_message = from->message, .tracestate = from->tracestate,
		.has_parent = from->has_parent, .trace_flags = from->trace_flags, .process = p, .attrs = a,
		.links = links, .n_links = LINKS_OF(i), .links_dropped = i,
		.trace_id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255},
		.span_id = {0xab, 0, 0, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i},
		.parent_id = {0xcd, 0, 0, 0, 0, 0, 0, 0xEF},
	};
	a->dropped = from->dropped;
}

/* Every sample, with all attributes, on two processes by turns. */
static char *body_of(enum otlp_protocol protocol, struct process *p[2], size_t *size)
{
	struct otlp_batch b = {.protocol = protocol};
	struct attrs a = {0};
	size_t bytes = 0;
	struct span s;
	char *body;

	for (uint16_t i = 0; i < SAMPLES; i++) {
		attrs__clear(&a);
		add_attributes(&a);
		make(&s, &a, &samples[i], i, p[i % 2]);
		otlp_batch__add(&b, &s);
		assert_int_equal(b.spans, i + 1);
		assert_true(b.bytes > bytes); /* measured as it grows */
		bytes = b.bytes;
	}
	attrs__free(&a);
	body = otlp_batch__body(&b, size);
	assert_int_equal(b.spans, 0);
	assert_int_equal(b.bytes, 0);
	assert_null(b.groups);
	assert_in_range(*size, bytes, bytes + 2000); /* resources, and what is around them */
	return body;
}

static void check_known(const ProtobufCMessage *m)
{
	assert_int_equal(m->n_unknown_fields, 0);
}

static const Otlp__AnyValue *pb_attr(Otlp__KeyValue **list, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		check_known(&list[i]->base);
		check_known(&list[i]->value->base);
		if (!strcmp(list[i]->key, key))
			return list[i]->value;
	}
	fail_msg("no attribute %s", key);
	return NULL;
}

static void check_pb_attributes(const Otlp__Span *s)
{
	static const struct { const char *key, *text; } texts[] = {
		{"str", "value"}, {"empty", ""}, {"invalid", "a" REPLACED REPLACED "z"}, {"nul", "a"},
	};
	static const struct { const char *key; int64_t n; } ints[] = {{"zero", 0}, {"min", INT64_MIN}, {"max", INT64_MAX}};
	static const struct { const char *key; double d; } doubles[] = {{"double", 0.1}, {"negative", -1e300}, {"inf", -INFINITY}};
#define ATTR(k) pb_attr(s->attributes, s->n_attributes, k)

	assert_int_equal(s->n_attributes, 14);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_int_equal(ATTR(texts[i].key)->value_case, OTLP__ANY_VALUE__VALUE_STRING_VALUE);
		assert_string_equal(ATTR(texts[i].key)->string_value, texts[i].text);
	}
	assert_int_equal(strlen(ATTR("long")->string_value), ATTR_VALUE_MAX);
	for (size_t i = 0; i < sizeof(ints) / sizeof(*ints); i++) {
		assert_int_equal(ATTR(ints[i].key)->value_case, OTLP__ANY_VALUE__VALUE_INT_VALUE);
		assert_true(ATTR(ints[i].key)->int_value == ints[i].n);
	}
	for (size_t i = 0; i < sizeof(doubles) / sizeof(*doubles); i++) {
		assert_int_equal(ATTR(doubles[i].key)->value_case, OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE);
		assert_true(ATTR(doubles[i].key)->double_value == doubles[i].d);
	}
	assert_true(isnan(ATTR("nan")->double_value));
	assert_int_equal(ATTR("true")->value_case, OTLP__ANY_VALUE__VALUE_BOOL_VALUE);
	assert_true(ATTR("true")->bool_value);
	assert_int_equal(ATTR("false")->value_case, OTLP__ANY_VALUE__VALUE_BOOL_VALUE);
	assert_false(ATTR("false")->bool_value);
#undef ATTR
}

static void check_hex(const ProtobufCBinaryData *id, const char *hex)
{
	char text[64] = "";

	for (size_t i = 0; i < id->len; i++)
		sprintf(text + 2 * i, "%02x", id->data[i]);
	assert_string_equal(text, hex);
}

static const char *hex_id(uint16_t i)
{
	static char text[17];

	sprintf(text, "ab0000000000%04x", i);
	return text;
}

static const char *or(const char *a, const char *b)
{
	return a ? a : b ? b : "";
}

static void check_pb_links(const Otlp__Span *s, uint16_t i)
{
	assert_int_equal(s->dropped_links_count, i);
	assert_int_equal(s->n_links, LINKS_OF(i));
	for (uint16_t n = 0; n < s->n_links; n++) {
		const Otlp__SpanLink *l = s->links[n];

		check_known(&l->base);
		check_hex(&l->trace_id, TRACE);
		check_hex(&l->span_id, hex_id(n));
		assert_int_equal(l->flags, FLAG_KNOWN | links[n].trace_flags);
		assert_int_equal(l->n_attributes, 1);
		assert_string_equal(pb_attr(l->attributes, 1, "wirespan.link.evidence")->string_value, evidence__name(links[n].evidence));
	}
}

static void check_pb_span(const Otlp__Span *s, const struct sample *x, uint16_t i)
{
	check_known(&s->base);
	check_hex(&s->trace_id, TRACE);
	check_hex(&s->span_id, hex_id(i));
	check_hex(&s->parent_span_id, x->has_parent ? "cd000000000000ef" : "");
	assert_string_equal(s->trace_state, or(x->tracestate, NULL));
	assert_string_equal(s->name, or(x->name_out, x->name));
	assert_int_equal(s->kind, x->kind);
	assert_true(s->start_time_unix_nano == x->start && s->end_time_unix_nano == x->end);
	assert_int_equal(s->dropped_attributes_count, x->dropped);
	assert_int_equal(s->flags, x->flags_out);
	check_pb_links(s, i);
	assert_int_equal(!s->status, x->status == SPAN_UNSET);
	if (!s->status)
		return;
	check_known(&s->status->base);
	assert_int_equal(s->status->code, x->status);
	assert_string_equal(s->status->message, or(x->message_out, x->message));
}

static void test_protobuf(void **state)
{
	struct process *p[2] = {process__made("one"), process__made("two")};
	Otlp__ExportTraceServiceRequest *r;
	size_t size;
	char *body = body_of(OTLP_HTTP_PROTOBUF, p, &size);

	r = otlp__export_trace_service_request__unpack(NULL, size, (uint8_t *)body);
	assert_non_null(r);
	check_known(&r->base);
	assert_int_equal(r->n_resource_spans, 2);
	for (size_t g = 0; g < 2; g++) {
		const Otlp__ResourceSpans *rs = r->resource_spans[g];
		const Otlp__ScopeSpans *ss = rs->scope_spans[0];

		check_known(&rs->base);
		check_known(&rs->resource->base);
		check_known(&ss->base);
		assert_int_equal(rs->n_scope_spans, 1);
		assert_memory_equal(rs->schema_url, SCHEMA, strlen(SCHEMA));
		assert_string_equal(rs->schema_url, ss->schema_url);
		assert_string_equal(ss->scope->name, "wirespan");
		assert_string_equal(ss->scope->version, WIRESPAN_VERSION);
		assert_int_equal(rs->resource->n_attributes, 2);
		assert_string_equal(pb_attr(rs->resource->attributes, 2, "service.name")->string_value, g ? "two" : "one");
		assert_int_equal(pb_attr(rs->resource->attributes, 2, "process.pid")->int_value, 42);
		assert_int_equal(ss->n_spans, (SAMPLES + 1 - g) / 2);
		for (size_t i = 0; i < ss->n_spans; i++) {
			check_pb_span(ss->spans[i], &samples[2 * i + g], (uint16_t)(2 * i + g));
			check_pb_attributes(ss->spans[i]);
		}
	}
	otlp__export_trace_service_request__free_unpacked(r, NULL);
	free(body);
	process__unref(p[0]);
	process__unref(p[1]);
}

static json_t *field(const json_t *o, const char *name)
{
	json_t *v = json_object_get(o, name);

	if (!v)
		fail_msg("no field %s", name);
	return v;
}

static void check_text(const json_t *o, const char *name, const char *expected)
{
	assert_true(json_is_string(field(o, name)));
	assert_string_equal(json_string_value(field(o, name)), expected);
}

static void check_number(const json_t *o, const char *name, json_int_t expected)
{
	assert_true(json_is_integer(field(o, name)));
	assert_true(json_integer_value(field(o, name)) == expected);
}

/* The AnyValue of an attribute must have exactly this one member. */
static json_t *json_attr(const json_t *list, const char *key, const char *member)
{
	json_t *pair;
	size_t i;

	json_array_foreach(list, i, pair) {
		assert_int_equal(json_object_size(pair), 2);
		if (strcmp(json_string_value(field(pair, "key")), key))
			continue;
		assert_int_equal(json_object_size(field(pair, "value")), 1);
		return field(field(pair, "value"), member);
	}
	fail_msg("no attribute %s", key);
	return NULL;
}

static void check_json_attributes(const json_t *list)
{
	assert_int_equal(json_array_size(list), 14);
	assert_string_equal(json_string_value(json_attr(list, "str", "stringValue")), "value");
	assert_string_equal(json_string_value(json_attr(list, "empty", "stringValue")), "");
	assert_string_equal(json_string_value(json_attr(list, "invalid", "stringValue")), "a" REPLACED REPLACED "z");
	assert_int_equal(json_string_length(json_attr(list, "long", "stringValue")), ATTR_VALUE_MAX);
	assert_int_equal(json_string_length(json_attr(list, "nul", "stringValue")), 3);
	/* 64 bits do not fit into JavaScript's numbers: protobuf's JSON mapping makes strings of them. */
	assert_string_equal(json_string_value(json_attr(list, "zero", "intValue")), "0");
	assert_string_equal(json_string_value(json_attr(list, "min", "intValue")), "-9223372036854775808");
	assert_string_equal(json_string_value(json_attr(list, "max", "intValue")), "9223372036854775807");
	assert_true(json_is_true(json_attr(list, "true", "boolValue")));
	assert_true(json_is_false(json_attr(list, "false", "boolValue")));
	assert_true(json_real_value(json_attr(list, "double", "doubleValue")) == 0.1);
	assert_true(json_real_value(json_attr(list, "negative", "doubleValue")) == -1e300);
	assert_string_equal(json_string_value(json_attr(list, "nan", "doubleValue")), "NaN");
	assert_string_equal(json_string_value(json_attr(list, "inf", "doubleValue")), "-Infinity");
}

/* What OTLP/JSON and a line of --json have in common. */
static void check_json_span(const json_t *s, const struct sample *x, uint16_t i)
{
	const json_t *status = field(s, "status");
	char n[32];

	check_text(s, "traceId", TRACE);
	check_text(s, "spanId", hex_id(i));
	check_text(s, "parentSpanId", x->has_parent ? "cd000000000000ef" : "");
	check_text(s, "name", or(x->name_out, x->name));
	check_number(s, "kind", x->kind);
	check_number(s, "flags", x->flags_out);
	sprintf(n, "%llu", (unsigned long long)x->start);
	check_text(s, "startTimeUnixNano", n);
	sprintf(n, "%llu", (unsigned long long)x->end);
	check_text(s, "endTimeUnixNano", n);
	assert_int_equal(json_array_size(field(s, "events")), 0);
	assert_int_equal(json_integer_value(json_object_get(s, "droppedLinksCount")), i);
	assert_int_equal(json_array_size(field(s, "links")), LINKS_OF(i));
	for (uint16_t k = 0; k < LINKS_OF(i); k++) {
		const json_t *l = json_array_get(field(s, "links"), k), *a = field(l, "attributes");

		check_text(l, "traceId", TRACE);
		check_text(l, "spanId", hex_id(k));
		check_number(l, "flags", FLAG_KNOWN | links[k].trace_flags);
		a = json_is_object(a) ? field(a, "wirespan.link.evidence") : json_attr(a, "wirespan.link.evidence", "stringValue");
		assert_string_equal(json_string_value(a), evidence__name(links[k].evidence));
	}
	assert_int_equal(!json_object_get(s, "traceState"), !x->tracestate);
	if (x->tracestate)
		check_text(s, "traceState", x->tracestate);
	assert_int_equal(json_integer_value(json_object_get(s, "droppedAttributesCount")), x->dropped);
	if (x->status == SPAN_UNSET) {
		assert_int_equal(json_object_size(status), 0);
		return;
	}
	check_number(status, "code", x->status);
	if (x->message)
		check_text(status, "message", or(x->message_out, x->message));
}

static void test_json(void **state)
{
	struct process *p[2] = {process__made("one"), process__made("two")};
	size_t size;
	char *body = body_of(OTLP_HTTP_JSON, p, &size);
	json_t *r = json_loadb(body, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	const json_t *groups;

	assert_non_null(r);
	assert_int_equal(json_object_size(r), 1);
	groups = field(r, "resourceSpans");
	assert_int_equal(json_array_size(groups), 2);
	for (size_t g = 0; g < 2; g++) {
		const json_t *rs = json_array_get(groups, g), *ss = json_array_get(field(rs, "scopeSpans"), 0);
		const json_t *resource = field(field(rs, "resource"), "attributes"), *spans = field(ss, "spans");

		assert_memory_equal(json_string_value(field(rs, "schemaUrl")), SCHEMA, strlen(SCHEMA));
		check_text(ss, "schemaUrl", json_string_value(field(rs, "schemaUrl")));
		check_text(field(ss, "scope"), "name", "wirespan");
		check_text(field(ss, "scope"), "version", WIRESPAN_VERSION);
		assert_string_equal(json_string_value(json_attr(resource, "service.name", "stringValue")), g ? "two" : "one");
		assert_string_equal(json_string_value(json_attr(resource, "process.pid", "intValue")), "42");
		assert_int_equal(json_array_size(spans), (SAMPLES + 1 - g) / 2);
		for (size_t i = 0; i < json_array_size(spans); i++) {
			const json_t *s = json_array_get(spans, i);

			check_json_span(s, &samples[2 * i + g], (uint16_t)(2 * i + g));
			check_json_attributes(field(s, "attributes"));
		}
	}
	json_decref(r);
	free(body);
	process__unref(p[0]);
	process__unref(p[1]);
}

/* --json: one object a line, the same names, plain objects for attributes. */
static void test_line(void **state)
{
	struct process *p = process__made("one");
	struct attrs a = {0};
	char *text = NULL, *line;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (uint16_t i = 0; i < SAMPLES; i++) {
		struct span s;

		attrs__clear(&a);
		add_attributes(&a);
		make(&s, &a, &samples[i], i, p);
		otlp_json__line(f, &s);
	}
	fclose(f);
	line = text;
	for (uint16_t i = 0; i < SAMPLES; i++) {
		char *end = strchr(line, '\n');
		json_t *s, *plain;

		assert_non_null(end);
		s = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
		assert_non_null(s);
		check_json_span(s, &samples[i], i);
		plain = field(s, "attributes");
		assert_int_equal(json_object_size(plain), 14);
		check_text(plain, "str", "value");
		check_number(plain, "min", INT64_MIN);
		assert_true(json_is_true(field(plain, "true")));
		assert_true(json_real_value(field(plain, "double")) == 0.1);
		check_text(plain, "nan", "NaN");
		check_text(field(s, "resource"), "service.name", "one");
		check_number(field(s, "resource"), "process.pid", 42);
		json_decref(s);
		line = end + 1;
	}
	assert_int_equal(*line, '\0');
	free(text);
	attrs__free(&a);
	process__unref(p);
}

/* n spans in one batch: all come, in order. */
static void check_batch(unsigned n)
{
	struct process *p = process__made("one");
	struct otlp_batch b = {.protocol = OTLP_HTTP_PROTOBUF};
	Otlp__ExportTraceServiceRequest *r;
	struct attrs a = {0};
	struct span s;
	size_t size;
	char *body;

	add_attributes(&a);
	for (uint16_t i = 0; i < n; i++) {
		make(&s, &a, &samples[0], i, p);
		otlp_batch__add(&b, &s);
	}
	assert_int_equal(p->refs, 2); /* the batch may outlive the process */
	body = otlp_batch__body(&b, &size);
	assert_int_equal(p->refs, 1);
	r = otlp__export_trace_service_request__unpack(NULL, size, (uint8_t *)body);
	assert_non_null(r);
	assert_int_equal(r->n_resource_spans, 1);
	assert_int_equal(r->resource_spans[0]->scope_spans[0]->n_spans, n);
	for (uint16_t i = 0; i < n; i++)
		check_pb_span(r->resource_spans[0]->scope_spans[0]->spans[i], &samples[0], i);
	otlp__export_trace_service_request__free_unpacked(r, NULL);
	free(body);
	attrs__free(&a);
	process__unref(p);
}

static void test_batches(void **state)
{
	check_batch(1);
	check_batch(2);
	check_batch(512);
	check_batch(5000);
}

/* A span without attributes, on a process without a resource. */
static void test_bare(void **state)
{
	static const enum otlp_protocol both[] = {OTLP_HTTP_PROTOBUF, OTLP_HTTP_JSON};

	for (int i = 0; i < 2; i++) {
		struct process *p = calloc(1, sizeof(*p));
		struct otlp_batch b = {.protocol = both[i]};
		struct attrs a = {0};
		struct span s;
		size_t size;
		char *body;

		p->refs = 1;
		make(&s, &a, &samples[0], 1, p);
		otlp_batch__add(&b, &s);
		body = otlp_batch__body(&b, &size);
		if (both[i] == OTLP_HTTP_PROTOBUF) {
			Otlp__ExportTraceServiceRequest *r =
				otlp__export_trace_service_request__unpack(NULL, size, (uint8_t *)body);

			assert_non_null(r);
			check_pb_span(r->resource_spans[0]->scope_spans[0]->spans[0], &samples[0], 1);
			assert_int_equal(r->resource_spans[0]->scope_spans[0]->spans[0]->n_attributes, 0);
			otlp__export_trace_service_request__free_unpacked(r, NULL);
		}
		free(body);
		/* A batch that is given up. */
		otlp_batch__add(&b, &s);
		otlp_batch__free(&b);
		assert_int_equal(b.spans, 0);
		process__unref(p);
	}
}

static void test_rejected_protobuf(void **state)
{
	static const int64_t counts[] = {0, 1, 127, 128, 300, INT64_MAX, -1};
	struct guard g = guard__new(4096);

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		Otlp__ExportTracePartialSuccess partial = OTLP__EXPORT_TRACE_PARTIAL_SUCCESS__INIT;
		Otlp__ExportTraceServiceResponse r = OTLP__EXPORT_TRACE_SERVICE_RESPONSE__INIT;
		uint64_t expected = counts[i] > 0 ? (uint64_t)counts[i] : 0;
		char buf[128];
		size_t n;

		r.partial_success = &partial;
		partial.rejected_spans = counts[i];
		partial.error_message = i % 2 ? "why not" : "";
		n = otlp__export_trace_service_response__pack(&r, (uint8_t *)buf);
		assert_true(otlp__rejected(OTLP_HTTP_PROTOBUF, guard__put(&g, (struct slice){buf, n})) == expected);
		/* Cut short, it says nothing; it is never read past its end. */
		for (size_t k = 0; k < n; k++)
			assert_int_equal(otlp__rejected(OTLP_HTTP_PROTOBUF, guard__put(&g, (struct slice){buf, k})), 0);
	}
	guard__free(&g);
}

static void test_rejected_odd_protobuf(void **state)
{
	static const struct { struct slice bytes; uint64_t rejected; } rows[] = {
		{{NULL, 0}, 0},
		{{"", 0}, 0},
		/* Fields of every wire type before ours, as a later version may have them. */
		{SLICE("\x10\x05\x19" "12345678" "\x22\x03" "abc" "\x2d" "1234" "\x0a\x04\x12\x00\x08\x09"), 9},
		{SLICE("\x08\x05"), 0},			/* a number where the message should be */
		{SLICE("\x0a\x02\x0a\x00"), 0},		/* text where the number should be */
		{SLICE("\x0b\x0a\x02\x08\x01"), 0},	/* a group: not of this protocol */
		{SLICE("\x0a\x7f\x08\x01"), 0},		/* longer than all there is */
		{SLICE("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x08\x01"), 0},
		{SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 0},
		{SLICE("{\"partialSuccess\":{\"rejectedSpans\":3}}"), 0},
		{SLICE("<html>502</html>"), 0},
	};
	struct guard g = guard__new(4096);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_true(otlp__rejected(OTLP_HTTP_PROTOBUF, guard__put(&g, rows[i].bytes)) == rows[i].rejected);
	guard__free(&g);
}

static void test_rejected_json(void **state)
{
	static const struct { const char *text; uint64_t rejected; } rows[] = {
		{"{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"why not\"}}", 3},
		{"{\"partialSuccess\":{\"rejectedSpans\":4}}", 4},
		{"{\"partialSuccess\":{\"errorMessage\":\"x\",\"rejectedSpans\":\"9223372036854775807\"}}", INT64_MAX},
		{"{\"partialSuccess\":{\"rejectedSpans\":\"-3\"}}", 0},
		{"{\"partialSuccess\":{\"rejectedSpans\":-3}}", 0},
		{"{\"partialSuccess\":{}}", 0},
		{"{\"partialSuccess\":null}", 0},
		{"{\"partialSuccess\":{\"rejectedSpans\":null}}", 0},
		{"{\"partialSuccess\":{\"rejectedSpans\":{}}}", 0},
		{"{\"partialSuccess\":5}", 0},
		{"[]", 0},
		{"{}", 0},
		{"garbage", 0},
		{"\"\xff\"", 0},
		{"", 0},
	};
	struct guard g = guard__new(4096);

	assert_int_equal(otlp__rejected(OTLP_HTTP_JSON, (struct slice){NULL, 0}), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t n = strlen(rows[i].text);

		assert_true(otlp__rejected(OTLP_HTTP_JSON, guard__put(&g, slice__of(rows[i].text))) == rows[i].rejected);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(otlp__rejected(OTLP_HTTP_JSON, guard__put(&g, (struct slice){rows[i].text, k})), 0);
	}
	guard__free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protobuf),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_bare),
		cmocka_unit_test(test_rejected_protobuf),
		cmocka_unit_test(test_rejected_odd_protobuf),
		cmocka_unit_test(test_rejected_json),
	};
	return cmocka_run_group_tests_name("otlp", tests, NULL, NULL);
}
