// SPDX-License-Identifier: Apache-2.0
#include "gap/gap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/proc.h"
#include "util/table.h"

#define SETTLE_NS (2ull * 1000000000) /* until what is selected by then has been announced */
#define KEEP_NS 1000000000ull	      /* between two states, and */
#define KEEP_SHARE 500		      /* so many times as long as one takes */

struct gap {
	struct state_file *file; /* NULL: given up for another agent */
	const char *dir;
	bool told_waiting;
	const struct selection *sel;
	struct state before;	/* what was left; without a boot: nothing that counts */
	struct table conns;	/* by key: those in `before` that have not been found again */
	struct netns_opened *now; /* of before.nets, when tracing had begun */
	bool *found;		/* likewise */
	bool *late;		/* nothing in it was traced by then: it is looked at when all is settled */
	struct netns_opened *seen; /* of these, what we were told of ourselves */
	struct table nets;	/* by inode: the place in `seen` */
	uint64_t ready;		/* CLOCK_MONOTONIC; 0: tracing has not begun */
	bool settled;
	uint64_t kept, kept_took;
	struct state next; /* what is written; its arrays are made once */
	bool told_unwritten;
	struct gap_counters n;
};

static void *array__of(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	if (!p)
		abort();
	return p;
}

/* "2026-11-21T20:00:00Z" */
static void wall__text(uint64_t ns, char text[24])
{
	const time_t s = (time_t)(ns / 1000000000);
	struct tm tm;

	if (!gmtime_r(&s, &tm) || !strftime(text, 24, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(text, 24, "?");
}

static void gap__index(struct gap *g)
{
	for (size_t i = 0; i < g->before.n_conns; i++)
		table__set(&g->conns, g->before.conns[i].key, g->before.conns + i);
	g->now = array__of(g->before.n_nets, sizeof(*g->now));
	g->seen = array__of(g->before.n_nets, sizeof(*g->seen));
	g->found = array__of(g->before.n_nets, sizeof(*g->found));
	g->late = array__of(g->before.n_nets, sizeof(*g->late));
	for (size_t i = 0; i < g->before.n_nets; i++)
		table__set(&g->nets, g->before.nets[i].inode, g->seen + i);
}

/* Of another boot, or of a clock that has not come so far: nothing can be compared. */
static void gap__judge(struct gap *g)
{
	char when[24];

	if (!strcmp(g->before.boot, g->next.boot) && g->before.boot_ns <= clock__ns(CLOCK_BOOTTIME))
		return;
	wall__text(g->before.wall_ns, when);
	log__info("state: the machine was started again since the last agent, %s: nothing is counted for the time between", when);
	state__free(&g->before);
}

struct gap *gap__new(const char *dir, const struct selection *sel, char *err, size_t err_size)
{
	struct gap *g = array__of(0, sizeof(*g));

	g->sel = sel;
	g->dir = dir;
	g->file = state_file__open(dir, err, err_size);
	if (!g->file) {
		gap__free(g);
		return NULL;
	}
	proc__boot(g->next.boot);
	g->next.conns = array__of(STATE_CONNS_MAX, sizeof(*g->next.conns));
	g->next.nets = array__of(NETNS_MAX, sizeof(*g->next.nets));
	return g;
}

static void gap__read(struct gap *g)
{
	char err[256] = "";
	int r = state_file__read(g->file, &g->before, err, sizeof(err));

	if (r > 0)
		gap__judge(g);
	else if (r == 0)
		log__info("state: no agent has left any in '%s': what it has missed is counted from the next start on", g->dir);
	else
		log__warn("state: %s: what was moved since the last agent is not counted", *err ? err : strerror(-r));
	g->n.refused = r < 0;
	gap__index(g);
}

int gap__take(struct gap *g)
{
	int r = g ? state_file__lock(g->file) : 0;

	if (r == -EWOULDBLOCK && !g->told_waiting)
		log__warn("state: another agent has '%s': this one waits until that has ended, and takes over then", g->dir);
	if (!g)
		return 0;
	g->told_waiting |= r == -EWOULDBLOCK;
	g->n.waiting = r == -EWOULDBLOCK;
	if (!r)
		gap__read(g);
	return r;
}

void gap__free(struct gap *g)
{
	if (!g)
		return;
	state_file__free(g->file);
	state__free(&g->before);
	state__free(&g->next);
	table__free(&g->conns);
	table__free(&g->nets);
	free(g->now);
	free(g->seen);
	free(g->found);
	free(g->late);
	free(g);
}

/* --- comparing ------------------------------------------------------------------------------------------ */

/* Fills `traced`, as large as before.nets, with which of these have traced processes; how many other ones there are. */
static size_t gap__find_traced(const struct gap *g, const struct attach *a, bool *traced)
{
	struct netns_opened *v = array__of(NETNS_MAX, sizeof(*v)), *place;
	bool cut = false;
	size_t n = netns__of_traced(a, v, NETNS_MAX, &cut), fresh = 0;

	for (size_t i = 0; i < n; i++) {
		place = table__get(&g->nets, v[i].inode);
		fresh += !place;
		if (place)
			traced[place - g->seen] = true;
	}
	free(v);
	return fresh;
}

void gap__ready(struct gap *g, const struct attach *a)
{
	if (!g)
		return;
	g->ready = clock__ns(CLOCK_MONOTONIC);
	if (!*g->before.boot)
		return;
	g->n.duration_ns = clock__ns(CLOCK_BOOTTIME) - g->before.boot_ns;
	netns__again(g->before.nets, g->before.n_nets, g->before.boot_ns, g->now, g->found);
	gap__find_traced(g, a, g->late);
	for (size_t i = 0; i < g->before.n_nets; i++)
		g->late[i] = !g->late[i];
}

/* Pods may be known a moment later than tracing begins. */
static void gap__look_late(struct gap *g)
{
	struct netns_opened *now = array__of(g->before.n_nets, sizeof(*now));
	bool *found = array__of(g->before.n_nets, sizeof(*found));

	netns__again(g->before.nets, g->before.n_nets, g->before.boot_ns, now, found);
	for (size_t i = 0; i < g->before.n_nets; i++) {
		if (!g->late[i])
			continue;
		g->now[i] = now[i];
		g->found[i] = found[i];
	}
	free(now);
	free(found);
}

static void gap__continued(struct gap *g, const struct conn_moved *then, const struct conn_moved *now, uint64_t id, struct conns *cs)
{
	uint64_t missed[2];

	for (int dir = 0; dir < 2; dir++)
		missed[dir] = now->bytes[dir] > then->bytes[dir] ? now->bytes[dir] - then->bytes[dir] : 0;
	if (!missed[0] && !missed[1])
		return;
	g->n.continued++;
	g->n.continued_bytes += missed[0] + missed[1];
	conns__missed(cs, id, missed);
}

/* It was there before it was known to us. */
static void gap__existing(struct gap *g, const struct ws_rec_conn *r, struct conns *cs)
{
	struct conn_moved m, *then;
	uint64_t bytes;

	if (!record__moved(r, &m))
		return;
	then = table__remove(&g->conns, m.key);
	if (then) {
		gap__continued(g, then, &m, r->conn, cs);
		return;
	}
	if (r->role == WS_ROLE_CONNECTED && m.bytes[WS_DIR_OUT])
		m.bytes[WS_DIR_OUT]--; /* the SYN */
	/* One that waits for its first byte may have waited before, which nobody is told of. */
	bytes = m.bytes[0] + m.bytes[1];
	if (!bytes || g->settled || g->before.cut || selection__hash(g->sel) != g->before.selection)
		return;
	g->n.begun++;
	g->n.begun_bytes += bytes;
	conns__missed(cs, r->conn, m.bytes);
}

/* It was opened before the namespaces were looked at, and we know of it: nothing was missed. */
static void gap__opened(struct gap *g, const struct ws_rec_conn *r)
{
	struct netns_opened *seen = table__get(&g->nets, r->netns);
	uint64_t since = r->connect_ns ? r->connect_ns : r->established_ns;

	if (!seen || !since || (since > g->ready && !g->late[seen - g->seen]))
		return;
	seen->accepted += r->role == WS_ROLE_ACCEPTED;
	seen->connected += r->role == WS_ROLE_CONNECTED;
}

void gap__event(struct gap *g, const struct event *e, struct conns *cs)
{
	if (!g || e->type != WS_REC_CONN || e->head->flags & WS_CONN_CONNECTING || !*g->before.boot)
		return;
	if (e->conn->origin == WS_ORIGIN_EXISTING)
		gap__existing(g, e->conn, cs);
	else if (!g->settled)
		gap__opened(g, e->conn);
}

static uint64_t less(uint64_t a, uint64_t b, uint64_t c)
{
	return a > b && a - b > c ? a - b - c : 0;
}

/* Counts what the namespaces tell; how many of them are the same still. */
static size_t gap__count_opened(struct gap *g)
{
	size_t same = 0;

	for (size_t i = 0; i < g->before.n_nets; i++) {
		const struct netns_opened *then = g->before.nets + i;

		if (!g->found[i])
			continue;
		same++;
		g->n.accepted += less(g->now[i].accepted, then->accepted, g->seen[i].accepted);
		g->n.connected += less(g->now[i].connected, then->connected, g->seen[i].connected);
	}
	return same;
}

static void gap__tell(const struct gap *g, size_t same, size_t fresh)
{
	const struct gap_counters *n = &g->n;
	const bool lost = n->continued || n->begun || n->ended || n->accepted || n->connected;
	char text[768];
	int at;

	at = snprintf(text, sizeof(text),
		      "no agent ran for %s%.2f s: %" PRIu64 " bytes on %" PRIu64 " connections that go on and %" PRIu64 " on %" PRIu64
		      " that have begun were not traced; %" PRIu64 " others have ended; in %zu network namespaces at most %" PRIu64
		      " connections were accepted and %" PRIu64 " made",
		      g->before.ended ? "" : "up to ", (double)n->duration_ns / 1e9, n->continued_bytes, n->continued, n->begun_bytes,
		      n->begun, n->ended, same, n->accepted, n->connected);
	if (at > 0 && (same < g->before.n_nets || fresh))
		at += snprintf(text + at, sizeof(text) - (size_t)at, "; %zu namespaces have gone and %zu are new, which are not counted",
			       g->before.n_nets - same, fresh);
	if (at > 0 && selection__hash(g->sel) != g->before.selection)
		at += snprintf(text + at, sizeof(text) - (size_t)at, "; the selection has changed: connections that have begun are not counted");
	if (at > 0 && g->before.cut)
		snprintf(text + at, sizeof(text) - (size_t)at, "; there were more connections, namespaces or processes than are kept: some are not counted");
	if (lost)
		log__warn("state: %s", text);
	else
		log__info("state: %s", text);
}

static void gap__settle(struct gap *g, const struct attach *a)
{
	bool *traced;
	size_t same;

	if (g->settled || !g->ready)
		return;
	g->settled = true;
	if (!*g->before.boot)
		return;
	traced = array__of(g->before.n_nets, sizeof(*traced));
	gap__look_late(g);
	g->n.ended = g->conns.n;
	same = gap__count_opened(g);
	gap__tell(g, same, gap__find_traced(g, a, traced));
	free(traced);
}

/* --- keeping -------------------------------------------------------------------------------------------- */

static void gap__keep_conn(void *ctx, const struct conn_moved *m)
{
	struct state *s = ctx;

	if (s->n_conns < STATE_CONNS_MAX)
		s->conns[s->n_conns++] = *m;
	else
		s->cut = true;
}

static void gap__look(struct gap *g, const struct attach *a)
{
	g->next.boot_ns = clock__ns(CLOCK_BOOTTIME);
	g->next.wall_ns = clock__ns(CLOCK_REALTIME);
	g->next.selection = selection__hash(g->sel);
	g->next.cut = false;
	g->next.n_nets = netns__of_traced(a, g->next.nets, NETNS_MAX, &g->next.cut);
}

static void gap__write(struct gap *g, const struct conns *cs)
{
	int r;

	g->next.n_conns = 0;
	conns__each_moved(cs, gap__keep_conn, &g->next);
	r = state_file__write(g->file, &g->next);
	g->n.unwritten += r != 0;
	if (r && !g->told_unwritten)
		log__warn("state: it can't be written: %s; what a later agent has missed will be counted from before that on", strerror(-r));
	g->told_unwritten = r != 0;
}

void gap__tick(struct gap *g, uint64_t now, const struct attach *a, const struct conns *cs)
{
	if (!g || !g->ready || now < g->ready + SETTLE_NS)
		return;
	gap__settle(g, a);
	if (now < g->kept + KEEP_NS || now < g->kept + g->kept_took * KEEP_SHARE)
		return;
	gap__look(g, a);
	gap__write(g, cs);
	g->kept = clock__ns(CLOCK_MONOTONIC);
	g->kept_took = g->kept - now;
}

void gap__ending(struct gap *g, const struct attach *a)
{
	if (g && g->ready)
		gap__look(g, a);
}

void gap__ended(struct gap *g, const struct attach *a, const struct conns *cs)
{
	if (!g || !g->ready)
		return;
	gap__settle(g, a);
	g->next.ended = true;
	gap__write(g, cs);
	state_file__free(g->file);
	g->file = NULL;
}

struct gap_counters gap__counters(const struct gap *g)
{
	const struct gap_counters none = {0};

	return g ? g->n : none;
}
