// SPDX-License-Identifier: Apache-2.0
/*
 * rule_callback.c - see callback.h. What a request's own read led to is that request's, unless the reply leads to
 * the answer of another one. What the reply to a call led to is most often the same request's; but a pool's
 * connection that is free again goes to whoever waits for it, and the next call is then sent at once: so the answer
 * that the reply leads to has the last word, and calls that lead to none are believed while no answer of
 * the process has spoken against it.
 *
 * A call of which nothing is known when it is sent (its promise was resolved by a timer) is that request's which
 * its reply leads to the answer of; not where answers come otherwise as well, for they may be those of others who
 * waited for the same.
 *
 * Where promises are followed, a call may be known to be sent by code of a request that had waited for one. That may
 * still be a call for somebody else, whom a pool serves next: so it is believed if its reply led to that request's
 * answer, or resumed code of that request, and of nobody to whom no other reply came then.
 *
 * A call after the answer is that request's if the callback that answered it has sent it as well, itself: most others that come
 * later are of things that live longer than a request (a timer that comes again, what collects for several).
 */
#include "link/callback.h"

#include <stdlib.h>
#include <string.h>

#include "link/reading.h"
#include "link/rule.h"
#include "meta/meta.h"

#define DEPTH_MAX 24	/* calls in a row */
#define REMEMBERED 1024 /* of a process, half of it forgotten at a time */
#define FEW 4	       /* so many must have been seen */
#define SHARE 32       /* one in */

/* That was all there is, or there is another. */
static void node__leads_to(struct link_node **to, bool *many, struct link_node *n)
{
	if (*to && *to != n)
		*many = true;
	else if (!*to)
		*to = node__ref(n);
}

/* What alone was read then, a request or the reply to a call, or NULL. */
static struct link_node *callbacks__read_alone(const struct callbacks *cs, uint64_t number)
{
	const struct reading *r = callbacks__reading(cs, number);

	return r && !r->several ? r->node : NULL;
}

/* The call alone whose reply was read then, or NULL. */
static struct link_node *callbacks__call(const struct callbacks *cs, uint64_t number)
{
	struct link_node *n = callbacks__read_alone(cs, number);

	return n && !n->inbound ? n : NULL;
}

void callbacks__sent(struct callbacks *cs, struct link_node *n, const struct ws_actor *a, uint64_t now)
{
	struct link_node *call;

	n->of_callback = true;
	n->trail = scopes__sends(&cs->scopes, a, now);
	call = callbacks__call(cs, n->trail.from[0]);
	n->handed_on_to |= call && call->conn == n->conn && strcmp(n->x->protocol, "http");
}

static bool trail__has(const struct trail *t, uint64_t number)
{
	for (unsigned i = 0; i < TRAIL_MAX; i++)
		if (t->from[i] == number)
			return true;
	return false;
}

/*
 * The call whose reply led to this one, by its resource if that was made for it. The parser of a reply is made
 * when the call is sent, so that what led to the call has led to it as well: that tells nothing new.
 */
static struct link_node *call__before(const struct callbacks *cs, const struct link_node *n, bool *made_for_it)
{
	struct link_node *scope = n->handed_on_to ? NULL : callbacks__call(cs, n->trail.from[0]);
	uint64_t made = n->trail.from[2];

	*made_for_it = made && made != n->trail.from[0] && !(scope && trail__has(&scope->trail, made));
	if (*made_for_it)
		return callbacks__call(cs, made);
	return n->trail.strange ? NULL : scope;
}

/* The request that the read was part of, or whose call's reply, as far as the call itself was sent by the request's code. */
static struct link_node *callbacks__request(const struct callbacks *cs, uint64_t number)
{
	struct link_node *n = callbacks__read_alone(cs, number);

	if (!n || n->inbound)
		return n;
	if (n->judged)
		return n->parent;
	n = callbacks__read_alone(cs, n->trail.job ? n->trail.job : n->trail.from[0]);
	return n && n->inbound ? n : NULL;
}

/* Whose code sent it, as far as promises tell; NULL: not known. */
static struct link_node *call__sender(const struct callbacks *cs, const struct link_node *n)
{
	return callbacks__request(cs, n->trail.job);
}

/* The same, or whose read led to it. */
static struct link_node *call__candidate(const struct callbacks *cs, const struct link_node *n)
{
	return callbacks__request(cs, n->trail.job ? n->trail.job : n->trail.from[0]);
}

