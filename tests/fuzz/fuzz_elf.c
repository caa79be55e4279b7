/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_elf.c - libFuzzer: any bytes as a program's file, for whoever reads such files. A new reader is a row. */
#include <stdlib.h>

#include "attach/elf_symbols.h"
#include "memory_file.h"
#include "meta/golang.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct memory_file file;

static void read__golang(const char *path)
{
	unsigned offset = golang__goid_offset(golang__minor(path));

	/* An offset that is one of Go's, or none. */
	if (offset && offset != 152 && offset != 160)
		abort();
}

static void read__symbols(const char *path)
{
	struct elf_symbol v[] = {{.name = "runtime.runqput"}, {.name = "main"}, {.name = "a"}};
	int found = elf_symbols__find(file.fd, v, 3), n = 0;

	for (int i = 0; i < 3; i++)
		n += v[i].address || v[i].offset;
	if (found >= 0 ? found != n : n)
		abort();
}

static void (*const readers[])(const char *path) = {
	read__golang,
	read__symbols,
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	memory_file__open(&file);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memory_file__fill(&file, data, size);
	for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++)
		readers[i](file.path);
	return 0;
}
