// SPDX-License-Identifier: Apache-2.0
/* uprobe.c - finds the places, attaches. Contract: uprobe.h. */
#include "attach/uprobe.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/code.h"
#include "attach/elf_symbols.h"

#define CODE_MAX 64 /* as far as we look into a function for its first probe */
#define CALLER_MAX 65536
#define CALLS_MAX 4 /* of one function in another */
#define SITES_MAX 32
#define CALL 0xe8 /* near, relative: arch/x86/kernel/uprobes.c emulates it, as below */
#define CALL_LENGTH 5

struct uprobes {
	size_t n;
	struct bpf_link *links[SITES_MAX];
};

/* Instructions that stand before the one we want and leave the arguments alone; x86-64. */
static const struct {
	unsigned char n, length;
	unsigned char bytes[4];
} passed[] = {
	{4, 4, {0xf3, 0x0f, 0x1e, 0xfa}}, /* endbr64 */
	{4, 4, {0x49, 0x3b, 0x66, 0x10}}, /* cmp 0x10(%r14),%rsp: Go's check of the stack */
	{4, 4, {0x4d, 0x3b, 0x66, 0x10}}, /* cmp 0x10(%r14),%r12 */
	{4, 5, {0x4c, 0x8d, 0x64, 0x24}}, /* lea d8(%rsp),%r12 */
	{4, 8, {0x4c, 0x8d, 0xa4, 0x24}}, /* lea d32(%rsp),%r12 */
	{3, 4, {0x48, 0x83, 0xec}},	  /* sub d8,%rsp */
	{3, 7, {0x48, 0x81, 0xec}},	  /* sub d32,%rsp */
	{4, 4, {0x48, 0x89, 0x2c, 0x24}}, /* mov %rbp,(%rsp) */
	{4, 5, {0x48, 0x89, 0x6c, 0x24}}, /* mov %rbp,d8(%rsp) */
	{4, 4, {0x48, 0x8d, 0x2c, 0x24}}, /* lea (%rsp),%rbp */
	{4, 5, {0x48, 0x8d, 0x6c, 0x24}}, /* lea d8(%rsp),%rbp */
	{2, 7, {0x80, 0x3d}},		  /* cmpb d8,d32(%rip): Go's write barrier */
	{2, 7, {0x83, 0x3d}},		  /* cmpl d8,d32(%rip) */
	{4, 4, {0x48, 0x8b, 0x5e, 0xff}}, /* mov -1(%rsi),%rbx: V8's EnqueueMicrotask; no argument is looked at */
	{4, 4, {0x48, 0x8b, 0x5b, 0x1f}}, /* mov 31(%rbx),%rbx */
	{3, 7, {0x48, 0x8b, 0xb3}},	  /* mov d32(%rbx),%rsi */
	{3, 3, {0x48, 0x85, 0xf6}},	  /* test %rsi,%rsi */
	{4, 4, {0x48, 0x83, 0xfe, 0x00}}, /* cmp $0,%rsi */
};

/* arch/x86/kernel/uprobes.c: branch_setup_ops() and push_setup_ops(). */
static bool code__is_emulated(const unsigned char *p)
{
	if ((p[0] & 0xf8) == 0x50 || (p[0] == 0x41 && (p[1] & 0xf8) == 0x50) || p[0] == 0x90)
		return true; /* push, nop */
	return (p[0] & 0xf0) == 0x70 || (p[0] == 0x0f && (p[1] & 0xf0) == 0x80); /* jcc */
}

static size_t code__passed(const unsigned char *p)
{
	for (size_t i = 0; i < sizeof(passed) / sizeof(*passed); i++)
		if (!memcmp(p, passed[i].bytes, passed[i].n))
			return passed[i].length;
	return 0;
}

uint64_t uprobe__site(int fd, uint64_t offset, char *err, size_t err_size)
{
	unsigned char code[CODE_MAX + 8] = {0};
	size_t at = 0, step;

	if (offset > INT64_MAX || pread(fd, code, CODE_MAX, (off_t)offset) <= 0) {
		snprintf(err, err_size, "offset %#llx cannot be read", (unsigned long long)offset);
		return 0;
	}
	for (; at < CODE_MAX - 8; at += step) {
		if (code__is_emulated(code + at))
			return offset + at;
		step = code__passed(code + at);
		if (!step)
			break;
	}
	snprintf(err, err_size, "instruction %02x %02x %02x at %#llx would be single-stepped, which costs 9 us", code[at],
		 code[at + 1], code[at + 2], (unsigned long long)(offset + at));
	return 0;
}

size_t uprobe__calls(int fd, uint64_t offset, uint64_t size, int64_t ahead, uint64_t *sites, size_t room)
{
	unsigned char *code = size && size <= CALLER_MAX ? malloc(size) : NULL;
	size_t found = 0;
	int32_t to;

	if (code && offset <= INT64_MAX && pread(fd, code, size, (off_t)offset) == (ssize_t)size)
		for (uint64_t i = 0, n; i + CALL_LENGTH <= size && found < room; i += n ? n : 1) {
			n = code__length(code + i, size - i);
			memcpy(&to, code + i + 1, sizeof(to));
			if (code[i] == CALL && (int64_t)(i + CALL_LENGTH) + to == ahead)
				sites[found++] = offset + i;
		}
	free(code);
	return found;
}