static void count(uint32_t *which, uint32_t *other)
{
	if (++*which + *other < REMEMBERED)
		return;
	/* What has been seen once is never quite forgotten. */
	*which = (*which + 1) / 2;
	*other = (*other + 1) / 2;
}

/* Of the replies in this read, one to a call of the request that is answered now led to that. */
static void reading__answers(const struct callbacks *cs, const struct reading *r, struct link_node *request)
{
	struct link_node *only = call__candidate(cs, r->node) == request ? r->node : NULL;

	for (unsigned i = 0; i < r->n_others; i++) {
		if (call__candidate(cs, r->others[i]) != request)
			continue;
		if (only)
			return;
		only = r->others[i];
	}
	if (only && !only->inbound && !r->vague)
		node__leads_to(&only->answer, &only->answers, request);
}

void callbacks__answered(struct callbacks *cs, struct link_node *n, const struct ws_actor *a, uint64_t now)
{
	struct trail t = scopes__sends(&cs->scopes, a, now);
	struct reading *own = callbacks__reading(cs, t.from[0]);
	struct link_node *call = callbacks__call(cs, t.from[0] ? t.from[0] : t.from[2]);
	struct process *p = n->x->conn->process;
	struct link_node *sender, *before;
	bool guessed = false, made;

	if (own && own->several && callbacks__request(cs, t.job) == n) {
		reading__answers(cs, own, n);
		return;
	}
	if (p && call)
		count(&p->callbacks.led, &p->callbacks.unled);
	else if (p && !(own && own->node == n)) /* a request that is answered at once tells nothing */
		count(&p->callbacks.unled, &p->callbacks.led);
	if (!call)
		return;
	node__leads_to(&call->answer, &call->answers, n);
	for (unsigned i = 0; i < DEPTH_MAX && (before = call__before(cs, call, &made)); i++) {
		sender = call__sender(cs, call);
		if (sender && call__sender(cs, before) && call__sender(cs, before) != sender)
			break; /* it had waited for its turn */
		call = before;
		guessed |= !made;
		call->late_guessed |= guessed;
		node__leads_to(&call->late_answer, &call->late_answers, n);
	}
}

/* The requests that may have led to a call. */
struct causes {
	struct link_node *v[TRAIL_MAX];
	unsigned n;
	bool own;     /* its own read led to the call */
	bool follows; /* the reply to another call did, whosever that is */
	bool strange; /* or something that is not known */
};

struct opinion {
	struct link_node *parent; /* or NULL: */
	const char *fault;	  /* static: why not */
	bool over;		  /* parent: it was answered before */
};

static struct opinion callbacks__judge(const struct callbacks *cs, const struct link_node *n, unsigned depth);

static bool causes__have(const struct causes *c, const struct link_node *n)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->v[i] == n)
			return true;
	return false;
}

static void causes__add(struct causes *c, struct link_node *n)
{
	if (!causes__have(c, n))
		c->v[c->n++] = n;
}

static bool request__was_over(const struct link_node *p, const struct link_node *n)
{
	uint64_t began = n->x ? n->x->request_first : n->began_at;
	uint64_t answered = p->x ? p->x->response_first : p->answered_at;

	return answered && answered < began;
}

static struct causes call__causes(const struct callbacks *cs, const struct link_node *n, unsigned depth)
{
	struct causes c = {.strange = n->trail.strange};

	for (unsigned i = 0; i < TRAIL_MAX; i++) {
		struct link_node *p = callbacks__read_alone(cs, n->trail.from[i]);
		bool own = p && p->inbound;

		if (!n->trail.from[i])
			continue;
		c.follows |= p && !own;
		if (!i && n->handed_on_to && !own) {
			c.strange = true;
			continue;
		}
		if (p && !p->inbound)
			p = p->judged ? p->parent : callbacks__judge(cs, p, depth + 1).parent;
		if (!p) {
			c.strange = true;
		} else if (!request__was_over(p, n)) {
			causes__add(&c, p);
			c.own |= own && i != 1; /* a connection is made for one request and used for others */
		}
	}
	return c;
}

static bool is_rare(uint32_t n, uint32_t of)
{
	return n * SHARE <= of;
}

