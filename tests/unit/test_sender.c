// SPDX-License-Identifier: Apache-2.0
/* test_sender.c - one POST: what is sent, and what each answer, or its absence, is taken for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/epoll.h>

#include "collector.h"
#include "export/sender.h"

#define DEADLINE_MS 10000
#define ANY_MS UINT64_MAX
#define ROWS(a) (a), sizeof(a) / sizeof(*(a))

struct rig {
	struct collector c;
	struct export_settings s;
	struct sender *sender;
	int epoll_fd;
};

static void rig__open(struct rig *r, const struct answer *script, size_t rows)
{
	collector__open(&r->c, script, rows);
	memset(&r->s, 0, sizeof(r->s));
	snprintf(r->s.endpoint, sizeof(r->s.endpoint), "%s", r->c.url);
	r->s.timeout_ms = DEADLINE_MS;
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
}

static void rig__start(struct rig *r)
{
	char err[512] = "";

	r->sender = sender__new(&r->s, r->epoll_fd, r, err, sizeof(err));
	if (!r->sender)
		fail_msg("%s", err);
}

static void rig__close(struct rig *r)
{
	sender__free(r->sender);
	close(r->epoll_fd);
	if (r->c.fd >= 0)
		collector__down(&r->c);
	collector__free(&r->c);
}

/* As the agent drives it: by epoll, and now and then without a reason. */
static enum sender_result post(struct rig *r, const char *body, size_t n)
{
	uint64_t end = clock__ms() + DEADLINE_MS;
	struct epoll_event ev;
	const struct batch b = {.body = (char *)body, .size = n, .protocol = r->s.protocol, .gzip = r->s.gzip};
	enum sender_result result;

	sender__post(r->sender, &b);
	while ((result = sender__drive(r->sender)) == SENDER_BUSY) {
		if (clock__ms() > end)
			fail_msg("no result after %d ms", DEADLINE_MS);
		if (epoll_wait(r->epoll_fd, &ev, 1, 20) > 0)
			assert_ptr_equal(ev.data.ptr, r);
	}
	/* Told once. */
	assert_int_equal(sender__drive(r->sender), SENDER_BUSY);
	return result;
}

static void test_status(void **state)
{
	static const struct { struct answer a; enum sender_result result; uint64_t retry_ms; } rows[] = {
		{{.status = 200}, SENDER_OK, 0},
		{{.status = 202}, SENDER_OK, 0},
		{{.status = 400}, SENDER_REFUSED, 0},
		{{.status = 401}, SENDER_REFUSED, 0},
		{{.status = 404}, SENDER_REFUSED, 0},
		{{.status = 413}, SENDER_REFUSED, 0},
		{{.status = 500}, SENDER_REFUSED, 0},
		{{.status = 501}, SENDER_REFUSED, 0},
		{{.status = 429}, SENDER_RETRY, 0},
		{{.status = 502}, SENDER_RETRY, 0},
		{{.status = 503}, SENDER_RETRY, 0},
		{{.status = 504}, SENDER_RETRY, 0},
		{{.status = 429, .headers = "Retry-After: 7\r\n"}, SENDER_RETRY, 7000},
		{{.status = 503, .headers = "Retry-After: 120\r\n"}, SENDER_RETRY, 120000},
		{{.status = 503, .headers = "Retry-After: 3600\r\n"}, SENDER_RETRY, 3600000},
		{{.status = 503, .headers = "Retry-After: 18446744073709552\r\n"}, SENDER_RETRY, ANY_MS},
		{{.status = 503, .headers = "Retry-After: soon\r\n"}, SENDER_RETRY, 0},
		{{.status = 503, .headers = "Retry-After: -5\r\n"}, SENDER_RETRY, 0},
		{{.status = 503, .headers = "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\n"}, SENDER_RETRY, 0},
		{{.status = 503}, SENDER_RETRY, 0}, /* what the last one asked for is forgotten */
		{{.status = 200}, SENDER_OK, 0},
	};
	struct answer script[sizeof(rows) / sizeof(*rows)];
	struct rig r;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		script[i] = rows[i].a;
	rig__open(&r, ROWS(script));
	collector__up(&r.c);
	rig__start(&r);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char status[16];

		snprintf(status, sizeof(status), "%d", rows[i].a.status);
		if (post(&r, "x", 1) != rows[i].result)
			fail_msg("row %zu", i);
		if (rows[i].retry_ms == ANY_MS) /* large, and no less for being too large; libcurl has a bound of its own */
			assert_in_range(sender__retry_after_ms(r.sender), 3600000, 86400000);
		else
			assert_int_equal(sender__retry_after_ms(r.sender), rows[i].retry_ms);
		if (rows[i].result != SENDER_OK)
			assert_non_null(strstr(sender__error(r.sender), status));
		assert_int_equal(collector__count(&r.c), i + 1);
	}
	rig__close(&r);
}

