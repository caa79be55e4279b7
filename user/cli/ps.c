// SPDX-License-Identifier: Apache-2.0
#include "cli/ps.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "attach/judge.h"
#include "attach/language.h"
#include "attach/named.h"
#include "attach/running.h"
#include "attach/sockets.h"
#include "meta/meta.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define ANSWERS_MS 2000 /* that sources have to answer */

struct row {
	uint32_t pid;
	char comm[NAMED_COMM];
	struct process *process;
	const struct language *language;
	struct socket_counts sockets;
	bool traced;
	const char *why; /* how it is selected, or why not */
};

struct ps {
	const struct selection *sel;
	struct running *running;
	struct meta *meta;
	struct sockets sockets;
	struct row *rows;
	size_t n;
};

static void container__waits(void *ctx, struct container *c)
{
	*(bool *)ctx |= c->asked && !list__empty(&c->processes);
}

/* Until every source has answered, or for a while. */
static void ps__await_answers(struct ps *ps, int epoll_fd)
{
	const uint64_t end = clock__ms() + ANSWERS_MS;
	struct identities *ids = meta__identities(ps->meta);
	struct epoll_event ev;
	bool waits = true;

	while (waits && clock__ms() < end) {
		identities__tick(ids, clock__ms());
		waits = false;
		identities__each(ids, container__waits, &waits);
		if (waits && epoll_wait(epoll_fd, &ev, 1, 50) > 0)
			identities__ready(ids);
	}
}

/* In the order in which the agent decides. */
static void row__judge(const struct ps *ps, struct row *r, size_t at)
{
	const struct selection *sel = ps->sel;
	enum judgement j = r->process->container ? judge__container(sel, r->process->container, &r->why) : JUDGED_OTHER;

	r->traced = false;
	if (j == JUDGED_LEFT_OUT)
		return;
	r->traced = true;
	if (j == JUDGED_WANTED)
		r->why = "its container is selected";
	else if ((r->why = named__by(ps->running, at, &r->sockets, sel)))
		;
	else if (sel->all)
		r->why = "--all";
	else
		r->traced = false;
	if (!r->traced)
		r->why = selection__empty(sel) ? "nothing is selected" : selection__has_containers(sel) && !r->process->container ?
			 "it is in no container that is known" : "the selection does not name it";
}

static void ps__collect(struct ps *ps)
{
	ps->rows = calloc(running__count(ps->running) + 1, sizeof(*ps->rows));
	if (!ps->rows)
		abort();
	for (size_t i = 0; i < running__count(ps->running); i++)
		sockets__read(&ps->sockets, running__pid(ps->running, i));
	for (size_t i = 0; i < running__count(ps->running); i++) {
		struct row *r = &ps->rows[ps->n];

		r->pid = running__pid(ps->running, i);
		if (r->pid == (uint32_t)getpid() || !sockets__of(&ps->sockets, r->pid, &r->sockets))
			continue;
		named__comm(r->pid, r->comm);
		r->process = process__ref(meta__process(ps->meta, r->pid));
		r->language = language__of(r->pid);
		ps->n++;
	}
}

static void ps__judge(struct ps *ps)
{
	size_t next = 0;

	for (size_t i = 0; i < running__count(ps->running) && next < ps->n; i++)
		if (running__pid(ps->running, i) == ps->rows[next].pid)
			row__judge(ps, &ps->rows[next++], i);
}

static const char *fact(const struct row *r, const char *key, char text[128])
{
	struct slice s = r->process->container ? attrs__get_str(&r->process->container->facts, key) : (struct slice){"", 0};

	text__shown(text, 128, s);
	return text;
}

/* "namespace/pod/container", the container's name, or its id. */
static void row__container(const struct row *r, char *out, size_t size)
{
	char ns[128], pod[128], name[128];

	if (*fact(r, "k8s.pod.name", pod))
		snprintf(out, size, "%s/%s/%s", fact(r, "k8s.namespace.name", ns), pod, fact(r, "k8s.container.name", name));
	else if (*fact(r, "container.name", name))
		snprintf(out, size, "%s", name);
	else
		snprintf(out, size, "%.12s", r->process->container ? r->process->container->ref.id : "-");
}

