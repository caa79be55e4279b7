// SPDX-License-Identifier: Apache-2.0
#include "attach/language.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "attach/elf_symbols.h"
#include "attach/mapped.h"
#include "meta/golang.h"

static const struct language go = {"go", "go", "goroutine"}, native = {"native", "c", "thread"};

/* The first that is found: who embeds another one is what it exports itself. */
static const struct {
	const char *symbol;
	const char *library; /* part of the name of the file that may have it besides the program; or NULL */
	struct language language;
} rows[] = {
	{"node_module_register", "libnode", {"nodejs", "nodejs", "event-loop", "Node.js",
	  "one event loop: reads, replies and connect() of the turn; calls of promises and callbacks of sockets",
	  "calls that timers, setImmediate, the thread pool's callbacks or an Agent's queue send: its callbacks are not\n"
	  "     followed, for it is not built as Node.js 18 to 24 for x86-64 is"}},
	{"napi_module_register", NULL, {"javascript", "webjs", "event-loop", "Bun or Deno"}},
	{"JNI_CreateJavaVM", "libjvm", {"openjdk", "java", "thread", "Java"}},
	{"pypy_main_startup", "libpypy", {"pypy", "python", "thread", "PyPy"}},
	{"Py_Main", "libpython", {"cpython", "python", "thread", "CPython"}},
	{"ruby_init", "libruby", {"ruby", "ruby", "thread", "Ruby", "threads", "fibers"}},
	{"php_module_startup", "libphp", {"php", "php", "thread", "PHP"}},
	{"coreclr_initialize", "libcoreclr", {"dotnet", "dotnet", "thread", ".NET"}},
	{"enif_alloc", NULL, {"beam", "erlang", "thread", "Erlang"}},
	{"ngx_cycle", NULL, {"native", "c", "event-loop", "nginx"}},
	{"aeMain", NULL, {"native", "c", "event-loop", "Redis or Valkey"}},
	{"run_poll_loop", NULL, {"native", "c", "event-loop", "HAProxy"}},
};
#define ROWS (sizeof(rows) / sizeof(*rows))
_Static_assert(ROWS <= ELF_SYMBOLS_MAX, "one look at a file must do");

/* Of a mapped file; the first is the program, /proc/PID/exe. */
static int file__tells(void *ctx, const char *path, uint64_t bias)
{
	const struct language **found = ctx;
	const char *name = strrchr(path, '/') + 1;
	struct elf_symbol y[ROWS] = {0};
	bool program = !strcmp(name, "exe"), wanted = program;

	for (size_t i = 0; i < ROWS; i++) {
		y[i].name = rows[i].symbol;
		wanted |= rows[i].library && strstr(name, rows[i].library);
	}
	if (!wanted || elf_symbols__of(path, y, ROWS) <= 0)
		return 0;
	for (size_t i = 0; i < ROWS && !*found; i++)
		if (y[i].address && (program || (rows[i].library && strstr(name, rows[i].library))))
			*found = &rows[i].language;
	return *found != NULL;
}

const struct language *language__of(uint32_t pid)
{
	const struct language *found = NULL;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	if (golang__is_go(golang__minor(path)))
		return &go;
	mapped__each(pid, "lib", file__tells, &found);
	return found ? found : &native;
}
