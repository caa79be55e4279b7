/* SPDX-License-Identifier: Apache-2.0 */
/* test_selection.c - what --pid and its like accept, and what they say of what they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "meta/golang.h"
#include "attach/attach.h"
#include "attach/hooks.h"
#include "attach/running.h"
#include "attach/selection.h"

static void test_values(void **state)
{
	char pids[] = "1,4194304", comms[] = "nginx,fifteen-letters", ports[] = "80,65535";
	char groups[] = "/sys/fs/cgroup/a", exes[] = "/usr/bin/python3*,*/java";
	struct selection s = {0};
	char err[256];

	assert_true(selection__empty(&s));
	assert_int_equal(selection__add(&s, "pid", pids, err, sizeof(err)), 0);
	assert_false(selection__empty(&s));
	assert_int_equal(selection__add(&s, "comm", comms, err, sizeof(err)), 0);
	assert_int_equal(selection__add(&s, "port", ports, err, sizeof(err)), 0);
	assert_int_equal(selection__add(&s, "cgroup", groups, err, sizeof(err)), 0);
	assert_int_equal(selection__add(&s, "exe", exes, err, sizeof(err)), 0);
	assert_int_equal(s.n_pids, 2);
	assert_int_equal(s.pids[1], 4194304);
	assert_string_equal(s.comms[1], "fifteen-letters");
	assert_int_equal(s.ports[1], 65535);
	assert_string_equal(s.cgroups[0], "/sys/fs/cgroup/a");
	assert_string_equal(s.exes[1], "*/java");
}

static void test_all_is_not_empty(void **state)
{
	struct selection s = {.all = true};

	assert_false(selection__empty(&s));
}

static void test_errors(void **state)
{
	static const struct { const char *option, *value, *quoted; } rows[] = {
		{"pid", "", "\"\""},	       {"pid", "12x", "\"12x\""},     {"pid", "0", "\"0\""},
		{"pid", "-1", "\"-1\""},       {"pid", " 1", "\" 1\""},	      {"pid", "4194305", "\"4194305\""},
		{"pid", "1,,2", "\"\""},       {"pid", "99999999999999999999", "\"99999999999999999999\""},
		{"port", "65536", "\"65536\""}, {"port", "http", "\"http\""}, {"port", "80,", "\"\""},
		{"comm", "", "\"\""},	       {"comm", "sixteen-letters-", "\"sixteen-letters-\""},
		{"cgroup", "a/b", "\"a/b\""},  {"exe", "", "\"\""},	      {"nonsense", "1", "--nonsense"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct selection s = {0};
		char err[256] = "", value[64];

		snprintf(value, sizeof(value), "%s", rows[i].value);
		assert_int_equal(selection__add(&s, rows[i].option, value, err, sizeof(err)), -EINVAL);
		if (!strstr(err, rows[i].quoted) || !strstr(err, rows[i].option))
			fail_msg("row %zu: \"%s\" does not quote %s", i, err, rows[i].quoted);
	}
}

static void test_too_many(void **state)
{
	struct selection s = {0};
	char err[256], one[16];

	for (int i = 0; i < SELECT_MAX; i++) {
		snprintf(one, sizeof(one), "%d", i + 1);
		assert_int_equal(selection__add(&s, "pid", one, err, sizeof(err)), 0);
	}
	strcpy(one, "77");
	assert_int_equal(selection__add(&s, "pid", one, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "\"77\""));
	assert_int_equal(s.n_pids, SELECT_MAX);
}

static void test_plans(void **state)
{
	static const struct { const char *text; enum attach_plan plan; } rows[] = {
		{"auto", ATTACH_PLAN_AUTO}, {"sock", ATTACH_PLAN_SOCK}, {"fentry", ATTACH_PLAN_FENTRY}, {"syscall", ATTACH_PLAN_SYSCALL},
	};
	struct attach_options o;
	char err[256];

	attach__defaults(&o);
	assert_int_equal(o.plan, ATTACH_PLAN_AUTO);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(attach__parse_plan(rows[i].text, &o.plan, err, sizeof(err)), 0);
		assert_int_equal(o.plan, rows[i].plan);
	}
	assert_int_equal(attach__parse_plan("socks", &o.plan, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "\"socks\""));
	assert_int_equal(o.plan, ATTACH_PLAN_SYSCALL); /* as it was */
}

