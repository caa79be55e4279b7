/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_file.h - programs of other people through libelf, which believes what a file says of its own size:
 * one with holes may claim terabytes of section names, headers or symbols, and would be read into memory.
 */
#ifndef META_ELF_FILE_H
#define META_ELF_FILE_H

#include <gelf.h>

/* A 64-bit ELF file whose tables of headers are of a size that programs have; NULL: it is none. fd is borrowed. */
Elf *elf_file__begin(int fd);
/* "" where it has none that may be read. */
const char *elf_file__section_name(Elf *elf, const GElf_Shdr *section);

#endif
