// SPDX-License-Identifier: Apache-2.0
#include "link/scopes.h"

#include <stdlib.h>

#define LINES_MAX 256	   /* threads that run JavaScript */
#define RUNS_MAX 16384	   /* of a thread */
#define FRAMES_MAX 16384   /* scopes of a thread, and what is resumed in them */
#define RESOURCES_MAX 32768 /* that have had a scope */
#define IDLE_NS (60ull * 1000000000)

/* The ids above `counter`, up to the next run's, were given out in scopes that this read led to; 0: not known. */
struct run {
	uint64_t counter, origin;
	uint64_t job; /* and for whom that one's read led to; 0: not known */
};

/* Whose read led to what was done then. */
struct frame {
	uint32_t number;
	uint64_t context;
};

/* A thread. */
struct line {
	uint32_t tid, tgid;
	uint32_t own;	  /* number of the scope that it is in; */
	uint32_t number;  /* of what was told last in it */
	uint64_t id;	  /* of that scope's resource */
	uint64_t counter; /* when it began */
	uint64_t newest;  /* id that is known to have been given out */
	uint64_t read;	  /* that it handles; 0: none */
	uint64_t origin;  /* read that led to it; 0: not known */
	uint64_t own_job; /* what it goes on for, if its resource was made by code that had waited; 0: not known */
	uint64_t job;	  /* of what runs in it now; */
	bool resumed;	  /* which had waited */
	uint64_t other;	  /* read that led to its resource, if that is another one; 0: none, or not known */
	struct run runs[RUNS_MAX];
	uint64_t n_runs; /* ever */
	struct frame frames[FRAMES_MAX];
	struct table resources; /* ids that have had a scope of their own */
	uint64_t resources_since; /* of those up to this id it is not known */
	uint64_t last_ns;
	struct list by_use;
};

void scopes__init(struct scopes *s)
{
	*s = (struct scopes){0};
	list__init(&s->by_use);
}

static void scopes__drop(struct scopes *s, struct line *l)
{
	table__remove(&s->by_thread, l->tid);
	list__remove(&l->by_use);
	table__free(&l->resources);
	free(l);
}

void scopes__free(struct scopes *s)
{
	while (!list__empty(&s->by_use))
		scopes__drop(s, LIST_ENTRY(s->by_use.next, struct line, by_use));
	table__free(&s->by_thread);
}

void scopes__tick(struct scopes *s, uint64_t now)
{
	while (!list__empty(&s->by_use)) {
		struct line *l = LIST_ENTRY(s->by_use.next, struct line, by_use);

		if (l->last_ns + IDLE_NS > now)
			break;
		scopes__drop(s, l);
	}
}

/* The id with these low bits that was given out last, as seen when `counter` had been; 0: none. */
static uint64_t id__whole(uint32_t low, uint64_t counter)
{
	return low ? counter + (uint64_t)(int64_t)(int32_t)(low - (uint32_t)counter) : 0;
}

/* Of all runs that are kept the last one which begins before the id. NULL: it is older. */
static const struct run *line__run(const struct line *l, uint64_t id)
{
	uint64_t low = l->n_runs > RUNS_MAX ? l->n_runs - RUNS_MAX : 0, high = l->n_runs;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (l->runs[middle % RUNS_MAX].counter < id)
			low = middle + 1;
		else
			high = middle;
	}
	high = l->n_runs > RUNS_MAX ? l->n_runs - RUNS_MAX : 0;
	return low > high ? &l->runs[(low - 1) % RUNS_MAX] : NULL;
}

/* What led to the making of a resource; if it was made where several run, to that of what made it. 0: not known. */
static uint64_t line__origin(const struct line *l, uint64_t id, uint64_t trigger)
{
	const struct run *made = id ? line__run(l, id) : NULL, *by;

	if (!made || made->origin)
		return made ? made->origin : 0;
	by = trigger && trigger < id ? line__run(l, trigger) : NULL;
	return by ? by->origin : 0;
}

static struct line *scopes__line(struct scopes *s, const struct ws_rec_scope *r)
{
	struct line *l = table__get(&s->by_thread, r->tid);

	if (l && (l->tgid != r->tgid || r->counter < l->newest)) {
		scopes__drop(s, l);
		l = NULL;
	}
	if (l)
		return l;
	if (s->by_thread.n >= LINES_MAX)
		scopes__drop(s, LIST_ENTRY(s->by_use.next, struct line, by_use));
	l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	l->tid = r->tid;
	l->tgid = r->tgid;
	l->number = r->number - 1;
	l->resources_since = r->counter;
	table__set(&s->by_thread, l->tid, l);
	return l;
}

/* From now on ids are given out because of that. */
static void line__run_begins(struct line *l)
{
	struct run *last = l->n_runs ? &l->runs[(l->n_runs - 1) % RUNS_MAX] : NULL;
	const struct run now = {l->newest, l->origin, l->job};

	if (last && last->origin == now.origin && last->job == now.job)
		return;
	if (last && last->counter == now.counter)
		*last = now; /* the last one has made nothing */
	else
		l->runs[l->n_runs++ % RUNS_MAX] = now;
}