/* Do calls that follow from a reply belong to the request whose call that was, as far as answers have told? */
static bool process__is_orderly(const struct process *p)
{
	return p->callbacks.agreed >= FEW && !p->callbacks.differed && !p->callbacks.contradicted;
}

/* Did another reply in this read come to a call of that request? */
static bool reading__explains(const struct callbacks *cs, const struct reading *r, const struct link_node *request,
			      const struct link_node *n)
{
	for (unsigned i = 0; i < r->n_others; i++)
		if (r->others[i] != n && call__candidate(cs, r->others[i]) == request)
			return true;
	return r->node != n && call__candidate(cs, r->node) == request;
}

/* Did its reply resume code of that request, and of nobody else's? */
static bool reply__resumed(const struct callbacks *cs, const struct link_node *n, const struct link_node *request)
{
	bool found = false;

	if (n->n_replies > REPLIES_MAX)
		return false;
	for (unsigned i = 0; i < n->n_replies; i++) {
		const struct reading *r = callbacks__reading(cs, n->replies[i]);

		if (!r || r->vague || r->unknown)
			return false;
		for (unsigned k = 0; k < r->n_resumed; k++) {
			const struct link_node *whose = callbacks__request(cs, r->resumed[k]);

			found |= whose == request;
			if (!whose || (whose != request && !request__was_over(whose, n) && !reading__explains(cs, r, whose, n)))
				return false;
		}
	}
	return found;
}

/* May its reply have resumed code of that request? */
static bool reply__may_resume(const struct callbacks *cs, const struct link_node *n, const struct link_node *request)
{
	for (unsigned i = 0; i < n->n_replies && i < REPLIES_MAX; i++) {
		const struct reading *r = callbacks__reading(cs, n->replies[i]);

		if (!r || r->vague || r->unknown)
			return true;
		for (unsigned k = 0; k < r->n_resumed; k++) {
			const struct link_node *whose = callbacks__request(cs, r->resumed[k]);

			if (!whose || whose == request)
				return true;
		}
	}
	return n->n_replies > REPLIES_MAX;
}

/*
 * Its reply led to an answer. That may be one of several things which it led to, for the code that sent it belongs to
 * another request, and was resumed as well: as where that one lets go of a lock, and who has waited is answered at once.
 */
static bool answer__is_doubtful(const struct callbacks *cs, const struct link_node *n, const struct link_node *answer)
{
	struct link_node *sender = call__sender(cs, n);

	return sender && sender != answer && reply__may_resume(cs, n, sender);
}

/* Code that had waited has sent it: was that for the request whose code it is? NULL: that is not known. */
static struct link_node *sender__judge(const struct callbacks *cs, const struct link_node *n, struct link_node *answer)
{
	struct link_node *sender = call__sender(cs, n);

	if (!sender || n->answers || request__was_over(sender, n))
		return NULL;
	if (answer)
		return answer == sender ? sender : NULL;
	if (n->late_answers || (n->late_answer && n->late_answer != sender))
		return NULL;
	return reply__resumed(cs, n, sender) ? sender : NULL;
}

/*
 * Do answers follow from replies in this program? The requests that are open may yet be answered otherwise: twice as
 * many answers must have been seen.
 */
static bool process__answers_by_replies(const struct process *p)
{
	uint32_t seen = p->callbacks.led + p->callbacks.unled, wanted = FEW;

	for (const struct list *l = p->open.next; l != &p->open && wanted < REMEMBERED / 2; l = l->next)
		wanted += 2;
	return !p->callbacks.contradicted && is_rare(p->callbacks.unled, seen) && seen >= wanted;
}

/* Nothing is known of what led to it: what did its reply lead to? */
static struct opinion orphan__judge(const struct callbacks *cs, const struct process *p, const struct link_node *n, struct link_node *answer)
{
	struct link_node *late = n->late_answers ? NULL : n->late_answer;

	if (!answer && !n->late_answer)
		return (struct opinion){.fault = "what ran when it was sent is not known, and its reply led to no answer"};
	if (!process__answers_by_replies(p))
		return (struct opinion){.fault = "answers do not follow from replies in this program, as far as is known"};
	if (n->answers || (answer && n->late_answer && late != answer) || (!answer && !late))
		return (struct opinion){.fault = "its reply led to the answers of several requests"};
	if (!answer && n->late_guessed && !reply__resumed(cs, n, late))
		return (struct opinion){.fault = "its reply led to a call that may be somebody else's, who had waited for the connection"};
	return (struct opinion){.parent = answer ? answer : late};
}

