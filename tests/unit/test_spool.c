// SPDX-License-Identifier: Apache-2.0
/*
 * test_spool.c - the spool's files: order, bounds, what is partial or altered, who may open it; then the
 * exporter with one, against a collector that is away, slow, hanging, or comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "export/spool.h"
#include "export_rig.h"
#include "util/log.h"

#define MIB (1u << 20)

static char dir[64];
static struct spool_counters n;

static int make_dir(void **state)
{
	strcpy(dir, "/tmp/wirespan-spool.XXXXXX");
	n = (struct spool_counters){0};
	return mkdtemp(dir) ? 0 : -1;
}

static void path_of(const char *name, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/%s", dir, name);
}

/* Names of the directory in order; how many. */
static int names(char out[][64], int max)
{
	struct dirent **list;
	int all = scandir(dir, &list, NULL, alphasort), kept = 0;

	for (int i = 0; i < all; i++) {
		if (list[i]->d_name[0] != '.' && kept < max)
			snprintf(out[kept++], 64, "%.63s", list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return kept;
}

static int remove_dir(void **state)
{
	char list[64][64], path[PATH_MAX];

	for (int k = names(list, 64); k-- > 0;) {
		path_of(list[k], path);
		unlink(path);
	}
	return rmdir(dir);
}

static struct spool *open_spool(uint64_t bytes)
{
	char err[512] = "";
	struct spool *s;

	n = (struct spool_counters){0};
	s = spool__open(dir, bytes, &n, err, sizeof(err));
	if (!s)
		fail_msg("%s", err);
	return s;
}

static void check_refused(const char *path, const char *word)
{
	char err[512] = "";

	assert_null(spool__open(path, MIB, &n, err, sizeof(err)));
	assert_non_null(strstr(err, path));
	if (!strstr(err, word))
		fail_msg("'%s' has no '%s'", err, word);
}

static int put(struct spool *s, char fill, size_t size, uint32_t spans)
{
	struct batch b = {.body = malloc(size + 1), .size = size, .spans = spans, .gzip = fill & 1};
	int r;

	memset(b.body, fill, size + 1);
	r = spool__put(s, &b);
	free(b.body);
	return r;
}

static void check_take(struct spool *s, char fill, size_t size, uint32_t spans)
{
	struct batch *b = spool__take(s);

	assert_non_null(b);
	assert_int_equal(b->size, size);
	assert_int_equal(b->spans, spans);
	assert_int_equal(b->gzip, fill & 1);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(b->body[i], fill);
	batch__free(b);
}

/* Oldest first, also for the next one who opens it; modes; nothing stays of what is done. */
static void test_order(void **state)
{
	struct spool *s = open_spool(MIB);
	char list[8][64], path[PATH_MAX];
	struct stat st;

	for (int i = 0; i < 3; i++)
		assert_int_equal(put(s, (char)('a' + i), 5000 * (size_t)i, (uint32_t)i + 1), 0);
	assert_int_equal(n.spans, 6);
	assert_int_equal(n.bytes, (1 + 2 + 3) * SPOOL_BLOCK);
	assert_int_equal(names(list, 8), 3);
	path_of(list[0], path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	check_take(s, 'a', 0, 1);
	assert_null(spool__take(s)); /* one at a time */
	spool__back(s, false);
	check_take(s, 'a', 0, 1);
	spool__done(s);
	check_take(s, 'b', 5000, 2); /* on its way when the agent dies */
	spool__free(s);
	s = open_spool(MIB);
	assert_int_equal(n.found, 5);
	assert_int_equal(n.files, 2);
	assert_int_equal(put(s, 'd', 1, 9), 0);
	check_take(s, 'b', 5000, 2);
	spool__back(s, true);
	check_take(s, 'c', 10000, 3);
	spool__done(s);
	check_take(s, 'd', 1, 9);
	spool__done(s);
	check_take(s, 'b', 5000, 2);
	spool__done(s);
	assert_null(spool__take(s));
	assert_int_equal(n.files + n.spans + n.bytes, 0);
	assert_int_equal(names(list, 8), 0);
	spool__free(s);
}

/* The oldest goes, but not one that is on its way; what is larger than the whole is not kept. */
static void test_bounds(void **state)
{
	struct spool *s = open_spool(4 * SPOOL_BLOCK);

	for (int i = 0; i < 4; i++)
		assert_int_equal(put(s, (char)('a' + i), 100, 1u << i), 0);
	assert_int_equal(n.dropped_full, 0);
	check_take(s, 'a', 100, 1);
	assert_int_equal(put(s, 'e', 100, 16), 0);
	assert_int_equal(n.dropped_full, 2);
	assert_int_equal(put(s, 'f', 2 * SPOOL_BLOCK, 32), 0);
	assert_int_equal(n.dropped_full, 2 + 4 + 8 + 16);
	assert_int_equal(n.bytes, 4 * SPOOL_BLOCK);
	assert_int_equal(put(s, 'g', 4 * SPOOL_BLOCK, 64), -EFBIG);
	spool__back(s, false);
	check_take(s, 'a', 100, 1);
	spool__done(s);
	assert_int_equal(n.written, 63);
	assert_int_equal(n.dropped_full, 2 + 4 + 8 + 16 + 64);
	check_take(s, 'f', 2 * SPOOL_BLOCK, 32);
	spool__done(s);
	assert_int_equal(n.files, 0);
	spool__free(s);
}

/* Opened again with a smaller bound; a long life does not let the index grow. */
static void test_smaller(void **state)
{
	struct spool *s = open_spool(MIB);

	for (int i = 0; i < 3000; i++) {
		assert_int_equal(put(s, 'x', 10, 1), 0);
		if (i < 20)
			continue;
		check_take(s, 'x', 10, 1);
		spool__done(s);
	}
	assert_int_equal(n.files, 20);
	spool__free(s);
	s = open_spool(5 * SPOOL_BLOCK);
	assert_int_equal(n.found, 20);
	assert_int_equal(n.dropped_full, 15);
	assert_int_equal(n.files, 5);
	spool__free(s);
}

static void flip(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	char c;

	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

/* Every bit counts, and so does the end; the next one is sent nevertheless. */
static void test_damaged(void **state)
{
	char list[16][64], path[PATH_MAX];
	struct spool *s = open_spool(MIB);
	uint32_t spans = 0;
	struct stat st;
	int fd;

	for (uint32_t i = 1; i <= 8; i++, spans += i - 1)
		assert_int_equal(put(s, 'x', 1000, i), 0);
	spool__free(s);
	assert_int_equal(names(list, 16), 8);
	path_of(list[0], path);
	assert_int_equal(truncate(path, 0), 0);
	path_of(list[1], path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 1), 0);
	path_of(list[2], path);
	assert_int_equal(truncate(path, st.st_size + 1), 0);
	path_of(list[3], path);
	flip(path, st.st_size - 1);
	path_of(list[4], path);
	flip(path, 0);
	path_of(list[5], path);
	flip(path, 33); /* gzip: within the header */
	path_of(list[6], path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	path_of("00000000000000ff-100.tmp", path); /* killed while it wrote */
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	s = open_spool(MIB);
	assert_int_equal(n.found, spans + 100);
	assert_int_equal(n.damaged, 100);
	check_take(s, 'x', 1000, 8);
	spool__done(s);
	assert_int_equal(n.damaged, spans - 8 + 100);
	assert_int_equal(n.damaged_files, 8);
	assert_int_equal(names(list, 16), 0);
	spool__free(s);
}

/* Names that are nearly ours are left alone, and a shared directory is not taken. */
static void test_names(void **state)
{
	static const char *const strange[] = {"1-1.batch", "000000000000000g-1.batch", "0000000000000001-01.batch",
					      "ffffffffffffffff-1.batch", "0000000000000001-99999999999.batch"};
	char path[PATH_MAX], list[8][64];
	struct spool *s;
	struct stat st;

	for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++) {
		path_of(strange[i], path);
		close(open(path, O_CREAT | O_WRONLY, 0600));
	}
	s = open_spool(MIB);
	assert_int_equal(n.files + n.damaged_files, 0);
	spool__free(s);
	assert_int_equal(names(list, 8), 5);
	assert_int_equal(chmod(dir, 0755), 0);
	check_refused(dir, "open to others");
	for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++) {
		path_of(strange[i], path);
		unlink(path);
	}
	spool__free(open_spool(MIB));
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755); /* as it was found */
	assert_int_equal(chmod(dir, 0700), 0);
}

/* Empty, and yet others': refused, with its mode as it was and nothing of ours or theirs touched. */
static void test_shared(void **state)
{
	static const mode_t modes[] = {01777, 0777, 0770, 0720, 0702, 01700};
	char path[PATH_MAX], list[8][64];
	struct stat st;

	path_of("0000000000000001-1.tmp", path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		char mode[16];

		snprintf(mode, sizeof(mode), "mode %04o)", modes[i]);
		assert_int_equal(chmod(dir, modes[i]), 0);
		check_refused(dir, mode);
		assert_int_equal(stat(dir, &st), 0);
		assert_int_equal(st.st_mode & 07777, modes[i]);
	}
	assert_int_equal(names(list, 8), 1);
	unlink(path);
	assert_int_equal(chmod(dir, 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(dir, 65534, (gid_t)-1), 0);
		check_refused(dir, "belongs to user 65534");
		assert_int_equal(chown(dir, 0, (gid_t)-1), 0);
	} else {
		check_refused("/", "belongs to user 0");
	}
	spool__free(open_spool(MIB));
}

static void test_refused(void **state)
{
	struct spool *s = open_spool(MIB);
	char path[PATH_MAX];
	struct stat st;

	check_refused(dir, "in use by another agent");
	spool__free(s);
	check_refused("/proc/self", "can't be written");
	check_refused("/nowhere/spool", "can't be made");
	path_of("file", path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	check_refused(path, "Not a directory");
	path_of("new", path);
	s = spool__open(path, MIB, &n, (char[512]){0}, 512);
	assert_non_null(s);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	spool__free(s);
	rmdir(path);
}

/* The directory goes away below us: counted, no crash. */
static void test_gone(void **state)
{
	struct spool *s = open_spool(MIB);
	char list[2][64], path[PATH_MAX];

	assert_int_equal(put(s, 'a', 10, 3), 0);
	assert_int_equal(names(list, 2), 1);
	path_of(list[0], path);
	unlink(path);
	rmdir(dir);
	assert_int_equal(put(s, 'b', 10, 4), -ENOENT);
	assert_int_equal(n.dropped_disk, 4);
	assert_null(spool__take(s));
	assert_int_equal(n.damaged, 3);
	spool__free(s);
	mkdir(dir, 0700);
}

/* --- the exporter with a spool --------------------------------------------------------------- */

static void rig__open_spooling(struct rig *r, const struct answer *script, size_t rows)
{
	rig__open(r, script, rows);
	r->s.spool = dir;
	r->s.spool_bytes = MIB;
}

static const struct spool_counters *spool_of(struct rig *r)
{
	return &export__counters(r->e)->spool;
}

static bool is_all_out(struct rig *r)
{
	return is_empty(r) && !spool_of(r)->spans;
}

static bool has_two_batches_spooled(struct rig *r)
{
	return spool_of(r)->files >= 2;
}

static const struct answer ok[] = {{.status = 200}};

/* Down: in the spool at once, also what comes later. Killed (freed without a flush): the next one sends it. */
static void test_down_restart_up(void **state)
{
	struct rig r;
	uint64_t began;

	rig__open_spooling(&r, ROWS(ok));
	rig__start(&r);
	add(&r, 3);
	until(&r, has_failed);
	until(&r, is_empty);
	assert_int_equal(spool_of(&r)->spans, 3);
	add(&r, 8);
	assert_int_equal(spool_of(&r)->spans, 9);
	assert_int_equal(export__counters(r.e)->queued, 2);
	export__free(r.e);

	collector__up(&r.c);
	began = clock__ms();
	rig__start(&r);
	assert_int_equal(spool_of(&r)->found, 9);
	until(&r, is_all_out);
	assert_int_equal(export__counters(r.e)->exported, 9);
	assert_int_equal(collector__count(&r.c), 3);
	for (unsigned i = 1; i < 3; i++) /* SPOOL_PACE_MS; later, on a busy machine, is right too */
		assert_true(r.c.seen[i].at - began >= 50 * i - 1);
	rig__close(&r);
}

/* Answers 503 for a while: everything arrives, and what is new does not wait for the spool to be empty. */
static void test_comes_back(void **state)
{
	static const struct answer a[] = {{.status = 503}, {.status = 503}, {.status = 200}};
	struct rig r;

	rig__open_spooling(&r, ROWS(a));
	rig__up(&r);
	add(&r, 3);
	until(&r, has_failed);
	add(&r, 12);
	until(&r, is_all_out);
	assert_int_equal(export__counters(r.e)->exported, 15);
	assert_int_equal(export__counters(r.e)->failures, 2);
	add(&r, 3);
	until(&r, is_all_out);
	assert_int_equal(spool_of(&r)->written, 15); /* the last ones went past it */
	rig__close(&r);
}

/* Never given up, whatever OTEL_BSP_EXPORT_TIMEOUT says. */
static void test_no_give_up(void **state)
{
	static const struct answer a[] = {{.status = 503}, {.status = 503}, {.status = 503}, {.status = 200}};
	struct rig r;

	rig__open_spooling(&r, ROWS(a));
	r.s.export_timeout_ms = 1;
	rig__up(&r);
	add(&r, 3);
	until(&r, has_failed);
	until(&r, is_all_out);
	assert_int_equal(export__counters(r.e)->exported, 3);
	rig__close(&r);
}

/* Refused for good: it does not come again from the spool either. */
static void test_refused_from_spool(void **state)
{
	static const struct answer a[] = {{.status = 503}, {.status = 400}, {.status = 200}};
	struct rig r;

	rig__open_spooling(&r, ROWS(a));
	rig__up(&r);
	add(&r, 3);
	until(&r, has_failed);
	add(&r, 3);
	until(&r, is_all_out);
	assert_int_equal(export__counters(r.e)->rejected, 3);
	assert_int_equal(export__counters(r.e)->exported, 3);
	rig__close(&r);
}

/* Accepts and never answers: memory is relieved at half of the queue, before any time-out. */
static void test_hangs(void **state)
{
	static const struct answer a[] = {{.how = HANG}, {.status = 200}};
	struct rig r;

	rig__open_spooling(&r, ROWS(a));
	r.s.max_queue = 24;
	rig__up(&r);
	add(&r, 3);
	until(&r, is_seen);
	for (int i = 0; i < 30; i++) {
		add(&r, 3);
		assert_true(export__counters(r.e)->queued <= 12);
	}
	assert_int_equal(export__counters(r.e)->dropped_queue, 0);
	assert_int_equal(spool_of(&r)->spans, 93 - 12);
	/* The end comes first: what is under way is not lost with it. */
	assert_int_equal(export__flush(r.e, 50), 0);
	assert_int_equal(spool_of(&r)->spans, 93);
	rig__close(&r);
}

static void test_flush_to_spool(void **state)
{
	struct rig r;

	rig__open_spooling(&r, ROWS(ok));
	rig__start(&r);
	add(&r, 4);
	assert_int_equal(export__flush(r.e, 5000), 0);
	assert_int_equal(export__counters(r.e)->queued, 0);
	assert_int_equal(spool_of(&r)->spans, 4);
	assert_false(export__failed(r.e));
	rig__close(&r);
}

/* The protocol and the compression of what was spooled go with it. */
static void test_other_settings(void **state)
{
	struct rig r;

	rig__open_spooling(&r, ROWS(ok));
	r.s.protocol = OTLP_HTTP_JSON;
	r.s.gzip = true;
	rig__start(&r);
	add(&r, 3);
	assert_int_equal(export__flush(r.e, 5000), 0);
	export__free(r.e);
	r.s.protocol = OTLP_HTTP_PROTOBUF;
	r.s.gzip = false;
	rig__up(&r);
	add(&r, 3);
	until(&r, is_all_out);
	assert_int_equal(collector__count(&r.c), 2);
	for (int i = 0; i < 2; i++) {
		bool json = strcasestr(r.c.seen[i].head, "Content-Type: application/json");

		assert_int_equal(json, !strncmp(r.c.seen[i].body, "\x1f\x8b", 2));
		assert_int_equal(json, !!strcasestr(r.c.seen[i].head, "Content-Encoding: gzip"));
	}
	rig__close(&r);
}

/* One batch that the collector always fails at does not stop the others. */
static void test_poison(void **state)
{
	static const struct answer a[] = {{.status = 503}, {.status = 503}, {.status = 503}, {.status = 503}, {.status = 503},
					  {.status = 503}, {.status = 503}, {.status = 503}, {.status = 503}, {.status = 200}};
	struct rig r;
	uint32_t first;

	rig__open_spooling(&r, ROWS(a));
	rig__up(&r);
	add(&r, 3);
	until(&r, has_failed);
	add(&r, 3);
	assert_true(has_two_batches_spooled(&r));
	/* The exporter's clock is ours: no need to wait for the back-off. */
	for (uint64_t end = clock__ms() + DEADLINE_MS, ahead = 0; !is_all_out(&r) && clock__ms() < end; ahead += 20000) {
		export__tick(r.e, clock__ms() + ahead);
		for (int i = 0; i < 20; i++) {
			struct epoll_event ev;

			if (epoll_wait(r.epoll_fd, &ev, 1, 2) > 0)
				export__ready(r.e);
		}
		check_sum(&r);
	}
	assert_int_equal(export__counters(r.e)->exported, 6);
	assert_int_equal(collector__count(&r.c), 11);
	first = r.c.seen[0].body_n == r.c.seen[8].body_n;
	assert_true(first && !memcmp(r.c.seen[0].body, r.c.seen[8].body, r.c.seen[0].body_n));
	assert_memory_not_equal(r.c.seen[0].body, r.c.seen[9].body, r.c.seen[0].body_n);
	assert_memory_equal(r.c.seen[0].body, r.c.seen[10].body, r.c.seen[0].body_n);
	rig__close(&r);
}

#define SPOOL_TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	static const char *const proxies[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
	const struct CMUnitTest tests[] = {
		SPOOL_TEST(test_order),	      SPOOL_TEST(test_bounds),	   SPOOL_TEST(test_smaller),
		SPOOL_TEST(test_damaged),     SPOOL_TEST(test_names),	   SPOOL_TEST(test_shared),	SPOOL_TEST(test_refused),
		SPOOL_TEST(test_gone),	      SPOOL_TEST(test_down_restart_up), SPOOL_TEST(test_comes_back),
		SPOOL_TEST(test_no_give_up),  SPOOL_TEST(test_refused_from_spool), SPOOL_TEST(test_hangs),
		SPOOL_TEST(test_flush_to_spool), SPOOL_TEST(test_other_settings), SPOOL_TEST(test_poison),
	};

	for (size_t i = 0; i < sizeof(proxies) / sizeof(*proxies); i++)
		unsetenv(proxies[i]);
	signal(SIGPIPE, SIG_IGN);
	log__set_level(LOG_ERROR);
	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
