// SPDX-License-Identifier: Apache-2.0
/* Where functions of a program lie, and at which of their instructions a probe is cheap. */
#include "attach/code.h"
#include "attach/elf_symbols.h"
#include "attach/python.h"
#include "attach/uprobe.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int file_of(const void *p, size_t n)
{
	char path[] = "/tmp/wirespan-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, p, n), n);
	return fd;
}

static void test_sites(void **state)
{
	static const struct {
		const char *code;
		size_t n;
		uint64_t at; /* 0: refused */
	} rows[] = {
#define ROW(text, at) {text, sizeof(text) - 1, at}
		ROW("\x90\x55\x48\x89\xe5", 1),					 /* push */
		ROW("\x90\xf3\x0f\x1e\xfa\x41\x55\x55", 5),			 /* endbr64, push %r13 */
		ROW("\x90\x49\x3b\x66\x10\x76\x4d\x55", 5),			 /* cmp, jbe */
		ROW("\x90\x49\x3b\x66\x10\x0f\x86\x68\x01\x00\x00", 5),		 /* cmp, jbe far */
		ROW("\x90\x4c\x8d\x64\x24\xe8\x4d\x3b\x66\x10\x0f\x86\x01\x02\x00\x00", 10), /* a large frame */
		ROW("\x90\x48\x83\xec\x20\x48\x89\x6c\x24\x18\x48\x8d\x6c\x24\x18\x80\x3d\x3f\x60\x4f\x00\x00\x74\x2c", 22),
		ROW("\x90\x48\x81\xec\x00\x01\x00\x00\x55", 8),		 /* sub $256,%rsp; push */
		ROW("\x90\x48\x89\xf8\xc3", 0),					 /* mov */
		ROW("\x90\x49\x3b\x66\x10\xc3", 0),				 /* cmp, ret */
		ROW("\x90\xc3", 0),						 /* ret */
		ROW("\x90", 0),							 /* the file ends */
	};
	char err[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int fd = file_of(rows[i].code, rows[i].n);

		err[0] = '\0';
		if (uprobe__site(fd, 1, err, sizeof(err)) != rows[i].at)
			fail_msg("row %zu: %s", i, err);
		assert_int_equal(rows[i].at == 0, err[0] != '\0');
		close(fd);
	}
	assert_int_equal(uprobe__site(-1, UINT64_MAX, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "0xffffffffffffffff"));
}

/* The calls of one function only, and none that is cut off. */
static void test_calls(void **state)
{
	static const char code[] = "\x90\xe8\x0a\x00\x00\x00\xe8\x05\x00\x00\x00\xe8\x05\x00\x00\x00\xe8\xfb\xff\xff\xff\xe8\xf6\xff";
	const size_t n = sizeof(code) - 1;
	int fd = file_of(code, n);
	uint64_t sites[4];

	assert_int_equal(uprobe__calls(fd, 0, n, 16, sites, 4), 3); /* at 1 and 6, not 11, at 16 backwards, not at 21 */
	assert_int_equal(sites[0], 1);
	assert_int_equal(sites[1], 6);
	assert_int_equal(sites[2], 16);
	assert_int_equal(uprobe__calls(fd, 1, n - 1, 15, sites, 1), 1);
	assert_int_equal(uprobe__calls(fd, 1, 5, 15, sites, 4), 1);
	assert_int_equal(uprobe__calls(fd, 0, n + 1, 16, sites, 4), 0); /* the file ends before */
	assert_int_equal(uprobe__calls(fd, 0, 0, 16, sites, 4), 0);
	assert_int_equal(uprobe__calls(fd, 0, UINT64_MAX, 16, sites, 4), 0);
	close(fd);
}

/* This program itself: what lies at the offset is the function. */
static void test_own_symbols(void **state)
{
	struct elf_symbol y[] = {{.name = "uprobe__site"}, {.name = "no_such_function_anywhere"}, {.name = "elf_symbols__find"}};
	int fd = open("/proc/self/exe", O_RDONLY);
	unsigned char code[16];

	assert_int_equal(elf_symbols__find(fd, y, 3), 2);
	assert_int_equal(y[1].address, 0);
	assert_int_equal(pread(fd, code, sizeof(code), (off_t)y[0].offset), sizeof(code));
	assert_memory_equal(code, (const void *)uprobe__site, sizeof(code));
	assert_int_equal(pread(fd, code, sizeof(code), (off_t)y[2].offset), sizeof(code));
	assert_memory_equal(code, (const void *)elf_symbols__find, sizeof(code));
	assert_true(y[0].size > 0);
	close(fd);
}

