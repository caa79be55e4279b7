// SPDX-License-Identifier: Apache-2.0
/*
 * methods.c - see methods.h. A row of a table is { name, function, flags, text }: where a pointer to the name lies, the
 * pointer behind it is the function. In a file that may be loaded anywhere both are told by relocations
 * (System V ABI, AMD64 supplement: R_X86_64_RELATIVE), or they lie there as they are (others, and those of SHT_RELR).
 */
#include "attach/methods.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "meta/elf_file.h"

#define SECTION_MAX (16u << 20) /* bytes of one that is looked at */
#define PLACES_MAX 64

#if defined(__x86_64__)
#define RELATIVE R_X86_64_RELATIVE
#else
#define RELATIVE R_AARCH64_RELATIVE
#endif

struct places {
	uint64_t v[PLACES_MAX];
	size_t n;
};

struct methods {
	int fd;
	Elf *elf;
	const char *name;
	struct places names; /* addresses of the name */
	struct places rows;  /* and of pointers to it */
	uint64_t *v;
	size_t n, max;
};

static void places__add(struct places *p, uint64_t at)
{
	if (p->n < PLACES_MAX)
		p->v[p->n++] = at;
}

static bool places__have(const struct places *p, uint64_t at)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i] == at)
			return true;
	return false;
}

static void methods__add(struct methods *m, uint64_t address)
{
	uint64_t at = 0;
	GElf_Phdr ph;
	size_t count;

	if (elf_getphdrnum(m->elf, &count))
		return;
	for (size_t i = 0; i < count && !at; i++)
		if (gelf_getphdr(m->elf, (int)i, &ph) && ph.p_type == PT_LOAD && ph.p_flags & PF_X && address >= ph.p_vaddr &&
		    address - ph.p_vaddr < ph.p_filesz)
			at = ph.p_offset + (address - ph.p_vaddr);
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i] == at)
			return;
	if (at && m->n < m->max)
		m->v[m->n++] = at;
}

/* Its bytes, to be freed; NULL: it has none that can be read. */
static unsigned char *section__read(const struct methods *m, const GElf_Shdr *s)
{
	unsigned char *p = s->sh_size && s->sh_size <= SECTION_MAX && s->sh_offset <= INT64_MAX ? malloc(s->sh_size) : NULL;

	if (p && pread(m->fd, p, s->sh_size, (off_t)s->sh_offset) == (ssize_t)s->sh_size)
		return p;
	free(p);
	return NULL;
}

/* One string may be the end of another one. */
static void section__names(struct methods *m, const GElf_Shdr *s, const unsigned char *p)
{
	const size_t length = strlen(m->name) + 1;
	const unsigned char *at = p;

	while ((at = memmem(at, s->sh_size - (size_t)(at - p), m->name, length))) {
		places__add(&m->names, s->sh_addr + (uint64_t)(at - p));
		at++;
	}
}

static void section__relocations(struct methods *m, const GElf_Shdr *s, const unsigned char *p)
{
	Elf64_Rela r;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i + sizeof(r) <= s->sh_size; i += sizeof(r)) {
			memcpy(&r, p + i, sizeof(r));
			if (ELF64_R_TYPE(r.r_info) != RELATIVE)
				continue;
			if (!pass && places__have(&m->names, (uint64_t)r.r_addend))
				places__add(&m->rows, r.r_offset);
			else if (pass && places__have(&m->rows, r.r_offset - sizeof(uint64_t)))
				methods__add(m, (uint64_t)r.r_addend);
		}
}

static void section__words(struct methods *m, const GElf_Shdr *s, const unsigned char *p)
{
	uint64_t w[2];

	for (size_t i = 0; i + sizeof(w) <= s->sh_size; i += sizeof(*w)) {
		memcpy(w, p + i, sizeof(w));
		if (w[0] && places__have(&m->names, w[0]))
			methods__add(m, w[1]);
	}
}

static void methods__each(struct methods *m, uint32_t type, uint64_t flags, uint64_t of,
			  void (*fn)(struct methods *m, const GElf_Shdr *s, const unsigned char *p))
{
	Elf_Scn *scn = NULL;
	unsigned char *p;
	GElf_Shdr s;

	while ((scn = elf_nextscn(m->elf, scn))) {
		if (!gelf_getshdr(scn, &s) || s.sh_type != type || (s.sh_flags & of) != flags || !(p = section__read(m, &s)))
			continue;
		fn(m, &s, p);
		free(p);
	}
}

size_t methods__find(int fd, const char *name, uint64_t *v, size_t max)
{
	struct methods m = {.fd = fd, .name = name, .v = v, .max = max, .elf = elf_file__begin(fd)};

	if (!m.elf)
		return 0;
	methods__each(&m, SHT_PROGBITS, SHF_ALLOC, SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR, section__names);
	if (m.names.n) {
		methods__each(&m, SHT_RELA, SHF_ALLOC, SHF_ALLOC, section__relocations);
		methods__each(&m, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, SHF_ALLOC | SHF_WRITE, section__words);
	}
	elf_end(m.elf);
	return m.n;
}
