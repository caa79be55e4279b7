// SPDX-License-Identifier: Apache-2.0
/*
 * test_gap.c - the state that an agent leaves: what is written is what is read, whatever else lies there is refused
 * with a reason; then two agents, one after the other, told of connections by hand. The traced process is this one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conn/conn.h"
#include "gap/gap.h"
#include "util/log.h"

#define MS 1000000ull
#define SECOND 1000000000ull

/* Stands in for the kernel's map. */
void attach__each_process(const struct attach *a, void (*fn)(void *ctx, uint32_t pid), void *ctx)
{
	fn(ctx, (uint32_t)getpid());
}

static char dir[64], file[96];

static int make_dir(void **state)
{
	strcpy(dir, "/tmp/wirespan-gap.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/%s", dir, STATE_FILE);
	log__set_level(LOG_ERROR);
	return 0;
}

static int remove_dir(void **state)
{
	unlink(file);
	return rmdir(dir);
}

static uint64_t now_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static struct state_file *open_state(void)
{
	char err[256] = "";
	struct state_file *f = state_file__open(dir, err, sizeof(err));

	if (!f)
		fail_msg("%s", err);
	assert_int_equal(state_file__lock(f), 0);
	return f;
}

/* --- the file ------------------------------------------------------------------------------------------- */

static struct conn_moved some_conns[3] = {{11, {100, 200}}, {22, {0, 5ull << 32}}, {33, {1, 1}}};
static struct netns_opened some_nets[2] = {{.inode = 7, .accepted = 70, .connected = 71}, {.inode = 8}};
static const struct state some = {.boot = "0b5e-boot", .boot_ns = 5, .wall_ns = 6, .selection = 9, .ended = true,
				  .conns = some_conns, .n_conns = 3, .nets = some_nets, .n_nets = 2};

static void write_some(unsigned times)
{
	struct state_file *f = open_state();
	struct state s, w = some;
	char err[256];

	state_file__read(f, &s, err, sizeof(err));
	state__free(&s);
	for (unsigned i = 1; i <= times; i++) {
		w.boot_ns = i;
		assert_int_equal(state_file__write(f, &w), 0);
	}
	state_file__free(f);
}

/* The result of reading; *boot_ns as read. */
static int read_one(struct state *s, char *err, size_t err_size)
{
	struct state_file *f = open_state();
	int r = state_file__read(f, s, err, err_size);

	state_file__free(f);
	return r;
}

static void what_is_written_is_read(void **state)
{
	char err[256] = "";
	struct state s;
	struct stat st;

	assert_int_equal(read_one(&s, err, sizeof(err)), 0);
	state__free(&s);
	for (unsigned times = 1; times < 6; times++) {
		write_some(times);
		assert_int_equal(read_one(&s, err, sizeof(err)), 1);
		assert_int_equal(s.boot_ns, times);
		assert_string_equal(s.boot, some.boot);
		assert_int_equal(s.wall_ns, 6);
		assert_int_equal(s.selection, 9);
		assert_true(s.ended && !s.cut);
		assert_int_equal(s.n_conns, 3);
		assert_memory_equal(s.conns, some_conns, sizeof(some_conns));
		assert_int_equal(s.n_nets, 2);
		assert_memory_equal(s.nets, some_nets, sizeof(some_nets));
		state__free(&s);
	}
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* Cut at any byte, the one written before is read: it was killed while writing. */
static void killed_while_writing(void **state)
{
	struct stat st;
	char err[256];
	struct state s;

	write_some(2);
	assert_int_equal(stat(file, &st), 0);
	for (off_t n = st.st_size - 1; n > st.st_size - 250; n -= 7) {
		assert_int_equal(truncate(file, n), 0);
		assert_int_equal(read_one(&s, err, sizeof(err)), 1);
		assert_int_equal(s.boot_ns, 1);
		state__free(&s);
	}
}

static void put(off_t at, const void *p, size_t n)
{
	int fd = open(file, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, p, n, at), n);
	close(fd);
}

