// SPDX-License-Identifier: Apache-2.0
/*
 * meta.c - in: a pid; out: its resource. Attribute names: OpenTelemetry semantic conventions,
 * "service", "process", "host", "os", "telemetry". Command lines and environments are read, but
 * never exported: they hold secrets.
 */
#include "meta/meta.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "meta/golang.h"
#include "meta/service_name.h"
#include "util/cursor.h"
#include "util/log.h"
#include "util/table.h"
#include "util/text.h"

#define DELETED " (deleted)" /* what the kernel adds to the path of a program that was replaced */
#define PROC_FILE_MAX (128 * 1024)

struct meta {
	struct table by_pid;
	bool from_proc;
	bool told_newer_go;
	char host_name[256], host_id[64], boot_id[64];
	struct utsname uts;
	char *buf; /* PROC_FILE_MAX, for reading */
	void (*on_new)(void *ctx, struct process *p);
	void *on_new_ctx;
};

/* Keys of attribute lists are static; those that come from outside live here for good, each once. NULL: unfit, or no room. */
static const char *key__intern(struct slice key)
{
	static struct table keys;
	uint64_t h = hash__bytes(0, key.p, key.n);
	char *s = table__get(&keys, h);

	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] <= ' ' || key.p[i] > '~')
			return NULL;
	if (!key.n || s || keys.n >= 1024)
		return s;
	s = strndup(key.p, key.n);
	if (!s)
		abort();
	table__set(&keys, h, s);
	return s;
}

static struct slice file__read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t r;

	if (fd < 0)
		return (struct slice){"", 0};
	while (n < size && (r = read(fd, buf + n, size - n)) > 0)
		n += (size_t)r;
	close(fd);
	return (struct slice){buf, n};
}

static void file__line(const char *path, char *out, size_t size)
{
	struct slice s = file__read(path, out, size - 1);

	out[slice__find(s, '\n')] = '\0';
}

struct meta *meta__new(bool from_proc)
{
	struct meta *m = calloc(1, sizeof(*m));

	if (!m || !(m->buf = malloc(PROC_FILE_MAX)))
		abort();
	m->from_proc = from_proc;
	gethostname(m->host_name, sizeof(m->host_name) - 1);
	file__line("/etc/machine-id", m->host_id, sizeof(m->host_id));
	file__line("/proc/sys/kernel/random/boot_id", m->boot_id, sizeof(m->boot_id));
	uname(&m->uts);
	return m;
}

void meta__on_new(struct meta *m, void (*fn)(void *ctx, struct process *p), void *ctx)
{
	m->on_new = fn;
	m->on_new_ctx = ctx;
}

static void drop(void *ctx, uint64_t key, void *value)
{
	process__unref(value);
}

void meta__free(struct meta *m)
{
	if (!m)
		return;
	table__each(&m->by_pid, drop, NULL);
	table__free(&m->by_pid);
	free(m->buf);
	free(m);
}

struct process *process__ref(struct process *p)
{
	p->refs++;
	return p;
}

void process__unref(struct process *p)
{
	if (!p || --p->refs)
		return;
	attrs__free(&p->resource);
	free(p);
}

/* "key=value,key=value", percent-encoded values (OpenTelemetry: Resource SDK). */
static void resource__add_list(struct attrs *a, struct slice list)
{
	while (list.n) {
		size_t end = slice__find(list, ','), eq;
		struct slice item = slice__trim(slice__sub(list, 0, end));
		char value[512];
		size_t n = 0;
		const char *key;

		list = slice__sub(list, end + 1, list.n);
		eq = slice__find(item, '=');
		key = eq && eq < item.n ? key__intern(slice__trim(slice__sub(item, 0, eq))) : NULL;
		if (!key) {
			a->dropped += item.n > 0;
			continue;
		}
		for (size_t i = eq + 1; i < item.n && n < sizeof(value); i++) {
			unsigned byte;

			if (item.p[i] == '%' && i + 2 < item.n && sscanf(item.p + i + 1, "%2x", &byte) == 1) {
				value[n++] = (char)byte;
				i += 2;
			} else {
				value[n++] = item.p[i];
			}
		}
		attrs__str(a, key, slice__trim((struct slice){value, n}));
	}
}

/* The value of NAME in an environment as /proc shows it. */
static struct slice env__get(struct slice env, struct slice name)
{
	struct cursor c = cursor__of(env);

