// SPDX-License-Identifier: Apache-2.0
/*
 * python_points.c - where CPython, and extensions that run its loops, are probed. Contract: python.h.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attach/code.h"
#include "attach/elf_symbols.h"
#include "attach/mapped.h"
#include "attach/methods.h"
#include "attach/python.h"
#include "attach/runtime_table.h"
#include "attach/uprobe.h"

#define FUNCTION_MAX 512 /* bytes of a function that are looked at */
#define WINDOW 6	 /* instructions */
#define BRANCHES_MAX 16	 /* of one function */

/* Functions in C of extensions: part of the path of their file, what Python calls them, the program of bpf/, what happens there. */
static const struct method {
	const char *file, *name, *program, *is;
} methods[] = {
	{PYTHON_UVLOOP, "write", "python__writes", "a transport of uvloop is written to"},
	{PYTHON_UVLOOP, "writelines", "python__writes", "a transport of uvloop is written to"},
	{"/_queue.", "put", "python__puts", "a pool of threads is given work"},
};

struct sites {
	struct uprobe_point *v;
	size_t n, max;
	const char *path; /* of the file that is looked at */
	const struct method *method;
	bool found; /* CPython itself */
	bool tells_memory; /* one whose objects are passed on to tracemalloc only: 3.8 */
};

/* Conditional branches of a function: where they are, and where they lead. */
struct branches {
	uint64_t at[BRANCHES_MAX], to[BRANCHES_MAX];
	unsigned n;
};

static void sites__add(struct sites *s, const char *program, uint64_t offset)
{
	struct uprobe_point *v;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].offset == offset && !strcmp(s->v[i].path, s->path))
			return;
	if (s->n == s->max || strlen(s->path) >= sizeof(v->path))
		return;
	v = &s->v[s->n++];
	*v = (struct uprobe_point){.symbol = program, .offset = offset};
	strcpy(v->path, s->path);
}

static bool code__is(const unsigned char *p, const char *bytes, size_t n)
{
	return !memcmp(p, bytes, n);
}

/* mov %rax,%r64 */
static bool code__keeps_result(const unsigned char *p)
{
	return (p[0] & 0xfe) == 0x48 && p[1] == 0x89 && (p[2] & 0xf8) == 0xc0;
}

static bool code__jcc(const unsigned char *p)
{
	return (p[0] & 0xf0) == 0x70 || (p[0] == 0x0f && (p[1] & 0xf0) == 0x80);
}

/* mov %r64,%rdi, of a register that calls preserve. */
static bool code__passes(const unsigned char *p)
{
	return (code__is(p, "\x48\x89", 2) && (p[2] == 0xdf || p[2] == 0xef)) || /* rbx, rbp */
	       (code__is(p, "\x4c\x89", 2) && p[2] >= 0xe7 && (p[2] & 0xc7) == 0xc7);
}

/* Addresses count from the start of the function. */
static void branches__add(struct branches *b, uint64_t at, const unsigned char *p, size_t step)
{
	int32_t to = (signed char)p[1];

	if (*p == 0x0f)
		memcpy(&to, p + 2, sizeof(to));
	if (b->n == BRANCHES_MAX)
		return;
	b->at[b->n] = at;
	b->to[b->n++] = at + step + (uint64_t)(int64_t)to;
}

/* The first that leads there; UINT64_MAX: none. */
static uint64_t branches__to(const struct branches *b, uint64_t to)
{
	for (unsigned i = 0; i < b->n; i++)
		if (b->to[i] == to)
			return b->at[i];
	return UINT64_MAX;
}

/*
 * What is passed on to the call at `call` by the instruction at `move`. In 3.8 only where tracemalloc is on; the branch that
 * asks for that is met always.
 */
static void sites__passed(struct sites *s, uint64_t offset, uint64_t call, uint64_t move, bool in_rbx, const struct branches *b)
{
	uint64_t branch = s->tells_memory ? branches__to(b, move) : UINT64_MAX;

	if (branch == UINT64_MAX)
		sites__add(s, "python__passed", offset + call);
	else if (in_rbx)
		sites__add(s, "python__in_rbx", offset + branch);
}

