// SPDX-License-Identifier: Apache-2.0
#include "export/otlp.h"

#include <jansson.h>
#include <stdlib.h>

#include "meta/meta.h"
#include "util/cursor.h"

#define SPARE_MAX (1u << 20)

enum { FLAG_HAS_IS_REMOTE = 0x100, FLAG_IS_REMOTE = 0x200 }; /* trace.proto, SpanFlags */

uint32_t otlp__flags(const struct span *s)
{
	uint32_t flags = s->trace_flags | FLAG_HAS_IS_REMOTE;

	return s->has_parent && s->kind == SPAN_SERVER ? flags | FLAG_IS_REMOTE : flags;
}

uint32_t otlp__link_flags(const struct span_link *l)
{
	return l->trace_flags | FLAG_HAS_IS_REMOTE;
}

struct slice otlp__utf8(const char *s, struct attrs *scratch)
{
	struct slice in = slice__of(s);
	unsigned char all = 0;

	for (size_t i = 0; i < in.n; i++)
		all |= (unsigned char)in.p[i];
	if (all < 0x80)
		return in;
	attrs__str(scratch, "text", in);
	return attrs__get_str(scratch, "text");
}

static struct otlp_group *batch__group(struct otlp_batch *b, const struct process *p)
{
	struct otlp_group *g;

	for (size_t i = b->n_groups; i > 0; i--)
		if (b->groups[i - 1].process == p)
			return &b->groups[i - 1];
	b->groups = realloc(b->groups, (b->n_groups + 1) * sizeof(*b->groups));
	if (!b->groups)
		abort();
	g = &b->groups[b->n_groups++];
	*g = (struct otlp_group){.process = process__ref((struct process *)p), .spans = b->spare};
	b->spare = (struct pb){0};
	return g;
}

void otlp_batch__add(struct otlp_batch *b, const struct span *s)
{
	struct pb *spans = &batch__group(b, s->process)->spans;
	size_t before = spans->n;

	if (b->protocol == OTLP_HTTP_JSON)
		otlp_json__span(spans, s);
	else
		otlp_pb__span(spans, s);
	b->bytes += spans->n - before;
	b->spans++;
}

/* The largest buffer is kept: a batch is about as large as the one before. */
static void batch__keep(struct otlp_batch *b, struct pb *spans)
{
	struct pb smaller = *spans;

	if (spans->size > b->spare.size && spans->size <= SPARE_MAX) {
		smaller = b->spare;
		b->spare = *spans;
		b->spare.n = 0;
	}
	pb__free(&smaller);
}

/* Forgets the spans; what it holds for the next batch goes with free. */
static void otlp_batch__clear(struct otlp_batch *b)
{
	for (size_t i = 0; i < b->n_groups; i++) {
		process__unref(b->groups[i].process);
		batch__keep(b, &b->groups[i].spans);
	}
	free(b->groups);
	b->groups = NULL;
	b->n_groups = 0;
	b->spans = 0;
	b->bytes = 0;
}

void otlp_batch__free(struct otlp_batch *b)
{
	otlp_batch__clear(b);
	pb__free(&b->spare);
}

char *otlp_batch__body(struct otlp_batch *b, size_t *size)
{
	char *body = b->protocol == OTLP_HTTP_JSON ? otlp_json__body(b, size) : otlp_pb__body(b, size), *fitting;

	otlp_batch__clear(b);
	fitting = realloc(body, *size); /* it may have to wait for long */
	return fitting ? fitting : body;
}

static uint64_t cursor__varint(struct cursor *c)
{
	uint64_t v = 0;

	for (int shift = 0; shift < 64; shift += 7) {
		uint8_t byte = cursor__u8(c);

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	c->over = true;
	return 0;
}

/* The value of a field in a message: of a varint its number, of a submessage its bytes in *sub. */
static uint64_t message__field(struct slice message, unsigned field, struct slice *sub)
{
	struct cursor c = cursor__of(message);

	while (cursor__left(&c) && !c.over) {
		uint64_t tag = cursor__varint(&c), value = 0;
		struct slice bytes = {"", 0};

		switch (tag & 7) {
		case PB_VARINT:
			value = cursor__varint(&c);
			break;
		case PB_FIXED64:
			cursor__bytes(&c, 8);
			break;
		case PB_LEN:
			value = cursor__varint(&c);
			bytes = cursor__bytes(&c, value);
			break;
		case PB_FIXED32:
			cursor__bytes(&c, 4);
			break;
		default:
			return 0;
		}
		if (c.over || tag >> 3 != field)
			continue;
		if (sub)
			*sub = bytes;
		return value;
	}
	return 0;
}

uint64_t otlp__rejected(enum otlp_protocol protocol, struct slice response)
{
	struct slice partial = {"", 0};
	json_t *root, *n;
	int64_t rejected;

	if (protocol == OTLP_HTTP_PROTOBUF) {
		message__field(response, 1, &partial);
		rejected = (int64_t)message__field(partial, 1, NULL);
		return rejected > 0 ? (uint64_t)rejected : 0;
	}
	root = json_loadb(response.p ? response.p : "", response.n, 0, NULL);
	n = json_object_get(json_object_get(root, "partialSuccess"), "rejectedSpans");
	rejected = json_is_string(n) ? strtoll(json_string_value(n), NULL, 10) : json_integer_value(n);
	json_decref(root);
	return rejected > 0 ? (uint64_t)rejected : 0;
}
