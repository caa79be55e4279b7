/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_symbols.h - where functions of a program lie in its file: from .symtab, .dynsym, or, where both
 * have been stripped, from Go's own table of functions (.gopclntab). Foreign files are read through
 * small windows with every bound checked; nothing is mapped.
 */
#ifndef ATTACH_ELF_SYMBOLS_H
#define ATTACH_ELF_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SYMBOLS_MAX 16

struct elf_symbol {
	const char *name;
	bool prefix; /* of the symbol's name, which then goes on: the first one that begins so */
	uint64_t address; /* virtual, as linked; of thread-local storage: offset in it; 0: not found */
	uint64_t offset;  /* in the file; 0: data, or not found */
	uint64_t size;	  /* of the function's code; 0: not known */
};

/* Fills in what is found of v[n], n <= ELF_SYMBOLS_MAX. The number found, or -errno: no 64-bit ELF file, or it cannot be read. */
int elf_symbols__find(int fd, struct elf_symbol *v, size_t n);
/* Likewise, of the file at `path`. */
int elf_symbols__of(const char *path, struct elf_symbol *v, size_t n);

#endif
