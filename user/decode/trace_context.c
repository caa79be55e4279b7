/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_context.c - see trace_context.h. Sections cited are those of W3C Trace Context level 1,
 * https://www.w3.org/TR/trace-context-1/; b3: https://github.com/openzipkin/b3-propagation.
 */
#include "decode/trace_context.h"

#include <stddef.h>

#define STATE_MEMBERS_MAX 32 /* 3.3.1.1 */
#define STATE_PART_MAX 256   /* key; value: 3.3.1.3 */

/* Value of a hexadecimal digit plus one, 0 for other characters; upper case counts for b3 only. */
static const uint8_t hex_digit[256] = {
	['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,	['6'] = 7,  ['7'] = 8,
	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* s.n / 2 bytes into out. */
static bool hex__bytes(struct slice s, uint8_t *out, bool upper)
{
	bool bad = s.n % 2 != 0;
	for (size_t i = 0; i + 1 < s.n; i += 2) {
		unsigned char a = (unsigned char)s.p[i], b = (unsigned char)s.p[i + 1];
		unsigned hi = hex_digit[a], lo = hex_digit[b];
		bad |= !hi || !lo || (!upper && ((a >= 'A' && a <= 'F') || (b >= 'A' && b <= 'F')));
		out[i / 2] = (uint8_t)((hi - 1) << 4 | ((lo - 1) & 15));
	}
	return !bad;
}

static bool id__is_zero(const uint8_t *id, size_t n)
{
	uint8_t any = 0;
	for (size_t i = 0; i < n; i++)
		any |= id[i];
	return any == 0;
}

/* 3.2: version "-" trace-id "-" parent-id "-" trace-flags, lower case. */
bool traceparent__parse(struct slice value, struct trace_context *tc)
{
	uint8_t version, flags;
	*tc = (struct trace_context){0};
	if (value.n < 55 || value.p[2] != '-' || value.p[35] != '-' || value.p[52] != '-')
		return false;
	if (!hex__bytes(slice__sub(value, 0, 2), &version, false) || version == 0xff)
		return false;
	/* 3.2.4: a later version may be longer, after another dash. */
	if (value.n > 55 && (version == 0 || value.p[55] != '-'))
		return false;
	if (!hex__bytes(slice__sub(value, 3, 32), tc->trace_id, false) ||
	    !hex__bytes(slice__sub(value, 36, 16), tc->span_id, false) ||
	    !hex__bytes(slice__sub(value, 53, 2), &flags, false))
		return false;
	if (id__is_zero(tc->trace_id, 16) || id__is_zero(tc->span_id, 8))
		return false;
	/* sampled, and level 2's random-trace-id; the others have no meaning yet (3.2.2.5.2). */
	tc->flags = flags & 3;
	tc->has_span = true;
	tc->valid = true;
	return true;
}

/* 64-bit ids of b3 are the low half of 128. */
static bool b3__trace_id(struct slice s, uint8_t id[16])
{
	memset(id, 0, 16);
	if (s.n != 32 && s.n != 16)
		return false;
	return hex__bytes(s, id + (s.n == 16 ? 8 : 0), true) && !id__is_zero(id, 16);
}

static bool b3__span_id(struct slice s, uint8_t id[8])
{
	return s.n == 16 && hex__bytes(s, id, true) && !id__is_zero(id, 8);
}

/* Up to the next '-'; *more: there was one. */
static struct slice b3__field(struct slice *rest, bool *more)
{
	size_t at = slice__find(*rest, '-');
	struct slice field = slice__sub(*rest, 0, at);
	*more = at < rest->n;
	*rest = slice__sub(*rest, at + 1, rest->n);
	return field;
}

/* TraceId-SpanId[-SamplingState[-ParentSpanId]]; a sampling state alone carries no ids. */
bool b3__parse(struct slice value, struct trace_context *tc)
{
	bool more;
	uint8_t parent[8];
	*tc = (struct trace_context){0};
	if (value.n == 1)
		return memchr("01d", value.p[0], 3) != NULL;
	if (!b3__trace_id(b3__field(&value, &more), tc->trace_id) || !more)
		return false;
	if (!b3__span_id(b3__field(&value, &more), tc->span_id))
		return false;
	if (more) {
		struct slice state = b3__field(&value, &more);
		if (state.n != 1 || !memchr("01d", state.p[0], 3))
			return false;
		tc->flags = state.p[0] != '0';
	}
	if (more && !b3__span_id(b3__field(&value, &more), parent))
		return false;
	if (more)
		return false;
	tc->has_span = true;
	tc->valid = true;
	return true;
}

/* 3.3.1.3.1; level 2 lets keys begin with a digit. At most one '@', between tenant and system. */
static bool tracestate__key(struct slice key)
{
	size_t at = slice__find(key, '@');
	if (key.n == 0 || key.n > STATE_PART_MAX || at == 0 || at + 1 == key.n)
		return false;
	for (size_t i = 0; i < key.n; i++) {
		char c = key.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		bool inner = i > 0 && i != at + 1 && c && strchr("_-*/", c);
		if (!plain && !inner && i != at)
			return false;
	}
	return true;
}

/* Printable ASCII but comma and '='; blanks not at the end (trimmed before). */
static bool tracestate__value(struct slice v)
{
	if (v.n == 0 || v.n > STATE_PART_MAX)
		return false;
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] < 0x20 || v.p[i] > 0x7e || v.p[i] == '=')
			return false;
	return true;
}

