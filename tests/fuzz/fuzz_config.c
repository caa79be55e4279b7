/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_config.c - libFuzzer: what people and the kernel tell the agent as text. Byte 0 says which way
 * it takes, the rest is the text; a new way is a row of ways[].
 *
 *   environment     lines "NAME=value" -> the OTEL_* settings
 *   command line    arguments, each ended by a line's end, the first one the subcommand; after 0xff
 *                   the environment, after another 0xff the configuration file, which is FILE -> main()
 *   process         files of /proc/PID, one after the other, each after 0xff and the number of its
 *                   name in files[]; JSON is what every file of a container's runtime holds -> the
 *                   resource of a process
 *   cgroup          /proc/self/mountinfo, 0xff, /proc/self/cgroup -> the hierarchy of a folder
 *
 * Files are not where they seem to be: open(), fopen(), readlink() and stat() are ours (--wrap, fuzz.mk).
 */
#include <fcntl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/agent.h"
#include "attach/cgroup.h"
#include "export/export.h"
#include "memory_file.h"
#include "meta/meta.h"
#include "agent/reload.h"
#include "util/cursor.h"

#define PID 4000042 /* nobody's */
#define PROC "/proc/4000042/"
#define SELF "/proc/self/"
#define FOLDER "/sys/fs/cgroup/fuzz"
#define JSON ".json"
#define FILE_NAME "/proc/self/config" /* --config: as FILE names it */
#define WORDS_MAX 32

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int wirespan__main(int argc, char **argv);

/* By their names below /proc/PID or /proc/self. A new reader's file is a row. */
static struct {
	const char *name;
	struct slice text; /* p NULL: it is not there */
	struct memory_file file;
} files[] = {{.name = "cmdline"}, {.name = "environ"}, {.name = "exe"}, {.name = "stat"}, {.name = "cgroup"}, {.name = "mountinfo"},
	     {.name = "config"}, {.name = JSON}};

#define FILES (sizeof(files) / sizeof(*files))
#define CONFIG (FILES - 2)

/* The file that is meant by a path, or -1: somebody else's. */
static int file__of(const char *path)
{
	const size_t length = strlen(path), suffix = sizeof(JSON) - 1;
	const size_t n = strncmp(path, PROC, sizeof(PROC) - 1) == 0 ? sizeof(PROC) - 1 :
			 strncmp(path, SELF, sizeof(SELF) - 1) == 0 ? sizeof(SELF) - 1 : 0;

	for (size_t i = 0; n && i < FILES; i++)
		if (strcmp(path + n, files[i].name) == 0)
			return (int)i;
	return length > suffix && strcmp(path + length - suffix, JSON) == 0 ? (int)FILES - 1 : -1;
}

/* The path where its text can really be read. */
static const char *file__place(const char *path)
{
	const int i = file__of(path);

	if (i < 0)
		return path;
	if (!files[i].text.p)
		return "/proc/self/no such file";
	memory_file__fill(&files[i].file, files[i].text.p, files[i].text.n);
	return files[i].file.path;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & (O_CREAT | __O_TMPFILE))
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return __real_open(file__place(path), flags, mode);
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
	return __real_fopen(file__place(path), mode);
}

ssize_t __real_readlink(const char *path, char *to, size_t size);
ssize_t __wrap_readlink(const char *path, char *to, size_t size);
ssize_t __wrap_readlink(const char *path, char *to, size_t size)
{
	const int i = file__of(path);

	if (i < 0)
		return __real_readlink(path, to, size);
	if (!files[i].text.p) {
		errno = ENOENT;
		return -1;
	}
	if (files[i].text.n < size)
		size = files[i].text.n;
	memcpy(to, files[i].text.p, size);
	return (ssize_t)size;
}

int __real_stat(const char *path, struct stat *st);
int __wrap_stat(const char *path, struct stat *st);
int __wrap_stat(const char *path, struct stat *st)
{
	if (strcmp(path, FOLDER))
		return __real_stat(path, st);
	*st = (struct stat){.st_mode = S_IFDIR, .st_dev = makedev(0, 35), .st_ino = 7};
	return 0;
}