static void test_transports(void **state)
{
	enum attach_transport t = ATTACH_TRANSPORT_AUTO;
	char err[256];

	assert_int_equal(attach__parse_transport("perf", &t, err, sizeof(err)), 0);
	assert_int_equal(t, ATTACH_TRANSPORT_PERF);
	assert_int_equal(attach__parse_transport("ring", &t, err, sizeof(err)), 0);
	assert_int_equal(t, ATTACH_TRANSPORT_RING);
	assert_int_equal(attach__parse_transport("rings", &t, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "\"rings\""));
	assert_int_equal(t, ATTACH_TRANSPORT_RING); /* as it was */
}

/* Every program belongs to a plan, and each plan has its own for what moves bytes. */
static void test_hooks(void **state)
{
	unsigned all = 1u << ATTACH_PLAN_SOCK | 1u << ATTACH_PLAN_FENTRY | 1u << ATTACH_PLAN_SYSCALL, own = 0;

	for (size_t i = 0; i < hooks_n; i++) {
		assert_int_equal(hooks[i].plans & ~all, 0);
		assert_int_not_equal(hooks[i].plans, 0);
		if (hooks[i].required && hooks[i].plans != all)
			own |= hooks[i].plans;
	}
	assert_int_equal(own, all);
}

static void test_no_go(void **state)
{
	assert_int_equal(golang__minor("/nonexistent"), -ENOENT);
	assert_int_equal(golang__minor("/dev/null"), 0);
	assert_int_equal(golang__minor("/proc/self/exe"), 0);
}

/* A 64-bit ELF file of one writable segment with Go's build info, as `strip` and sstrip leave it. */
static void write_go(const char *path, const char *version)
{
	static const Elf64_Ehdr head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
					.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
					.e_phoff = sizeof(head), .e_ehsize = sizeof(head),
					.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1};
	static const Elf64_Phdr data = {.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 128, .p_filesz = 256};
	unsigned char file[384] = {0};
	FILE *f = fopen(path, "we");

	memcpy(file, &head, sizeof(head));
	memcpy(file + sizeof(head), &data, sizeof(data));
	memcpy(file + 128, "\xff Go buildinf:", 14);
	file[128 + 14] = 8;
	file[128 + 15] = 2;
	file[128 + 32] = (unsigned char)strlen(version);
	memcpy(file + 128 + 33, version, strlen(version));
	assert_non_null(f);
	assert_int_equal(fwrite(file, sizeof(file), 1, f), 1);
	fclose(f);
}

/* A version that is not in the table is Go all the same, and nothing is guessed. */
static void test_go_versions(void **state)
{
	static const struct { const char *version; int minor; unsigned offset; } rows[] = {
		{"go1.12", 12, 152}, {"go1.22.5", 22, 152}, {"go1.23", 23, 160}, {"go1.24.1", 24, 160}, {"go1.25", 25, 152},
		{"go1.26rc1", 26, 152}, {"devel go1.26-abcdef", 26, 152}, {"go1.27", 27, 0}, {"go1.100.1", 100, 0},
		{"go2.0", GOLANG_UNTOLD, 0}, {"devel +abcdef", GOLANG_UNTOLD, 0}, {"", GOLANG_UNTOLD, 0},
	};
	char path[] = "/tmp/wirespan-test-XXXXXX";
	int fd = mkstemp(path), minor;

	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		write_go(path, rows[i].version);
		minor = golang__minor(path);
		if (minor != rows[i].minor || golang__goid_offset(minor) != rows[i].offset || !golang__is_go(minor))
			fail_msg("%s: %d, %u, not %d, %u", rows[i].version, minor, golang__goid_offset(minor), rows[i].minor,
				 rows[i].offset);
	}
	unlink(path);
}

static void *wait_for_end(void *fd)
{
	char c;

	if (read(*(int *)fd, &c, 1) < 0)
		abort();
	_exit(0);
}

/* /proc/PID/stat has the name as it is. */
static void test_odd_name(void **state)
{
	const uint32_t self = (uint32_t)getpid();
	const uint64_t start = process__start(self);
	char name[16];

	prctl(PR_GET_NAME, name);
	prctl(PR_SET_NAME, "a) S 1\n(b");
	assert_int_not_equal(start, 0);
	assert_int_equal(process__start(self), start);
	assert_true(process__lives(self, start));
	prctl(PR_SET_NAME, name);
}

