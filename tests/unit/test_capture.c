/* SPDX-License-Identifier: Apache-2.0 */
/* test_capture.c - recordings: what is written comes back; what is broken is refused, never believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "capture/capture.h"

static char dir[] = "/tmp/wirespan-test-XXXXXX", path[64];

struct seen {
	int n[WS_REC_COUNTERS + 1];
	char payload[64], meta[64];
	uint64_t wall, last_counter;
};

static void on_event(void *ctx, const struct event *e)
{
	struct seen *s = ctx;

	s->n[e->type]++;
	if (e->type == WS_REC_DATA)
		memcpy(s->payload, e->text.p, e->text.n);
	if (e->type == WS_REC_META)
		memcpy(s->meta, e->text.p, e->text.n);
	if (e->type == WS_REC_CLOCK)
		s->wall = e->clock->wall_ns;
	if (e->type == WS_REC_COUNTERS)
		s->last_counter = e->counters->value[WS_CNT_MAX - 1];
}

static int set_up(void **state)
{
	snprintf(path, sizeof(path), "%s/r", dir);
	unlink(path);
	return 0;
}

static void write_sample(int data_records)
{
	uint64_t buf[16] = {0}, counters[WS_CNT_MAX] = {[WS_CNT_MAX - 1] = 99};
	struct ws_rec_data *d = (struct ws_rec_data *)buf;
	struct recording *r;
	struct event e;
	char err[256];

	d->head.type = WS_REC_DATA;
	d->head.size = sizeof(*d) + 5; /* needs padding */
	d->wire_len = d->cap_len = 5;
	memcpy(d->payload, "hello", 5);
	assert_true(record__check(buf, sizeof(buf), &e));
	assert_non_null(r = recording__new(path, err, sizeof(err)));
	assert_int_equal(recording__clock(r, 1, 1000), 0);
	assert_int_equal(recording__meta(r, 2, 42, "comm=x", 7), 0);
	for (int i = 0; i < data_records; i++)
		assert_int_equal(recording__event(r, &e), 0);
	assert_int_equal(recording__counters(r, 3, counters), 0);
	assert_int_equal(recording__close(r), 0);
}

static int read_all(struct seen *s, uint64_t *malformed)
{
	struct capture *c;
	char err[256];
	int rc;

	memset(s, 0, sizeof(*s));
	c = capture__file(path, on_event, s, err, sizeof(err));
	if (!c)
		return -ENOENT;
	assert_int_equal(capture__fd(c), -1);
	while ((rc = capture__read(c)) > 0)
		assert_true(rc <= 1000);
	assert_int_equal(capture__read(c), rc); /* and so it stays */
	*malformed = capture__counters(c)->malformed;
	capture__free(c);
	return rc;
}

static void test_round_trip(void **state)
{
	struct seen s;
	uint64_t malformed;

	write_sample(2500);
	assert_int_equal(read_all(&s, &malformed), 0);
	assert_int_equal(malformed, 0);
	assert_int_equal(s.n[WS_REC_DATA], 2500);
	assert_int_equal(s.n[WS_REC_META], 1);
	assert_int_equal(s.n[WS_REC_COUNTERS], 1);
	assert_string_equal(s.payload, "hello");
	assert_string_equal(s.meta, "comm=x");
	assert_int_equal(s.wall, 1000);
	assert_int_equal(s.last_counter, 99);
}

