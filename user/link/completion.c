// SPDX-License-Identifier: Apache-2.0
/* completion.c - tapes of calls, and the two rules that read them: see completion.h. */
#include "link/completion.h"

#include <stdlib.h>

#include "meta/meta.h"

#define TAPE_MAX 8	/* calls of one task */
#define REMEMBERED 64	/* completions, and requests that nobody was seen to complete, of a process */
#define ALIKE 31	/* of 32 completions */
#define EXACT 15	/* of 16 */
#define FEW 4		/* so many must be known */
#define POOLS_MAX 4096	/* processes */

enum way { BY_WAKE, BY_ANSWER, WAYS }; /* how a task completes. Each is looked at for itself */

struct reel {
	struct link_node *calls[TAPE_MAX]; /* counted */
	unsigned n;
	unsigned epoch;
	uint64_t task; /* whose calls they are; 0: not known */
	bool overflow;
	bool done; /* a completion has claimed them */
	const struct link_node *done_for, *completed; /* by that; by the task. Not counted: only compared */
};

struct tape {
	struct reel of[WAYS];
	uint64_t first; /* task that was seen first */
	bool ends;	/* there was another one later */
	uint64_t goes_on; /* task that completed several requests */
};

/* What is known of the pools of a process. */
struct pool {
	uint32_t pid;
	uint64_t exited_ns; /* 0: it runs */
	struct list by_use;
	struct {
		uint8_t lengths[REMEMBERED]; /* calls of the latest completions */
		unsigned n;
	} of[WAYS];
	struct {
		uint64_t began_at, ended_at;
	} uncompleted[REMEMBERED]; /* requests answered by their own thread, which nobody had woken and which called nobody */
	unsigned n_uncompleted;
};

void pools__init(struct pools *ps)
{
	*ps = (struct pools){0};
	list__init(&ps->by_use);
	list__init(&ps->exited);
}

static void pools__drop(struct pools *ps, struct pool *p)
{
	table__remove(&ps->by_pid, p->pid);
	list__remove(&p->by_use);
	free(p);
}

static struct pool *pools__oldest(const struct pools *ps)
{
	const struct list *of = list__empty(&ps->exited) ? &ps->by_use : &ps->exited;

	return LIST_ENTRY(of->next, struct pool, by_use);
}

static struct pool *pools__of(struct pools *ps, const struct link_node *n)
{
	struct pool *p = table__get(&ps->by_pid, n->pid);

	if (p && p->exited_ns) {
		pools__drop(ps, p);
		p = NULL;
	}
	if (!p) {
		if (ps->by_pid.n >= POOLS_MAX)
			pools__drop(ps, pools__oldest(ps));
		p = calloc(1, sizeof(*p));
		if (!p)
			abort();
		p->pid = n->pid;
		table__set(&ps->by_pid, p->pid, p);
	}
	list__append(&ps->by_use, &p->by_use);
	return p;
}

void pools__free(struct pools *ps)
{
	while (ps->by_pid.n)
		pools__drop(ps, pools__oldest(ps));
	table__free(&ps->by_pid);
}

void pools__exited(struct pools *ps, uint32_t pid, uint64_t now)
{
	struct pool *p = table__get(&ps->by_pid, pid);

	if (!p)
		return;
	p->exited_ns = now;
	list__append(&ps->exited, &p->by_use);
}

void pools__tick(struct pools *ps, uint64_t now)
{
	while (!list__empty(&ps->exited)) {
		struct pool *p = LIST_ENTRY(ps->exited.next, struct pool, by_use);

		if (p->exited_ns + EXITED_NS > now)
			break;
		pools__drop(ps, p);
	}
}

static void reel__clear(struct reel *t)
{
	while (t->n) {
		struct link_node *n = t->calls[--t->n];

		n->on_tape--;
		node__unref(n);
	}
	t->overflow = t->done = false;
	t->done_for = NULL;
}

void tape__free(struct tape *t)
{
	for (int i = 0; t && i < WAYS; i++)
		reel__clear(&t->of[i]);
	free(t);
}

static void tape__at(struct tape *tape, uint64_t task)
{
	if (!tape->first)
		tape->first = task;
	tape->ends |= task && task != tape->first;
	for (int i = 0; i < WAYS; i++) {
		struct reel *t = &tape->of[i];

		if (t->task == task)
			continue;
		reel__clear(t);
		t->completed = NULL;
		t->task = task;
	}
}

void completion__sent(const struct pools *ps, struct context *c, struct link_node *n)
{
	if (!c->tape) {
		c->tape = calloc(1, sizeof(*c->tape));
		if (!c->tape)
			abort();
		c->tape->of[BY_WAKE].epoch = c->tape->of[BY_ANSWER].epoch = ps->epoch;
	}
	n->x->conn->pooled = true;
	n->task = c->task;
	tape__at(c->tape, c->task);
	for (int i = 0; i < WAYS; i++) {
		struct reel *t = &c->tape->of[i];

		if (t->done)
			reel__clear(t);
		t->overflow |= t->n == TAPE_MAX;
		if (t->overflow)
			continue;
		n->on_tape++;
		t->calls[t->n++] = node__ref(n);
	}
}

void completion__began(struct context *c)
{
	for (int i = 0; c->tape && i < WAYS; i++)
		reel__clear(&c->tape->of[i]);
}