/* Where the probes of some points are. */
struct sites {
	size_t n;
	struct {
		uint64_t offset;
		size_t point;
	} v[SITES_MAX];
};

static void sites__add(struct sites *s, size_t point, uint64_t offset)
{
	if (s->n == SITES_MAX)
		return;
	s->v[s->n].offset = offset;
	s->v[s->n++].point = point;
}

/* symbols: the point's own, and those of its callers. false: with the reason. */
static bool point__sites(int fd, struct uprobe_point *v, size_t point, const struct elf_symbol *symbols, struct sites *s,
			 char *why, size_t why_size)
{
	uint64_t site = 0, calls[CALLS_MAX];
	size_t first = s->n, n;

	snprintf(why, why_size, "%s: no such function", v->symbol);
	if (!symbols->offset)
		return false;
	if (!v->callers[0]) {
		site = uprobe__site(fd, symbols->offset, why, why_size);
		if (site)
			sites__add(s, point, site);
		v->address = symbols->address + (site - symbols->offset);
		return site != 0;
	}
	for (size_t i = 1; i <= UPROBE_CALLERS && v->callers[i - 1]; i++) {
		n = symbols[i].offset ? uprobe__calls(fd, symbols[i].offset, symbols[i].size,
						      (int64_t)(symbols->address - symbols[i].address), calls, CALLS_MAX) :
					0;
		if (s->n == first && n)
			v->address = symbols[i].address + (calls[0] - symbols[i].offset);
		for (size_t k = 0; k < n; k++)
			sites__add(s, point, calls[k]);
		snprintf(why, why_size, "%s: %s does not call it", v->symbol, v->callers[i - 1]);
		if (!n)
			return false;
	}
	return true;
}

static int uprobes__sites(const char *path, struct uprobe_point *v, size_t n, struct sites *s, char *err, size_t err_size)
{
	struct elf_symbol symbols[ELF_SYMBOLS_MAX];
	size_t first[ELF_SYMBOLS_MAX], wanted = 0, named = 0, i;
	char why[128] = "";
	int fd, rc;

	*s = (struct sites){0};
	for (i = 0; i < n && wanted + 1 + UPROBE_CALLERS <= ELF_SYMBOLS_MAX; i++) {
		first[i] = wanted;
		named += !v[i].offset;
		symbols[wanted++] = (struct elf_symbol){.name = v[i].symbol};
		for (size_t k = 0; k < UPROBE_CALLERS && v[i].callers[k]; k++)
			symbols[wanted++] = (struct elf_symbol){.name = v[i].callers[k]};
	}
	if (i < n) {
		snprintf(err, err_size, "\"%s\": %s", path, strerror(EINVAL));
		return -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		snprintf(err, err_size, "\"%s\": %s", path, strerror(errno));
		return -1;
	}
	rc = named ? elf_symbols__find(fd, symbols, wanted) : 0;
	if (rc < 0)
		snprintf(err, err_size, "\"%s\": %s", path, strerror(-rc));
	for (i = 0; rc >= 0 && i < n; i++) {
		if (v[i].offset) {
			sites__add(s, i, v[i].offset);
		} else if (!point__sites(fd, &v[i], i, &symbols[first[i]], s, why, sizeof(why))) {
			snprintf(err, err_size, "\"%s\": %s", path, why);
			rc = -1;
		}
	}
	close(fd);
	return rc < 0 ? -1 : 0;
}

int uprobes__try(const char *path, struct uprobe_point *v, size_t n, char *err, size_t err_size)
{
	struct sites s;

	return uprobes__sites(path, v, n, &s, err, err_size);
}

struct uprobes *uprobes__attach(uint32_t pid, const char *path, struct uprobe_point *v, size_t n, char *err,
				size_t err_size)
{
	struct uprobes *u;
	struct sites s;

	if (uprobes__sites(path, v, n, &s, err, err_size))
		return NULL;
	u = calloc(1, sizeof(*u));
	for (size_t i = 0; u && i < s.n; i++) {
		const struct uprobe_point *p = &v[s.v[i].point];

		u->links[i] = bpf_program__attach_uprobe(p->program, false, (pid_t)pid, p->path[0] ? p->path : path, s.v[i].offset);
		if (!u->links[i]) {
			snprintf(err, err_size, "%s of process %u: %s", p->symbol, pid, strerror(errno));
			uprobes__free(u);
			return NULL;
		}
		u->n++;
	}
	return u;
}

void uprobes__free(struct uprobes *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->n; i++)
		bpf_link__destroy(u->links[i]);
	free(u);
}

static void *uprobes__free_apart(void *u)
{
	uprobes__free(u);
	return NULL;
}

void uprobes__abandon(struct uprobes *u)
{
	pthread_t thread;

	if (u && pthread_create(&thread, NULL, uprobes__free_apart, u))
		uprobes__free(u);
	else if (u)
		pthread_detach(thread);
}
