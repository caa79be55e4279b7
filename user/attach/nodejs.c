// SPDX-License-Identifier: Apache-2.0
/*
 * nodejs.c - Node.js by its symbols, which it exports for addons, in the executable or in libnode. Two offsets
 * within node::Environment differ from version to version; they are read from the code of functions that use
 * them (x86-64): AsyncHooksGetExecutionAsyncId() loads the id that runs,
 *
 *   mov  fields(%env),%rax;  ...;  movsd (%rax),%xmm0
 *
 * and the constructor of InternalCallbackScope counts the scopes that are open: addq $1,depth(%env).
 *
 * V8's functions for promises are local symbols, which a stripped program has not got. Their arguments are looked
 * for where they are called: at the first instruction that the kernel emulates, which may be a jump that 22 and 24 have
 * before their push. A reaction's function is called behind
 *
 *   cmp  %rbx,undefined(%r13);  je;  push
 */
#include "attach/nodejs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attach/code.h"
#include "attach/elf_symbols.h"
#include "attach/mapped.h"
#include "attach/uprobe.h"

#define CODE_MAX 1024
#define OFFSET_MAX 65536 /* an Environment is smaller */

enum { GET_ID, SCOPE, PUSH, PUSH_22, SYMBOLS };

static const char *const names[SYMBOLS] = {
	[GET_ID] = "_ZN4node29AsyncHooksGetExecutionAsyncIdEPN2v87IsolateE",
	[SCOPE] = "_ZN4node21InternalCallbackScopeC1EPNS_9AsyncWrapEi",
	[PUSH] = "_ZN4node10AsyncHooks18push_async_contextEddN2v85LocalINS1_6ObjectEEE",
	[PUSH_22] = "_ZN4node10AsyncHooks18push_async_contextEddPN2v85LocalINS1_6ObjectEEE",
};

/*
 * The displacement of an instruction with REX.W, this opcode and register or extension, and a memory operand
 * disp32(base), Intel SDM volume 2, 2.1.5; 0: it is another one. *length: of all that.
 */
static uint32_t code__displacement(const unsigned char *p, unsigned opcode, unsigned reg, size_t *length)
{
	bool sib = (p[2] & 7) == 4;
	uint32_t v;

	if ((p[0] & 0xfe) != 0x48 || p[1] != opcode || p[2] >> 6 != 2 || (p[2] >> 3 & 7) != reg)
		return 0;
	if (sib && p[3] != 0x24) /* no index */
		return 0;
	memcpy(&v, p + 3 + sib, sizeof(v));
	*length = 7 + sib;
	return v < OFFSET_MAX ? v : 0;
}

static uint32_t code__fields(const unsigned char *code, size_t n)
{
	uint32_t last = 0, v;
	size_t length;

	for (size_t i = 0; i + 16 < n; i++) {
		v = code__displacement(code + i, 0x8b, 0, &length); /* mov disp32(base),%rax */
		if (v)
			last = v;
		if (last && !memcmp(code + i, "\xf2\x0f\x10\x00", 4)) /* movsd (%rax),%xmm0 */
			return last;
	}
	return 0;
}

static uint32_t code__depth(const unsigned char *code, size_t n)
{
	uint32_t v;
	size_t length;

	for (size_t i = 0; i + 16 < n; i++) {
		v = code__displacement(code + i, 0x83, 0, &length); /* addq $imm8,disp32(base) */
		if (v && code[i + length] == 1)
			return v;
	}
	return 0;
}

#define AHEAD_MAX 40 /* bytes, of the entries of V8's functions */

static bool code__is_push(const unsigned char *p)
{
	return p[0] >= 0x50 && p[0] <= 0x57;
}

/* Where in the code of V8's function the kernel emulates an instruction that it comes by; below 0: nowhere. */
static int code__entry(const unsigned char *code, size_t n)
{
	size_t step;

	for (size_t i = 0; i < AHEAD_MAX && i + 16 < n; i += step) {
		if (code__is_push(code + i) || code[i] == 0x75 || (code[i] == 0x0f && code[i + 1] == 0x85)) /* jne */
			return (int)i;
		step = code__length(code + i, n - i);
		if (!step)
			break;
	}
	return -1;
}