/* The task has completed p: its calls were made for p. */
static void tape__complete(struct tape *tape, struct pools *ps, const struct resolver *r, enum way way, struct link_node *p,
			   uint64_t now)
{
	const struct link_rule *rule = way == BY_WAKE ? &rule_wake : &rule_answer;
	struct pool *pool = pools__of(ps, p);
	struct reel *t = &tape->of[way];

	if (t->done && t->done_for == p)
		return; /* once more for the same */
	if (t->task && t->completed && t->completed != p)
		tape->goes_on = t->task;
	t->completed = p;
	if (t->epoch != ps->epoch) {
		reel__clear(t);
		t->epoch = ps->epoch;
		return;
	}
	pool->of[way].lengths[pool->of[way].n++ % REMEMBERED] = t->done ? 0 : (uint8_t)t->n;
	for (unsigned i = 0; i < t->n; i++) {
		if (!t->done)
			t->calls[i]->completes[way] = t->overflow ? TAPE_MAX + 1 : t->n;
		if (t->calls[i]->replied)
			resolver__claim(r, t->calls[i], rule, p, NULL, now);
	}
	t->done = true;
	t->done_for = p;
}

void completion__woke(struct pools *ps, const struct resolver *r, struct context *by, const struct context *of,
		      enum ws_java_wait wait, uint64_t now)
{
	struct link_node *p = of->serving;

	if (!by->tape || wait == WS_JAVA_WAIT_OTHER || (by->task && wait != WS_JAVA_WAIT_RESULT) || !p || p->state != NODE_OPEN || p->reader != of->id || of->loop)
		return;
	p->woken = p->woken_now = true;
	tape__at(by->tape, by->task);
	tape__complete(by->tape, ps, r, BY_WAKE, p, now);
}

void completion__goes_on(struct link_node *p, const struct connection *conn)
{
	p->handed_on |= p->woken_now && conn->pooled;
	p->woken_now = false;
}

void completion__answered(struct pools *ps, const struct resolver *r, struct context *c, struct link_node *n, uint64_t now)
{
	if (n->reader == c->id) {
		completion__began(c);
	} else if (c->tape && !c->loop) {
		tape__at(c->tape, c->task);
		tape__complete(c->tape, ps, r, BY_ANSWER, n, now);
	}
}

void completion__ended(struct pools *ps, const struct link_node *n)
{
	struct pool *pool = table__get(&ps->by_pid, n->pid);
	unsigned i;

	if (!pool || n->woken || n->called || n->answerer != n->reader)
		return;
	i = pool->n_uncompleted++ % REMEMBERED;
	pool->uncompleted[i].began_at = n->began_at;
	pool->uncompleted[i].ended_at = n->ended_at;
}

/*
 * Do nearly all tasks of this process make as many calls as this one? Where the one that waits had not
 * gone to sleep yet, no wake is seen, and two tasks look like one: a multiple speaks against itself alone,
 * as long as it is rare. Wakes that come by chance (of who waits for a lock) find one call, or some.
 */
static bool pool__is_regular(const struct pool *pool, enum way way, unsigned length)
{
	unsigned known = pool->of[way].n < REMEMBERED ? pool->of[way].n : REMEMBERED, alike = 0, exact = 0;

	for (unsigned i = 0; i < known; i++) {
		exact += pool->of[way].lengths[i] == length;
		alike += pool->of[way].lengths[i] && pool->of[way].lengths[i] % length == 0;
	}
	return known >= FEW && alike * (ALIKE + 1) >= known * ALIKE && exact * (EXACT + 1) >= known * EXACT;
}

static bool pool__may_have_another(const struct pool *pool, const struct link_node *n)
{
	for (unsigned i = 0; i < pool->n_uncompleted && i < REMEMBERED; i++)
		if (pool->uncompleted[i].began_at <= n->began_at && n->began_at <= pool->uncompleted[i].ended_at)
			return true;
	return false;
}

/* Did the task that sent n end with what it completed? NULL, or why that is not known. */
static const char *task__fault(const struct link_node *n, const struct rule_world *w)
{
	const struct context *c = contexts__get(w->contexts, n->issuer);

	if (!c || !c->tape || !c->tape->ends)
		return "its thread has been at one task only";
	return c->tape->goes_on == n->task ? "its task completes several requests" : NULL;
}

static const char *completion__fault(const struct claim *c, const struct link_node *n, const struct rule_world *w, enum way way)
{
	const struct pool *pool = table__get(&w->pools->by_pid, n->pid);

	if (n->completes[way] > TAPE_MAX)
		return "more calls than a task may have";
	if (n->task && n->completes[way] && !task__fault(n, w))
		return node__outside(c->parent, n);
	if (!n->completes[way] || !pool || !pool__is_regular(pool, way, n->completes[way]))
		return "the tasks of this process differ: where one ends is not known";
	if (n->completes[way] > 1 && pool__may_have_another(pool, n))
		return "another request may have been completed unseen";
	return node__outside(c->parent, n);
}

static const char *wake__fault(const struct claim *c, const struct link_node *n, const struct rule_world *w)
{
	const struct link_node *p = c->parent;

	if (p->overlapped)
		return "the woken thread read another request meanwhile";
	if (p->answerer && p->answerer != p->reader)
		return "the woken thread did not answer";
	if (p->handed_on)
		return "it may have waited for the connection that it went on with";
	if (p->answered_at && c->at_ns > p->answered_at)
		return "it was woken after the answer";
	return completion__fault(c, n, w, BY_WAKE);
}

static const char *answer__fault(const struct claim *c, const struct link_node *n, const struct rule_world *w)
{
	return completion__fault(c, n, w, BY_ANSWER);
}

const struct link_rule rule_wake = {"wake", EV_WAKE, wake__fault};
const struct link_rule rule_answer = {"answer", EV_ANSWER, answer__fault};
