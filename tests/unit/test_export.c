// SPDX-License-Identifier: Apache-2.0
/*
 * test_export.c - batches, queue, retries and the flush at the end, against a collector that answers
 * from a script.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <zlib.h>

#include "export_rig.h"
#include "util/log.h"

static const struct answer ok[] = {{.status = 200}};
static const struct answer slow[] = {{.status = 200, .delay_ms = 100}}; /* so that what is under way can be looked at */

/* A full batch goes at once, with nobody's help; the rest waits for its time. */
static void test_batches(void **state)
{
	struct rig r;
	uint64_t bytes = 0;

	rig__open(&r, ROWS(slow));
	rig__up(&r);
	add(&r, 2);
	run_for(&r, 120);
	assert_int_equal(collector__count(&r.c), 0);
	add(&r, 5);
	check_counters(&r, (struct expected){.queued = 7, .batches = 2});
	until(&r, is_one_left);
	check_counters(&r, (struct expected){.exported = 6, .queued = 1, .batches = 2});
	assert_int_equal(collector__count(&r.c), 2);
	for (int i = 0; i < 2; i++)
		bytes += r.c.seen[i].body_n;
	assert_int_equal(export__counters(r.e)->bytes_sent, bytes);
	assert_int_equal(export__counters(r.e)->bytes_encoded, bytes);
	rig__close(&r);
}

/* OTEL_BSP_SCHEDULE_DELAY counts from a batch's first span. */
static void test_schedule_delay(void **state)
{
	struct rig r;
	uint64_t now;

	rig__open(&r, ROWS(slow));
	r.s.schedule_delay_ms = 60000;
	rig__up(&r);
	now = clock__ms();
	assert_int_equal(export__tick(r.e, now), -1);
	add(&r, 1);
	export__tick(r.e, now + 30000);
	add(&r, 1);
	export__tick(r.e, now + 59999);
	check_counters(&r, (struct expected){.queued = 2});
	assert_true(export__tick(r.e, now + 60000) > 0);
	check_counters(&r, (struct expected){.queued = 2, .batches = 1});
	drain(&r);
	check_counters(&r, (struct expected){.exported = 2, .batches = 1});
	assert_int_equal(export__tick(r.e, now + 200000), -1);
	rig__close(&r);
}

/* A retry comes when it may, not earlier, with the same bytes. */
static void check_retry(const struct answer *first, unsigned min_ms)
{
	struct answer script[2] = {*first, {.status = 200}};
	struct rig r;

	rig__open(&r, script, 2);
	r.s.timeout_ms = 300;
	rig__up(&r);
	add(&r, 3);
	drain(&r);
	check_counters(&r, (struct expected){.exported = 3, .batches = 1, .retries = 1, .failures = 1});
	assert_int_equal(collector__count(&r.c), 2);
	assert_int_equal(r.c.seen[0].body_n, r.c.seen[1].body_n);
	assert_memory_equal(r.c.seen[0].body, r.c.seen[1].body, r.c.seen[0].body_n);
	if (r.c.seen[0].answered)
		assert_true(r.c.seen[1].at - r.c.seen[0].answered >= min_ms);
	else
		assert_true(r.c.seen[1].at - r.c.seen[0].at >= min_ms);
	rig__close(&r);
}

static void test_retry(void **state)
{
	/* The answer comes between two ticks: the time that was asked for counts from then. */
	check_retry(&(struct answer){.status = 503, .headers = "Retry-After: 1\r\n", .delay_ms = 40}, 1000);
	check_retry(&(struct answer){.status = 429, .headers = "Retry-After: 1\r\n", .delay_ms = 25}, 1000);
	check_retry(&(struct answer){.status = 503}, 240);
	check_retry(&(struct answer){.status = 429}, 240);
	check_retry(&(struct answer){.status = 502}, 240);
	check_retry(&(struct answer){.how = HANG_UP}, 240);
	check_retry(&(struct answer){.how = HANG}, 300 + 240);
}

