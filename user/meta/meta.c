// SPDX-License-Identifier: Apache-2.0
/*
 * meta.c - in: a pid; out: its resource (resource.c tells most of it), its container, its runtime. Who
 * is known, who was whose parent, and what a recording keeps of each.
 */
#include "meta/meta.h"

#include <stdio.h>
#include <stdlib.h>

#include "meta/golang.h"
#include "meta/key.h"
#include "meta/resource.h"
#include "util/cursor.h"
#include "util/log.h"
#include "util/proc.h"
#include "util/table.h"
#include "util/text.h"

#define ANCESTORS_MAX 8
#define PARENTS_MAX 65536
#define LOOKS 16 /* a tick: at processes that did not answer */

struct meta {
	struct table by_pid;
	struct list hanging;  /* processes that did not answer, when they were read */
	struct table parents; /* of processes that were forked since we run: pid to pid */
	bool from_proc;
	bool told_newer_go;
	struct identities *identities;
	struct machine machine;
	char *buf; /* RESOURCE_BUF */
	void (*on_new)(void *ctx, struct process *p);
	void *on_new_ctx;
};

static void meta__describe_again(void *ctx, struct process *p);

struct meta *meta__new(bool from_proc)
{
	struct meta *m = calloc(1, sizeof(*m));

	if (!m || !(m->buf = malloc(RESOURCE_BUF)))
		abort();
	m->from_proc = from_proc;
	list__init(&m->hanging);
	m->identities = identities__new(-1, NULL, false);
	identities__on_changed(m->identities, meta__describe_again, m);
	if (from_proc) /* else the machine is none of ours */
		machine__read(&m->machine);
	return m;
}

void meta__listen(struct meta *m, int epoll_fd, void *ptr, bool services)
{
	identities__free(m->identities);
	m->identities = identities__new(epoll_fd, ptr, services);
	identities__on_changed(m->identities, meta__describe_again, m);
}

struct identities *meta__identities(struct meta *m)
{
	return m->identities;
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

struct meta_counters meta__counters(const struct meta *m)
{
	return (struct meta_counters){m->by_pid.n, identities__left_out(m->identities), keys__refused()};
}

void meta__free(struct meta *m)
{
	if (!m)
		return;
	while (!list__empty(&m->hanging))
		list__remove(m->hanging.next);
	table__each(&m->by_pid, drop, NULL);
	table__free(&m->by_pid);
	table__free(&m->parents);
	identities__free(m->identities);
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
	container__remove_process(p);
	list__remove(&p->hanging);
	attrs__free(&p->resource);
	attrs__free(&p->told);
	free(p);
}

/* The nearest process above this one that is known; NULL: none. */
static const struct process *meta__above(const struct meta *m, uint32_t pid)
{
	const struct process *above = NULL;

	for (int i = 0; i < ANCESTORS_MAX && pid && !above; i++) {
		pid = (uint32_t)(uintptr_t)table__get(&m->parents, pid);
		above = pid ? table__get(&m->by_pid, pid) : NULL;
	}
	return above;
}

/*
 * Its own cgroup's; one that is about to end has left that already (cgroup_exit, version 1), and is what its
 * parent is.
 */
static struct container *process__find_container(struct meta *m, const struct process *p)
{
	struct container *c = identities__of_pid(m->identities, p->pid);
	const struct process *above = c ? NULL : meta__above(m, p->pid);