/* A stripped Go program in little: two functions, named in .gopclntab alone. */
struct stripped {
	Elf64_Ehdr head;
	Elf64_Phdr load;
	Elf64_Shdr sections[4]; /* none, .text, .gopclntab, names */
	char names[64];
	uint32_t magic;
	uint8_t zeros[2], one, pointer;
	uint64_t words[8]; /* nfunc, nfiles, textStart, names, cu, files, pc, functions */
	char functions[32];
	uint32_t table[5]; /* entry, func; entry, func; end */
	uint32_t funcs[2][2]; /* entry, name */
	unsigned char text[64];
};

static struct stripped stripped__make(uint64_t start)
{
	const size_t tab = offsetof(struct stripped, magic);
	struct stripped s = {
		.head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT}, .e_type = ET_EXEC,
			 .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_phoff = offsetof(struct stripped, load),
			 .e_shoff = offsetof(struct stripped, sections), .e_ehsize = sizeof(Elf64_Ehdr),
			 .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1, .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 4, .e_shstrndx = 3},
		.load = {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = offsetof(struct stripped, text), .p_vaddr = 0x401000,
			 .p_filesz = 64, .p_memsz = 64},
		.names = "\0.text\0.gopclntab\0.shstrtab",
		.magic = 0xfffffff1,
		.one = 1,
		.pointer = 8,
		.words = {2, 0, start, offsetof(struct stripped, functions) - tab, offsetof(struct stripped, table) - tab, 0, 0,
			  offsetof(struct stripped, table) - tab},
		.functions = "my.runtime.send\0runtime.send",
		.table = {0, 20, 16, 28, 64},
		.funcs = {{0, 0}, {16, 16}},
	};

	s.sections[1] = (Elf64_Shdr){.sh_name = 1, .sh_type = SHT_PROGBITS, .sh_addr = 0x401000, .sh_offset = s.load.p_offset, .sh_size = 64};
	s.sections[2] = (Elf64_Shdr){.sh_name = 7, .sh_type = SHT_PROGBITS, .sh_offset = tab, .sh_size = offsetof(struct stripped, text) - tab};
	s.sections[3] = (Elf64_Shdr){.sh_name = 18, .sh_type = SHT_STRTAB, .sh_offset = offsetof(struct stripped, names), .sh_size = 64};
	return s;
}

static void test_gopclntab(void **state)
{
	static const uint64_t starts[] = {0x401000, 0}; /* up to 1.25, and from 1.26 on */

	for (size_t i = 0; i < 2; i++) {
		struct stripped s = stripped__make(starts[i]);
		struct elf_symbol y = {.name = "runtime.send"};
		int fd = file_of(&s, sizeof(s));

		assert_int_equal(elf_symbols__find(fd, &y, 1), 1);
		assert_int_equal(y.address, 0x401010);
		assert_int_equal(y.offset, offsetof(struct stripped, text) + 16);
		assert_int_equal(y.size, 48);
		close(fd);
	}
}

/* Cut anywhere, and with any byte of it wrong: an answer, and no byte beyond. */
static void test_damaged(void **state)
{
	struct stripped s = stripped__make(0x401000);
	struct elf_symbol y = {.name = "runtime.send"};

	for (size_t n = 0; n < sizeof(s); n++) {
		int fd = file_of(&s, n);

		assert_true(elf_symbols__find(fd, &y, 1) <= 1);
		close(fd);
	}
	for (size_t i = 0; i < offsetof(struct stripped, text); i++) {
		struct stripped bad = s;
		int fd;

		((unsigned char *)&bad)[i] ^= 0xff;
		fd = file_of(&bad, sizeof(bad));
		assert_true(elf_symbols__find(fd, &y, 1) <= 1);
		close(fd);
	}
	assert_true(elf_symbols__find(-1, &y, 1) < 0);
}

/* Nothing is attached where something is missing, and the reason names it. */
static void test_try(void **state)
{
	struct uprobe_point v[] = {{.symbol = "no_such_function_anywhere"}, {.symbol = "uprobe__site"}};
	char err[512] = "";

	assert_int_equal(uprobes__try("/proc/self/exe", v, 2, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "no_such_function_anywhere"));
	assert_null(uprobes__attach(1, "/nonexistent", v, 1, err, sizeof(err)));
	assert_non_null(strstr(err, "/nonexistent"));
}

