// SPDX-License-Identifier: Apache-2.0
/* elf_file.c - see elf_file.h. Extended numbering (ELF gABI, "ELF Header": counts in section 0) is for object files. */
#include "meta/elf_file.h"

#include <string.h>
#include <unistd.h>

#define NAMES_MAX (1u << 20)

Elf *elf_file__begin(int fd)
{
	Elf64_Ehdr h;
	Elf *elf;

	if (pread(fd, &h, sizeof(h), 0) != sizeof(h) || memcmp(h.e_ident, ELFMAG, SELFMAG) ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_phnum == PN_XNUM || (h.e_shoff && !h.e_shnum) ||
	    h.e_shnum >= SHN_LORESERVE)
		return NULL;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF && gelf_getclass(elf) == ELFCLASS64)
		return elf;
	elf_end(elf);
	return NULL;
}

const char *elf_file__section_name(Elf *elf, const GElf_Shdr *section)
{
	GElf_Shdr names;
	const char *name;
	Elf_Scn *scn;
	size_t at;

	if (elf_getshdrstrndx(elf, &at) || !(scn = elf_getscn(elf, at)) || !gelf_getshdr(scn, &names) ||
	    names.sh_type != SHT_STRTAB || names.sh_size > NAMES_MAX || names.sh_flags & SHF_COMPRESSED)
		return "";
	name = elf_strptr(elf, at, section->sh_name);
	return name ? name : "";
}
