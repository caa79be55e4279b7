/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_message.c - see http1_message.h. OpenTelemetry semantic conventions for HTTP spans (stable).
 *
 * The client's end gets url.full, the server's url.scheme, url.path and url.query. Authorization,
 * Cookie, Set-Cookie are not among what a head keeps, so they can not become attributes.
 */
#include "decode/http1_message.h"

#include <stdio.h>

#include "util/redact.h"

/* The parts of a request target (RFC 9112, 3.2), or of the Host field. */
struct url {
	struct slice scheme, authority, path, query;
	bool userinfo;
	struct slice host;
	unsigned port; /* 0: none was written */
};

static const struct slice http = SLICE("http"), https = SLICE("https");

/* RFC 3986, 3.2: [ userinfo "@" ] host [ ":" port ] */
static void url__authority(struct url *u, struct slice a)
{
	for (size_t at; (at = slice__find(a, '@')) < a.n; u->userinfo = true)
		a = slice__sub(a, at + 1, a.n);
	bool literal = a.n && a.p[0] == '[';
	size_t end = literal ? slice__find(a, ']') : slice__find(a, ':');
	struct slice port = slice__sub(a, end + (literal ? 2 : 1), a.n);
	u->authority = a;
	u->host = literal ? slice__sub(a, 1, end - 1) : slice__sub(a, 0, end);
	for (size_t i = 0; i < port.n && u->port < 100000; i++)
		u->port = port.p[i] >= '0' && port.p[i] <= '9' ? u->port * 10 + (unsigned)(port.p[i] - '0') : 100000;
	if (u->port > 65535)
		u->port = 0;
}

/* "scheme://" at the beginning of an absolute-form, else 0. */
static size_t url__scheme(struct slice t, struct slice *scheme)
{
	size_t colon = slice__find(t, ':');
	if (colon < 2 || colon > 8 || !slice__starts(slice__sub(t, colon, 3), SLICE("://")))
		return 0;
	*scheme = slice__sub(t, 0, colon);
	return colon + 3;
}

static void url__parse(struct url *u, const struct http1_head *h)
{
	struct slice t = h->target.n ? h->target : SLICE("");
	size_t skip = t.n && t.p[0] != '/' ? url__scheme(t, &u->scheme) : 0;
	if (h->method == HTTP1_CONNECT) {
		url__authority(u, t);
		return;
	}
	if (skip) {
		t = slice__sub(t, skip, t.n);
		size_t end = 0;
		while (end < t.n && t.p[end] != '/' && t.p[end] != '?')
			end++;
		url__authority(u, slice__sub(t, 0, end));
		t = slice__sub(t, end, t.n);
	} else if (h->host.n) {
		url__authority(u, h->host);
	}
	t = slice__sub(t, 0, slice__find(t, '#'));
	size_t mark = slice__find(t, '?');
	u->path = slice__sub(t, 0, mark);
	/* Half a secret does not look like one. */
	u->query = h->line_done ? slice__sub(t, mark + 1, t.n) : SLICE("");
	if (skip && !u->path.n)
		u->path = SLICE("/");
}

static unsigned url__default_port(const struct url *u)
{
	return slice__eq_nocase(u->scheme, https) ? 443 : 80;
}

static size_t text__add(char *out, size_t size, size_t at, struct slice s)
{
	size_t n = s.n < size - at ? s.n : size - at;
	if (n)
		memcpy(out + at, s.p, n);
	return at + n;
}

static void message__url_full(struct message *m, const struct url *u, struct slice query)
{
	char out[ATTR_VALUE_MAX];
	size_t at = text__add(out, sizeof(out), 0, u->scheme.n ? u->scheme : http);
	at = text__add(out, sizeof(out), at, SLICE("://"));
	if (u->userinfo)
		at = text__add(out, sizeof(out), at, SLICE("REDACTED:REDACTED@"));
	at = text__add(out, sizeof(out), at, u->authority);
	at = text__add(out, sizeof(out), at, u->path);
	if (query.n) {
		at = text__add(out, sizeof(out), at, SLICE("?"));
		at = text__add(out, sizeof(out), at, query);
	}
	attrs__add_str(&m->attrs, "url.full", (struct slice){out, at});
}

/* A client that names no host (HTTP/1.0) is still connected to one: link tells which. */
static void message__server(struct message *m, const struct url *u)
{
	if (!u->host.n)
		return;
	attrs__add_str(&m->attrs, "server.address", u->host);
	attrs__add_int(&m->attrs, "server.port", u->port ? u->port : url__default_port(u));
}

static void message__method(struct message *m, const struct http1_head *h)
{
	struct slice known = http1__method_name(h->method);
	if (h->method > HTTP1_OTHER) {
		attrs__add_str(&m->attrs, "http.request.method", known);
		memcpy(m->name, known.p, known.n);
		m->name[known.n] = '\0';
		return;
	}
	memcpy(m->name, "HTTP", 5);
	if (h->method == HTTP1_UNKNOWN)
		return; /* not captured */
	attrs__add_str(&m->attrs, "http.request.method", SLICE("_OTHER"));
	attrs__add_str(&m->attrs, "http.request.method_original", h->method_text);
}

static void message__version(struct message *m, const struct http1_head *h)
{
	char version[3] = {'1', '.', (char)('0' + h->minor)};
	if (!h->line_done)
		return;
	attrs__add_str(&m->attrs, "network.protocol.name", http);
	attrs__add_str(&m->attrs, "network.protocol.version", (struct slice){version, 3});
}

void http1_message__request(struct message *m, const struct http1_head *h, const struct connection *conn)
{
	struct url u = {.host = SLICE(""), .path = SLICE(""), .query = SLICE("")};
	char clean[ATTR_VALUE_MAX];
	struct slice query = {clean, 0};
	url__parse(&u, h);
	query.n = redact__query(u.query, clean, sizeof(clean));
	message__method(m, h);
	if (u.path.n)
		attrs__add_str(&m->attrs, "url.path", u.path);
	if (query.n)
		attrs__add_str(&m->attrs, "url.query", query);
	if (conn->role == WS_ROLE_CONNECTED && u.host.n && h->method != HTTP1_CONNECT)
		message__url_full(m, &u, query);
	if (h->method != HTTP1_CONNECT)
		attrs__add_str(&m->attrs, "url.scheme", u.scheme.n ? u.scheme : http);
	message__server(m, &u);
	message__version(m, h);
	if (h->user_agent.n)
		attrs__add_str(&m->attrs, "user_agent.original", h->user_agent);
	if (h->has_length && h->coding == CODING_NONE)
		attrs__int(&m->attrs, "http.request.body.size", (int64_t)h->length);
	trace_headers__finish(&h->trace, m);
	if (h->trace.baggage)
		attrs__bool(&m->attrs, "wirespan.baggage", true);
	if (h->trace.malformed)
		attrs__int(&m->attrs, "wirespan.trace_context.malformed", h->trace.malformed);
}

/* 4xx is the client's failure, not the server's (semantic conventions, span status). */
void http1_message__response(struct message *m, const struct http1_head *h)
{
	if (h->status) /* captured that far */
		attrs__add_int(&m->attrs, "http.response.status_code", h->status);
	if (h->status < 400)
		return;
	m->flags |= MSG_ERROR;
	m->client_error = h->status < 500;
	snprintf(m->error_type, sizeof(m->error_type), "%u", h->status);
}