	while (cursor__left(&c) && !c.over) {
		struct slice s = cursor__cstr(&c);

		if (s.n > name.n && slice__starts(s, name) && s.p[name.n] == '=')
			return slice__sub(s, name.n + 1, s.n);
	}
	return (struct slice){NULL, 0};
}

/* Of /proc/PID/stat: state, and start time in clock ticks since boot (proc(5)). Takes no lock that a process can hold for long. */
static unsigned long long process__stat(const char *dir, char *state)
{
	char path[64], stat[512];
	unsigned long long start = 0;
	struct slice s;
	char *p;

	snprintf(path, sizeof(path), "%s/stat", dir);
	s = file__read(path, stat, sizeof(stat) - 1);
	stat[s.n] = '\0';
	p = s.n ? strrchr(stat, ')') : NULL;
	*state = '?';
	if (p)
		sscanf(p + 2, "%c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", state, &start);
	return start;
}

/*
 * cmdline and environ wait for the process's mmap lock, which one that hangs in the kernel (state D: a
 * dead NFS server) may hold for ever. It gets 20 ms, then it goes by its executable alone. What is left is
 * one that begins to hang in the moment after, or of which a thread hangs that is not the first.
 */
static bool process__answers(const char *dir)
{
	const struct timespec moment = {0, 2000000};
	char state;

	for (int i = 0; process__stat(dir, &state), state == 'D'; i++) {
		if (i == 10)
			return false;
		nanosleep(&moment, NULL);
	}
	return true;
}

/* service.instance.id: a name-based UUID of host, boot, pid and start (RFC 9562 version 8: our own hash). */
static void resource__set_instance(struct meta *m, struct attrs *a, const char *dir, uint32_t pid)
{
	char state;
	unsigned long long start = process__stat(dir, &state);
	uint64_t h = hash__bytes(start, m->boot_id, strlen(m->boot_id)), g;
	char id[40];

	if (attrs__find(a, "service.instance.id"))
		return; /* its owner knows better */
	h = hash__mix(h + pid);
	g = hash__mix(h + hash__bytes(0, m->host_id, strlen(m->host_id)));
	snprintf(id, sizeof(id), "%08x-%04x-8%03x-%04x-%012llx", (unsigned)(h >> 32), (unsigned)(h >> 16) & 0xffff,
		 (unsigned)h & 0xfff, 0x8000 | ((unsigned)(g >> 48) & 0x3fff), (unsigned long long)g & 0xffffffffffffull);
	attrs__str(a, "service.instance.id", slice__of(id));
}

static void resource__set_host(struct meta *m, struct attrs *a)
{
	attrs__str(a, "host.name", slice__of(m->host_name));
	if (m->host_id[0])
		attrs__str(a, "host.id", slice__of(m->host_id));
	attrs__str(a, "host.arch", !strcmp(m->uts.machine, "x86_64") ? SLICE("amd64") : SLICE("arm64"));
	attrs__str(a, "os.type", SLICE("linux"));
	attrs__str(a, "telemetry.sdk.name", SLICE("wirespan"));
	attrs__str(a, "telemetry.sdk.language", SLICE("c"));
	attrs__str(a, "telemetry.sdk.version", SLICE(WIRESPAN_VERSION));
}

static void process__set_service(struct process *p, struct slice name)
{
	text__copy(p->service, sizeof(p->service), name);
	attrs__str(&p->resource, "service.name", name);
}

static void process__name(struct meta *m, struct process *p, const char *dir, struct slice exe)
{
	const char *ours = getenv("OTEL_SERVICE_NAME"), *list = getenv("OTEL_RESOURCE_ATTRIBUTES");
	char path[64], name[64];
	const bool answers = process__answers(dir);
	struct slice s = {"", 0};

	snprintf(path, sizeof(path), "%s/cmdline", dir);
	service_name__of(answers ? file__read(path, m->buf, PROC_FILE_MAX) : s, exe, name, sizeof(name));
	process__set_service(p, ours && *ours ? slice__of(ours) : slice__of(name));
	if (list)
		resource__add_list(&p->resource, slice__of(list));
	if (ours && *ours)
		process__set_service(p, slice__of(ours));
	snprintf(path, sizeof(path), "%s/environ", dir);
	if (answers)
		s = file__read(path, m->buf, PROC_FILE_MAX);
	resource__add_list(&p->resource, env__get(s, SLICE("OTEL_RESOURCE_ATTRIBUTES")));
	s = env__get(s, SLICE("OTEL_SERVICE_NAME"));
	if (s.n)
		process__set_service(p, s);
	else if (attrs__get_str(&p->resource, "service.name").n)
		text__copy(p->service, sizeof(p->service), attrs__get_str(&p->resource, "service.name"));
	else
		process__set_service(p, slice__of(name));
}

