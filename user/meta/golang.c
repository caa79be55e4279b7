/* SPDX-License-Identifier: Apache-2.0 */
/*
 * golang.c - Go's version from .go.buildinfo, which `strip` leaves in place.
 *
 * Format: debug/buildinfo of Go's library. 16-byte aligned "\xff Go buildinf:", the size of a pointer,
 * flags; from 1.18 on (flag 2) the version follows at 32 as length (varint) and text, before that
 * there is a pointer to a string at 16. Contract: golang.h.
 */
#include "meta/golang.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "meta/elf_file.h"

#define MAGIC "\xff Go buildinf:"
#define HEADER 32
#define SEARCH (64 << 10) /* as far as Go's own reader looks into the data segment */

struct binary {
	int fd;
	Elf *elf;
};

#define NEWEST 26 /* that was looked at */

/* offsetof(struct g, goid), runtime/runtime2.go; 64-bit systems. A guess would read some other word. */
unsigned golang__goid_offset(int minor)
{
	if (minor <= 0 || minor > NEWEST)
		return 0;
	return minor == 23 || minor == 24 ? 160 : 152;
}

/* offsetof(struct m, curg): gobuf, of which m holds one before it, lost its field `ret` in 1.25. */
unsigned golang__curg_offset(int minor)
{
	if (minor < 19 || minor > NEWEST) /* the register ABI, and what was looked at */
		return 0;
	return minor >= 25 ? 184 : 192;
}

/* It got a timer in 1.23. */
unsigned golang__recvx_offset(int minor)
{
	return minor >= 23 ? 56 : 48;
}

static int minor__of_version(const char *v)
{
	const char *p = strstr(v, "go1.");
	unsigned long minor = p && p[4] >= '0' && p[4] <= '9' ? strtoul(p + 4, NULL, 10) : 0;

	return minor && minor < 10000 ? (int)minor : GOLANG_UNTOLD;
}

static bool file__read(int fd, void *to, size_t n, uint64_t at)
{
	return at < INT64_MAX && pread(fd, to, n, (off_t)at) == (ssize_t)n;
}

/* Reads n bytes at a virtual address. */
static bool binary__read(const struct binary *b, void *to, size_t n, uint64_t addr)
{
	GElf_Phdr ph;
	size_t i, count;

	if (elf_getphdrnum(b->elf, &count))
		return false;
	for (i = 0; i < count; i++) {
		if (!gelf_getphdr(b->elf, (int)i, &ph) || ph.p_type != PT_LOAD)
			continue;
		if (addr >= ph.p_vaddr && addr - ph.p_vaddr < ph.p_filesz && n <= ph.p_filesz - (addr - ph.p_vaddr))
			return file__read(b->fd, to, n, ph.p_offset + (addr - ph.p_vaddr));
	}
	return false;
}

static bool section__find(const struct binary *b, uint64_t *at)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	while ((scn = elf_nextscn(b->elf, scn))) {
		if (!gelf_getshdr(scn, &sh) || sh.sh_type == SHT_NOBITS)
			continue;
		if (strcmp(elf_file__section_name(b->elf, &sh), ".go.buildinfo") == 0) {
			*at = sh.sh_offset;
			return true;
		}
	}
	return false;
}

/* No section table: the build info lies near the start of the writable data. */
static bool segment__search(const struct binary *b, uint64_t *at)
{
	static unsigned char buf[SEARCH];
	GElf_Phdr ph;
	size_t i, k, count;
	ssize_t n;

	if (elf_getphdrnum(b->elf, &count))
		return false;
	for (i = 0; i < count; i++) {
		if (!gelf_getphdr(b->elf, (int)i, &ph) || ph.p_type != PT_LOAD ||
		    (ph.p_flags & (PF_X | PF_W)) != PF_W || ph.p_offset > INT64_MAX)
			continue;
		n = pread(b->fd, buf, sizeof(buf), (off_t)ph.p_offset);
		for (k = 0; n > 0 && k + HEADER <= (size_t)n; k += 16) {
			if (memcmp(buf + k, MAGIC, sizeof(MAGIC) - 1) == 0) {
				*at = ph.p_offset + k;
				return true;
			}
		}
		return false;
	}
	return false;
}

/* Up to 1.17: the header holds the address of a string header, {address, length}. */
static int version__by_pointer(const struct binary *b, const unsigned char *head)
{
	uint64_t at, string[2];
	char text[64] = "";

	memcpy(&at, head + 16, sizeof(at));
	if (!binary__read(b, string, sizeof(string), at) || string[1] == 0)
		return GOLANG_UNTOLD;
	if (!binary__read(b, text, string[1] < sizeof(text) ? string[1] : sizeof(text) - 1, string[0]))
		return GOLANG_UNTOLD;
	return minor__of_version(text);
}

static int binary__minor(const struct binary *b)
{
	unsigned char head[HEADER + 64 + 1] = {0};
	uint64_t at;

	if (!section__find(b, &at) && !segment__search(b, &at))
		return 0;
	/* A short read is fine: the rest stays 0. */
	if (at > INT64_MAX || pread(b->fd, head, sizeof(head) - 1, (off_t)at) < HEADER)
		return 0;
	if (memcmp(head, MAGIC, sizeof(MAGIC) - 1) || head[15] & 1) /* 1: big endian */
		return 0;
	if (!(head[15] & 2))
		return head[14] == 8 ? version__by_pointer(b, head) : 0;
	if (head[HEADER] == 0 || head[HEADER] >= 0x80) /* one byte of varint is enough for a version */
		return GOLANG_UNTOLD;
	if (head[HEADER] < 64)
		head[HEADER + 1 + head[HEADER]] = 0;
	return minor__of_version((char *)head + HEADER + 1);
}

int golang__minor(const char *path)
{
	struct binary b = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
	int rc = 0;

	if (b.fd < 0)
		return -errno;
	b.elf = elf_file__begin(b.fd);
	if (b.elf)
		rc = binary__minor(&b);
	elf_end(b.elf);
	close(b.fd);
	return rc;
}
