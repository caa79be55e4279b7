// SPDX-License-Identifier: Apache-2.0
#include "meta/kube_list.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/log.h"

#define FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"
#define BODY_MAX (16u << 20) /* a page of the list, one event of the watch */
#define PAGE 50
#define WATCH_S 290
#define WAIT_FIRST_MS 500
#define WAIT_MAX_MS 15000
#define CONNECT_MS 5000
#define LOG_EVERY_MS 60000

struct kube_list {
	struct http *http;
	struct kube_kind kind;
	char base[300], folder[PATH_MAX - 16], selector[300];
	struct http_get *get;
	bool watching;
	char version[64];  /* resourceVersion; "": list first */
	char *page;	   /* where the list goes on, or NULL */
	uint64_t listing;  /* number of this list: what is not in it has gone */
	char *body;
	size_t n, size;
	bool too_long;
	json_int_t refusal; /* code of the Status that ended the watch; 0: none came */
	uint64_t now, retry_at, wait_ms, logged_at;
};

static const char *service_account(void)
{
	const char *folder = getenv("WIRESPAN_SERVICE_ACCOUNT");

	return folder ? folder : FOLDER;
}

bool kube__there(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/token", service_account());
	return getenv("KUBERNETES_SERVICE_HOST") && access(path, R_OK) == 0;
}

struct kube_list *kube_list__new(struct http *http, const struct kube_kind *kind)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
	struct kube_list *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	k->http = http;
	k->kind = *kind;
	snprintf(k->selector, sizeof(k->selector), "%s", kind->selector);
	snprintf(k->base, sizeof(k->base), strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port ? port : "443");
	snprintf(k->folder, sizeof(k->folder), "%s", service_account());
	return k;
}

static void kube_list__set_version(struct kube_list *k, const json_t *meta)
{
	const char *v = json_string_value(json_object_get(meta, "resourceVersion"));

	if (v && strlen(v) < sizeof(k->version))
		strcpy(k->version, v);
}

/* One line of a watch. False: it is no good any more, list again. */
static bool kube_list__event(struct kube_list *k, struct slice line)
{
	json_t *e = json_loadb(line.p, line.n, 0, NULL), *o = json_object_get(e, "object");
	const char *type = json_string_value(json_object_get(e, "type"));
	bool fine = type && o && strcmp(type, "ERROR"); /* 410 Gone: the version is too old */

	if (fine) {
		kube_list__set_version(k, json_object_get(o, "metadata"));
		if (!strcmp(type, "ADDED") || !strcmp(type, "MODIFIED"))
			k->kind.add(k->kind.ctx, o, k->listing);
		else if (!strcmp(type, "DELETED"))
			k->kind.remove(k->kind.ctx, o);
	} else {
		k->version[0] = '\0';
		k->refusal = json_integer_value(json_object_get(o, "code"));
	}
	json_decref(e);
	return fine;
}

static bool kube_list__events(struct kube_list *k)
{
	size_t at = 0;
	char *end;

	while ((end = memchr(k->body + at, '\n', k->n - at))) {
		if (!kube_list__event(k, (struct slice){k->body + at, (size_t)(end - k->body) - at}))
			return false;
		at = (size_t)(end - k->body) + 1;
		k->wait_ms = 0;
	}
	memmove(k->body, k->body + at, k->n - at);
	k->n -= at;
	return true;
}

static bool on_data(void *ctx, struct slice part)
{
	struct kube_list *k = ctx;
	char *body;

	if (k->n + part.n > BODY_MAX) {
		k->too_long = true;
		return false;
	}
	if (k->n + part.n > k->size) {
		k->size = (k->n + part.n) * 2;
		body = realloc(k->body, k->size);
		if (!body)
			abort();
		k->body = body;
	}
	memcpy(k->body + k->n, part.p, part.n);
	k->n += part.n;
	return !k->watching || kube_list__events(k);
}

/* A page of the list is here. False: it is no list. */
static bool kube_list__list(struct kube_list *k)
{
	json_t *list = json_loadb(k->body, k->n, 0, NULL), *items = json_object_get(list, "items"), *meta, *o;
	const char *more;
	size_t i;

	if (!json_is_array(items)) {
		json_decref(list);
		return false;
	}
	json_array_foreach(items, i, o)
		k->kind.add(k->kind.ctx, o, k->listing);
	meta = json_object_get(list, "metadata");
	more = json_string_value(json_object_get(meta, "continue"));
	free(k->page);
	k->page = more && *more ? strdup(more) : NULL;
	if (!k->page) {
		kube_list__set_version(k, meta);
		k->kind.listed(k->kind.ctx, k->listing);
	}
	json_decref(list);
	return true;
}

