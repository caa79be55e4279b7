// SPDX-License-Identifier: Apache-2.0
/*
 * elf_symbols.c - names to addresses. Both kinds of table keep their names in a region of their own, so
 * first the names are looked for there, then the entries that refer to them.
 *
 * .gopclntab: debug/gosym and runtime/symtab.go of Go's library (pcHeader, functab, _func), the format
 * of Go 1.18 and later. Contract: elf_symbols.h.
 */
#include "attach/elf_symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "meta/elf_file.h"

#define WINDOW (64u << 10)
#define NAME_MAX_LEN 256 /* of those that are asked for */
#define READ_MAX (512ull << 20) /* bytes of one file, all in all: a hostile one may refer to the same place from everywhere */
#define PLACES_MAX 64	 /* where the names occur, for a name may be the end of another one */

#define GO_MAGIC_118 0xfffffff0u
#define GO_MAGIC_120 0xfffffff1u

/* A region of the file, read front to back. */
struct window {
	int fd;
	uint64_t at, size; /* of the region */
	uint64_t from;	   /* of what buf holds, in the region */
	size_t n;
	uint64_t *left; /* of READ_MAX */
	unsigned char buf[WINDOW];
};

struct places {
	size_t n;
	struct { uint64_t at; size_t symbol; } v[PLACES_MAX];
};

struct search {
	int fd;
	Elf *elf;
	struct elf_symbol *v;
	size_t n, found;
	struct places places;
	uint64_t left;
	struct window a, b;
};

static void window__set(struct window *w, int fd, uint64_t at, uint64_t size)
{
	w->fd = fd;
	w->at = at;
	w->size = at < INT64_MAX && size < INT64_MAX - at ? size : 0;
	w->from = 0;
	w->n = 0;
}

/* n bytes at `at` of the region; NULL where it, or the file, ends before. */
static const void *window__read(struct window *w, uint64_t at, size_t n)
{
	ssize_t got;

	if (at > w->size || n > w->size - at || n > WINDOW)
		return NULL;
	if (at < w->from || at - w->from > w->n || n > w->n - (at - w->from)) {
		got = *w->left < WINDOW ? 0 :
		      pread(w->fd, w->buf, w->size - at < WINDOW ? w->size - at : WINDOW, (off_t)(w->at + at));
		*w->left -= got > 0 ? (uint64_t)got : 0;
		w->from = at;
		w->n = got > 0 ? (size_t)got : 0;
	}
	return n <= w->n - (at - w->from) ? w->buf + (at - w->from) : NULL;
}

static uint32_t word32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* All ends of strings in the region that are one of the names. */
static void places__find(struct search *s, uint64_t at, uint64_t size)
{
	struct window *w = &s->a;
	uint64_t pos = 0;

	s->places.n = 0;
	window__set(w, s->fd, at, size);
	while (pos < w->size) {
		size_t n = w->size - pos < WINDOW ? (size_t)(w->size - pos) : WINDOW;
		const char *p = window__read(w, pos, n);

		if (!p)
			return;
		for (size_t i = 0; i < s->n; i++) {
			size_t len = strlen(s->v[i].name) + !s->v[i].prefix;
			const char *hit = p;

			while ((hit = memmem(hit, n - (size_t)(hit - p), s->v[i].name, len)) && s->places.n < PLACES_MAX) {
				s->places.v[s->places.n].at = pos + (uint64_t)(hit - p);
				s->places.v[s->places.n++].symbol = i;
				hit++;
			}
		}
		pos += n > NAME_MAX_LEN ? n - NAME_MAX_LEN : n; /* a name may lie across the border */
	}
}

static struct elf_symbol *places__symbol(struct search *s, uint64_t at)
{
	for (size_t i = 0; i < s->places.n; i++)
		if (s->places.v[i].at == at)
			return &s->v[s->places.v[i].symbol];
	return NULL;
}

/* The file offset of a virtual address that is executable; 0: there is none. */
static uint64_t search__offset(const struct search *s, uint64_t address)
{
	GElf_Phdr ph;
	size_t count;

	if (elf_getphdrnum(s->elf, &count))
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getphdr(s->elf, (int)i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X))
			continue;
		if (address >= ph.p_vaddr && address - ph.p_vaddr < ph.p_filesz)
			return ph.p_offset + (address - ph.p_vaddr);
	}
	return 0;
}

static void search__found(struct search *s, struct elf_symbol *y, uint64_t address, uint64_t size, bool code)
{
	uint64_t offset = y && !y->address && code ? search__offset(s, address) : 0;

	if (!y || !address || y->address || (code && !offset))
		return;
	y->address = address;
	y->offset = offset;
	y->size = size;
	s->found++;
}