/* Each wait is longer than the one before, on average; jitter is half of it. */
static void test_back_off(void **state)
{
	static const struct answer script[] = {{.status = 503}, {.status = 503}, {.status = 503}, {.status = 200}};
	static const uint64_t least[] = {240, 365, 550};
	struct rig r;

	rig__open(&r, ROWS(script));
	rig__up(&r);
	add(&r, 3);
	drain(&r);
	check_counters(&r, (struct expected){.exported = 3, .batches = 1, .retries = 3, .failures = 3});
	for (int i = 0; i < 3; i++)
		assert_true(r.c.seen[i + 1].at - r.c.seen[i].answered >= least[i]);
	rig__close(&r);
}

/* Refused for good: told once, and the next batch is not held up. */
static void test_refused(void **state)
{
	static const struct answer script[] = {{.status = 400}, {.status = 307, .headers = "Location: /x\r\n"}, {.status = 200}};
	struct rig r;

	rig__open(&r, ROWS(script));
	rig__up(&r);
	add(&r, 9);
	drain(&r);
	check_counters(&r, (struct expected){.exported = 3, .rejected = 6, .batches = 3, .failures = 2});
	assert_int_equal(collector__count(&r.c), 3);
	rig__close(&r);
}

static void test_partial_success(void **state)
{
	static const struct answer script[] = {
		{.status = 200, .body = "\x0a\x02\x08\x02", .body_n = 4},
		{.status = 200, .body = "\x0a\x02\x08\x7f", .body_n = 4}, /* more than there were */
		{.status = 200},
	};
	struct rig r;

	rig__open(&r, ROWS(script));
	rig__up(&r);
	add(&r, 9);
	drain(&r);
	check_counters(&r, (struct expected){.exported = 1 + 0 + 3, .rejected = 2 + 3, .batches = 3});
	rig__close(&r);
}

static void test_partial_success_json(void **state)
{
	static const char body[] = "{\"partialSuccess\":{\"rejectedSpans\":\"1\"}}";
	static const struct answer script[] = {{.status = 200, .body = body, .body_n = sizeof(body) - 1}};
	struct rig r;

	rig__open(&r, ROWS(script));
	r.s.protocol = OTLP_HTTP_JSON;
	rig__up(&r);
	add(&r, 3);
	drain(&r);
	check_counters(&r, (struct expected){.exported = 2, .rejected = 1, .batches = 1});
	assert_memory_equal(r.c.seen[0].body, "{\"resourceSpans\":", 17);
	rig__close(&r);
}

/* Nobody listens, then somebody does: what was queued arrives in order. */
static void test_down_then_up(void **state)
{
	uint32_t first[3] = {1, 4, 7};
	struct rig r;

	rig__open(&r, ROWS(ok));
	rig__start(&r);
	add(&r, 9);
	until(&r, has_failed);
	check_counters(&r, (struct expected){.queued = 9, .batches = 3, .failures = 1});
	collector__up(&r.c);
	drain(&r);
	assert_int_equal(export__counters(r.e)->exported, 9);
	assert_int_equal(collector__count(&r.c), 3);
	for (int i = 0; i < 3; i++)
		assert_non_null(memmem(r.c.seen[i].body, r.c.seen[i].body_n, &first[i], 4));
	rig__close(&r);
}

/* A collector that holds its breath: the queue fills up, what comes then is counted, memory is not taken. */
static void test_queue_full(void **state)
{
	static const struct answer script[] = {{.how = HANG}};
	struct rig r;

	rig__open(&r, ROWS(script));
	r.s.max_queue = 10;
	rig__up(&r);
	add(&r, 25);
	run_for(&r, 100);
	check_counters(&r, (struct expected){.dropped_queue = 15, .queued = 10, .batches = 3});
	rig__close(&r);
}

