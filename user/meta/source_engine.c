// SPDX-License-Identifier: Apache-2.0
/*
 * source_engine.c - the sockets of Docker and of podman, which speak the same API: GET /containers/ID/json
 * (Docker Engine API 1.41, "Inspect a container"). Asked only when no file has told a container's name, as
 * where the agent may see the socket but not /var/lib. Podman's API reads its database for it.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "meta/host.h"
#include "meta/http.h"
#include "meta/source.h"
#include "util/list.h"
#include "util/log.h"

#define ASKS_MAX 64 /* at a time */
#define BODY_MAX (1u << 20)
#define TOTAL_MS 5000
#define REST_MS 30000 /* after one that did not answer */

static const struct engine_socket {
	const char *path, *runtime; /* of containers whose cgroup tells a runtime, only its own are asked for */
} engine_sockets[] = {
	{"/var/run/docker.sock", "docker"},
	{"/run/podman/podman.sock", "podman"},
};

struct engine {
	struct identities *ids;
	struct http *http;
	unsigned row;
	unsigned n_asks;
	struct list asks;
	uint64_t now, rest_until;
	bool told;
	bool missed; /* some containers were not asked for, or not answered: asked for again when there is room */
};

struct ask {
	struct engine *engine;
	const struct engine_socket *socket;
	struct container *c;
	struct http_get *get;
	char *body;
	size_t n;
	struct list in_engine;
};

/* Below WIRESPAN_HOST_ROOT, or as it is. */
static bool socket__path(const struct engine_socket *s, char *path, size_t size)
{
	const char *root = getenv("WIRESPAN_HOST_ROOT");

	snprintf(path, size, "%s%s", root ? root : "", s->path);
	return host__is_socket(path);
}

void *source_engine__open(struct identities *ids, struct http *http, unsigned row)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		abort();
	*e = (struct engine){.ids = ids, .http = http, .row = row};
	list__init(&e->asks);
	return e;
}

static void ask__free(struct ask *a)
{
	http__cancel(a->get);
	list__remove(&a->in_engine);
	a->engine->n_asks--;
	free(a->body);
	free(a);
}

static bool on_data(void *ctx, struct slice part)
{
	struct ask *a = ctx;
	char *body = a->n + part.n <= BODY_MAX ? realloc(a->body, a->n + part.n) : NULL;

	if (!body)
		return false;
	memcpy(body + a->n, part.p, part.n);
	a->body = body;
	a->n += part.n;
	return true;
}

static void on_end(void *ctx, long status, const char *error)
{
	struct ask *a = ctx;
	struct engine *e = a->engine;
	struct container *c = a->c;
	json_t *j = status == 200 ? json_loadb(a->body ? a->body : "", a->n, 0, NULL) : NULL;

	if (!status) {
		e->rest_until = e->now + REST_MS;
		e->missed = true;
		if (!e->told)
			log__warn("%s: %s; names of its containers may be missing", a->socket->path, error);
		e->told = true;
	}
	a->get = NULL;
	ask__free(a);
	if (j)
		docker__take(c, j);
	json_decref(j);
	/* A container that it does not know will not be known by asking again; one that nobody answered for stays marked, until then. */
	if (status)
		identities__told(e->ids, c, e->row);
}

static bool engine__has_room(const struct engine *e)
{
	return e->n_asks < ASKS_MAX && e->rest_until <= e->now;
}

static bool engine__is_asking(const struct engine *e, const struct container *c)
{
	for (const struct list *l = e->asks.next; l != &e->asks; l = l->next)
		if (LIST_ENTRY(l, struct ask, in_engine)->c == c)
			return true;
	return false;
}

bool source_engine__ask(void *self, struct container *c)
{
	struct engine *e = self;
	char url[CONTAINER_ID_MAX + 64], path[512];

	if (attrs__find(&c->facts, "container.name") || c->ref.pod_uid[0] || !strcmp(c->ref.runtime, "runc"))
		return false;
	for (size_t i = 0; i < sizeof(engine_sockets) / sizeof(*engine_sockets); i++) {
		struct http_options o = {
			.url = url, .unix_socket = path, .connect_ms = 1000, .total_ms = TOTAL_MS, .data = on_data, .end = on_end,
		};
		struct ask *a;

		if ((c->ref.runtime[0] && strcmp(c->ref.runtime, engine_sockets[i].runtime)) ||
		    !socket__path(&engine_sockets[i], path, sizeof(path)))
			continue;
		if (!engine__has_room(e)) {
			e->missed = true;
			return true; /* marked */
		}
		a = calloc(1, sizeof(*a));
		if (!a)
			abort();
		*a = (struct ask){.engine = e, .socket = &engine_sockets[i], .c = c};
		list__append(&e->asks, &a->in_engine);
		e->n_asks++;
		snprintf(url, sizeof(url), "http://localhost/containers/%s/json", c->ref.id);
		o.ctx = a;
		a->get = http__get(e->http, &o);
		if (a->get)
			return true;
		ask__free(a);
	}
	return false;
}

static void engine__ask_again(void *ctx, struct container *c)
{
	struct engine *e = ctx;

	if (!(c->asked & 1u << e->row))
		return;
	if (!engine__has_room(e)) {
		e->missed = true;
	} else if (!engine__is_asking(e, c) && !source_engine__ask(e, c)) {
		if (attrs__find(&c->facts, "container.name")) {
			identities__told(e->ids, c, e->row); /* a file has told it meanwhile */
			return;
		}
		e->missed = true; /* there is no socket any more: the engine may come back */
		e->rest_until = e->now + REST_MS;
	}
}

void source_engine__tick(void *self, uint64_t now)
{
	struct engine *e = self;

	e->now = now;
	if (!e->missed || !engine__has_room(e))
		return;
	e->missed = false;
	identities__each(e->ids, engine__ask_again, e);
}

void source_engine__forget(void *self, struct container *c)
{
	struct engine *e = self;
	struct list *l, *after;

	for (l = e->asks.next; l != &e->asks; l = after) {
		struct ask *a = LIST_ENTRY(l, struct ask, in_engine);

		after = l->next;
		if (a->c == c)
			ask__free(a);
	}
}

void source_engine__close(void *self)
{
	struct engine *e = self;

	while (!list__empty(&e->asks))
		ask__free(LIST_ENTRY(e->asks.next, struct ask, in_engine));
	free(e);
}