/* .symtab or .dynsym, whose names lie in the section that it links to. */
static void search__symbols(struct search *s, const GElf_Shdr *table)
{
	Elf_Scn *names = elf_getscn(s->elf, table->sh_link);
	GElf_Shdr strings;

	if (!names || !gelf_getshdr(names, &strings) || strings.sh_type != SHT_STRTAB)
		return;
	places__find(s, strings.sh_offset, strings.sh_size);
	window__set(&s->b, s->fd, table->sh_offset, s->places.n ? table->sh_size : 0);
	for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= s->b.size && s->found < s->n; at += sizeof(Elf64_Sym)) {
		const void *p = window__read(&s->b, at, sizeof(Elf64_Sym));
		Elf64_Sym y;

		if (!p)
			return;
		memcpy(&y, p, sizeof(y));
		if (y.st_shndx != SHN_UNDEF && (ELF64_ST_TYPE(y.st_info) == STT_FUNC || ELF64_ST_TYPE(y.st_info) == STT_OBJECT ||
						ELF64_ST_TYPE(y.st_info) == STT_TLS))
			search__found(s, places__symbol(s, y.st_name), y.st_value, y.st_size,
				      ELF64_ST_TYPE(y.st_info) == STT_FUNC);
	}
}

/* pcHeader: magic, two zeros, 1, size of a pointer; then words: nfunc, nfiles, textStart, names, cu, files, pc, functions. */
static void search__gopclntab(struct search *s, const GElf_Shdr *table, uint64_t text)
{
	uint64_t head[9], names, functions, start, count;
	const unsigned char *p;

	window__set(&s->b, s->fd, table->sh_offset, table->sh_size);
	p = window__read(&s->b, 0, sizeof(head));
	if (!p || (word32(p) != GO_MAGIC_118 && word32(p) != GO_MAGIC_120) || p[4] || p[5] || p[6] != 1 || p[7] != 8)
		return;
	memcpy(head, p, sizeof(head));
	count = head[1];
	start = head[3] ? head[3] : text; /* it is left to the loader from 1.26 on, and where code may lie anywhere */
	names = head[4];
	functions = head[8];
	if (names > table->sh_size || head[5] < names || head[5] > table->sh_size || functions > table->sh_size)
		return;
	places__find(s, table->sh_offset + names, head[5] - names);
	window__set(&s->a, s->fd, table->sh_offset + functions, table->sh_size - functions);
	window__set(&s->b, s->fd, table->sh_offset + functions, table->sh_size - functions);
	/* Two words for each function: where it is, after `start`; where its _func is, which begins with that again and the name. */
	for (uint64_t i = 0; i < count && s->found < s->n; i++) {
		uint32_t entry, func, next; /* functab ends with an entry that is an end only */

		if (!(p = window__read(&s->a, i * 8, 12)))
			return;
		entry = word32(p);
		func = word32(p + 4);
		next = word32(p + 8);
		if (!(p = window__read(&s->b, func, 8)) || word32(p) != entry)
			return;
		search__found(s, places__symbol(s, word32(p + 4)), start + entry, next > entry ? next - entry : 0,
			      true);
	}
}

static void search__sections(struct search *s)
{
	GElf_Shdr sh, go = {0};
	Elf_Scn *scn = NULL;
	uint64_t text = 0;
	const char *name;

	while ((scn = elf_nextscn(s->elf, scn)) && s->found < s->n) {
		if (!gelf_getshdr(scn, &sh) || sh.sh_type == SHT_NOBITS)
			continue;
		if (sh.sh_type == SHT_SYMTAB || sh.sh_type == SHT_DYNSYM)
			search__symbols(s, &sh);
		name = elf_file__section_name(s->elf, &sh);
		if (!strcmp(name, ".text"))
			text = sh.sh_addr;
		else if (!strcmp(name, ".gopclntab") || !strcmp(name, ".data.rel.ro.gopclntab"))
			go = sh;
	}
	if (go.sh_size && s->found < s->n)
		search__gopclntab(s, &go, text);
}

int elf_symbols__find(int fd, struct elf_symbol *v, size_t n)
{
	struct search *s;
	int rc = -ENOEXEC;

	for (size_t i = 0; i < n; i++) {
		v[i].address = v[i].offset = 0;
		if (n > ELF_SYMBOLS_MAX || strlen(v[i].name) >= NAME_MAX_LEN)
			return -EINVAL;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct search){.fd = fd, .v = v, .n = n, .left = READ_MAX};
	s->a.left = s->b.left = &s->left;
	s->elf = elf_file__begin(fd);
	if (s->elf) {
		search__sections(s);
		rc = (int)s->found;
	}
	elf_end(s->elf);
	free(s);
	return rc;
}

int elf_symbols__of(const char *path, struct elf_symbol *v, size_t n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	rc = elf_symbols__find(fd, v, n);
	close(fd);
	return rc;
}
