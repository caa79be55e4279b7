// SPDX-License-Identifier: Apache-2.0
#include "view/view.h"

#include <stdlib.h>
#include <sys/ioctl.h>

#include "view/store.h"
#include "view/summary.h"
#include "view/tree.h"

#define QUIET_NS (300ull * 1000000)
#define ORPHANED_NS (5ull * 1000000000) /* a trace whose root never came is shown as it is */
#define SPANS_MAX 60000

struct view {
	struct view_options o;
	struct store store;
	uint64_t now;
	uint64_t not_kept; /* spans of traces that made room for others */
};

static unsigned terminal_width(FILE *out)
{
	struct winsize w;

	return ioctl(fileno(out), TIOCGWINSZ, &w) || !w.ws_col ? 110 : w.ws_col > 160 ? 160 : w.ws_col;
}

struct view *view__new(const struct view_options *o)
{
	struct view *v = calloc(1, sizeof(*v));

	if (!v)
		abort();
	v->o = *o;
	if (!v->o.width)
		v->o.width = terminal_width(o->out);
	store__init(&v->store);
	return v;
}

void view__free(struct view *v)
{
	if (!v)
		return;
	store__free(&v->store);
	free(v);
}

void view__span(struct view *v, const struct span *s)
{
	struct vtrace *oldest;

	store__add(&v->store, s, v->now);
	if (v->store.spans <= SPANS_MAX)
		return;
	oldest = LIST_ENTRY(v->store.all.next, struct vtrace, all);
	v->not_kept += oldest->n;
	if (v->o.live)
		tree__print(&v->o, oldest, "", NULL);
	store__drop(&v->store, oldest);
}

/* Live: shows and forgets the traces that are complete; all of them at the end. */
static void view__show(struct view *v, bool all)
{
	struct list *l, *after;

	for (l = v->store.all.next; l != &v->store.all; l = after) {
		struct vtrace *t = LIST_ENTRY(l, struct vtrace, all);

		after = l->next;
		if (!all && t->touched_ns + (t->root ? QUIET_NS : ORPHANED_NS) > v->now)
			continue;
		tree__print(&v->o, t, "", NULL);
		store__drop(&v->store, t);
	}
	fflush(v->o.out);
}

void view__tick(struct view *v, uint64_t now_ns)
{
	v->now = now_ns;
	if (v->o.live)
		view__show(v, false);
}

void view__finish(struct view *v, const struct view_truth *t)
{
	if (v->o.live)
		view__show(v, true);
	if (v->o.summary)
		summary__print(&v->o, &v->store, t);
	if (v->o.summary && v->not_kept)
		fprintf(v->o.out, "%llu spans are not in these figures: too many to keep\n", (unsigned long long)v->not_kept);
}