static void check_refused(const char *word)
{
	char err[256] = "";
	struct state s;

	assert_int_equal(read_one(&s, err, sizeof(err)), -EBADMSG);
	if (!strstr(err, word))
		fail_msg("\"%s\" does not say \"%s\"", err, word);
	assert_int_equal(s.n_conns + s.n_nets, 0);
	/* It is over with it: what is written now is read. */
	write_some(1);
	assert_int_equal(read_one(&s, err, sizeof(err)), 1);
	state__free(&s);
	assert_int_equal(truncate(file, 0), 0);
}

static void what_is_no_state_is_refused(void **state)
{
	static const struct {
		off_t at;
		size_t n;
		uint64_t value;
		const char *word;
	} rows[] = {
		{0, 1, 'x', "no state"},
		{7, 1, '0', "another version"},
		{7, 1, '2', "another version"},
		{8, 8, UINT64_MAX, "not what an agent writes"},
		{16, 4, 0, "altered"},
		{20, 4, 0xffffffff, "not what an agent writes"},
		{20, 4, STATE_CONNS_MAX, "cut short"},
		{24, 4, 0xffffffff, "not what an agent writes"},
		{24, 4, 1, "altered"},
		{72 - 8, 1, 1, "altered"},
		{100, 1, 0x55, "altered"},
	};
	char zeros[4096] = {0}, boot[40];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		write_some(1);
		put(rows[i].at, &rows[i].value, rows[i].n);
		check_refused(rows[i].word);
	}
	memset(boot, 'b', sizeof(boot));
	write_some(1);
	put(32, boot, sizeof(boot)); /* never ends */
	check_refused("not what an agent writes");
	put(0, "x", 1);
	check_refused("cut short");
	put(0, zeros, sizeof(zeros));
	check_refused("no state");
	put(5 << 20, zeros, sizeof(zeros)); /* larger than any state */
	check_refused("no state");
}

/* Each byte of it, altered: refused, or the same all the same. Never a crash. */
static void any_byte_altered(void **state)
{
	struct stat st;
	char err[256];
	struct state s;

	write_some(1);
	assert_int_equal(stat(file, &st), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		uint8_t b;
		int fd = open(file, O_RDONLY);

		assert_int_equal(pread(fd, &b, 1, at), 1);
		close(fd);
		b ^= 0x40;
		put(at, &b, 1);
		if (read_one(&s, err, sizeof(err)) != -EBADMSG)
			fail_msg("byte %lld altered: taken", (long long)at);
		state__free(&s);
		write_some(1);
	}
}

