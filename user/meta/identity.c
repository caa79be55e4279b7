// SPDX-License-Identifier: Apache-2.0
/* identity.c - the table of containers. Contract: identity.h. */
#include "meta/identity.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "meta/key.h"
#include "meta/meta.h"
#include "meta/source.h"
#include "meta/http.h"
#include "util/table.h"
#include "util/text.h"

#define IDLE_MAX 512	   /* containers without a process that are kept: one may come back */
#define LOOKS_MAX 5	   /* for what nobody knew at first sight */
#define LOOK_AGAIN_MS 200
#define SCANS 64	   /* a tick: of runc's containers that are not known, for a cgroup that none is called like */
#define FRESH_MS 2000

struct identities {
	struct table by_id;   /* struct container */
	struct table by_path; /* those with a path_hash, again */
	struct list idle;     /* oldest first */
	size_t n_idle;
	struct http *http;
	void *sockets[32];    /* of each source, by its row; NULL: none */
	uint64_t now;	      /* ms */
	bool names_peers, services;
	uint64_t crowded;
	unsigned scans; /* that may be made until the next tick */
	container_fn *told;
	void *told_ctx;
	process_fn *changed;
	void *changed_ctx;
};

struct identities *identities__new(int epoll_fd, void *ptr, bool services)
{
	struct identities *ids = calloc(1, sizeof(*ids));

	if (!ids)
		abort();
	list__init(&ids->idle);
	ids->now = 1;
	ids->services = services;
	ids->scans = SCANS;
	if (epoll_fd < 0)
		return ids;
	ids->http = http__new(epoll_fd, ptr);
	for (unsigned i = 0; i < sources_n; i++) {
		if (!sources[i].open)
			continue;
		ids->sockets[i] = sources[i].open(ids, ids->http, i);
		ids->names_peers |= ids->sockets[i] && sources[i].peer;
	}
	return ids;
}

bool identities__has_api(void)
{
	for (unsigned i = 0; i < sources_n; i++)
		if (sources[i].there && sources[i].there())
			return true;
	return false;
}

void identities__on_told(struct identities *ids, container_fn *fn, void *ctx)
{
	ids->told = fn;
	ids->told_ctx = ctx;
}

void identities__on_changed(struct identities *ids, process_fn *fn, void *ctx)
{
	ids->changed = fn;
	ids->changed_ctx = ctx;
}

static void container__free(struct identities *ids, struct container *c)
{
	for (unsigned i = 0; i < sources_n; i++)
		if (ids->sockets[i] && sources[i].forget)
			sources[i].forget(ids->sockets[i], c);
	list__remove(&c->idle);
	attrs__free(&c->facts);
	free(c->labels);
	free(c);
}

static void container__drop(void *ctx, uint64_t key, void *value)
{
	struct container *c = value;

	while (!list__empty(&c->processes)) {
		struct process *p = LIST_ENTRY(c->processes.next, struct process, in_container);

		list__remove(&p->in_container);
		p->container = NULL;
	}
	container__free(ctx, c);
}

void identities__free(struct identities *ids)
{
	if (!ids)
		return;
	table__each(&ids->by_id, container__drop, ids);
	table__free(&ids->by_id);
	table__free(&ids->by_path);
	for (unsigned i = 0; i < sources_n; i++)
		if (ids->sockets[i])
			sources[i].close(ids->sockets[i]);
	http__free(ids->http);
	free(ids);
}

static uint64_t id__hash(const char *id)
{
	return hash__bytes(1, id, strlen(id));
}

static void container__idle(struct identities *ids, struct container *c)
{
	if (!list__in_one(&c->idle))
		ids->n_idle++;
	list__append(&ids->idle, &c->idle);
}

bool identities__is_fresh(const struct identities *ids, const char *id)
{
	const struct container *c = table__get(&ids->by_id, id__hash(id));

	return c && (!list__empty(&c->processes) || c->looked_at + FRESH_MS > ids->now);
}

/* The oldest that nobody refers to. */
static void identities__evict(struct identities *ids)
{
	struct list *l, *after;

	for (l = ids->idle.next; l != &ids->idle && ids->n_idle > IDLE_MAX; l = after) {
		struct container *c = LIST_ENTRY(l, struct container, idle);

		after = l->next;
		ids->n_idle--;
		list__remove(&c->idle);
		if (!list__empty(&c->processes))
			continue; /* it is in use again */
		table__remove(&ids->by_id, id__hash(c->ref.id));
		if (c->path_hash)
			table__remove(&ids->by_path, c->path_hash);
		container__free(ids, c);
	}
}

