// SPDX-License-Identifier: Apache-2.0
#include "attach/hotspot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attach/elf_symbols.h"
#include "attach/mapped.h"

#define ENTRIES_MAX 16384
#define STRING_MAX 64

/* What libjvm exports about its tables. */
enum { STRUCTS, STRIDE, TYPE, NAME, TYPE_STRING, OFFSET, ADDRESS, TYPES, TYPES_STRIDE, TYPES_NAME, TYPES_SIZE, EXPORTS };

static const char *const exports[EXPORTS] = {
	[STRUCTS] = "gHotSpotVMStructs",
	[STRIDE] = "gHotSpotVMStructEntryArrayStride",
	[TYPE] = "gHotSpotVMStructEntryTypeNameOffset",
	[NAME] = "gHotSpotVMStructEntryFieldNameOffset",
	[TYPE_STRING] = "gHotSpotVMStructEntryTypeStringOffset",
	[OFFSET] = "gHotSpotVMStructEntryOffsetOffset",
	[ADDRESS] = "gHotSpotVMStructEntryAddressOffset",
	[TYPES] = "gHotSpotVMTypes",
	[TYPES_STRIDE] = "gHotSpotVMTypeEntryArrayStride",
	[TYPES_NAME] = "gHotSpotVMTypeEntryTypeNameOffset",
	[TYPES_SIZE] = "gHotSpotVMTypeEntrySizeOffset",
};

bool hotspot__read(const struct hotspot *h, uint64_t at, void *to, size_t n)
{
	return at && pread(h->memory, to, n, (off_t)at) == (ssize_t)n;
}

uint64_t hotspot__word(const struct hotspot *h, uint64_t at)
{
	uint64_t v;

	return hotspot__read(h, at, &v, sizeof(v)) ? v : 0;
}

uint32_t hotspot__half(const struct hotspot *h, uint64_t at)
{
	uint32_t v;

	return hotspot__read(h, at, &v, sizeof(v)) ? v : 0;
}

bool hotspot__string(const struct hotspot *h, uint64_t at, char *to, size_t size)
{
	ssize_t n = at ? pread(h->memory, to, size - 1, (off_t)at) : -1;

	if (n <= 0)
		return false;
	to[n] = '\0';
	return true;
}

/* The library's own symbols; bias: what its addresses are moved by in the process. */
static int library__find(void *ctx, const char *path, uint64_t bias)
{
	uint64_t *addresses = ctx;
	struct elf_symbol y[EXPORTS];
	int fd = open(path, O_RDONLY | O_CLOEXEC), found;

	for (int i = 0; i < EXPORTS; i++)
		y[i] = (struct elf_symbol){.name = exports[i]};
	found = fd < 0 ? -errno : elf_symbols__find(fd, y, EXPORTS);
	if (fd >= 0)
		close(fd);
	for (int i = 0; found == EXPORTS && i < EXPORTS; i++)
		addresses[i] = bias + y[i].address;
	return found == EXPORTS;
}

static void field__fill(const struct hotspot *h, const uint64_t *x, uint64_t entry, struct hotspot_field *f)
{
	char text[STRING_MAX] = "";
	uint64_t address = hotspot__word(h, entry + x[ADDRESS]);

	hotspot__string(h, hotspot__word(h, entry + x[TYPE_STRING]), text, sizeof(text));
	f->handle = !strcmp(text, "OopHandle");
	f->at = address ? address : hotspot__word(h, entry + x[OFFSET]);
	f->found = true;
}

/* x: the exports, those of strides and offsets already read. */
static void structs__find(const struct hotspot *h, const uint64_t *x, struct hotspot_field *v, size_t n)
{
	uint64_t entry = x[STRUCTS];

	for (int i = 0; i < ENTRIES_MAX; i++, entry += x[STRIDE]) {
		uint64_t type_at = hotspot__word(h, entry + x[TYPE]);
		char type[STRING_MAX], name[STRING_MAX] = "";

		if (!type_at || !hotspot__string(h, type_at, type, sizeof(type)))
			break;
		for (size_t k = 0; k < n; k++) {
			if (v[k].found || strcmp(v[k].type, type))
				continue;
			if (!name[0] && !hotspot__string(h, hotspot__word(h, entry + x[NAME]), name, sizeof(name)))
				break;
			if (!strcmp(v[k].name, name))
				field__fill(h, x, entry, &v[k]);
		}
	}
}

static void types__find(struct hotspot *h, const uint64_t *x)
{
	uint64_t entry = x[TYPES], at;
	char type[STRING_MAX];

	for (int i = 0; i < ENTRIES_MAX && (!h->constant_pool || !h->flag); i++, entry += x[TYPES_STRIDE]) {
		at = hotspot__word(h, entry + x[TYPES_NAME]);
		if (!at || !hotspot__string(h, at, type, sizeof(type)))
			break;
		if (!strcmp(type, "ConstantPool"))
			h->constant_pool = hotspot__word(h, entry + x[TYPES_SIZE]);
		else if (!strcmp(type, "JVMFlag"))
			h->flag = hotspot__word(h, entry + x[TYPES_SIZE]);
	}
}

int hotspot__open(struct hotspot *h, uint32_t pid, struct hotspot_field *v, size_t n)
{
	uint64_t x[EXPORTS];
	char path[32];

	*h = (struct hotspot){.memory = -1};
	if (!mapped__each(pid, "libjvm", library__find, x))
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/%u/mem", pid);
	h->memory = open(path, O_RDONLY | O_CLOEXEC);
	if (h->memory < 0)
		return -errno;
	for (int i = 0; i < EXPORTS; i++)
		x[i] = hotspot__word(h, x[i]);
	structs__find(h, x, v, n);
	types__find(h, x);
	return 0;
}

void hotspot__close(struct hotspot *h)
{
	if (h->memory >= 0)
		close(h->memory);
	h->memory = -1;
}