/*
 * The request whose own callback has answered it, and sent this before it returned: nobody waits for that. Its reply
 * led to no answer then, which would be somebody else's.
 */
static struct link_node *call__forgotten_by(const struct callbacks *cs, const struct link_node *n)
{
	struct link_node *request = callbacks__read_alone(cs, n->trail.from[0]);

	if (!n->trail.direct || n->trail.job || n->answer || n->late_answer)
		return NULL;
	return request && request->inbound && request__was_over(request, n) ? request : NULL;
}

static struct opinion callbacks__judge(const struct callbacks *cs, const struct link_node *n, unsigned depth)
{
	struct link_node *answer = n->answer && !n->answers ? n->answer : NULL;
	const struct process *p = n->x ? n->x->conn->process : NULL;
	struct link_node *sender = sender__judge(cs, n, answer), *over;
	struct causes c;

	if (depth > DEPTH_MAX || !p)
		return (struct opinion){.fault = "too many calls follow from each other"};
	if (sender)
		return (struct opinion){.parent = sender};
	over = call__forgotten_by(cs, n);
	if (over)
		return (struct opinion){.parent = over, .over = true};
	if (answer && answer__is_doubtful(cs, n, answer))
		return (struct opinion){.fault = "its reply led to the answer of another request than the one whose code sent it"};
	c = call__causes(cs, n, depth);
	if (c.n > 1) {
		struct opinion o = answer ? (struct opinion){.parent = answer} : orphan__judge(cs, p, n, NULL);

		if (o.parent && !c.strange && !causes__have(&c, o.parent))
			return (struct opinion){.fault = "callbacks of several requests led to it"};
		return o;
	}
	if (c.own && !c.strange) {
		if (answer && answer != c.v[0])
			return (struct opinion){.fault = "its reply led to the answer of another request"};
		return (struct opinion){.parent = c.v[0]};
	}
	if ((!c.n && (!c.follows || !answer)) || (c.strange && !answer))
		return orphan__judge(cs, p, n, answer);
	if (answer)
		return p->callbacks.contradicted ? (struct opinion){.fault = "replies lead to the answers of other requests"} :
						   (struct opinion){.parent = answer};
	if (!c.n || n->answers || n->late_answers || n->late_answer != c.v[0] || !process__is_orderly(p))
		return (struct opinion){.fault = "it follows from a reply, and what follows from its own is not known"};
	return (struct opinion){.parent = c.v[0]};
}

/* How reliable are replies as causes, and as what leads to an answer? */
static void callbacks__learn(const struct callbacks *cs, struct link_node *n)
{
	struct link_node *to = n->answer && !n->answers ? n->answer : n->late_answer && !n->late_answers ? n->late_answer : NULL;
	struct process *p = n->x->conn->process;
	struct causes c;

	if (!p || !to)
		return;
	c = call__causes(cs, n, 0);
	if (c.n != 1 || c.strange)
		return;
	if (c.own && c.v[0] == to)
		count(&p->callbacks.confirmed, &p->callbacks.contradicted);
	else if (c.own && n->answer)
		count(&p->callbacks.contradicted, &p->callbacks.confirmed);
	else if (c.v[0] == to)
		count(&p->callbacks.agreed, &p->callbacks.differed);
	else
		count(&p->callbacks.differed, &p->callbacks.agreed);
}

void callback__claim(const struct resolver *r, struct link_node *n)
{
	struct opinion o;

	if (!n->of_callback)
		return;
	if (!n->learned)
		callbacks__learn(r->world.callbacks, n);
	n->learned = true;
	o = callbacks__judge(r->world.callbacks, n, 0);
	resolver__claim(r, n, &rule_callback, o.parent, o.fault, 0);
}

static const char *callback__fault(const struct claim *c, const struct link_node *n, const struct rule_world *w)
{
	struct opinion o = callbacks__judge(w->callbacks, n, 0);

	if (o.parent != c->parent)
		return o.fault ? o.fault : "its reply led to the answer of another request";
	return o.over ? node__unfit(c->parent, n) : node__outside(c->parent, n);
}

const struct link_rule rule_callback = {"callback", EV_CALLBACK, callback__fault};
