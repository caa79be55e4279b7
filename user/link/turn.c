// SPDX-License-Identifier: Apache-2.0
#include "link/turn.h"

#include <stdlib.h>

#define TURN_MAX 48
#define CALLS_REMEMBERED 1024
#define CALLS_KNOWN 128 /* so many must have been seen */
#define EMPTY_SHARE 512 /* one in: calls that find no request in both turns. Those of timers may find one by chance, so hardly any */

struct turn {
	unsigned refs;
	uint64_t switches;
	struct link_node *reads[TURN_MAX], *answers[TURN_MAX]; /* counted, in order */
	unsigned n_reads, n_answers;
	/* Calls that have had some of their reply in it: their sent_in, only compared; what was read and answered by then. */
	struct {
		const struct turn *sent_in;
		unsigned reads, answers;
	} replies[TURN_MAX];
	unsigned n_replies;
	bool overflow;
};

void turn__unref(struct turn *t)
{
	if (!t || --t->refs)
		return;
	while (t->n_reads)
		node__unref(t->reads[--t->n_reads]);
	while (t->n_answers)
		node__unref(t->answers[--t->n_answers]);
	free(t);
}

static struct turn *turn__of(struct context *c, const struct ws_actor *a)
{
	struct turn *t = c->now;

	if (t && t->switches == a->switches)
		return t;
	turn__unref(t);
	t = c->now = calloc(1, sizeof(*t));
	if (!t)
		abort();
	t->refs = 1;
	t->switches = a->switches;
	return t;
}

static struct turn *turn__ref(struct turn *t)
{
	t->refs++;
	return t;
}

static void turn__add(struct turn *t, struct link_node **list, unsigned *n, struct link_node *node)
{
	if (*n && list[*n - 1] == node)
		return;
	if (*n == TURN_MAX)
		t->overflow = true;
	else
		list[(*n)++] = node__ref(node);
}

void turn__read(struct context *c, struct link_node *n, const struct ws_actor *a)
{
	struct turn *t = c->loop ? turn__of(c, a) : NULL;

	if (t)
		turn__add(t, t->reads, &t->n_reads, n);
}

void turn__sent(struct context *c, struct link_node *n, const struct ws_actor *a, struct turn *of_connect)
{
	if (!c->loop || n->sent_in)
		return;
	n->sent_in = turn__ref(of_connect ? of_connect : turn__of(c, a));
	n->reads_before = n->sent_in->n_reads;
}

struct turn *turn__connects(struct context *c, const struct ws_actor *a)
{
	return c->loop ? turn__ref(turn__of(c, a)) : NULL;
}

void turn__replied(struct context *c, struct link_node *n, const struct ws_actor *a)
{
	struct turn *t = c->loop && n->sent_in ? turn__of(c, a) : NULL;

	if (!t || n->replied_in == t)
		return;
	turn__unref(n->replied_in);
	n->replied_in = turn__ref(t);
	n->answers_before = t->n_answers;
	if (t->n_replies == TURN_MAX) {
		t->overflow = true;
		return;
	}
	t->replies[t->n_replies].sent_in = n->sent_in;
	t->replies[t->n_replies].reads = n->reads_before;
	t->replies[t->n_replies++].answers = n->answers_before;
}

void turn__answers(struct context *c, struct link_node *n, const struct ws_actor *a)
{
	struct turn *t = c->loop ? turn__of(c, a) : NULL;

	if (t)
		turn__add(t, t->answers, &t->n_answers, n);
}

static void context__count_turns(struct context *c, bool empty)
{
	if (c->turn_calls >= CALLS_REMEMBERED) {
		c->turn_calls /= 2;
		c->turn_empty /= 2;
	}
	c->turn_calls++;
	c->turn_empty += empty;
}

/* How many requests are in both; one of them. */
static unsigned turns__common(const struct link_node *n, struct link_node **one)
{
	const struct turn *sent = n->sent_in, *replied = n->replied_in;
	unsigned common = 0;

	for (unsigned i = 0; i < n->reads_before; i++)
		for (unsigned k = n->answers_before; k < replied->n_answers; k++)
			if (sent->reads[i] == replied->answers[k]) {
				*one = sent->reads[i];
				common++;
			}
	return common;
}

/* May another call of these turns be p's as well? That of a timer comes by chance, next to p's own. */
static bool turns__have_another(const struct link_node *n, const struct link_node *p)
{
	const struct turn *sent = n->sent_in, *replied = n->replied_in;
	unsigned read = 0, answered = replied->n_answers, claims = 0;

	while (read < sent->n_reads && sent->reads[read] != p)
		read++;
	while (answered && replied->answers[answered - 1] != p)
		answered--;
	for (unsigned i = 0; i < replied->n_replies; i++)
		claims += replied->replies[i].sent_in == sent && replied->replies[i].reads > read &&
			  replied->replies[i].answers < answered;
	return claims > 1;
}

void turn__claim(const struct resolver *r, struct link_node *n)
{
	struct context *c = contexts__get(r->world.contexts, n->issuer);
	struct link_node *one = NULL;
	unsigned common;

	if (!c || !n->sent_in || !n->replied_in || context__is_regular(c, n->by_queue))
		return;
	common = turns__common(n, &one);
	context__count_turns(c, !common);
	if (n->sent_in->overflow || n->replied_in->overflow)
		resolver__claim(r, n, &rule_turn, NULL, "more requests in a turn than are kept", 0);
	else if (common != 1)
		resolver__claim(r, n, &rule_turn, NULL,
				common ? "several requests were read and answered in the same turns" :
					 "no request was read when it was sent and answered when its reply came", 0);
	else if (turns__have_another(n, one))
		resolver__claim(r, n, &rule_turn, NULL, "another call was sent and replied to in the same turns", 0);
	else
		resolver__claim(r, n, &rule_turn, one, NULL, 0);
}

static const char *turn__fault(const struct claim *c, const struct link_node *n, const struct rule_world *w)
{
	const struct context *loop = contexts__get(w->contexts, n->issuer);

	if (!loop || loop->turn_calls < CALLS_KNOWN)
		return "too little is known of this loop";
	if (loop->turn_empty > loop->turn_calls / EMPTY_SHARE)
		return "timers or queues send much of what this loop sends";
	return node__outside(c->parent, n);
}

const struct link_rule rule_turn = {"turn", EV_TURN, turn__fault};
