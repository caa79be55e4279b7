// SPDX-License-Identifier: Apache-2.0
/*
 * python.c - CPython by its symbols: _PyRuntime is in the executable or in a library that it maps. The
 * offsets are those of the headers of each version (Include/internal/pycore_runtime.h, pycore_interp.h,
 * cpython/pystate.h); should a build differ, no thread is found by its id, and nothing is told.
 */
#include "attach/python.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attach/elf_symbols.h"
#include "attach/mapped.h"

/* The newest first: each is told by something that it exports and its predecessors do not. */
static const struct version {
	int minor;
	const char *sign;
	uint16_t interpreter; /* _PyRuntimeState.interpreters.main */
	uint16_t threads;     /* PyInterpreterState.threads.head */
	uint16_t next, thread_id, context; /* PyThreadState */
	uint16_t frame, held; /* its frame, or its cframe; _PyCFrame.current_frame, plus 1 */
	uint16_t previous, locals; /* _PyInterpreterFrame (internal/pycore_frame.h); until 3.10 PyFrameObject */
} versions[] = {
	{14, "PyUnicodeWriter_Create", 0, 0, 0, 0, 0, 0, 0, 0, 0}, /* not looked at */
	{13, "PyDict_Pop", 640, 7344, 8, 152, 208, 72, 0, 8, 72},
	{12, "PyErr_GetRaisedException", 48, 72, 8, 136, 208, 56, 1, 8, 72},
	{11, "Py_Version", 48, 16, 8, 152, 224, 56, 9, 48, 72},
	{10, "PyModule_AddObjectRef", 40, 8, 8, 176, 240, 24, 0, 24, 352},
	{9, "PyModule_AddType", 40, 8, 8, 176, 240, 24, 0, 24, 360},
	{8, "PyConfig_InitPythonConfig", 40, 8, 8, 176, 240, 24, 0, 24, 360},
};
#define VERSIONS (sizeof(versions) / sizeof(*versions))

/* Does the file have it? bias: what its addresses are moved by in the process. */
static int file__find(void *ctx, const char *path, uint64_t bias)
{
	struct ws_python *p = ctx;
	struct elf_symbol y[2 + VERSIONS] = {{.name = "_PyRuntime"}, {.name = "PyContext_Type"}};
	uint64_t moved;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr head = {0};
	size_t i = 0;

	if (fd < 0)
		return 0;
	for (i = 0; i < VERSIONS; i++)
		y[2 + i].name = versions[i].sign;
	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) || elf_symbols__find(fd, y, 2 + VERSIONS) <= 0)
		y[0].address = 0;
	close(fd);
	for (i = 0; i < VERSIONS && !y[2 + i].address; i++)
		;
	if (!y[0].address || i == VERSIONS || !versions[i].context)
		return 0;
	moved = head.e_type == ET_DYN ? bias : 0;
	*p = (struct ws_python){
		.interpreter = y[0].address + moved + versions[i].interpreter,
		.threads = versions[i].threads,
		.next = versions[i].next,
		.thread_id = versions[i].thread_id,
		.context = versions[i].context,
		.frame = versions[i].frame,
		.held = versions[i].held,
		.previous = versions[i].previous,
		.locals = versions[i].locals,
		.context_type = y[1].address ? y[1].address + moved : 0,
	};
	return versions[i].minor;
}

static int file__is_uvloop(void *ctx, const char *path, uint64_t bias)
{
	return strstr(path, PYTHON_UVLOOP) != NULL;
}

int python__find(uint32_t pid, struct ws_python *p)
{
	int minor = mapped__each(pid, "python", file__find, p);

	if (minor)
		p->sends_later = mapped__each(pid, PYTHON_UVLOOP, file__is_uvloop, NULL);
	return minor;
}