/* A date in a minute's time. */
static void test_retry_after_date(void **state)
{
	time_t at = time(NULL) + 60;
	struct answer a = {.status = 503};
	char header[128];
	struct tm tm;
	struct rig r;

	strftime(header, sizeof(header), "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&at, &tm));
	a.headers = header;
	rig__open(&r, &a, 1);
	collector__up(&r.c);
	rig__start(&r);
	assert_int_equal(post(&r, "x", 1), SENDER_RETRY);
	assert_in_range(sender__retry_after_ms(r.sender), 45000, 60000);
	rig__close(&r);
}

/* Another host may not be trusted with what was meant for this one. */
static void test_no_redirect(void **state)
{
	static const int statuses[] = {301, 302, 303, 307, 308};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		struct answer a[2] = {{.status = statuses[i]}, {.status = 200}};
		char header[128];
		struct rig r;

		rig__open(&r, a, 2);
		snprintf(header, sizeof(header), "Location: http://127.0.0.1:%u/elsewhere\r\n", r.c.port);
		a[0].headers = header;
		collector__up(&r.c);
		rig__start(&r);
		assert_int_equal(post(&r, "x", 1), SENDER_REFUSED);
		assert_int_equal(collector__count(&r.c), 1);
		rig__close(&r);
	}
}

static const char *header_of(const struct collector_request *q, const char *name)
{
	static char value[256];
	char line[64];
	const char *p;

	snprintf(line, sizeof(line), "\r\n%s: ", name);
	p = strcasestr(q->head, line);
	snprintf(value, sizeof(value), "%.*s", p ? (int)strcspn(p + strlen(line), "\r") : 0, p ? p + strlen(line) : "");
	return p ? value : NULL;
}

static void test_request(void **state)
{
	static const struct { enum otlp_protocol p; bool gzip; const char *type, *encoding; } rows[] = {
		{OTLP_HTTP_PROTOBUF, false, "application/x-protobuf", NULL},
		{OTLP_HTTP_JSON, true, "application/json", "gzip"},
	};
	static const struct answer ok[] = {{.status = 200}};
	char *headers[] = {"api-key: hunter2", "X-Scope: a b", NULL};
	char *big = malloc(300000);

	for (size_t i = 0; i < 300000; i++)
		big[i] = (char)(i * 31);
	for (size_t i = 0; i < 2; i++) {
		const struct collector_request *q;
		struct rig r;

		rig__open(&r, ROWS(ok));
		r.s.protocol = rows[i].p;
		r.s.gzip = rows[i].gzip;
		r.s.headers = headers;
		collector__up(&r.c);
		rig__start(&r);
		assert_int_equal(post(&r, big, 300000), SENDER_OK);
		q = &r.c.seen[0];
		assert_memory_equal(q->head, "POST /v1/traces HTTP/1.1\r\n", 26);
		assert_string_equal(header_of(q, "Content-Type"), rows[i].type);
		assert_string_equal(header_of(q, "api-key"), "hunter2");
		assert_string_equal(header_of(q, "X-Scope"), "a b");
		assert_memory_equal(header_of(q, "User-Agent"), "OTel-OTLP-Exporter-", 19);
		assert_null(header_of(q, "Expect"));
		if (rows[i].encoding)
			assert_string_equal(header_of(q, "Content-Encoding"), rows[i].encoding);
		else
			assert_null(header_of(q, "Content-Encoding"));
		assert_int_equal(q->body_n, 300000);
		assert_memory_equal(q->body, big, 300000);
		rig__close(&r);
	}
	free(big);
}

