// SPDX-License-Identifier: Apache-2.0
#include "agent/chooser.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/cgroup.h"
#include "attach/judge.h"
#include "attach/running.h"
#include "meta/host.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/table.h"

#define CGROUP_PATH_MAX 4352
#define CGROUPS_MAX 8000 /* that the kernel is told of: fewer than attach/load.c has room for */

/* The kinds of rules for containers. */
#define RULES(m) #m, offsetof(struct selection, n_##m##s), offsetof(struct selection, m##s)
static const struct {
	const char *kind;
	size_t count, values; /* in struct selection */
} kinds[] = {{RULES(container)}, {RULES(image)}, {RULES(pod)}, {RULES(namespace)}, {RULES(label)}};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

struct chooser {
	const struct selection *sel;
	struct attach *attach;
	struct identities *ids;
	struct runtimes *runtimes;
	uint32_t hierarchy;
	struct table cgroups; /* ids that the kernel knows; the value says nothing */
	size_t named[KINDS];  /* rules of each kind that were looked for */
	bool dirty;	      /* something was told */
	bool left;	      /* one was wanted, and is no longer */
	bool changed;	      /* some container's judgement, in this round */
};

/* --- what is here ------------------------------------------------------------------------------------ */

/* Where a kind of rule finds what it asks for. */
static const struct {
	const char *kind;
	size_t count; /* in struct selection */
	const char *places[6];
	const char *missing;
} needs[] = {
	{"image", offsetof(struct selection, n_images),
	 {"/var/lib/docker/containers", "/run/containerd", "/run/containers/storage", "/var/lib/containers/storage", "/run/runc"},
	 "images are not known here: neither /var/lib/docker, /run/containerd, /run/containers, /var/lib/containers nor /run/runc can be read"},
	{"pod", offsetof(struct selection, n_pods), {"/run/containerd", "/run/k3s/containerd", "/run/containers/storage"},
	 "pods are not known here: there is no Kubernetes API (KUBERNETES_SERVICE_HOST and a service account), and neither /run/containerd nor /run/containers can be read"},
	{"namespace", offsetof(struct selection, n_namespaces), {"/run/containerd", "/run/k3s/containerd", "/run/containers/storage"},
	 "namespaces are not known here: there is no Kubernetes API (KUBERNETES_SERVICE_HOST and a service account), and neither /run/containerd nor /run/containers can be read"},
	{"label", offsetof(struct selection, n_labels),
	 {"/var/lib/docker/containers", "/run/containerd", "/run/containers/storage", "/run/runc"},
	 "labels are not known here: there is no Kubernetes API (KUBERNETES_SERVICE_HOST and a service account), and neither /var/lib/docker, /run/containerd, /run/containers nor /run/runc can be read"},
};

int chooser__check(const struct selection *sel, char *err, size_t err_size)
{
	for (size_t i = 0; i < sizeof(needs) / sizeof(*needs); i++) {
		bool there = identities__has_api() || !*(const size_t *)((const char *)sel + needs[i].count);

		for (size_t k = 0; k < 6 && needs[i].places[k] && !there; k++)
			there = host__exists(needs[i].places[k]);
		if (there)
			continue;
		snprintf(err, err_size, "--%s: %s", needs[i].kind, needs[i].missing);
		return -ENOTSUP;
	}
	return 0;
}

struct unmatched {
	const struct selection *sel;
	const char *kind, *value;
	bool found;
};

static void unmatched__try(void *ctx, struct container *c)
{
	struct unmatched *u = ctx;

	u->found |= judge__matches(u->kind, u->value, c);
}

/* Each once. */
static void chooser__say_unmatched(struct chooser *ch)
{
	for (size_t k = 0; k < KINDS; k++) {
		const char *const *values = (const char *const *)((const char *)ch->sel + kinds[k].values);
		const size_t n = *(const size_t *)((const char *)ch->sel + kinds[k].count);

		for (; ch->named[k] < n; ch->named[k]++) {
			struct unmatched u = {ch->sel, kinds[k].kind, values[ch->named[k]], false};

			identities__each(ch->ids, unmatched__try, &u);
			if (!u.found)
				log__warn("--%s %s: there is none yet; waiting for it", u.kind, u.value);
		}
	}
}