/* In place of agent.c and doctor.c: the settings have been read, and are so again. */
int agent__run(const struct agent_config *cfg)
{
	struct agent a = {.cfg = *cfg};
	const struct selection *s = &a.cfg.selection;

	a.chooser = (struct chooser *)&a; /* there is one, as far as reload asks: nothing is attached that it would choose for */
	if (a.cfg.reload)
		reload__run(&a);

	if (s->n_pids > SELECT_MAX || s->n_comms > SELECT_MAX || s->n_ports > SELECT_MAX || s->n_cgroups > SELECT_MAX ||
	    s->n_exes > SELECT_MAX)
		abort();
	return 0;
}

int doctor__run(FILE *out)
{
	return 0;
}

/* Cuts text, which ends with NUL, at every `stop`; at most WORDS_MAX. */
static int words__cut(char *text, char stop, char *words[WORDS_MAX + 1])
{
	int n = 0;

	for (char *at = text; at && n < WORDS_MAX; n++) {
		words[n] = at;
		at = strchr(at, stop);
		if (at)
			*at++ = '\0';
	}
	words[n] = NULL;
	return n;
}

static void run__environment(char *text, size_t n)
{
	static char *words[WORDS_MAX + 1];
	char **before = environ, err[256] = "";
	struct export_settings s;
	int r;

	words__cut(text, '\n', words);
	environ = words;
	r = export_settings__from_env(&s, err, sizeof(err));
	environ = before;
	if (!r != !err[0] || (!r && (!s.max_queue || !s.max_batch || s.max_batch > s.max_queue)))
		abort();
	export_settings__free(&s);
}

/* The part up to the next 0xff, which becomes NUL; *rest: what comes after it, or NULL. */
static char *part__next(char **rest)
{
	char *part = *rest;

	*rest = part ? strchr(part, 0xff) : NULL;
	if (*rest)
		*(*rest)++ = '\0';
	return part;
}

static void run__command_line(char *text, size_t n)
{
	static char *none[1], *variables[WORDS_MAX + 1];
	char *words[WORDS_MAX + 2] = {(char *)"wirespan"}, *rest = text, **before = environ;
	int argc = 1 + words__cut(part__next(&rest), '\n', words + 1), status;
	char *settings = part__next(&rest);

	environ = none;
	if (settings && words__cut(settings, '\n', variables))
		environ = variables;
	files[CONFIG].text = (struct slice){rest, rest ? n - (size_t)(rest - text) : 0};
	for (int i = 1; i < argc; i++)
		if (!strcmp(words[i], "--config=FILE"))
			words[i] = (char *)"--config=" FILE_NAME;
	status = wirespan__main(argc, words);
	environ = before;
	if (status < 0 || status > 2)
		abort();
}

static void files__set(char *text, size_t n)
{
	struct cursor c = cursor__of((struct slice){text, n});

	for (size_t i = 0; i < FILES; i++)
		files[i].text.p = NULL;
	while (cursor__left(&c)) {
		unsigned which = cursor__u8(&c) % FILES;
		struct slice rest = {(const char *)c.p, cursor__left(&c)};

		files[which].text = cursor__bytes(&c, slice__find(rest, (char)0xff));
		if (!files[which].text.p)
			files[which].text.p = "";
		cursor__u8(&c);
	}
}

static void run__process(char *text, size_t n)
{
	static char saved[8192];
	struct process *p;
	struct meta *m;
	size_t used;

	files__set(text, n);
	m = meta__new(true);
	p = meta__process(m, PID);
	if (!p->service[0] || p->resource.n > ATTRS_MAX || p->resource.used > ATTRS_BYTES)
		abort();
	/* A recording tells the same. */
	used = process__save(p, saved, sizeof(saved));
	meta__load(m, PID, (struct slice){saved, used});
	meta__free(m);
}

static void run__cgroup(char *text, size_t n)
{
	char err[256];
	uint32_t hierarchy;
	uint64_t id;

	files__set(text, n);
	cgroup__find(FOLDER, &hierarchy, &id, err, sizeof(err));
}

static void (*const ways[])(char *text, size_t n) = {run__environment, run__command_line, run__process, run__cgroup};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	for (size_t i = 0; i < FILES; i++)
		memory_file__open(&files[i].file);
	if (!freopen("/dev/null", "w", stdout))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size || !(text = malloc(size)))
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	ways[data[0] % (sizeof(ways) / sizeof(*ways))](text, size - 1);
	free(text);
	return 0;
}