static void row__print(const struct row *r, FILE *out)
{
	char container[400], service[80], ports[PORTS_MAX * 7 + 2] = "-", comm[NAMED_COMM];
	size_t n = 0;

	for (unsigned i = 0; i < r->sockets.n_ports; i++)
		n += (size_t)snprintf(ports + n, sizeof(ports) - n, "%s%u", i ? "," : "", r->sockets.ports[i]);
	row__container(r, container, sizeof(container));
	text__shown(service, sizeof(service), slice__of(r->process->service));
	text__shown(comm, sizeof(comm), slice__of(r->comm));
	fprintf(out, "%7u %-15s %-28s %-9s %-20s %5u %-12s %-11s %-3s %s\n", r->pid, comm, container, r->language->language, service,
		r->sockets.connections, ports, r->language->by, r->traced ? "yes" : "no", r->why);
}

/* What others chose need not be UTF-8, of which JSON is made (RFC 8259, 8.1). */
static json_t *text_or_null(const char *s)
{
	char shown[512];

	text__shown(shown, sizeof(shown), slice__of(s));
	return *shown ? json_string(shown) : json_null();
}

static json_t *row__json(const struct row *r)
{
	const struct container *c = r->process->container;
	json_t *ports = json_array(), *o;
	char container[400], a[128], b[128], d[128], e[128];

	for (unsigned i = 0; i < r->sockets.n_ports; i++)
		json_array_append_new(ports, json_integer(r->sockets.ports[i]));
	row__container(r, container, sizeof(container));
	o = json_pack("{s:i, s:o, s:s, s:s, s:o, s:i, s:o, s:s, s:b, s:s}", "pid", (int)r->pid, "command", text_or_null(r->comm), "runtime",
		      r->language->name, "language", r->language->language, "service", text_or_null(r->process->service), "connections",
		      (int)r->sockets.connections, "ports", ports, "causality", r->language->by, "traced", r->traced, "why", r->why);
	if (!c)
		return o;
	json_object_set_new(o, "container", json_pack("{s:o, s:o, s:o, s:o, s:s}", "id", text_or_null(c->ref.id), "name", text_or_null(fact(r, "container.name", a)),
						      "image", text_or_null(fact(r, "container.image.name", b)), "pod",
						      text_or_null(fact(r, "k8s.pod.name", d)), "runtime", c->ref.runtime));
	json_object_set_new(json_object_get(o, "container"), "namespace", text_or_null(fact(r, "k8s.namespace.name", e)));
	return o;
}

static void ps__print(const struct ps *ps, bool json, FILE *out)
{
	if (!json)
		fprintf(out, "%7s %-15s %-28s %-9s %-20s %5s %-12s %-11s %-3s %s\n", "PID", "COMMAND", "CONTAINER", "LANGUAGE", "SERVICE", "CONNS",
			"PORTS", "CAUSE BY", "", "TRACED, OR WHY NOT");
	for (size_t i = 0; i < ps->n; i++) {
		json_t *o;
		char *text;

		if (!json) {
			row__print(&ps->rows[i], out);
			continue;
		}
		o = row__json(&ps->rows[i]);
		text = json_dumps(o, JSON_COMPACT);
		if (text)
			fprintf(out, "%s\n", text);
		free(text);
		json_decref(o);
	}
}

int ps__run(const struct selection *sel, bool json, FILE *out)
{
	struct ps ps = {.sel = sel, .running = running__new(), .meta = meta__new(true)};
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), status = 1;

	if (!ps.running || epoll_fd < 0) {
		log__error("/proc can't be read: %s", strerror(errno));
		goto cleanup;
	}
	if (!running__sees_all())
		log__warn("only the processes of this pid namespace are seen; %s", RUNNING_SEES_ALL_ADVICE);
	meta__listen(ps.meta, epoll_fd, NULL, false);
	ps__collect(&ps);
	ps__await_answers(&ps, epoll_fd);
	ps__judge(&ps);
	ps__print(&ps, json, out);
	status = fflush(out) || ferror(out);
cleanup:
	for (size_t i = 0; i < ps.n; i++)
		process__unref(ps.rows[i].process);
	free(ps.rows);
	sockets__free(&ps.sockets);
	running__free(ps.running);
	meta__free(ps.meta);
	if (epoll_fd >= 0)
		close(epoll_fd);
	return status;
}