/* --- telling the kernel ------------------------------------------------------------------------------ */

static void chooser__tell_cgroup(struct chooser *ch, struct container *c, uint64_t id)
{
	static const unsigned verdicts[] = {0, WS_CGROUP_WANTED, WS_CGROUP_LEFT_OUT};

	if (!id || (c->cgroup && c->cgroup != id) || ch->cgroups.n >= CGROUPS_MAX)
		return; /* one below that of the container goes with it */
	if (verdicts[c->judgement] ? attach__set_cgroup(ch->attach, ch->hierarchy, id, verdicts[c->judgement]) :
	    c->cgroup ? attach__set_cgroup(ch->attach, ch->hierarchy, id, 0) : 0)
		return;
	c->cgroup = verdicts[c->judgement] ? id : 0;
	if (c->cgroup)
		table__set(&ch->cgroups, id, ch);
}

/*
 * The cgroup of a container that a process is in; 0: not to be told. A process enters version 1's hierarchies
 * one after the other, and its pid may be another's by now: the path itself must be of that container, for
 * what is wanted of the root is wanted of all the machine.
 */
static uint64_t chooser__cgroup_of(struct chooser *ch, const struct container *c, uint32_t pid)
{
	char path[CGROUP_PATH_MAX];
	uint64_t id = cgroup__of_pid(pid, ch->hierarchy, path, sizeof(path));

	return id && identities__of_path(ch->ids, slice__of(path)) == c ? id : 0;
}

static void chooser__judge(void *ctx, struct container *c)
{
	struct chooser *ch = ctx;
	enum judgement j = judge__container(ch->sel, c, NULL);

	if (c->judgement == j)
		return;
	ch->left |= c->judgement == JUDGED_WANTED && j == JUDGED_OTHER;
	c->judgement = (uint8_t)j;
	ch->changed = true;
	if (c->cgroup)
		chooser__tell_cgroup(ch, c, c->cgroup);
}

/* Every process that runs: its container's verdict, where that is new. */
static void chooser__scan(struct chooser *ch)
{
	const struct ws_process yes = {.selected = 1}, no = {.selected = 0};
	struct running *r = running__new();
	bool more = false, again = false;

	for (size_t i = 0; r && i < running__count(r); i++) {
		const uint32_t pid = running__pid(r, i);
		struct container *c = pid == (uint32_t)getpid() ? NULL : identities__of_pid(ch->ids, pid);
		bool traced;

		if (!c)
			continue;
		chooser__judge(ch, c);
		if (c->judgement == JUDGED_OTHER) {
			again |= attach__unset_process(ch->attach, pid); /* it was left out until it was known */
			continue;
		}
		if (!c->cgroup)
			chooser__tell_cgroup(ch, c, chooser__cgroup_of(ch, c, pid));
		traced = attach__is_selected(ch->attach, pid);
		if (traced == (c->judgement == JUDGED_WANTED))
			continue;
		if (traced && ch->runtimes)
			runtimes__forget(ch->runtimes, pid, false);
		attach__set_process(ch->attach, pid, traced ? &no : &yes);
		more |= !traced;
	}
	running__free(r);
	if (again)
		attach__select_again(ch->attach);
	else if (more)
		attach__announce(ch->attach);
	ch->changed = false;
}

static void on_told(void *ctx, struct container *c)
{
	((struct chooser *)ctx)->dirty = true;
}

struct chooser *chooser__new(const struct selection *sel, struct attach *attach, struct identities *ids,
			     struct runtimes *runtimes)
{
	struct chooser *ch = calloc(1, sizeof(*ch));

	if (!ch)
		abort();
	*ch = (struct chooser){.sel = sel, .attach = attach, .ids = ids, .runtimes = runtimes,
				.hierarchy = cgroup__hierarchy()};
	identities__on_told(ids, on_told, ch);
	chooser__scan(ch);
	chooser__say_unmatched(ch);
	return ch;
}