/*
 * A context is made by a call whose result is tested ("call; mov %rax,%rbx; test %rax,%rax; je"), or taken from
 * the list of free ones and passed on ("mov %rbx,%rdi; ...; call _Py_NewReference"). Both the je and that call
 * are emulated. Not the call that gets the current context, of which the next reads ctx_vars.
 *
 * size 0: not known; then until it returns. Where the function ends in a jump, that is followed once.
 */
static void sites__find(struct sites *s, int fd, uint64_t offset, uint64_t size, bool follow)
{
	unsigned char code[FUNCTION_MAX + CODE_LENGTH_MAX] = {0};
	size_t at = 0, step, called = 0, passed = 0, count = 0, end = size && size < FUNCTION_MAX ? size : FUNCTION_MAX;
	uint64_t moved = 0;
	bool tested = false, in_rbx = false;
	struct branches branches = {.n = 0};

	if (offset > INT64_MAX || pread(fd, code, end, (off_t)offset) <= 0)
		return;
	for (; at < end && (step = code__length(code + at, end - at)); at += step) {
		const unsigned char *p = code + at;

		count++;
		if (called && tested && count == called + 1 && code__jcc(p) && !code__is(p + step, "\x48\x8b\x78\x18", 4))
			sites__add(s, "python__returned", offset + at);
		if (code__jcc(p))
			branches__add(&branches, at, p, step);
		if (*p == 0xe8 && passed && count - passed < WINDOW)
			sites__passed(s, offset, at, moved, in_rbx, &branches);
		if (called && (code__keeps_result(p) || code__is(p, "\x48\x85\xc0", 3)) && count == called + 1) {
			tested = p[1] == 0x85;
			called = count;
		} else {
			called = *p == 0xe8 ? count : 0;
			tested = false;
		}
		if (code__passes(p)) {
			passed = count;
			moved = at;
			in_rbx = code__is(p, "\x48\x89\xdf", 3);
		} else if (*p == 0xe8) {
			passed = 0;
		}
		if (*p == 0xe9 && follow) {
			int32_t to;

			memcpy(&to, p + 1, sizeof(to));
			if (to < -(int64_t)(at + step) || (size && (int64_t)(at + step) + to >= (int64_t)size))
				sites__find(s, fd, offset + at + step + (uint64_t)(int64_t)to, 0, false);
		}
		if (!size && (*p == 0xc3 || *p == 0xe9 || *p == 0xeb))
			return;
	}
}

static int file__contexts(void *ctx, const char *path, uint64_t bias)
{
	struct elf_symbol y[] = {{.name = "PyContext_CopyCurrent"}, {.name = "PyContext_New"}, {.name = "PyModule_AddType"}};
	struct sites *s = ctx;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	s->path = path;
	s->found = elf_symbols__find(fd, y, 3) > 0 && y[0].offset && y[1].offset;
	s->tells_memory = !y[2].offset;
	for (size_t i = 0; i < 2 && s->found; i++)
		sites__find(s, fd, y[i].offset, y[i].size, true);
	close(fd);
	return s->found;
}

static int file__methods(void *ctx, const char *path, uint64_t bias)
{
	struct sites *s = ctx;
	uint64_t v[POINTS_MAX], at;
	char why[128];
	int fd = strstr(path, s->method->file) ? open(path, O_RDONLY | O_CLOEXEC) : -1; /* not the executable */

	if (fd < 0)
		return 0;
	s->path = path;
	for (size_t i = 0, n = methods__find(fd, s->method->name, v, POINTS_MAX); i < n; i++) {
		at = uprobe__site(fd, v[i], why, sizeof(why));
		if (at)
			sites__add(s, s->method->program, at);
	}
	close(fd);
	return 0;
}

size_t python__points(uint32_t pid, struct uprobe_point *v, size_t max, char *err, size_t err_size)
{
	struct sites s = {.v = v, .max = max};

	mapped__each(pid, "python", file__contexts, &s);
	if (!s.n)
		snprintf(err, err_size, s.found ? "it is not seen where contexts are made" : "PyContext_CopyCurrent: no such function");
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		s.method = &methods[i];
		mapped__each(pid, methods[i].file, file__methods, &s);
	}
	return s.n;
}

const char *python__point_is(const char *program)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (!strcmp(program, methods[i].program))
			return methods[i].is;
	return "a context is made";
}
