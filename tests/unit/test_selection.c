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
		{"auto", ATTACH_PLAN_AUTO}, {"sock", ATTACH_PLAN_SOCK}, {"syscall", ATTACH_PLAN_SYSCALL},
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

/* Every program belongs to a plan, and each plan has its own for what moves bytes. */
static void test_hooks(void **state)
{
	unsigned all = 1u << ATTACH_PLAN_SOCK | 1u << ATTACH_PLAN_SYSCALL, own = 0;

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
	assert_int_equal(golang__goid_offset("/nonexistent"), -ENOENT);
	assert_int_equal(golang__goid_offset("/dev/null"), 0);
	assert_int_equal(golang__goid_offset("/proc/self/exe"), 0);
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
	static const struct { const char *version; int offset; } rows[] = {
		{"go1.12", 152}, {"go1.22.5", 152}, {"go1.23", 160}, {"go1.24.1", 160}, {"go1.25", 152}, {"go1.26rc1", 152},
		{"devel go1.26-abcdef", 152}, {"go1.27", GOLANG_NEWER}, {"go1.100.1", GOLANG_NEWER}, {"go2.0", GOLANG_NEWER},
		{"devel +abcdef", GOLANG_NEWER}, {"", GOLANG_NEWER},
	};
	char path[] = "/tmp/wirespan-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		write_go(path, rows[i].version);
		if (golang__goid_offset(path) != rows[i].offset)
			fail_msg("%s: %d, not %d", rows[i].version, golang__goid_offset(path), rows[i].offset);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),	 cmocka_unit_test(test_all_is_not_empty),
		cmocka_unit_test(test_errors),	 cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_plans),	 cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_no_go),	 cmocka_unit_test(test_go_versions),
		cmocka_unit_test(test_process_lives),
	};
	return cmocka_run_group_tests_name("selection", tests, NULL, NULL);
}