/* --- what is told -------------------------------------------------------------------------------- */

void container__fact(struct container *c, const char *key, struct slice value)
{
	if (value.n && !attrs__find(&c->facts, key))
		attrs__str(&c->facts, key, value);
}

void container__image(struct container *c, struct slice image)
{
	size_t at = image.n, digest = slice__find(image, '@');
	struct slice name = slice__sub(image, 0, digest);
	char tag[130];

	/* An id of the image is no name. */
	if (!name.n || slice__starts(name, SLICE("sha256:")))
		return;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == ':')
			at = i;
		else if (name.p[i] == '/')
			at = image.n; /* that was a port */
	container__fact(c, "container.image.name", slice__sub(name, 0, at));
	if (at + 1 >= name.n || attrs__find(&c->facts, "container.image.tags"))
		return;
	text__copy(tag, sizeof(tag) - 1, slice__sub(name, at + 1, name.n));
	attrs__list(&c->facts, "container.image.tags", (struct slice){tag, strlen(tag) + 1});
}

struct slice container__get_label(const struct container *c, struct slice key)
{
	for (size_t at = 0; at < c->n_labels; at += strlen(c->labels + at) + 1) {
		struct slice s = slice__of(c->labels + at);

		if (s.n > key.n && s.p[key.n] == '=' && slice__starts(s, key))
			return slice__sub(s, key.n + 1, s.n);
	}
	return (struct slice){NULL, 0};
}

void container__label(struct container *c, struct slice key, struct slice value)
{
	const size_t n = key.n + value.n + 2;
	char *p;

	if (!key.n || c->n_labels + n > LABELS_BYTES || memchr(key.p, 0, key.n) || (value.n && memchr(value.p, 0, value.n)) ||
	    container__get_label(c, key).p)
		return;
	p = realloc(c->labels, c->n_labels + n);
	if (!p)
		return;
	c->labels = p;
	p += c->n_labels;
	memcpy(p, key.p, key.n);
	p[key.n] = '=';
	if (value.n)
		memcpy(p + key.n + 1, value.p, value.n);
	p[n - 1] = '\0';
	c->n_labels += n;
}

void container__unfact(struct container *c, const char *key, struct slice value)
{
	if (value.n && slice__eq(attrs__get_str(&c->facts, key), value))
		attrs__remove(&c->facts, key);
}

void container__unlabel(struct container *c, struct slice key, struct slice value)
{
	const struct slice is = container__get_label(c, key);
	const size_t n = key.n + value.n + 2;
	char *begin;

	if (!is.p || !slice__eq(is, value))
		return;
	begin = c->labels + (is.p - c->labels) - key.n - 1;
	memmove(begin, begin + n, c->n_labels - (size_t)(begin - c->labels) - n);
	c->n_labels -= n;
}

void identities__retold(struct identities *ids, struct container *c, unsigned row)
{
	for (struct list *l = c->processes.next; ids->changed && l != &c->processes; l = l->next)
		ids->changed(ids->changed_ctx, LIST_ENTRY(l, struct process, in_container));
	identities__told(ids, c, row);
}

void identities__told(struct identities *ids, struct container *c, unsigned row)
{
	c->known |= 1u << row;
	c->asked &= ~(1u << row);
	for (struct list *l = c->processes.next; l != &c->processes; l = l->next)
		process__told(LIST_ENTRY(l, struct process, in_container));
	if (ids->told)
		ids->told(ids->told_ctx, c);
}

/* --- looking ------------------------------------------------------------------------------------- */

static void container__look(struct identities *ids, struct container *c)
{
	c->looked_at = ids->now;
	c->looks++;
	for (unsigned i = 0; i < sources_n; i++)
		if (sources[i].look && !(c->known & 1u << i) && sources[i].look(c))
			c->known |= 1u << i;
}

static struct container *identities__add(struct identities *ids, const struct container_ref *ref, uint64_t path_hash)
{
	struct container *c = table__get(&ids->by_id, id__hash(ref->id));

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->ids = ids;
	c->ref = *ref;
	c->path_hash = path_hash;
	list__init(&c->processes);
	table__set(&ids->by_id, id__hash(ref->id), c);
	if (path_hash)
		table__set(&ids->by_path, path_hash, c);
	attrs__str(&c->facts, "container.id", slice__of(ref->id));
	container__fact(c, "k8s.pod.uid", slice__of(ref->pod_uid));
	container__look(ids, c);
	for (unsigned i = 0; i < sources_n; i++)
		if (ids->sockets[i] && sources[i].ask && sources[i].ask(ids->sockets[i], c) && !(c->known & 1u << i))
			c->asked |= 1u << i;
	container__idle(ids, c);
	identities__evict(ids);
	return c;
}