/* Large spans: the queue is full long before it has as many as it may, and no batch is huge. */
static void check_bytes(enum otlp_protocol protocol, bool gzip, unsigned more_than, unsigned less_than)
{
	static const struct answer script[] = {{.how = HANG}};
	static char text[2000];
	const struct export_counters *n;
	struct rig r;

	rig__open(&r, ROWS(script));
	r.s.protocol = protocol;
	r.s.gzip = gzip;
	r.s.max_queue = r.s.max_batch = 16384;
	memset(text, 't', sizeof(text));
	attrs__str(&r.attrs, "a", (struct slice){text, sizeof(text)});
	attrs__str(&r.attrs, "b", (struct slice){text, sizeof(text)});
	attrs__str(&r.attrs, "c", (struct slice){text, sizeof(text)});
	attrs__str(&r.attrs, "d", (struct slice){text, sizeof(text)});
	rig__start(&r); /* nobody listens */
	add(&r, 8000);
	n = export__counters(r.e);
	assert_in_range(n->queued, more_than, less_than);
	assert_int_equal(n->queued + n->dropped_queue, 8000);
	assert_true(n->bytes_encoded / n->batches < 5 << 20);
	rig__close(&r);
}

static void test_queue_bytes(void **state)
{
	check_bytes(OTLP_HTTP_PROTOBUF, false, 2900, 3146); /* 24 MiB / 8 KiB = 3072; a batch more than that at most */
	check_bytes(OTLP_HTTP_JSON, false, 2700, 3100);
	check_bytes(OTLP_HTTP_PROTOBUF, true, 8000, 8000);
}

/* OTEL_BSP_EXPORT_TIMEOUT: a batch that can't be delivered makes room for the next one. */
static void test_give_up(void **state)
{
	static const struct answer script[] = {{.status = 503}};
	struct rig r;

	rig__open(&r, ROWS(script));
	r.s.export_timeout_ms = 900; /* the first wait is at most 500 */
	rig__up(&r);
	add(&r, 6);
	drain(&r);
	assert_int_equal(export__counters(r.e)->dropped_retry, 6);
	assert_int_equal(export__counters(r.e)->batches, 2);
	assert_true(export__counters(r.e)->retries >= 2);
	rig__close(&r);
}

/* stderr goes to a file from here. */
static int log__begin(FILE *to)
{
	int kept = dup(2);

	log__set_level(LOG_WARN);
	dup2(fileno(to), 2);
	return kept;
}

static void log__end(FILE *from, int kept, char *text, size_t size)
{
	dup2(kept, 2);
	close(kept);
	log__set_level(LOG_ERROR);
	rewind(from);
	text[fread(text, 1, size - 1, from)] = '\0';
	fclose(from);
}

/* Asked to wait for longer than a batch may take: it is given up at once, the next one waits as asked, but not for ever. */
static void test_long_retry_after(void **state)
{
	static const struct answer script[] = {
		{.status = 503}, {.status = 503, .headers = "Retry-After: 3600\r\n"}, {.status = 200},
	};
	FILE *f = tmpfile();
	char said[4096];
	struct rig r;
	int kept;

	rig__open(&r, ROWS(script));
	r.s.export_timeout_ms = 1500;
	rig__up(&r);
	kept = log__begin(f);
	add(&r, 6);
	drain(&r);
	log__end(f, kept, said, sizeof(said));
	check_counters(&r, (struct expected){.exported = 3, .dropped_retry = 3, .batches = 2, .retries = 1, .failures = 2});
	assert_in_range(r.c.seen[2].at - r.c.seen[1].answered, 1490, 5000);
	assert_non_null(strstr(said, "is being retried"));
	assert_non_null(strstr(said, "gave up on a batch"));
	rig__close(&r);
}

/* What was asked for holds also if there was nothing else to send just then. */
static void test_wish_outlives_batch(void **state)
{
	static const struct answer script[] = {{.status = 503, .headers = "Retry-After: 3600\r\n"}, {.status = 200}};
	struct rig r;

	rig__open(&r, ROWS(script));
	r.s.export_timeout_ms = 600;
	rig__up(&r);
	add(&r, 3);
	drain(&r);
	add(&r, 3);
	drain(&r);
	check_counters(&r, (struct expected){.exported = 3, .dropped_retry = 3, .batches = 2, .failures = 1});
	assert_in_range(r.c.seen[1].at - r.c.seen[0].answered, 590, 5000);
	rig__close(&r);
}