bool tracestate__valid(struct slice list)
{
	unsigned members = 0;
	while (list.n) {
		size_t comma = slice__find(list, ',');
		struct slice member = slice__trim(slice__sub(list, 0, comma));
		size_t eq = slice__find(member, '=');
		list = slice__sub(list, comma + 1, list.n);
		if (!member.n)
			continue; /* 3.3.1.1: empty members are allowed */
		if (eq == member.n || ++members > STATE_MEMBERS_MAX)
			return false;
		if (!tracestate__key(slice__sub(member, 0, eq)) || !tracestate__value(slice__sub(member, eq + 1, member.n)))
			return false;
	}
	return true;
}

void trace_headers__init(struct trace_headers *t)
{
	/* Not the text: this runs for every message. */
	memset(t, 0, offsetof(struct trace_headers, state));
}

static void take__traceparent(struct trace_headers *t, struct slice value)
{
	if (!traceparent__parse(value, &t->w3c) || t->traceparents) {
		t->malformed++;
		t->w3c.valid = false;
	}
	t->traceparents++;
}

/* 3.3: several lines are one list (RFC 9110, 5.3). */
static void take__tracestate(struct trace_headers *t, struct slice value)
{
	size_t comma = t->state_n && value.n ? 1 : 0;
	if (t->state_n + comma + value.n > sizeof(t->state)) {
		t->state_bad = true;
		return;
	}
	if (comma)
		t->state[t->state_n] = ',';
	memcpy(t->state + t->state_n + comma, value.p, value.n);
	t->state_n = (uint16_t)(t->state_n + comma + value.n);
}

static void take__baggage(struct trace_headers *t, struct slice value)
{
	t->baggage |= value.n > 0;
}

static void take__b3(struct trace_headers *t, struct slice value)
{
	t->malformed += !b3__parse(value, &t->single);
}

static void take__b3_trace_id(struct trace_headers *t, struct slice value)
{
	t->multi.valid = b3__trace_id(value, t->multi.trace_id);
	t->malformed += !t->multi.valid;
}

static void take__b3_span_id(struct trace_headers *t, struct slice value)
{
	t->multi.has_span = b3__span_id(value, t->multi.span_id);
	t->malformed += !t->multi.has_span;
}

/* "true" is what early implementations sent. */
static void take__b3_sampled(struct trace_headers *t, struct slice value)
{
	if (slice__eq(value, SLICE("1")) || slice__eq_nocase(value, SLICE("true")))
		t->multi.flags |= 1;
}

static void take__b3_flags(struct trace_headers *t, struct slice value)
{
	if (slice__eq(value, SLICE("1")))
		t->multi.flags |= 1; /* debug implies sampled */
}

static const struct {
	struct slice name;
	void (*take)(struct trace_headers *t, struct slice value);
} fields[] = {
	{SLICE("traceparent"), take__traceparent},   {SLICE("tracestate"), take__tracestate},
	{SLICE("baggage"), take__baggage},	     {SLICE("b3"), take__b3},
	{SLICE("x-b3-traceid"), take__b3_trace_id},  {SLICE("x-b3-spanid"), take__b3_span_id},
	{SLICE("x-b3-sampled"), take__b3_sampled},   {SLICE("x-b3-flags"), take__b3_flags},
};

bool trace_headers__take(struct trace_headers *t, struct slice name, struct slice value)
{
	for (size_t i = 0; name.n && i < sizeof(fields) / sizeof(fields[0]); i++) {
		/* Most names differ at once. */
		if ((name.p[0] | 0x20) == fields[i].name.p[0] && slice__eq_nocase(name, fields[i].name)) {
			fields[i].take(t, value);
			return true;
		}
	}
	return false;
}

void trace_headers__finish(const struct trace_headers *t, struct message *m)
{
	struct slice state = {t->state, t->state_n};
	if (t->w3c.valid)
		m->trace = t->w3c;
	else if (t->single.valid)
		m->trace = t->single;
	else if (t->multi.valid)
		m->trace = t->multi;
	/* 3.3: without a traceparent that could be parsed there is no tracestate. */
	if (t->w3c.valid && state.n && !t->state_bad && tracestate__valid(state)) {
		memcpy(m->tracestate, state.p, state.n);
		m->tracestate[state.n] = '\0';
	}
}
