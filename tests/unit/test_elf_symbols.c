// SPDX-License-Identifier: Apache-2.0
/* test_elf_symbols.c - files made by hand: what a program's tables of functions say, and what a hostile one costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "attach/elf_symbols.h"
#include "meta/golang.h"

#define SECTIONS 64
#define HUGE (1ull << 40) /* of a file that takes no room */

struct file {
	Elf64_Ehdr head;
	Elf64_Phdr code;
	Elf64_Shdr sections[SECTIONS];
	char names[32];
	Elf64_Sym symbols[3];
};

static struct file file__of(uint64_t strings_size)
{
	struct file f = {
		.head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT}, .e_type = ET_EXEC,
			 .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_ehsize = sizeof(Elf64_Ehdr),
			 .e_phoff = offsetof(struct file, code), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1,
			 .e_shoff = offsetof(struct file, sections), .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = SECTIONS,
			 .e_shstrndx = 1},
		.code = {.p_type = PT_LOAD, .p_flags = PF_X, .p_vaddr = 0x1000, .p_filesz = 0x1000},
		.names = "\0other\0wanted\0unwanted",
		.symbols = {{0}, {.st_name = 7, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 0x1010, .st_size = 5},
			    {.st_name = 1, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 0x1020}},
	};

	f.sections[1] = (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = offsetof(struct file, names), .sh_size = strings_size};
	f.sections[2] = (Elf64_Shdr){.sh_type = SHT_SYMTAB, .sh_link = 1, .sh_offset = offsetof(struct file, symbols),
				     .sh_size = sizeof(f.symbols)};
	return f;
}

static int file__write(const struct file *f, uint64_t size)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_int_equal(pwrite(fd, f, sizeof(*f), 0), sizeof(*f));
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void test_symbols(void **state)
{
	struct elf_symbol v[] = {{.name = "wanted"}, {.name = "absent"}, {.name = "other"}};
	struct file f = file__of(sizeof(f.names));
	int fd = file__write(&f, sizeof(f));

	assert_int_equal(elf_symbols__find(fd, v, 3), 2);
	assert_int_equal(v[0].address, 0x1010);
	assert_int_equal(v[0].offset, 0x10);
	assert_int_equal(v[0].size, 5);
	assert_int_equal(v[1].address, 0);
	assert_int_equal(v[2].offset, 0x20);
	close(fd);
}

/* Address 0 is none: it is not found, and not twice. */
static void test_zero(void **state)
{
	struct elf_symbol v[] = {{.name = "wanted"}, {.name = "absent"}, {.name = "other"}};
	struct file f = file__of(sizeof(f.names));
	int fd;

	f.code.p_vaddr = 0;
	f.code.p_offset = 0x40;
	f.symbols[1].st_value = 0;
	f.symbols[2] = f.symbols[1];
	fd = file__write(&f, sizeof(f));
	assert_int_equal(elf_symbols__find(fd, v, 3), 0);
	assert_int_equal(v[0].offset, 0);
	close(fd);
}

/* Thread-local: an offset, which lies nowhere in the file. */
static void test_thread_local(void **state)
{
	struct elf_symbol v = {.name = "wanted"};
	struct file f = file__of(sizeof(f.names));
	int fd;

	f.symbols[1].st_info = STT_TLS;
	fd = file__write(&f, sizeof(f));
	assert_int_equal(elf_symbols__find(fd, &v, 1), 1);
	assert_int_equal(v.address, 0x1010);
	assert_int_equal(v.offset, 0);
	close(fd);
}

static uint64_t bytes_read(void)
{
	unsigned long long n = 0;
	FILE *f = fopen("/proc/self/io", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "rchar: %llu", &n), 1);
	fclose(f);
	return n;
}

/* Every section refers to the same terabyte of names: the agent has other things to do. */
static void test_hostile(void **state)
{
	struct elf_symbol v[] = {{.name = "absent"}};
	struct file f = file__of(HUGE);
	const struct rlimit memory = {1 << 30, 1 << 30}; /* who keeps a terabyte of it fails here, not the machine */
	uint64_t before;
	char path[32];
	int fd;

	assert_int_equal(setrlimit(RLIMIT_AS, &memory), 0);
	for (int i = 3; i < SECTIONS; i++)
		f.sections[i] = f.sections[2];
	fd = file__write(&f, HUGE + sizeof(f));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	before = bytes_read();
	assert_int_equal(elf_symbols__find(fd, v, 1), 0);
	assert_in_range(bytes_read() - before, 1 << 20, 600 << 20);
	/* Names that would fit into memory are none of a program, either. */
	f.sections[1].sh_size = 400 << 20;
	assert_int_equal(pwrite(fd, &f, sizeof(f), 0), sizeof(f));
	before = bytes_read();
	assert_int_equal(golang__minor(path), 0);
	assert_in_range(bytes_read() - before, 1, 1 << 20);
	close(fd);
	/* Counts that do not fit into the header, and so are anything. */
	f.head.e_shnum = 0;
	f.sections[0].sh_size = HUGE / sizeof(Elf64_Shdr);
	fd = file__write(&f, HUGE + sizeof(f));
	assert_int_equal(elf_symbols__find(fd, v, 1), -ENOEXEC);
	close(fd);
	f.head.e_shnum = SECTIONS;
	f.head.e_phnum = PN_XNUM;
	fd = file__write(&f, HUGE + sizeof(f));
	assert_int_equal(elf_symbols__find(fd, v, 1), -ENOEXEC);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_symbols), cmocka_unit_test(test_zero), cmocka_unit_test(test_thread_local),
					   cmocka_unit_test(test_hostile)};

	return cmocka_run_group_tests_name("elf_symbols", tests, NULL, NULL);
}