/* Agents that fail at the same moment: each process waits for a time of its own. */
static void test_jitter(void **state)
{
	static const struct answer script[] = {{.status = 503}, {.status = 200}};
	uint64_t least = UINT64_MAX, most = 0, gap;
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	for (int i = 0; i < 8; i++) {
		struct rig r;

		if (fork())
			continue;
		rig__open(&r, ROWS(script));
		rig__up(&r);
		add(&r, 3);
		drain(&r);
		gap = r.c.seen[1].at - r.c.seen[0].answered;
		_exit(write(fd[1], &gap, sizeof(gap)) != sizeof(gap));
	}
	close(fd[1]);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(read(fd[0], &gap, sizeof(gap)), sizeof(gap));
		assert_in_range(gap, 240, 5000);
		least = gap < least ? gap : least;
		most = gap > most ? gap : most;
		wait(NULL);
	}
	close(fd[0]);
	assert_true(most - least > 15); /* ticks alone would explain less */
}

static void test_flush(void **state)
{
	struct rig r;

	rig__open(&r, ROWS(ok));
	rig__up(&r);
	assert_int_equal(export__flush(r.e, 1000), 0);
	add(&r, 10);
	assert_int_equal(export__flush(r.e, DEADLINE_MS), 0);
	check_counters(&r, (struct expected){.exported = 10, .batches = 4});
	rig__close(&r);
}

/* The end does not wait for a collector that does not answer; and there may be life after it. */
static void check_flush_deadline(const struct answer *first)
{
	struct answer script[2] = {*first, {.status = 200}};
	uint64_t began, took;
	struct rig r;

	rig__open(&r, script, 2);
	rig__up(&r);
	add(&r, 7);
	until(&r, is_seen);
	began = clock__ms();
	assert_int_equal(export__flush(r.e, 300), -ETIMEDOUT);
	took = clock__ms() - began;
	assert_in_range(took, 290, 3000);
	check_counters(&r, (struct expected){.dropped_retry = 7, .batches = 3, .failures = first->how == ANSWER});
	add(&r, 4);
	assert_int_equal(export__flush(r.e, DEADLINE_MS), 0);
	assert_int_equal(export__counters(r.e)->exported, 4);
	rig__close(&r);
}

static void test_flush_deadline(void **state)
{
	check_flush_deadline(&(struct answer){.how = HANG});
	check_flush_deadline(&(struct answer){.status = 503, .headers = "Retry-After: 60\r\n"});
}

static char *inflated(const struct collector_request *q, size_t *n)
{
	z_stream z = {.next_in = (Bytef *)q->body, .avail_in = (uInt)q->body_n};
	char *out = malloc(1 << 20);

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_out = (Bytef *)out;
	z.avail_out = 1 << 20;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	*n = z.total_out;
	inflateEnd(&z);
	return out;
}

static void test_gzip(void **state)
{
	struct rig r[2];
	char *plain;
	size_t n;

	for (int i = 0; i < 2; i++) {
		rig__open(&r[i], ROWS(ok));
		r[i].s.gzip = i;
		r[i].s.max_batch = 500;
		rig__up(&r[i]);
		add(&r[i], 500);
		drain(&r[i]);
		assert_int_equal(export__counters(r[i].e)->exported, 500);
	}
	assert_non_null(strstr(r[1].c.seen[0].head, "Content-Encoding: gzip\r\n"));
	plain = inflated(&r[1].c.seen[0], &n);
	assert_int_equal(n, r[0].c.seen[0].body_n);
	assert_memory_equal(plain, r[0].c.seen[0].body, n);
	assert_int_equal(export__counters(r[1].e)->bytes_encoded, n);
	assert_int_equal(export__counters(r[1].e)->bytes_sent, r[1].c.seen[0].body_n);
	assert_true(r[1].c.seen[0].body_n < n / 4);
	free(plain);
	rig__close(&r[0]);
	rig__close(&r[1]);
}