static uint64_t line__frame(const struct line *l, uint32_t number)
{
	const struct frame *f = &l->frames[number % FRAMES_MAX];

	return number && f->number == number ? f->context : 0;
}

/* Whose read led to what made this. */
static uint64_t line__maker(const struct line *l, uint64_t id)
{
	const struct run *made = line__run(l, id);

	return !made ? 0 : made->job ? made->job : made->origin;
}

/* Somebody's code goes on in the scope, or the scope's own again. */
static void line__resume(struct line *l, uint64_t context)
{
	const uint32_t number = (uint32_t)(context >> 32), id = (uint32_t)context;

	l->resumed = number != l->own || id;
	if (!l->resumed)
		l->job = l->own_job;
	else
		l->job = id ? line__maker(l, id__whole(id, l->newest)) : line__frame(l, number);
	line__run_begins(l);
}

/* Has this resource had a scope before? One that has is no request that ends once, but a port, or a socket. */
static bool line__is_first_of(struct line *l, uint64_t id)
{
	if (id <= l->resources_since || table__get(&l->resources, id))
		return false;
	if (l->resources.n >= RESOURCES_MAX) {
		table__free(&l->resources);
		l->resources = (struct table){0};
		l->resources_since = l->newest;
	}
	table__set(&l->resources, id, l);
	return true;
}

static void line__begin(struct line *l, const struct ws_rec_scope *r)
{
	const uint64_t trigger = id__whole((uint32_t)r->ids, r->counter);
	const struct run *run;
	uint64_t made;

	l->own = r->number;
	l->counter = r->counter;
	l->id = id__whole((uint32_t)(r->ids >> 32), r->counter);
	l->read = r->read;
	l->resumed = false;
	made = line__origin(l, l->id, trigger);
	l->other = l->own_job = 0;
	if (r->read) {
		l->origin = r->read;
		l->other = made;
	} else {
		l->origin = l->id && line__is_first_of(l, l->id) ? made : 0;
		run = l->origin ? line__run(l, l->id) : NULL;
		l->own_job = run ? run->job : 0;
	}
	l->job = l->own_job;
	line__run_begins(l);
}

struct resumption scopes__enter(struct scopes *s, const struct ws_rec_scope *r)
{
	struct line *l = scopes__line(s, r);
	struct resumption told = {0};
	struct frame *f = &l->frames[r->number % FRAMES_MAX];

	/* Scopes that were lost have made we do not know what. */
	if (r->number != l->number + 1 && l->n_runs) {
		l->runs[(l->n_runs - 1) % RUNS_MAX].origin = l->runs[(l->n_runs - 1) % RUNS_MAX].job = 0;
		told = (struct resumption){.read = l->read, .lost = true};
	}
	l->number = r->number;
	l->newest = r->counter;
	if (r->what == WS_TIE_PROMISE) {
		line__resume(l, r->ids);
		if (l->resumed && l->read)
			told = (struct resumption){l->read, l->job, r->read == 1, told.lost};
	} else {
		line__begin(l, r);
	}
	f->number = r->number;
	f->context = l->job ? l->job : l->resumed ? 0 : l->origin;
	l->last_ns = r->head.time_ns;
	list__append(&s->by_use, &l->by_use);
	return told;
}

/* For whom runs what has this id? What made by code that had waited is told by what triggers it: nothing, or what it made. */
static uint64_t line__job_of(const struct line *l, uint64_t id, uint64_t trigger)
{
	const struct run *made = line__run(l, id);

	if (!made || (trigger && (trigger > id || line__run(l, trigger) != made)))
		return 0;
	return made->job;
}

struct trail scopes__sends(struct scopes *s, const struct ws_actor *a, uint64_t now)
{
	struct line *l = table__get(&s->by_thread, a->tid);
	struct trail t = {.strange = false};
	uint64_t id, trigger;

	if (!l || l->tgid != a->tgid || !a->cause || (a->cause & WS_NODE_SCOPE) != l->number) {
		t.strange = true;
		return t;
	}
	l->last_ns = now;
	t.from[0] = l->origin;
	t.from[1] = l->other;
	id = id__whole((uint32_t)(a->user_ctx >> 32), l->newest);
	trigger = id__whole((uint32_t)a->user_ctx, l->newest);
	if (a->cause & WS_NODE_MICROTASK)
		t.job = l->resumed ? l->job : 0;
	else
		t.job = !id || id == l->id ? l->own_job : line__job_of(l, id, trigger);
	/* What code that had waited has made, ticks too, is triggered by nothing, or by what it made. */
	t.direct = l->read && !l->resumed && !(a->cause & WS_NODE_MICROTASK) && id &&
		   (id == l->id || (id > l->counter && trigger == l->id));
	if (!id || id == l->id)
		return t; /* what runs is the scope's own, or code that waited for it */
	if (id <= l->counter) {
		t.from[2] = line__origin(l, id, trigger);
	} else { /* made in this scope, in which others may have been entered, as that of a timer */
		if (!trigger || trigger == l->id || trigger > l->counter)
			return t;
		t.from[2] = line__origin(l, trigger, 0);
	}
	t.strange = !t.from[2];
	return t;
}