static void process__read(struct meta *m, struct process *p)
{
	char dir[32], path[64], exe[4096];
	ssize_t n;

	snprintf(dir, sizeof(dir), "/proc/%u", p->pid);
	snprintf(path, sizeof(path), "%s/exe", dir);
	n = readlink(path, exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	if (n > (ssize_t)strlen(DELETED) && !strcmp(exe + n - strlen(DELETED), DELETED))
		exe[n - (ssize_t)strlen(DELETED)] = '\0';
	resource__set_host(m, &p->resource);
	process__name(m, p, dir, slice__of(exe));
	resource__set_instance(m, &p->resource, dir, p->pid);
	attrs__int(&p->resource, "process.pid", p->pid);
	if (n <= 0)
		return;
	attrs__str(&p->resource, "process.executable.path", slice__of(exe));
	attrs__str(&p->resource, "process.executable.name", slice__of(strrchr(exe, '/') ? strrchr(exe, '/') + 1 : exe));
	n = golang__goid_offset(path);
	if (n <= 0 && n != GOLANG_NEWER)
		return;
	p->ctx_kind = WS_CTX_GO;
	p->goid_offset = n > 0 ? (uint16_t)n : 0;
	attrs__str(&p->resource, "process.runtime.name", SLICE("go"));
	if (n == GOLANG_NEWER && !m->told_newer_go) {
		m->told_newer_go = true;
		log__warn("%s was made by a Go that is not known (newer than 1.26): goroutines are not told apart there", exe);
	}
}

static struct process *meta__add(struct meta *m, uint32_t pid)
{
	struct process *p = calloc(1, sizeof(*p)), *old;

	if (!p)
		abort();
	p->pid = pid;
	p->refs = 1;
	old = table__set(&m->by_pid, pid, p);
	process__unref(old);
	return p;
}

struct process *meta__process(struct meta *m, uint32_t pid)
{
	struct process *p = table__get(&m->by_pid, pid);

	if (p)
		return p;
	p = meta__add(m, pid);
	if (m->from_proc)
		process__read(m, p);
	else
		process__set_service(p, SLICE("unknown_service"));
	if (m->on_new)
		m->on_new(m->on_new_ctx, p);
	return p;
}

void meta__forget(struct meta *m, uint32_t pid)
{
	process__unref(table__remove(&m->by_pid, pid));
}

size_t process__save(const struct process *p, char *buf, size_t size)
{
	FILE *f = fmemopen(buf, size, "w");
	long n;

	if (!f)
		return 0;
	fprintf(f, "wirespan.context=%d%c", p->ctx_kind, 0);
	for (unsigned i = 0; i < p->resource.n; i++) {
		const struct attr *a = &p->resource.v[i];
		struct slice s = attr__text(&p->resource, a);

		if (a->type == ATTR_STR)
			fprintf(f, "%s=%.*s%c", a->key, (int)s.n, s.p, 0);
		else if (a->type == ATTR_INT)
			fprintf(f, "#%s=%lld%c", a->key, (long long)a->i, 0);
	}
	n = fflush(f) ? -1 : ftell(f);
	fclose(f);
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

void meta__load(struct meta *m, uint32_t pid, struct slice text)
{
	struct cursor c = cursor__of(text);
	struct process *p = meta__add(m, pid);

	process__set_service(p, SLICE("unknown_service"));
	while (cursor__left(&c)) {
		struct slice s = cursor__cstr(&c), value;
		size_t eq = slice__find(s, '=');
		bool number = s.n && s.p[0] == '#';
		const char *key;

		if (c.over || eq == s.n)
			break;
		key = key__intern(slice__sub(s, number, eq - number));
		value = slice__sub(s, eq + 1, s.n);
		if (!key) {
			p->resource.dropped++;
			continue;
		}
		if (!strcmp(key, "wirespan.context"))
			p->ctx_kind = slice__eq(value, SLICE("1")) ? WS_CTX_GO : WS_CTX_THREAD;
		else if (!strcmp(key, "service.name"))
			process__set_service(p, value);
		else if (number)
			attrs__int(&p->resource, key, strtoll(value.p, NULL, 10)); /* ended by its NUL */
		else
			attrs__str(&p->resource, key, value);
	}
}
