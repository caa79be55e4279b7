/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_texts.c - libFuzzer: small readers of text that came over the network: the collector's answers,
 * trace context, SQL, URLs, command lines. Byte 0 says which, the rest is the text; it lies in a block
 * of its own length. A new one is a row.
 */
#include "check.h"
#include "decode/sql.h"
#include "decode/trace_context.h"
#include "export/otlp.h"
#include "meta/container.h"
#include "meta/pod.h"
#include "meta/service_name.h"
#include "sample/sample.h"
#include "util/attrs.h"
#include "util/cursor.h"
#include "util/redact.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read__protobuf(struct slice s)
{
	CHECK(otlp__rejected(OTLP_HTTP_PROTOBUF, s) <= INT64_MAX);
}

static void read__json(struct slice s)
{
	CHECK(otlp__rejected(OTLP_HTTP_JSON, s) <= INT64_MAX);
}

static bool zero(const uint8_t *p, size_t n)
{
	while (n && !*p)
		p++, n--;
	return n == 0;
}

static void check__context(bool good, const struct trace_context *tc)
{
	if (!good || !tc->valid)
		return;
	CHECK(!zero(tc->trace_id, 16) && (!tc->has_span || !zero(tc->span_id, 8)));
}

static void read__context(struct slice s)
{
	struct trace_context tc = {0};

	check__context(traceparent__parse(s, &tc), &tc);
	tc = (struct trace_context){0};
	check__context(b3__parse(s, &tc), &tc);
	tracestate__valid(s);
}

/* Lines "name:value", as header fields. */
static void read__headers(struct slice s)
{
	static struct message m;
	struct trace_headers t;

	m.tracestate[0] = 0;
	m.trace = (struct trace_context){0};
	trace_headers__init(&t);
	while (s.n) {
		struct slice line = slice__sub(s, 0, slice__find(s, '\n'));
		size_t colon = slice__find(line, ':');

		trace_headers__take(&t, slice__sub(line, 0, colon), slice__trim(slice__sub(line, colon + 1, line.n)));
		s = slice__sub(s, line.n + 1, s.n);
	}
	trace_headers__finish(&t, &m);
	check__context(m.trace.valid, &m.trace);
	CHECK(memchr(m.tracestate, 0, sizeof(m.tracestate)));
	CHECK(!m.tracestate[0] || m.trace.valid);
}

/* What is shown of a statement has no strings in it, and reading it again changes nothing of that. */
static void read__sql(struct slice s)
{
	static struct sql q;

	sql__begins(s);
	for (int backslash = 0; backslash < 2; backslash++) {
		sql__read(&q, s, backslash);
		CHECK(q.text_n <= SQL_TEXT_MAX && q.summary_n <= SQL_SUMMARY_MAX);
		CHECK(q.operation_n <= sizeof(q.operation) && q.collection_n <= sizeof(q.collection));
		CHECK(!q.text_n || !memchr(q.text, '\'', q.text_n) || memchr(q.text, '"', q.text_n));
	}
}

static void read__query(struct slice s)
{
	char out[256];

	CHECK(redact__query(s, out, sizeof(out)) <= sizeof(out));
	redact__secret_name(s);
	redact__secret_value(s);
}

static void read__command(struct slice s)
{
	char name[64] = "";
	const size_t end = slice__find(s, '\n');
	struct slice exe = slice__sub(s, 0, end);

	exe.n = slice__find(exe, '\0'); /* no path has one */
	service_name__of(slice__sub(s, end + 1, s.n), exe, name, sizeof(name));
	CHECK(name[0] && memchr(name, 0, sizeof(name)));
}

/* /proc/PID/cgroup, or a path in it. */
static void read__cgroup(struct slice s)
{
	struct container_ref ref = {0};
	struct slice path = {NULL, 0};

	if (container__of_file(s, &ref, &path))
		CHECK(ref.id[0] && ref.runtime && memchr(ref.id, 0, sizeof(ref.id)) && memchr(ref.pod_uid, 0, sizeof(ref.pod_uid)));
	CHECK(!path.n || (path.p >= s.p && path.p + path.n <= s.p + s.n));
	ref = (struct container_ref){0};
	if (container__of_path(s, &ref))
		CHECK(ref.id[0] && ref.runtime);
}

/* A Pod of the Kubernetes API. */
static void read__pod(struct slice s)
{
	json_t *o = json_loadb(s.p, s.n, 0, NULL);
	struct pod *p = pod__new(o);

	CHECK(!p || (p->uid[0] && p->kept));
	pod__free(p);
	json_decref(o);
}

/* The threshold that is put into a tracestate is there afterwards, and the rest is still well-formed. */
static void read__threshold(struct slice s)
{
	static const uint8_t id[16] = {1};
	char list[513], out[600], again[600];

	text__copy(list, sizeof(list), s);
	CHECK(trace__randomness(id, list) < 1ull << 56);
	if (!tracestate__with_threshold(list, 1ull << 55, out, sizeof(out)))
		return;
	CHECK(strstr(out, "th:") && memchr(out, 0, sizeof(out)));
	CHECK(!tracestate__valid(slice__of(list)) || tracestate__valid(slice__of(out)));
	CHECK(!tracestate__with_threshold(out, 1ull << 55, again, sizeof(again)) || !strcmp(out, again));
}

/* Attributes, and what a terminal is given: whatever comes in, UTF-8 and bounds hold. */
static void read__values(struct slice s)
{
	static struct attrs a;
	char shown[64];

	attrs__clear(&a);
	for (unsigned i = 0; s.n && i < 3 * ATTRS_MAX; i++) {
		static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
		const struct slice value = slice__sub(s, 1, (unsigned char)s.p[0]);

		attrs__str(&a, keys[i % 8], value);
		text__shown(shown, sizeof(shown), value);
		for (const char *p = shown; *p; p++)
			CHECK((unsigned char)*p >= ' ' && *p != 127);
		s = slice__sub(s, value.n + 1, s.n);
	}
	CHECK(a.n <= ATTRS_MAX && a.used <= ATTRS_BYTES);
}

static void (*const readers[])(struct slice s) = {
	read__protobuf, read__json, read__context, read__headers, read__sql, read__query, read__command, read__values,
	read__cgroup, read__pod, read__threshold,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	/* libFuzzer's block ends where the input ends. */
	readers[data[0] % (sizeof(readers) / sizeof(*readers))]((struct slice){(const char *)data + 1, size - 1});
	return 0;
}