static void test_partial_success(void **state)
{
	static const struct answer a[] = {
		{.status = 200, .body = "\x0a\x02\x08\x03", .body_n = 4}, {.status = 200}, {.status = 200, .body = "?", .body_n = 1},
	};
	struct rig r;

	rig__open(&r, ROWS(a));
	collector__up(&r.c);
	rig__start(&r);
	assert_int_equal(post(&r, "x", 1), SENDER_OK);
	assert_int_equal(sender__rejected(r.sender), 3);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(post(&r, "x", 1), SENDER_OK);
		assert_int_equal(sender__rejected(r.sender), 0);
	}
	rig__close(&r);
}

/* An answer larger than anybody keeps: read, and only its beginning looked at. */
static void test_large_answer(void **state)
{
	static char large[1 << 20];
	static const struct answer a[] = {{.status = 200, .body = large, .body_n = sizeof(large)}};
	struct rig r;

	memcpy(large, "\x0a\x02\x08\x03", 4);
	rig__open(&r, ROWS(a));
	collector__up(&r.c);
	rig__start(&r);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(post(&r, "x", 1), SENDER_OK);
		assert_int_equal(sender__rejected(r.sender), 3);
	}
	rig__close(&r);
}

/* No answer at all, in several ways; then the collector is well again. */
static void test_no_answer(void **state)
{
	static const struct answer a[] = {{.how = HANG}, {.how = HANG_UP}, {.how = GARBAGE}, {.status = 200}};
	struct rig r;
	uint64_t began;

	rig__open(&r, ROWS(a));
	r.s.timeout_ms = 200;
	rig__start(&r);
	assert_int_equal(post(&r, "x", 1), SENDER_RETRY); /* refused */
	assert_true(sender__error(r.sender)[0]);
	collector__up(&r.c);
	began = clock__ms();
	assert_int_equal(post(&r, "x", 1), SENDER_RETRY);
	assert_in_range(clock__ms() - began, 190, 5000);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(post(&r, "x", 1), SENDER_RETRY);
		assert_int_equal(sender__retry_after_ms(r.sender), 0);
		assert_true(sender__error(r.sender)[0]);
	}
	assert_int_equal(post(&r, "x", 1), SENDER_OK);
	assert_int_equal(collector__count(&r.c), 4);
	rig__close(&r);
}

/* A post that is called off: nothing is told of it, and the next one goes out. */
static void test_cancel(void **state)
{
	static const struct answer a[] = {{.how = HANG}, {.status = 200}};
	uint64_t end = clock__ms() + DEADLINE_MS;
	char *body = strdup("borrowed");
	struct rig r;

	rig__open(&r, ROWS(a));
	collector__up(&r.c);
	rig__start(&r);
	sender__cancel(r.sender);
	sender__post(r.sender, &(struct batch){.body = body, .size = 8});
	while (!collector__count(&r.c) && clock__ms() < end)
		assert_int_equal(sender__wait(r.sender, 10), SENDER_BUSY);
	sender__cancel(r.sender);
	free(body);
	assert_int_equal(sender__drive(r.sender), SENDER_BUSY);
	assert_int_equal(post(&r, "next", 4), SENDER_OK);
	assert_string_equal(r.c.seen[1].body, "next");
	rig__close(&r);
}

static void test_wait(void **state)
{
	static const struct answer ok[] = {{.status = 200}};
	uint64_t end = clock__ms() + DEADLINE_MS, began;
	enum sender_result result = SENDER_BUSY;
	const struct batch x = {.body = (char[]){'x'}, .size = 1};
	struct rig r;

	rig__open(&r, ROWS(ok));
	collector__up(&r.c);
	rig__start(&r);
	began = clock__ms();
	assert_int_equal(sender__wait(r.sender, 50), SENDER_BUSY); /* nothing to wait for but time */
	assert_in_range(clock__ms() - began, 45, 5000);
	sender__post(r.sender, &x);
	while (result == SENDER_BUSY && clock__ms() < end)
		result = sender__wait(r.sender, 1000);
	assert_int_equal(result, SENDER_OK);
	rig__close(&r);
	sender__free(NULL);
}

int main(void)
{
	static const char *const proxies[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),	      cmocka_unit_test(test_retry_after_date),
		cmocka_unit_test(test_no_redirect),   cmocka_unit_test(test_request),
		cmocka_unit_test(test_partial_success), cmocka_unit_test(test_large_answer),
		cmocka_unit_test(test_no_answer),     cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_wait),
	};

	for (size_t i = 0; i < sizeof(proxies) / sizeof(*proxies); i++)
		unsetenv(proxies[i]);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("sender", tests, NULL, NULL);
}