static void kube_list__failed(struct kube_list *k, long status, const char *error)
{
	char text[128];

	if (status)
		snprintf(text, sizeof(text), "it answered %ld%s%s", status,
			 status == 403 ? ": the service account may not list and watch " : status == 401 ? ": the token is refused" : "",
			 status == 403 ? k->kind.name : "");
	else
		snprintf(text, sizeof(text), "%s", k->too_long ? "an answer is too long" : error);
	if (status != 410 && (!k->logged_at || k->now - k->logged_at > LOG_EVERY_MS)) /* Gone: it happens, and all is listed again */
		log__warn("Kubernetes API %s: %s; it is asked again for %s, and what is not known of pods is marked", k->base, text, k->kind.name);
	if (status != 410)
		k->logged_at = k->now;
	if (status == 410)
		k->version[0] = '\0';
	free(k->page);
	k->page = NULL;
	k->wait_ms = k->wait_ms ? k->wait_ms * 2 : WAIT_FIRST_MS;
	if (k->wait_ms > WAIT_MAX_MS)
		k->wait_ms = WAIT_MAX_MS;
	/* Many agents that lost the same server must not come back as one. */
	k->retry_at = k->now + k->wait_ms / 2 + hash__mix(k->now ^ (uint64_t)getpid()) % (k->wait_ms / 2 + 1);
}

static void on_end(void *ctx, long status, const char *error)
{
	struct kube_list *k = ctx;
	const bool watched = k->watching, ended = watched && !k->version[0];

	k->get = NULL;
	k->watching = false;
	if (ended) {
		kube_list__failed(k, k->refusal, "the watch told what is no event"); /* and list */
	} else if (status != 200 || (!watched && !kube_list__list(k))) {
		kube_list__failed(k, status == 200 ? 0 : status, *error ? error : "no list came");
	} else {
		/* A watch ends by itself after a while; one that ends at once must not spin. */
		k->retry_at = k->now + (watched ? WAIT_FIRST_MS : 0);
		/* A list that comes says nothing of the watch after it, which may be refused each time. */
		k->logged_at = watched ? 0 : k->logged_at;
		k->wait_ms = watched ? 0 : k->wait_ms;
	}
	k->n = 0;
	k->too_long = false;
}

/* The token, or NULL; valid until the next call. */
static const char *kube_list__token(const struct kube_list *k)
{
	static char token[8192];
	char path[PATH_MAX];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/token", k->folder);
	f = fopen(path, "re");
	if (f) {
		n = fread(token, 1, sizeof(token) - 1, f);
		fclose(f);
	}
	token[n] = '\0';
	token[strcspn(token, "\r\n")] = '\0';
	return n ? token : NULL;
}

static void kube_list__start(struct kube_list *k)
{
	char url[8192], ca[PATH_MAX], more[6000] = "";
	struct http_options o = {
		.url = url, .bearer = kube_list__token(k), .ca_file = ca, .accept = "application/json", .connect_ms = CONNECT_MS,
		.total_ms = 60000, .data = on_data, .end = on_end, .ctx = k,
	};

	snprintf(ca, sizeof(ca), "%s/ca.crt", k->folder);
	k->watching = k->version[0] && !k->page;
	if (k->watching) {
		o.total_ms = (WATCH_S + 30) * 1000;
		snprintf(more, sizeof(more), "watch=1&allowWatchBookmarks=true&timeoutSeconds=%d&resourceVersion=%s", WATCH_S, k->version);
	} else {
		if (!k->page)
			k->listing++;
		snprintf(more, sizeof(more), "limit=%d%s%s", PAGE, k->page ? "&continue=" : "", k->page ? k->page : "");
	}
	snprintf(url, sizeof(url), "%s/api/v1/%s?%s%s", k->base, k->kind.name, k->selector, more);
	k->n = 0;
	k->get = http__get(k->http, &o);
	if (!k->get)
		kube_list__failed(k, 0, "libcurl refuses");
}

void kube_list__tick(struct kube_list *k, uint64_t now_ms)
{
	k->now = now_ms;
	if (!k->get && now_ms >= k->retry_at)
		kube_list__start(k);
}

void kube_list__free(struct kube_list *k)
{
	if (!k)
		return;
	http__cancel(k->get);
	free(k->page);
	free(k->body);
	free(k);
}

struct stale {
	size_t at;
	uint64_t listing, *key;
	bool found;
};

static void stale__look(void *ctx, uint64_t key, void *value)
{
	struct stale *s = ctx;

	if (s->found || *(const uint64_t *)((const char *)value + s->at) == s->listing)
		return;
	*s->key = key;
	s->found = true;
}

bool kube__find_stale(const struct table *t, size_t listing_at, uint64_t listing, uint64_t *key)
{
	struct stale s = {listing_at, listing, key, false};

	table__each(t, stale__look, &s);
	return s.found;
}