static void chooser__tell_again(void *ctx, struct container *c)
{
	if (c->cgroup)
		chooser__tell_cgroup(ctx, c, c->cgroup);
}

bool chooser__has_left(struct chooser *ch)
{
	const bool left = ch->left;

	ch->left = false;
	return left;
}

void chooser__select_again(struct chooser *ch, const struct selection *before)
{
	/* Rules that stay are the first ones of their kind, and were looked for. */
	for (size_t k = 0; k < KINDS; k++) {
		const char *const *was = (const char *const *)((const char *)before + kinds[k].values);
		const char *const *is = (const char *const *)((const char *)ch->sel + kinds[k].values);
		const size_t n_was = *(const size_t *)((const char *)before + kinds[k].count);
		const size_t n = *(const size_t *)((const char *)ch->sel + kinds[k].count);
		size_t kept = 0;

		for (size_t i = 0; i < n_was && kept < n; i++)
			kept += !strcmp(was[i], is[kept]);
		ch->named[k] = kept;
	}
	identities__each(ch->ids, chooser__judge, ch);
	identities__each(ch->ids, chooser__tell_again, ch); /* a --cgroup that went may have been one of these */
	chooser__scan(ch);
	chooser__say_unmatched(ch);
}

void chooser__free(struct chooser *ch)
{
	if (!ch)
		return;
	identities__on_told(ch->ids, NULL, NULL);
	table__free(&ch->cgroups);
	free(ch);
}

struct forgotten {
	uint64_t id;
};

static void forgotten__try(void *ctx, struct container *c)
{
	if (c->cgroup == ((struct forgotten *)ctx)->id)
		c->cgroup = 0;
}

/* Its id is not used again, and the container may be started anew, in another one. */
static void chooser__forget_cgroup(struct chooser *ch, uint64_t id)
{
	struct forgotten f = {id};

	if (!table__remove(&ch->cgroups, id))
		return;
	attach__set_cgroup(ch->attach, ch->hierarchy, id, 0);
	identities__each(ch->ids, forgotten__try, &f);
}

/* One that the container makes for itself: its verdict is that of the one above. */
static bool chooser__is_inner(struct chooser *ch, const struct container *c, struct slice path)
{
	const size_t above = path.n - slice__leaf(path).n; /* with its slash */

	return above > 1 && identities__of_path(ch->ids, slice__sub(path, 0, above - 1)) == c;
}

void chooser__cgroup(struct chooser *ch, const struct ws_rec_cgroup *r, struct slice path)
{
	struct container *c;

	if (r->what == WS_PROC_CGROUP_GONE) {
		chooser__forget_cgroup(ch, r->id);
		return;
	}
	c = identities__of_path(ch->ids, path);
	if (!c)
		return;
	chooser__judge(ch, c);
	if (c->judgement == JUDGED_OTHER || (c->cgroup && chooser__is_inner(ch, c, path)))
		return;
	if (c->cgroup && c->cgroup != r->id)
		chooser__forget_cgroup(ch, c->cgroup); /* that it has gone was lost */
	chooser__tell_cgroup(ch, c, r->id);
	log__debug("container %.12s: %s, %llu us after its cgroup was made", c->ref.id,
		   c->judgement == JUDGED_WANTED ? "traced" : "left out",
		   (unsigned long long)(clock__ns(CLOCK_MONOTONIC) - r->head.time_ns) / 1000);
}

bool chooser__wants(struct chooser *ch, uint32_t pid, bool *left_out)
{
	struct container *c = identities__of_pid(ch->ids, pid);

	*left_out = false;
	if (!c)
		return false;
	chooser__judge(ch, c);
	*left_out = c->judgement == JUDGED_LEFT_OUT;
	if (c->judgement != JUDGED_OTHER && !c->cgroup)
		chooser__tell_cgroup(ch, c, chooser__cgroup_of(ch, c, pid));
	return c->judgement == JUDGED_WANTED;
}

void chooser__tick(struct chooser *ch)
{
	if (!ch->dirty)
		return;
	ch->dirty = false;
	identities__each(ch->ids, chooser__judge, ch);
	if (ch->changed)
		chooser__scan(ch);
}
