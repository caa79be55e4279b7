// SPDX-License-Identifier: Apache-2.0
/*
 * span.c - in: a node whose parent is settled; out: its span. Ids are hashes of the exchange's key,
 * so both ends of a connection name each other's spans without a word between them.
 *
 * Attribute names: OpenTelemetry semantic conventions, "network", "server", "client" (stable).
 */

#include "link/node.h"
#include "util/table.h"

static const char *const evidence_names[EV_MAX] = {
	[EV_ROOT] = "root",	    [EV_UNKNOWN] = "unknown",	  [EV_HEADER] = "header",
	[EV_CONNECTION] = "connection", [EV_THREAD] = "thread", [EV_EVENT_LOOP] = "event-loop",
	[EV_TURN] = "turn", [EV_GOROUTINE] = "goroutine", [EV_COROUTINE] = "coroutine", [EV_CALLBACK] = "callback", [EV_WAKE] = "wake", [EV_ANSWER] = "answer",
};

const char *evidence__name(enum evidence e)
{
	return evidence_names[e];
}

void node__span_id(const struct exchange_key *key, bool inbound, uint8_t id[8])
{
	uint64_t h = hash__mix(exchange_key__hash(key) + (inbound ? 0x5345525645520000ull : 0x434c49454e540000ull));

	h += !h; /* all zero is no id */
	memcpy(id, &h, 8);
}

void node__trace_id(const struct exchange *x, uint8_t id[16])
{
	uint64_t key = exchange_key__hash(&x->key);
	uint64_t h[2] = {hash__mix(key ^ x->request_first), hash__mix(key + x->conn->id)};

	h[0] += !h[0];
	memcpy(id, h, 16);
}

static void attrs__default_str(struct attrs *a, const char *key, const char *value)
{
	if (value[0] && !attrs__find(a, key))
		attrs__add_str(a, key, slice__of(value));
}

/* Parsers set server.* where the protocol names the server; nobody else sets the rest. */
static void span__network(struct attrs *a, const struct exchange *x)
{
	const struct connection *c = x->conn;
	const struct endpoint *server = x->inbound ? &c->local : &c->remote;

	if (!c->local_text[0])
		return; /* the record that told them was lost */

	attrs__default_str(a, "server.address", x->inbound ? c->local_text : c->remote_text);
	if (!attrs__find(a, "server.port"))
		attrs__add_int(a, "server.port", server->port);
	if (x->inbound)
		attrs__add_str(a, "client.address", slice__of(c->remote_text));
	attrs__add_str(a, "network.local.address", slice__of(c->local_text));
	attrs__add_int(a, "network.local.port", c->local.port);
	attrs__add_str(a, "network.peer.address", slice__of(c->remote_text));
	attrs__add_int(a, "network.peer.port", c->remote.port);
}

/* Why the span does not tell everything; the gravest reason. */
static const char *exchange__incomplete(const struct exchange *x)
{
	static const struct {
		unsigned flag;
		const char *reason;
	} reasons[] = {
		{XCHG_LOST, "capture lost bytes"},
		{XCHG_SHED, "left out for load: raise --max-cpu or --max-memory"},
		{XCHG_CROWDED, "given up for room: too much at once"},
		{XCHG_TIMEOUT, "tracing ended, or gave up waiting"},
		{XCHG_NO_RESPONSE, "connection closed before a response"},
	};
	static const char *const cuts[] = {
		[WS_CAP_SHED] = "payload left out, the ring was nearly full: raise --ring-size",
		[WS_CAP_NO_ADDRESS] = "payload not at hand: sendfile and the like",
		[WS_CAP_FAULT] = "payload could not be read",
		[WS_CAP_LOAD] = "head kept short for load: raise --max-cpu or --max-memory",
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (x->flags & reasons[i].flag)
			return reasons[i].reason;
	if (!(x->flags & XCHG_CUT))
		return "";
	if (x->cut_for < sizeof(cuts) / sizeof(*cuts) && cuts[x->cut_for])
		return cuts[x->cut_for];
	return "longer than what was captured";
}

static uint64_t exchange__end_ns(const struct exchange *x)
{
	uint64_t end = exchange__ended(x);

	return end > x->request_first ? end : x->request_first;
}

static void span__status(struct span *s, const struct exchange *x)
{
	bool error = x->flags & (x->inbound ? XCHG_ERROR : XCHG_ERROR | XCHG_CLIENT_ERROR);

	if (x->flags & XCHG_NO_RESPONSE && !x->inbound)
		error = true;
	s->status = error ? SPAN_ERROR : SPAN_UNSET;
	s->status_message = error ? x->error_message : NULL;
	if (!error)
		return;
	if (x->error_type[0])
		attrs__default_str(s->attrs, "error.type", x->error_type);
	else
		attrs__default_str(s->attrs, "error.type", "_OTHER");
}

static unsigned node__links(const struct link_node *n, struct span_link *links)
{
	for (unsigned i = 0; i < n->n_links; i++) {
		links[i] = (struct span_link){.trace_flags = n->links[i]->trace_flags, .evidence = EV_GOROUTINE};
		memcpy(links[i].trace_id, n->links[i]->trace_id, 16);
		memcpy(links[i].span_id, n->links[i]->span_id, 8);
	}
	return n->n_links;
}

void node__emit(const struct link_node *n, span_fn *fn, void *ctx)
{
	struct exchange *x = n->x;
	struct span_link links[LINKS_MAX];
	struct span s = {
		.trace_flags = n->trace_flags,
		.tracestate = n->tracestate,
		.kind = x->inbound ? SPAN_SERVER : SPAN_CLIENT,
		.name = x->name[0] ? x->name : "unknown",
		.start_ns = x->request_first + (uint64_t)n->wall_offset,
		.end_ns = exchange__end_ns(x) + (uint64_t)n->wall_offset,
		.attrs = &x->attrs,
		.process = x->conn->process,
		.evidence = n->evidence,
		.protocol = x->protocol,
		.lost = x->flags & XCHG_LOST,
		.cut = x->flags & XCHG_CUT,
		.root = n->root,
		.links = links,
		.n_links = node__links(n, links),
		.links_dropped = n->links_dropped,
	};

	memcpy(s.trace_id, n->trace_id, 16);
	memcpy(s.span_id, n->span_id, 8);
	if (n->evidence == EV_HEADER && n->trace.has_span) {
		s.has_parent = true;
		memcpy(s.parent_id, n->trace.span_id, 8);
	} else if (n->parent) {
		s.has_parent = true;
		memcpy(s.parent_id, n->parent->span_id, 8);
	}
	span__network(s.attrs, x);
	span__status(&s, x);
	if (!x->inbound && n->parent && n->parent->answered_at && n->ended_at > n->parent->answered_at)
		attrs__bool(s.attrs, "wirespan.link.outlives_parent", true);
	attrs__add_str(s.attrs, "wirespan.link.evidence", slice__of(evidence__name(n->evidence)));
	attrs__default_str(s.attrs, "wirespan.incomplete", exchange__incomplete(x));
	fn(ctx, &s);
}
