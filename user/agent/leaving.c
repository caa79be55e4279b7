// SPDX-License-Identifier: Apache-2.0
#include "agent/leaving.h"

#include <stdlib.h>
#include <unistd.h>

#include "attach/judge.h"
#include "attach/named.h"
#include "conn/conn.h"
#include "meta/meta.h"
#include "util/clock.h"
#include "util/log.h"

#define LEAST_NS (1000ull * 1000000) /* until what the ring still holds has been read */
#define MOST_NS (60ull * 1000000000)

struct leaver {
	uint32_t pid;
	uint64_t since;
};

struct leaving {
	const struct selection *sel;
	struct attach *attach;
	struct meta *meta;
	struct runtimes *runtimes;
	struct conns *conns;
	struct leaver *v;
	size_t n, room;
};

/* A look at what runs. */
struct look {
	struct leaving *l;
	struct running *running;
	struct sockets sockets;
	struct table stays; /* pids that a rule names */
};

struct leaving *leaving__new(const struct selection *sel, struct attach *a, struct meta *m, struct runtimes *runtimes,
			    struct conns *conns)
{
	struct leaving *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	*l = (struct leaving){.sel = sel, .attach = a, .meta = m, .runtimes = runtimes, .conns = conns};
	return l;
}

void leaving__free(struct leaving *l)
{
	if (l)
		free(l->v);
	free(l);
}

static void leaving__add(struct leaving *l, uint32_t pid)
{
	struct leaver *v;

	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 16;
		v = realloc(l->v, l->room * sizeof(*v));
		if (!v)
			abort();
		l->v = v;
	}
	l->v[l->n++] = (struct leaver){pid, clock__ns(CLOCK_MONOTONIC)};
}

static bool look__names(struct look *k, size_t at)
{
	const uint32_t pid = running__pid(k->running, at);
	struct container *c = identities__of_pid(meta__identities(k->l->meta), pid);
	struct socket_counts listens = {0};

	/* Who is left out leaves at once, and by the chooser. */
	if (c && judge__container(k->l->sel, c, NULL) != JUDGED_OTHER)
		return true;
	if (k->l->sel->n_ports)
		sockets__of(&k->sockets, pid, &listens);
	return named__by(k->running, at, &listens, k->l->sel) != NULL;
}

static void look__at_all(struct look *k)
{
	for (size_t i = 0; k->l->sel->n_ports && i < running__count(k->running); i++)
		sockets__read(&k->sockets, running__pid(k->running, i));
	for (size_t i = 0; i < running__count(k->running); i++) {
		const uint32_t pid = running__pid(k->running, i);

		if (attach__is_traced(k->l->attach, pid) && look__names(k, i))
			table__set(&k->stays, pid, k);
	}
}

/* It, or one above it. */
static bool look__stays(const struct look *k, uint32_t pid)
{
	for (int depth = 0; pid && depth < 64; depth++) {
		if (table__get(&k->stays, pid))
			return true;
		pid = running__parent(k->running, pid);
	}
	return false;
}

size_t leaving__judge(struct leaving *l, bool fewer)
{
	struct look k = {.l = l, .running = l->sel->all || (!fewer && !l->n) ? NULL : running__new()};
	size_t left = 0;

	if (!k.running)
		return 0;
	look__at_all(&k);
	for (size_t i = 0; i < running__count(k.running); i++) {
		const uint32_t pid = running__pid(k.running, i);
		const bool stays = look__stays(&k, pid);

		/* Who leaves already may be named again. */
		if ((!stays && !fewer) || !attach__is_traced(l->attach, pid) || attach__is_selected(l->attach, pid) == stays)
			continue;
		attach__set_leaving(l->attach, pid, !stays);
		if (!stays)
			leaving__add(l, pid);
		left += !stays;
	}
	if (left)
		log__info("%zu process%s no longer selected: requests under way are traced to their end", left, left == 1 ? " is" : "es are");
	table__free(&k.stays);
	sockets__free(&k.sockets);
	running__free(k.running);
	return left;
}

/* Is there nothing more to be told of it, or was that waited for long enough? */
static bool leaver__is_through(struct leaving *l, const struct leaver *v, uint64_t now)
{
	if (v->since + LEAST_NS > now)
		return false;
	return v->since + MOST_NS < now || list__empty(&meta__process(l->meta, v->pid)->open);
}

void leaving__tick(struct leaving *l, uint64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct leaver *v = &l->v[i];

		if (!attach__is_traced(l->attach, v->pid) || attach__is_selected(l->attach, v->pid))
			continue; /* it has ended, or stays after all */
		if (!leaver__is_through(l, v, now)) {
			l->v[kept++] = *v;
			continue;
		}
		runtimes__forget(l->runtimes, v->pid, false);
		attach__drop_process(l->attach, v->pid);
		conns__left(l->conns, v->pid, now);
	}
	l->n = kept;
}
