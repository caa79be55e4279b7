// SPDX-License-Identifier: Apache-2.0
/*
 * resource.c - contract: resource.h. Attribute names: OpenTelemetry semantic conventions, "service",
 * "host", "os", "telemetry". Command lines and environments are read, but never exported: they hold secrets.
 */
#include "meta/resource.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "meta/key.h"
#include "meta/service_name.h"
#include "util/cursor.h"
#include "util/environment.h"
#include "util/table.h"
#include "util/text.h"

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

void machine__read(struct machine *m)
{
	memset(m, 0, sizeof(*m));
	gethostname(m->name, sizeof(m->name) - 1);
	proc__scan("/etc/machine-id", "%63s", m->id);
	proc__boot(m->boot_id);
	uname(&m->uts);
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

/*
 * cmdline and environ wait for the process's mmap lock, which one that hangs in the kernel (state D: its program
 * is still being read from a slow disk; a dead NFS server) may hold for long. It goes by its executable alone
 * until it answers. What is left is one that begins to hang in the moment after, or of which a
 * thread hangs that is not the first.
 */
static bool process__hangs(uint32_t pid)
{
	struct proc_stat s;

	return proc__stat(pid, 0, &s) && s.state == 'D';
}

void resource__set_instance(struct attrs *a, const struct machine *m, uint32_t pid)
{
	struct proc_stat s;
	uint64_t h, g;
	char id[40];

	if (attrs__find(a, "service.instance.id"))
		return; /* its owner knows better */
	proc__stat(pid, 0, &s);
	h = hash__bytes(s.start, m->boot_id, strlen(m->boot_id));
	h = hash__mix(h + pid);
	g = hash__mix(h + hash__bytes(0, m->id, strlen(m->id)));
	snprintf(id, sizeof(id), "%08x-%04x-8%03x-%04x-%012llx", (unsigned)(h >> 32), (unsigned)(h >> 16) & 0xffff,
		 (unsigned)h & 0xfff, 0x8000 | ((unsigned)(g >> 48) & 0x3fff), (unsigned long long)g & 0xffffffffffffull);
	attrs__str(a, "service.instance.id", slice__of(id));
}

void resource__set_machine(struct attrs *a, const struct machine *m)
{
	attrs__str(a, "host.name", slice__of(m->name));
	if (m->id[0])
		attrs__str(a, "host.id", slice__of(m->id));
	attrs__str(a, "host.arch", !strcmp(m->uts.machine, "x86_64") ? SLICE("amd64") : SLICE("arm64"));
	attrs__str(a, "os.type", SLICE("linux"));
	attrs__str(a, "telemetry.sdk.name", SLICE("wirespan"));
	attrs__str(a, "telemetry.sdk.language", SLICE("c"));
	attrs__str(a, "telemetry.sdk.version", SLICE(WIRESPAN_VERSION));
}

void process__set_service(struct process *p, struct slice name, enum name_rank rank)
{
	if (!name.n || rank < p->named_by)
		return;
	text__copy(p->service, sizeof(p->service), name);
	attrs__str(&p->resource, "service.name", name);
	p->named_by = rank;
}

/* What OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say, which may be NULL. */
static void process__take_env(struct process *p, struct slice list, struct slice name, enum name_rank rank)
{
	struct attrs said = {0};

	resource__add_list(&said, list);
	process__set_service(p, attrs__get_str(&said, "service.name"), rank);
	process__set_service(p, name, rank);
	attrs__remove(&said, "service.name");
	if (rank == NAMED_BY_PROCESS)
		attrs__merge(&p->told, &said);
	attrs__merge(&p->resource, &said);
	attrs__free(&said);
}

bool process__name(struct process *p, struct slice exe, char *buf)
{
	const bool hangs = process__hangs(p->pid);
	char path[64], name[64];
	struct slice s = {"", 0};
	bool tells;

	snprintf(path, sizeof(path), "/proc/%u/cmdline", p->pid);
	if (!hangs)
		s = file__read(path, buf, RESOURCE_BUF);
	tells = s.n;
	service_name__of(s, exe, name, sizeof(name));
	process__set_service(p, slice__of(name), NAMED_BY_PROGRAM);
	process__take_env(p, slice__of(environment__get("OTEL_RESOURCE_ATTRIBUTES")),
			  slice__of(environment__get("OTEL_SERVICE_NAME")), NAMED_BY_AGENT);
	snprintf(path, sizeof(path), "/proc/%u/environ", p->pid);
	s = hangs ? (struct slice){"", 0} : file__read(path, buf, RESOURCE_BUF);
	process__take_env(p, env__get(s, SLICE("OTEL_RESOURCE_ATTRIBUTES")), env__get(s, SLICE("OTEL_SERVICE_NAME")),
			  NAMED_BY_PROCESS);
	return tells;
}