/* systemd's own cgroups, and the root, hold no containers that have no pattern. */
static bool path__is_plain(struct slice path)
{
	static const char *const ends[] = {".slice", ".service", ".scope"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		size_t n = strlen(ends[i]);

		if (path.n > n && !memcmp(path.p + path.n - n, ends[i], n))
			return true;
	}
	return path.n < 2;
}

/* A path that no pattern tells: a container of runc's or ctr's, called by a person. */
static struct container *identities__named(struct identities *ids, struct slice path)
{
	const uint64_t hash = hash__bytes(0, path.p, path.n);
	struct container *c = table__get(&ids->by_path, hash);
	struct container_ref ref;

	if (c || path__is_plain(path))
		return c;
	if (source_oci__of_path(path, &ref))
		return identities__add(ids, &ref, hash);
	return source_runc__of_path(ids, path, ids->scans && ids->scans--, &ref) ? identities__add(ids, &ref, hash) : NULL;
}

struct container *identities__of_path(struct identities *ids, struct slice path)
{
	struct container_ref ref;

	if (container__of_path(path, &ref))
		return identities__add(ids, &ref, 0);
	return identities__named(ids, path);
}

struct container *identities__of_pid(struct identities *ids, uint32_t pid)
{
	struct container_ref ref;
	struct slice path;
	char file[32], text[8192];
	ssize_t n;
	int fd;

	snprintf(file, sizeof(file), "/proc/%u/cgroup", pid);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n <= 0)
		return NULL;
	if (container__of_file((struct slice){text, (size_t)n}, &ref, &path))
		return identities__add(ids, &ref, 0);
	return identities__named(ids, path);
}

bool identities__wants_services(const struct identities *ids)
{
	return ids->services;
}

void identities__crowded(struct identities *ids, bool out)
{
	ids->crowded += out;
}

uint64_t identities__left_out(const struct identities *ids)
{
	return ids->crowded;
}

bool identities__names_peers(const struct identities *ids)
{
	return ids->names_peers;
}

const struct container *identities__peer(const struct identities *ids, struct slice address)
{
	const struct container *c = NULL;

	for (unsigned i = 0; i < sources_n && !c; i++)
		if (ids->sockets[i] && sources[i].peer)
			c = sources[i].peer(ids->sockets[i], address);
	return c;
}

void identities__ready(struct identities *ids)
{
	http__drive(ids->http);
}

static void container__tick(void *ctx, uint64_t key, void *value)
{
	struct identities *ids = ctx;
	struct container *c = value;
	unsigned known = c->known;

	if (known || c->looks >= LOOKS_MAX || c->looked_at + LOOK_AGAIN_MS > ids->now || list__empty(&c->processes))
		return;
	container__look(ids, c);
	for (unsigned i = 0; i < sources_n; i++)
		if ((c->known & ~known) & 1u << i)
			identities__told(ids, c, i);
}

void identities__tick(struct identities *ids, uint64_t now)
{
	ids->now = now;
	ids->scans = SCANS;
	if (ids->http)
		http__drive(ids->http);
	table__each(&ids->by_id, container__tick, ids);
	for (unsigned i = 0; i < sources_n; i++)
		if (ids->sockets[i] && sources[i].tick)
			sources[i].tick(ids->sockets[i], now);
}

void container__add_process(struct container *c, struct process *p)
{
	if (!c)
		return;
	p->container = c;
	list__append(&c->processes, &p->in_container);
	process__told(p);
}

void container__remove_process(struct process *p)
{
	struct container *c = p->container;

	if (!c)
		return;
	list__remove(&p->in_container);
	p->container = NULL;
	if (!list__empty(&c->processes))
		return;
	container__idle(c->ids, c);
	identities__evict(c->ids);
}

struct each {
	container_fn *fn;
	void *ctx;
	struct slice pod;
};

static void each__call(void *ctx, uint64_t key, void *value)
{
	const struct each *e = ctx;
	struct container *c = value;

	if (!e->pod.n || slice__eq(slice__of(c->ref.pod_uid), e->pod))
		e->fn(e->ctx, c);
}

void identities__each(struct identities *ids, container_fn *fn, void *ctx)
{
	struct each e = {fn, ctx, {NULL, 0}};

	table__each(&ids->by_id, each__call, &e);
}

void identities__each_of_pod(struct identities *ids, struct slice uid, container_fn *fn, void *ctx)
{
	struct each e = {fn, ctx, uid};

	if (uid.n)
		table__each(&ids->by_id, each__call, &e);
}