static void who_may_have_it(void **state)
{
	char err[256] = "", other[128];
	struct state_file *f = open_state(), *g = state_file__open(dir, err, sizeof(err));

	assert_non_null(g);
	assert_int_equal(state_file__lock(g), -EWOULDBLOCK);
	state_file__free(f);
	assert_int_equal(state_file__lock(g), 0);
	state_file__free(g);
	assert_null(state_file__open("/tmp", err, sizeof(err)));
	assert_non_null(strstr(err, "written by others"));
	assert_null(state_file__open("/proc/nothing/here", err, sizeof(err)));
	assert_non_null(strstr(err, "/proc/nothing/here"));
	/* A name that leads elsewhere, or is another kind of thing. */
	snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(rename(file, other), 0);
	assert_int_equal(symlink(other, file), 0);
	assert_null(state_file__open(dir, err, sizeof(err)));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(link(other, file), 0);
	assert_null(state_file__open(dir, err, sizeof(err)));
	assert_int_equal(unlink(file) | unlink(other), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_null(state_file__open(dir, err, sizeof(err)));
	assert_int_equal(unlink(file), 0);
	put(0, "", 0);
	assert_int_equal(chmod(file, 0666), 0);
	state_file__free(open_state());
}

/* --- two agents ----------------------------------------------------------------------------------------- */

struct world {
	struct linker *linker;
	struct exchanges *exchanges;
	struct decode *decode;
	struct meta *meta;
	struct conns *conns;
	struct gap *gap;
	struct selection sel;
};

static void on_span(void *ctx, const struct span *s)
{
}

static struct world *agent__start(uint32_t pid)
{
	struct world *w = calloc(1, sizeof(*w));
	char err[256] = "";

	w->linker = linker__new(on_span, w);
	w->exchanges = exchanges__new(w->linker);
	w->decode = decode__new(w->exchanges);
	w->meta = meta__new(false);
	w->conns = conns__new(w->decode, w->exchanges, w->meta, NULL, NULL);
	w->sel.pids[w->sel.n_pids++] = pid;
	w->gap = gap__new(dir, &w->sel, err, sizeof(err));
	if (!w->gap)
		fail_msg("%s", err);
	assert_int_equal(gap__take(w->gap), 0);
	gap__ready(w->gap, NULL);
	return w;
}

static struct gap_counters agent__end(struct world *w, bool killed)
{
	struct gap_counters n;

	gap__tick(w->gap, now_ns(CLOCK_MONOTONIC) + 3 * SECOND, NULL, w->conns);
	if (!killed) {
		gap__ending(w->gap, NULL);
		gap__ended(w->gap, NULL, w->conns);
	}
	n = gap__counters(w->gap);
	gap__free(w->gap);
	conns__free(w->conns);
	decode__free(w->decode);
	exchanges__free(w->exchanges);
	linker__free(w->linker);
	meta__free(w->meta);
	free(w);
	return n;
}

/* A socket whose first bytes had these sequence numbers, and what it has moved. */
struct sock {
	uint64_t conn;
	enum ws_role role;
	uint32_t first[2];
	uint64_t bytes[2];
	uint16_t port;
};

static void announced(struct world *w, const struct sock *s, enum ws_origin origin)
{
	struct ws_rec_conn r = {
		.head = {.type = WS_REC_CONN, .size = sizeof(r), .time_ns = now_ns(CLOCK_MONOTONIC)},
		.conn = s->conn, .role = (uint8_t)s->role, .origin = (uint8_t)origin, .netns = 4, .local_port = s->port, .remote_port = 80,
		.read = s->bytes[0], .sent = s->bytes[1], .rcv_seq = s->first[0] + (uint32_t)s->bytes[0],
		.snd_seq = s->first[1] + (uint32_t)s->bytes[1],
	};
	const struct event e = {.type = WS_REC_CONN, .conn = &r};

	conns__event(w->conns, &e);
	gap__event(w->gap, &e, w->conns);
}

/* The socket moves bytes, and the agent is told, if there is one. */
static void moves(struct world *w, struct sock *s, enum ws_dir way, uint32_t n)
{
	struct ws_rec_data d = {
		.head = {.type = WS_REC_DATA, .size = sizeof(d), .time_ns = now_ns(CLOCK_MONOTONIC)},
		.conn = s->conn, .dir = (uint8_t)way, .wire_len = n, .seq = s->first[way] + (uint32_t)s->bytes[way], .cap = WS_CAP_BUDGET,
	};
	const struct event e = {.type = WS_REC_DATA, .data = &d, .text = {"", 0}};

	s->bytes[way] += n;
	if (!w)
		return;
	conns__event(w->conns, &e);
	gap__event(w->gap, &e, w->conns);
}

static void closes(struct world *w, const struct sock *s)
{
	struct ws_rec_close r = {.head = {.type = WS_REC_CLOSE, .size = sizeof(r), .time_ns = now_ns(CLOCK_MONOTONIC)}, .conn = s->conn};
	const struct event e = {.type = WS_REC_CLOSE, .close = &r};

	conns__event(w->conns, &e);
}

static void check(struct gap_counters n, uint64_t continued, uint64_t bytes, uint64_t begun, uint64_t begun_bytes, uint64_t ended)
{
	assert_int_equal(n.continued, continued);
	assert_int_equal(n.continued_bytes, bytes);
	assert_int_equal(n.begun, begun);
	assert_int_equal(n.begun_bytes, begun_bytes);
	assert_int_equal(n.ended, ended);
	assert_int_equal(n.refused, 0);
}

/* Numbers that wrap, and more bytes than 32 bits of them tell. */
static void what_moves_between_is_counted(void **state)
{
	struct sock a = {1, WS_ROLE_ACCEPTED, {0xfffffff0, 5}, {0, 0}, 1000}, b = {2, WS_ROLE_CONNECTED, {77, 0xffffff00}, {10, 1}, 1001};
	struct sock c = {3, WS_ROLE_ACCEPTED, {1, 2}, {0, 0}, 1002}, fresh = {4, WS_ROLE_CONNECTED, {3, 4}, {0, 1}, 1003};
	const struct sock idle = {5, WS_ROLE_ACCEPTED, {6, 7}, {0, 0}, 1004};

	for (int killed = 0; killed < 2; killed++) {
		struct world *w = agent__start(1);

		announced(w, &a, WS_ORIGIN_NEW);
		announced(w, &b, WS_ORIGIN_EXISTING);
		announced(w, &c, WS_ORIGIN_NEW);
		moves(w, &a, WS_DIR_IN, 100);
		moves(w, &a, WS_DIR_OUT, 50);
		moves(w, &b, WS_DIR_OUT, 0x200);
		moves(w, &c, WS_DIR_IN, 10);
		agent__end(w, killed);

		moves(NULL, &a, WS_DIR_IN, 30);
		b.bytes[WS_DIR_OUT] += 5ull << 32;
		moves(NULL, &fresh, WS_DIR_OUT, 40);
		w = agent__start(1);
		announced(w, &a, WS_ORIGIN_EXISTING);
		announced(w, &b, WS_ORIGIN_EXISTING);
		announced(w, &fresh, WS_ORIGIN_EXISTING);
		announced(w, &idle, WS_ORIGIN_EXISTING);
		moves(w, &a, WS_DIR_IN, 1000); /* this one is told */
		assert_int_equal(conns__counters(w->conns)->missed_bytes, 30 + (5ull << 32) + 40);
		check(agent__end(w, false), 2, 30 + (5ull << 32), 1, fresh.bytes[WS_DIR_OUT] - 1, 1);
		assert_int_equal(unlink(file), 0);
		fresh.bytes[WS_DIR_OUT] = 1;
	}
}

static void nothing_moved(void **state)
{
	struct sock a = {1, WS_ROLE_ACCEPTED, {5, 6}, {0, 0}, 1000}, gone = {2, WS_ROLE_ACCEPTED, {7, 8}, {0, 0}, 1001};
	struct world *w = agent__start(1);

	announced(w, &a, WS_ORIGIN_NEW);
	announced(w, &gone, WS_ORIGIN_NEW);
	moves(w, &a, WS_DIR_IN, 10);
	closes(w, &gone);
	agent__end(w, false);
	w = agent__start(1);
	announced(w, &a, WS_ORIGIN_EXISTING);
	check(agent__end(w, false), 0, 0, 0, 0, 0);
	/* And so for the next one. */
	w = agent__start(1);
	announced(w, &a, WS_ORIGIN_EXISTING);
	check(agent__end(w, false), 0, 0, 0, 0, 0);
}

/* The same addresses and ports, another connection: its sequence numbers are others. */
static void another_of_the_same_ports(void **state)
{
	struct sock a = {1, WS_ROLE_ACCEPTED, {5, 6}, {100, 100}, 1000}, b = {1, WS_ROLE_ACCEPTED, {9, 6}, {300, 10}, 1000};
	struct world *w = agent__start(1);

	announced(w, &a, WS_ORIGIN_NEW);
	agent__end(w, false);
	w = agent__start(1);
	announced(w, &b, WS_ORIGIN_EXISTING);
	check(agent__end(w, false), 0, 0, 1, 310, 1);
}

/* What the other selection left out was not missed. */
static void another_selection(void **state)
{
	struct sock a = {1, WS_ROLE_ACCEPTED, {5, 6}, {100, 100}, 1000}, b = {2, WS_ROLE_ACCEPTED, {9, 6}, {300, 10}, 1001};
	struct world *w = agent__start(1);

	announced(w, &a, WS_ORIGIN_NEW);
	agent__end(w, false);
	moves(NULL, &a, WS_DIR_OUT, 7);
	w = agent__start(2);
	announced(w, &a, WS_ORIGIN_EXISTING);
	announced(w, &b, WS_ORIGIN_EXISTING);
	check(agent__end(w, false), 1, 7, 0, 0, 0);
}

static void alter_state(void (*change)(struct state *s))
{
	struct state_file *f = open_state();
	char err[256];
	struct state s;

	assert_int_equal(state_file__read(f, &s, err, sizeof(err)), 1);
	change(&s);
	assert_int_equal(state_file__write(f, &s), 0);
	state__free(&s);
	state_file__free(f);
}

static void other_boot(struct state *s)
{
	s->boot[0] ^= 1;
}

static void another_boot(void **state)
{
	struct sock a = {1, WS_ROLE_ACCEPTED, {5, 6}, {100, 100}, 1000};
	struct world *w = agent__start(1);
	struct gap_counters n;

	announced(w, &a, WS_ORIGIN_NEW);
	agent__end(w, false);
	alter_state(other_boot);
	moves(NULL, &a, WS_DIR_OUT, 7);
	w = agent__start(1);
	announced(w, &a, WS_ORIGIN_EXISTING);
	n = agent__end(w, false);
	check(n, 0, 0, 0, 0, 0);
	assert_int_equal(n.duration_ns, 0);
	assert_int_equal(n.accepted + n.connected, 0);
}

/* Ten more were opened than it says. */
static void ten_fewer(struct state *s)
{
	assert_int_equal(s->n_nets, 1);
	s->nets[0].accepted -= s->nets[0].accepted < 10 ? s->nets[0].accepted : 10;
	s->nets[0].connected -= s->nets[0].connected < 10 ? s->nets[0].connected : 10;
}

/* All processes of that namespace are younger: it may be another one. */
static void long_ago(struct state *s)
{
	ten_fewer(s);
	s->boot_ns = 1;
}

static void namespaces(void **state)
{
	struct netns_opened own = {0};
	struct gap_counters n;

	assert_true(netns__read("/proc/self/net/snmp", &own));
	agent__end(agent__start(1), false);
	alter_state(ten_fewer);
	n = agent__end(agent__start(1), false);
	/* Others may connect meanwhile. */
	assert_true(n.accepted >= (own.accepted < 10 ? own.accepted : 10));
	assert_true(n.connected >= (own.connected < 10 ? own.connected : 10));
	alter_state(long_ago);
	n = agent__end(agent__start(1), false);
	assert_int_equal(n.accepted + n.connected, 0);
	assert_true(n.duration_ns > 0);
}

static void snmp_texts(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t accepted, connected;
	} rows[] = {
		{"Ip: A B\nIp: 1 2\nTcp: RtoMin ActiveOpens PassiveOpens X\nTcp: 1 22 333 4\n", true, 333, 22},
		{"Tcp: PassiveOpens ActiveOpens\nTcp: 1 2", true, 1, 2},
		{"Tcp: RtoMin MaxConn ActiveOpens PassiveOpens\nTcp: 1 -1 5 6\n", true, 6, 5},
		{"Tcp: ActiveOpens PassiveOpens\nTcp: 1\n", false, 0, 0},
		{"Tcp: ActiveOpens PassiveOpens\nTcp: 1 x\n", false, 0, 0},
		{"Tcp: ActiveOpens PassiveOpens\n", false, 0, 0},
		{"Tcp: ActiveOpensX PassiveOpens\nTcp: 1 2\n", false, 0, 0},
		{"", false, 0, 0},
	};
	struct netns_opened o;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		unlink(file);
		put(0, rows[i].text, strlen(rows[i].text));
		o = (struct netns_opened){0};
		if (netns__read(file, &o) != rows[i].ok)
			fail_msg("row %zu", i);
		if (rows[i].ok && (o.accepted != rows[i].accepted || o.connected != rows[i].connected))
			fail_msg("row %zu: %llu %llu", i, (unsigned long long)o.accepted, (unsigned long long)o.connected);
	}
	assert_false(netns__read("/proc/self/net/nothing", &o));
}

/* What is no state is counted, and the agent after that has one again. */
static void refused_is_counted(void **state)
{
	struct gap_counters n;

	put(0, "nonsense, and long enough to be something: 0123456789012345678901234567890123456789012345678901234567890", 100);
	n = agent__end(agent__start(1), false);
	assert_int_equal(n.refused, 1);
	assert_int_equal(n.duration_ns, 0);
	n = agent__end(agent__start(1), false);
	assert_int_equal(n.refused, 0);
	assert_true(n.duration_ns > 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read), TEST(killed_while_writing), TEST(what_is_no_state_is_refused), TEST(any_byte_altered),
		TEST(who_may_have_it), TEST(what_moves_between_is_counted), TEST(nothing_moved), TEST(another_of_the_same_ports),
		TEST(another_selection), TEST(another_boot), TEST(namespaces), TEST(snmp_texts), TEST(refused_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