/* Lengths of instructions as GNU as makes them. */
static void test_lengths(void **state)
{
	static const char *const rows[] = {
		"\x55", "\x41\x54", "\xf3\x0f\x1e\xfa", "\x48\x89\xc3", "\x48\x85\xc0", "\x74\x02", "\xe8\x11\x22\x33\x44",
		"\x0f\x84\x11\x22\x33\x44", "\x48\x8b\x05\xcd\x6f\x52\x11", "\x48\x83\xec\x08", "\xff\x25\xcc\x6f\x52\x11",
		"\x66\x0f\x1f\x44\x11\x11", "\x48\xc7\x43\x20\x11\x11\x11\x11", "\xc7\x44\x24\x08\x11\x11\x11\x11",
		"\x64\x48\x8b\x1c\x25\xe8\xff\xff\xff", "\x66\x48\x0f\x6e\xc2", "\x66\x0f\x6c\xc1", "\x0f\x11\x43\xf0",
		"\x48\xb8\x11\x22\x33\x44\x55\x66\x77\x11", "\xb8\x11\x22\x33\x44", "\x66\xb8\x11\x22", "\xf6\xc2\x01",
		"\xf7\xd8", "\x66\xf7\xc2\x01\x11", "\x48\x81\xec\x11\x11\x11\x11", "\xc2\x11\x11", "\x42\x8b\x84\xa3\x11\x11\x11\x11",
		"\x66\x0f\x3a\x0f\xc1\x08", "\x66\x0f\x38\x11\xc1", "\x66\x48\x8d\x3d\xc4\x68\x2a\x11", "\x66\x66\x48\xe8\x11\x22\x33\x44",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const unsigned char *p = (const unsigned char *)rows[i];
		size_t n = strlen(rows[i]);

		if (code__length(p, n) != n)
			fail_msg("row %zu: %zu of %zu", i, code__length(p, n), n);
		for (size_t less = 0; less < n; less++) /* cut */
			if (code__length(p, less))
				fail_msg("row %zu: %zu of its %zu bytes are enough", i, less, n);
	}
	assert_int_equal(code__length((const unsigned char *)"\xc5\xf8\x77", 3), 0); /* VEX */
	assert_int_equal(code__length((const unsigned char *)"\x06", 1), 0);
}

/* A python3 of this machine: its version as it says itself, and places in its code at which a probe is cheap. */
static void test_python(void **state)
{
	struct uprobe_point v[8];
	struct ws_python p = {0};
	char err[256] = "", said[16] = "";
	unsigned char code[2];
	int in[2], out[2], fd;
	size_t n;
	pid_t pid;

	assert_int_equal(pipe(in) | pipe(out), 0);
	pid = fork();
	if (!pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		execl("/usr/bin/python3", "python3", "-S", "-c", "import sys; print(sys.version_info[1], flush=True); sys.stdin.read()", NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	assert_true(read(out[0], said, sizeof(said) - 1) > 0);
	assert_int_equal(python__find((uint32_t)pid, &p), atoi(said));
	assert_true(p.context_type && p.interpreter && p.context);
	n = python__points((uint32_t)pid, v, 8, err, sizeof(err));
	assert_string_equal(err, "");
	assert_in_range(n, 2, 8);
	fd = open(v[0].path, O_RDONLY);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(pread(fd, code, 2, (off_t)v[i].offset), 2);
		if (strcmp(v[i].symbol, "python__passed"))
			assert_true((code[0] & 0xfe) == 0x74 || (code[0] == 0x0f && (code[1] & 0xfe) == 0x84)); /* je, jne */
		else
			assert_int_equal(code[0], 0xe8);
	}
	close(fd);
	assert_int_equal(python__points((uint32_t)getpid(), v, 8, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "PyContext_CopyCurrent"));
	close(in[1]);
	close(out[0]);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sites), cmocka_unit_test(test_calls), cmocka_unit_test(test_own_symbols), cmocka_unit_test(test_gopclntab),
		cmocka_unit_test(test_damaged), cmocka_unit_test(test_try), cmocka_unit_test(test_lengths), cmocka_unit_test(test_python),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