static void test_private_and_new(void **state)
{
	struct stat st;
	char err[256];

	write_sample(1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_null(recording__new(path, err, sizeof(err)));
	assert_non_null(strstr(err, path));
	assert_null(recording__new("/nonexistent/x", err, sizeof(err)));
}

/* Cut anywhere: what is whole comes, then the damage is told, unless it is cut between two records. */
static void test_truncated(void **state)
{
	struct seen s;
	uint64_t malformed = 0;
	struct stat st;

	write_sample(2);
	assert_int_equal(stat(path, &st), 0);
	for (off_t n = st.st_size - 1; n >= 0; n--) {
		assert_int_equal(truncate(path, n), 0);
		int rc = read_all(&s, &malformed);

		bool between = n == 16 || n == 40 || n == 72 || n == 176 || n == 280;

		assert_int_equal(rc, n < 16 ? -ENOENT : between ? 0 : -EBADMSG);
		assert_int_equal(malformed, rc == -EBADMSG);
		assert_int_equal(s.n[WS_REC_DATA], n >= 280 ? 2 : n >= 176 ? 1 : 0);
		assert_true(s.n[WS_REC_COUNTERS] == 0);
	}
}

static void patch(long at, const void *p, size_t n)
{
	FILE *f = fopen(path, "r+");

	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	assert_int_equal(fwrite(p, n, 1, f), 1);
	fclose(f);
}

static void test_hostile_sizes(void **state)
{
	static const uint32_t sizes[] = {0, 1, 15, 17, 1u << 17, 0x7fffffff, 0xfffffff8, 0xffffffff};
	struct seen s;
	uint64_t malformed;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		unlink(path);
		write_sample(1);
		patch(16 + offsetof(struct ws_rec, size), &sizes[i], 4);
		read_all(&s, &malformed);
		assert_true(malformed > 0);
		assert_int_equal(s.n[WS_REC_CLOCK], 0);
	}
}

/* Any byte of it changed: it may be refused or read differently, under the sanitizers in silence. */
static void test_flipped_bytes(void **state)
{
	struct seen s;
	uint64_t malformed;
	struct stat st;
	uint8_t ff = 0xff;

	write_sample(1);
	assert_int_equal(stat(path, &st), 0);
	for (off_t i = 0; i < st.st_size; i++) {
		unlink(path);
		write_sample(1);
		patch(i, &ff, 1);
		read_all(&s, &malformed);
	}
}

/* The recording as gzip would have it, without its last `cut` bytes. */
static void compress_sample(long cut)
{
	char plain[4096], packed[4096];
	FILE *f = fopen(path, "r");
	size_t n = fread(plain, 1, sizeof(plain), f);
	z_stream z = {.next_in = (Bytef *)plain, .avail_in = (uInt)n, .next_out = (Bytef *)packed, .avail_out = sizeof(packed)};

	fclose(f);
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	f = fopen(path, "w");
	assert_int_equal(fwrite(packed, 1, z.total_out - (size_t)cut, f), z.total_out - (size_t)cut);
	fclose(f);
}

static void test_compressed(void **state)
{
	struct seen s;
	uint64_t malformed;

	write_sample(3);
	compress_sample(0);
	assert_int_equal(read_all(&s, &malformed), 0);
	assert_int_equal(malformed, 0);
	assert_int_equal(s.n[WS_REC_DATA], 3);
	assert_int_equal(s.n[WS_REC_COUNTERS], 1);
	for (long cut = 1; cut < 60; cut++) {
		unlink(path);
		write_sample(3);
		compress_sample(cut);
		if (read_all(&s, &malformed) != -ENOENT)
			assert_int_equal(malformed, 1);
	}
}

static void test_no_recording(void **state)
{
	static const struct { long at; uint32_t value; const char *says; } heads[] = {
		{0, 0x20202020, "no recording"}, {8, 2, "version 2"}, {12, 0x04030201, "byte order"},
	};
	struct seen s;
	char err[256];

	assert_null(capture__file("/nonexistent", on_event, &s, err, sizeof(err)));
	assert_non_null(strstr(err, "/nonexistent"));
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		unlink(path);
		write_sample(1);
		patch(heads[i].at, &heads[i].value, 4);
		assert_null(capture__file(path, on_event, &s, err, sizeof(err)));
		assert_non_null(strstr(err, heads[i].says));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_round_trip, set_up),    cmocka_unit_test_setup(test_private_and_new, set_up),
		cmocka_unit_test_setup(test_truncated, set_up),	    cmocka_unit_test_setup(test_hostile_sizes, set_up),
		cmocka_unit_test_setup(test_flipped_bytes, set_up), cmocka_unit_test_setup(test_no_recording, set_up),
		cmocka_unit_test_setup(test_compressed, set_up),
	};
	int rc;

	if (!mkdtemp(dir))
		return 1;
	rc = cmocka_run_group_tests_name("capture", tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return rc;
}