/* Where it is about to call the function in rbx. */
static int code__calls(const unsigned char *code, size_t n)
{
	static const unsigned char compare[] = {0x49, 0x39, 0x9d}; /* cmp %rbx,disp32(%r13) */
	size_t at;

	for (size_t i = 0; i < AHEAD_MAX && i + 16 < n; i++) {
		if (memcmp(code + i, compare, sizeof(compare)))
			continue;
		at = i + 7 + (code[i + 7] == 0x74 ? 2 : code[i + 7] == 0x0f && code[i + 8] == 0x84 ? 6 : 0);
		return at > i + 7 && code__is_push(code + at) ? (int)at : -1;
	}
	return -1;
}

static const struct {
	const char *symbol, *program;
	int (*find)(const unsigned char *code, size_t n);
} promises[NODEJS_PROMISES] = {
	{"Builtins_PerformPromiseThen", "node__await", code__entry},
	{"Builtins_PromisePrototypeThen", "node__then", code__entry},
	{"Builtins_PromiseFulfillReactionJob", "node__resume", code__calls},
	{"Builtins_PromiseAllResolveElementClosure", "node__all", code__entry},
	{"Builtins_PromiseAllSettledResolveElementClosure", "node__all", code__entry},
	{"_ZN2v88internal18ScavengerCollector14CollectGarbageEv", "node__scavenge", code__entry},
	{"_ZN2v88internal20MarkCompactCollector14CollectGarbageEv", "node__compact", code__entry},
};

const char *nodejs__promise_program(unsigned i)
{
	return promises[i].program;
}

static void file__find_promises(int fd, uint64_t offsets[NODEJS_PROMISES])
{
	struct elf_symbol y[NODEJS_PROMISES] = {{0}};
	unsigned char code[AHEAD_MAX + 32];

	for (int i = 0; i < NODEJS_PROMISES; i++)
		y[i].name = promises[i].symbol;
	if (elf_symbols__find(fd, y, NODEJS_PROMISES) < 0)
		return;
	for (int i = NODEJS_PROMISES - 1; i >= 0; i--) {
		ssize_t n = y[i].offset ? pread(fd, code, sizeof(code), (off_t)y[i].offset) : 0;
		int at = n > 0 ? promises[i].find(code, (size_t)n) : -1;

		/* All or none: the first stands for them. */
		offsets[0] = 0;
		if (at < 0)
			return;
		offsets[i] = y[i].offset + (uint64_t)at;
	}
}

static uint32_t function__offset(int fd, const struct elf_symbol *y, uint32_t (*find)(const unsigned char *, size_t))
{
	unsigned char code[CODE_MAX];
	size_t want = y->size && y->size < CODE_MAX ? y->size : CODE_MAX;
	ssize_t n = y->offset ? pread(fd, code, want, (off_t)y->offset) : 0;

	return n > 0 ? find(code, (size_t)n) : 0;
}

static int file__find(void *ctx, const char *path, uint64_t bias)
{
	struct elf_symbol y[SYMBOLS] = {{0}}, push;
	char why[128];
	struct nodejs *n = ctx;
	int fd = open(path, O_RDONLY | O_CLOEXEC), found;

	for (int i = 0; i < SYMBOLS; i++)
		y[i].name = names[i];
	found = fd < 0 ? 0 : elf_symbols__find(fd, y, SYMBOLS);
	if (found > 0) {
		n->node.fields = function__offset(fd, &y[GET_ID], code__fields);
		n->node.depth = function__offset(fd, &y[SCOPE], code__depth);
	}
	push = y[y[PUSH].offset ? PUSH : PUSH_22];
	if (found > 0 && push.offset)
		n->offset = uprobe__site(fd, push.offset, why, sizeof(why));
	if (n->offset)
		file__find_promises(fd, n->promises);
	if (fd >= 0)
		close(fd);
	if (found <= 0 || !n->node.fields || !n->node.depth || !n->offset)
		return 0;
	n->symbol = push.name;
	snprintf(n->path, sizeof(n->path), "%s", path);
	return 1;
}

bool nodejs__find(uint32_t pid, struct nodejs *n)
{
	*n = (struct nodejs){0};
#if defined(__x86_64__)
	return mapped__each(pid, "node", file__find, n) > 0;
#else
	return false;
#endif
}