/* A source that waits: nothing is lost, however slow the collector is. */
static void test_make_room(void **state)
{
	static const struct answer script[] = {{.status = 200, .delay_ms = 10}};
	struct rig r;

	rig__open(&r, ROWS(script));
	r.s.max_queue = 8;
	rig__up(&r);
	for (int i = 0; i < 20; i++) {
		add(&r, 4);
		assert_int_equal(export__make_room(r.e, DEADLINE_MS), 0);
		assert_true(export__counters(r.e)->queued < 4);
		check_sum(&r);
	}
	assert_int_equal(export__flush(r.e, DEADLINE_MS), 0);
	assert_int_equal(export__counters(r.e)->exported, 80);
	assert_false(export__failed(r.e));
	rig__close(&r);
}

/* One batch is as large as the queue: half of it is sent as it is. A queue for one span, too. */
static void test_make_room_unsealed(void **state)
{
	static const uint32_t queues[] = {1, 2, 3, 10};

	for (size_t i = 0; i < 4; i++) {
		struct rig r;

		rig__open(&r, ROWS(ok));
		r.s.max_queue = r.s.max_batch = queues[i];
		rig__up(&r);
		assert_int_equal(export__make_room(r.e, 0), 0);
		add(&r, (queues[i] + 1) / 2);
		assert_int_equal(export__make_room(r.e, DEADLINE_MS), 0);
		check_counters(&r, (struct expected){.exported = (queues[i] + 1) / 2, .batches = 1});
		rig__close(&r);
	}
}

static void test_make_room_deadline(void **state)
{
	static const struct answer script[] = {{.how = HANG}};
	uint64_t began, took;
	struct rig r;

	rig__open(&r, ROWS(script));
	r.s.max_queue = 8;
	rig__up(&r);
	add(&r, 8);
	began = clock__ms();
	assert_int_equal(export__make_room(r.e, 200), -ETIMEDOUT);
	took = clock__ms() - began;
	assert_in_range(took, 190, 3000);
	check_counters(&r, (struct expected){.queued = 8, .batches = 2}); /* kept */
	assert_false(export__failed(r.e));
	add(&r, 1);
	assert_true(export__failed(r.e));
	rig__close(&r);
}

static void test_failed(void **state)
{
	static const struct answer script[] = {{.status = 400}, {.status = 200}};
	struct rig r;

	for (int down = 0; down < 2; down++) {
		rig__open(&r, ROWS(script));
		if (!down)
			collector__up(&r.c);
		rig__start(&r);
		assert_false(export__failed(r.e));
		add(&r, 3);
		export__flush(r.e, down ? 50 : DEADLINE_MS);
		assert_true(export__failed(r.e));
		rig__close(&r);
	}
}

/* Freed with everything under way: nothing is left behind (ASan looks). */
static void test_free_busy(void **state)
{
	static const struct answer script[] = {{.how = HANG}};
	struct rig r;

	rig__open(&r, ROWS(script));
	rig__up(&r);
	add(&r, 8);
	until(&r, is_seen);
	rig__close(&r);
	export__free(NULL);
}

int main(void)
{
	static const char *const proxies[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches),	      cmocka_unit_test(test_schedule_delay),
		cmocka_unit_test(test_retry),	      cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_refused),	      cmocka_unit_test(test_partial_success),
		cmocka_unit_test(test_partial_success_json), cmocka_unit_test(test_down_then_up),
		cmocka_unit_test(test_queue_bytes),
		cmocka_unit_test(test_queue_full),    cmocka_unit_test(test_give_up),
		cmocka_unit_test(test_long_retry_after), cmocka_unit_test(test_wish_outlives_batch),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_flush),	      cmocka_unit_test(test_flush_deadline),
		cmocka_unit_test(test_make_room),     cmocka_unit_test(test_make_room_unsealed),
		cmocka_unit_test(test_make_room_deadline), cmocka_unit_test(test_failed),
		cmocka_unit_test(test_gzip),	      cmocka_unit_test(test_free_busy),
	};

	for (size_t i = 0; i < sizeof(proxies) / sizeof(*proxies); i++)
		unsetenv(proxies[i]);
	signal(SIGPIPE, SIG_IGN);
	log__set_level(LOG_ERROR);
	return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