/* Alive; alive without its first thread; a zombie; gone. */
static void test_process_lives(void **state)
{
	uint32_t pid, self = (uint32_t)getpid();
	pthread_t t;
	uint64_t start;
	siginfo_t si;
	int end[2];

	assert_true(process__lives(self, process__start(self)));
	assert_false(process__lives(self, process__start(self) + 1));
	assert_int_equal(process__start(0), 0);
	assert_int_equal(pipe2(end, O_CLOEXEC), 0);
	pid = (uint32_t)fork();
	if (!pid) {
		close(end[1]);
		if (pthread_create(&t, NULL, wait_for_end, &end[0]))
			_exit(1);
		syscall(SYS_exit, 0); /* this thread alone */
	}
	start = process__start(pid);
	assert_int_not_equal(start, 0);
	usleep(100000); /* now the first thread is gone: whichever it is, the process lives */
	assert_true(process__lives(pid, start));
	close(end[1]);
	assert_int_equal(waitid(P_PID, pid, &si, WEXITED | WNOWAIT), 0);
	assert_int_equal(process__start(pid), start); /* a zombie */
	assert_false(process__lives(pid, start));
	assert_int_equal(waitpid((pid_t)pid, NULL, 0), pid);
	assert_false(process__lives(pid, start));
	assert_int_equal(process__start(pid), 0);
	close(end[0]);
}

static void add_text(struct selection *s, const char *option, const char *text)
{
	char err[256];

	/* Kept for the test's life: the selection borrows it. */
	assert_int_equal(selection__add(s, option, strdup(text), err, sizeof(err)), 0);
}

static void test_join(void **state)
{
	static struct selection a, b;
	size_t left = 9;

	add_text(&a, "pid", "1,2");
	add_text(&a, "comm", "nginx");
	add_text(&b, "pid", "2,3");
	add_text(&b, "comm", "redis,nginx");
	add_text(&b, "cgroup", "/x");
	assert_int_equal(selection__join(&a, &b, &left), 3);
	assert_int_equal(left, 1);
	assert_int_equal(a.n_pids, 3);
	assert_int_equal(a.pids[2], 3);
	assert_int_equal(a.n_comms, 2);
	assert_string_equal(a.comms[1], "redis");
	assert_ptr_not_equal(a.comms[1], b.comms[0]);
	assert_string_equal(a.cgroups[0], "/x");
	assert_int_equal(selection__join(&a, &b, &left), 0);
	for (int i = 0; i < SELECT_MAX - 2; i++)
		a.ports[a.n_ports++] = (uint16_t)(i + 1);
	add_text(&b, "port", "1000,1001,1002");
	add_text(&b, "pid", "77");
	assert_int_equal(selection__join(&a, &b, &left), -E2BIG);
	assert_int_equal(a.n_pids, 3);
	assert_int_equal(a.n_ports, SELECT_MAX - 2);
}

/* What is left keeps its order; pids beside it are of the same places. */
static void test_drop(void **state)
{
	static struct selection a, b;
	size_t left;

	add_text(&a, "pid", "1,2,3");
	add_text(&a, "comm", "nginx,redis,curl");
	add_text(&a, "label", "a=b");
	add_text(&b, "pid", "3,1,4");
	add_text(&b, "comm", "curl,redis");
	assert_int_equal(selection__drop(&a, &b), 3);
	assert_int_equal(a.n_pids, 2);
	assert_int_equal(a.pids[0], 1);
	assert_int_equal(a.pids[1], 3);
	assert_int_equal(a.n_comms, 2);
	assert_string_equal(a.comms[0], "redis");
	assert_string_equal(a.comms[1], "curl");
	assert_int_equal(a.n_labels, 0);
	assert_int_equal(selection__join(&a, &b, &left), 1);
	assert_int_equal(left, 0);
	assert_int_equal(a.pids[2], 4);
	assert_int_equal(selection__drop(&a, &b), 0);
	/* There and gone, again and again: nothing grows. */
	for (int i = 0; i < 100; i++) {
		static struct selection none;
		static const char *first;

		add_text(&b, "exe", "/usr/bin/x");
		assert_int_equal(selection__join(&a, &b, &left), i ? 6 : 1);
		assert_ptr_not_equal(a.exes[0], b.exes[0]);
		assert_true(!first || first == a.exes[0]);
		first = a.exes[0];
		b.n_exes = 0;
		assert_int_equal(selection__drop(&a, &none), 6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),	 cmocka_unit_test(test_all_is_not_empty),
		cmocka_unit_test(test_errors),	 cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_transports),	 cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_no_go),	 cmocka_unit_test(test_go_versions),
		cmocka_unit_test(test_process_lives), cmocka_unit_test(test_odd_name), cmocka_unit_test(test_join), cmocka_unit_test(test_drop),
	};
	return cmocka_run_group_tests_name("selection", tests, NULL, NULL);
}