	return above ? above->container : c;
}

/* One that had ended before it was looked at is what the nearest process above it is that is known. */
static bool process__inherit(struct meta *m, struct process *p)
{
	const struct process *above = meta__above(m, p->pid);

	if (!above)
		return false;
	attrs__merge(&p->resource, &above->resource);
	attrs__merge(&p->told, &above->told);
	text__copy(p->service, sizeof(p->service), slice__of(above->service));
	p->named_by = above->named_by;
	p->ctx_kind = above->ctx_kind;
	p->goid_offset = above->goid_offset;
	attrs__int(&p->resource, "process.pid", p->pid);
	container__add_process(above->container, p);
	return true;
}

/* All but what its container tells. exe: may be empty, if it can't be read. */
static void process__describe(struct meta *m, struct process *p, struct slice exe)
{
	resource__set_machine(&p->resource, &m->machine);
	if (!process__name(p, exe, m->buf) && exe.n) {
		list__append(&m->hanging, &p->hanging);
		attrs__str(&p->resource, "wirespan.resource.incomplete", SLICE("process"));
	}
	resource__set_instance(&p->resource, &m->machine, p->pid);
	attrs__int(&p->resource, "process.pid", p->pid);
	if (p->ctx_kind == WS_CTX_GO)
		attrs__str(&p->resource, "process.runtime.name", SLICE("go"));
	if (!exe.n)
		return;
	attrs__str(&p->resource, "process.executable.path", exe);
	attrs__str(&p->resource, "process.executable.name", slice__leaf(exe));
}

/* For the runtime that its program has. */
static void process__recognise(struct meta *m, struct process *p, const char *exe)
{
	char path[32];
	int minor;

	snprintf(path, sizeof(path), "/proc/%u/exe", p->pid);
	minor = golang__minor(path);
	if (!golang__is_go(minor))
		return;
	p->ctx_kind = WS_CTX_GO;
	p->goid_offset = (uint16_t)golang__goid_offset(minor);
	p->curg_offset = (uint16_t)golang__curg_offset(minor);
	if (!p->goid_offset && !m->told_newer_go) {
		m->told_newer_go = true;
		log__warn("%s was made by a Go that is not known (newer than 1.26): goroutines are not told apart there", exe);
	}
}

static void process__read(struct meta *m, struct process *p)
{
	char exe[4096];
	size_t n = proc__exe(p->pid, exe, sizeof(exe));

	if (!n && process__inherit(m, p))
		return;
	if (n)
		process__recognise(m, p, exe);
	process__describe(m, p, slice__of(exe));
	container__add_process(process__find_container(m, p), p);
}

/* What its container said does not hold any more. One that has ended, or is another program by now, stays as it was. */
static void meta__describe_again(void *ctx, struct process *p)
{
	struct meta *m = ctx;
	char exe[4096];
	size_t n = proc__exe(p->pid, exe, sizeof(exe));

	if (!m->from_proc || !n || !slice__eq(attrs__get_str(&p->resource, "process.executable.path"), slice__of(exe)))
		return;
	attrs__clear(&p->resource);
	attrs__clear(&p->told);
	p->named_by = NAMED_BY_PROGRAM;
	process__describe(m, p, slice__of(exe));
}

void meta__tick(struct meta *m)
{
	struct list *l = m->hanging.next;

	for (int i = 0; i < LOOKS && l != &m->hanging; i++) {
		struct process *p = LIST_ENTRY(l, struct process, hanging);

		l = l->next;
		list__remove(&p->hanging);
		meta__describe_again(m, p);
		if (p->container)
			process__told(p);
	}
}

static struct process *meta__add(struct meta *m, uint32_t pid)
{
	struct process *p = calloc(1, sizeof(*p)), *old;

	if (!p)
		abort();
	p->pid = pid;
	p->refs = 1;
	list__init(&p->open);
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
		process__set_service(p, SLICE("unknown_service"), NAMED_BY_PROGRAM);
	if (m->on_new)
		m->on_new(m->on_new_ctx, p);
	return p;
}

void meta__forked(struct meta *m, uint32_t pid, uint32_t parent)
{
	if (!m->from_proc || !pid || !parent)
		return;
	meta__process(m, parent);
	if (m->parents.n < PARENTS_MAX)
		table__set(&m->parents, pid, (void *)(uintptr_t)parent);
}

void meta__ended(struct meta *m, uint32_t pid)
{
	meta__forget(m, pid);
	table__remove(&m->parents, pid);
}

void meta__forget(struct meta *m, uint32_t pid)
{
	struct process *p = table__remove(&m->by_pid, pid);

	if (p)
		list__remove(&p->hanging); /* who has that pid by now is another one */
	process__unref(p);
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
		else if (a->type == ATTR_LIST && s.n) /* of one: tags of images */
			fprintf(f, "@%s=%.*s%c", a->key, (int)strnlen(s.p, s.n), s.p, 0);
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

	process__set_service(p, SLICE("unknown_service"), NAMED_BY_PROGRAM);
	while (cursor__left(&c)) {
		struct slice s = cursor__cstr(&c), value;
		size_t eq = slice__find(s, '=');
		bool number = s.n && s.p[0] == '#', list = s.n && s.p[0] == '@';
		const char *key;

		if (c.over || eq == s.n)
			break;
		key = key__intern(slice__sub(s, number || list, eq - (number || list)));
		value = slice__sub(s, eq + 1, s.n);
		if (!key) {
			p->resource.dropped++;
			continue;
		}
		if (!strcmp(key, "wirespan.context"))
			p->ctx_kind = slice__eq(value, SLICE("1")) ? WS_CTX_GO :
				      slice__eq(value, SLICE("3")) ? WS_CTX_HAPROXY : WS_CTX_THREAD;
		else if (!strcmp(key, "service.name"))
			process__set_service(p, value, NAMED_BY_PROCESS);
		else if (list)
			attrs__list(&p->resource, key, (struct slice){value.p, value.n + 1}); /* with its NUL */
		else if (number)
			attrs__int(&p->resource, key, strtoll(value.p, NULL, 10)); /* ended by its NUL */
		else
			attrs__str(&p->resource, key, value);
	}
}
