// SPDX-License-Identifier: Apache-2.0
#include "meta/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/curl.h"
#include "util/list.h"

struct http {
	CURLM *multi;
	struct curl_watch watch; /* an epoll of our own, within the caller's */
	bool driving;
	struct list gets;
};

struct http_get {
	struct http *http;
	CURL *easy;
	struct curl_slist *headers;
	struct http_options o; /* strings are not ours any more */
	char error[CURL_ERROR_SIZE];
	bool cancelled;
	struct list in_http;
};

static size_t on_data(char *p, size_t size, size_t n, void *ctx)
{
	struct http_get *g = ctx;

	return !g->cancelled && g->o.data(g->o.ctx, (struct slice){p, size * n}) ? size * n : 0;
}

struct http *http__new(int epoll_fd, void *ptr)
{
	struct http *h = calloc(1, sizeof(*h));
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = ptr};

	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (!h || !(h->multi = curl_multi_init()))
		abort();
	list__init(&h->gets);
	h->watch.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (h->watch.epoll_fd >= 0)
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, h->watch.epoll_fd, &ev);
	curl__watch(h->multi, &h->watch);
	return h;
}

static void get__free(struct http_get *g)
{
	curl_multi_remove_handle(g->http->multi, g->easy);
	curl_easy_cleanup(g->easy);
	curl_slist_free_all(g->headers);
	list__remove(&g->in_http);
	free(g);
}

void http__free(struct http *h)
{
	if (!h)
		return;
	while (!list__empty(&h->gets))
		get__free(LIST_ENTRY(h->gets.next, struct http_get, in_http));
	curl_multi_cleanup(h->multi);
	if (h->watch.epoll_fd >= 0)
		close(h->watch.epoll_fd);
	free(h);
}

static bool get__setup(struct http_get *g, const struct http_options *o)
{
	char header[8192];
	CURL *e = g->easy;
	int bad = 0;

	if (o->bearer) {
		if ((size_t)snprintf(header, sizeof(header), "Authorization: Bearer %s", o->bearer) >= sizeof(header))
			return false;
		g->headers = curl_slist_append(g->headers, header);
	}
	if (o->accept) {
		snprintf(header, sizeof(header), "Accept: %s", o->accept);
		g->headers = curl_slist_append(g->headers, header);
	}
	bad |= curl_easy_setopt(e, CURLOPT_URL, o->url);
	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	bad |= curl_easy_setopt(e, CURLOPT_PROXY, "");
	bad |= curl_easy_setopt(e, CURLOPT_HTTPHEADER, g->headers);
	bad |= curl_easy_setopt(e, CURLOPT_USERAGENT, "wirespan/" WIRESPAN_VERSION);
	bad |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, o->connect_ms);
	bad |= curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, o->total_ms);
	if (o->silent_s) {
		bad |= curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
		bad |= curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, o->silent_s);
	}
	if (o->unix_socket)
		bad |= curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, o->unix_socket);
	if (o->ca_file) {
		bad |= curl__trust(e, o->ca_file);
		/* A file's name is no key for a cached connection's or session's trust: the file may have changed. */
		bad |= curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
		bad |= curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	}
	bad |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data);
	bad |= curl_easy_setopt(e, CURLOPT_WRITEDATA, g);
	bad |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, g->error);
	bad |= curl_easy_setopt(e, CURLOPT_PRIVATE, g);
	return !bad;
}

struct http_get *http__get(struct http *h, const struct http_options *o)
{
	struct http_get *g = calloc(1, sizeof(*g));

	if (!g || !(g->easy = curl_easy_init()))
		abort();
	g->http = h;
	g->o = *o;
	list__append(&h->gets, &g->in_http);
	if (get__setup(g, o) && curl_multi_add_handle(h->multi, g->easy) == CURLM_OK)
		return g;
	get__free(g);
	return NULL;
}

/* From within a callback of curl's it cannot go at once. */
void http__cancel(struct http_get *g)
{
	if (!g)
		return;
	g->cancelled = true;
	if (!g->http->driving)
		get__free(g);
}

static void http__reap(struct http *h)
{
	struct list *l, *after;

	for (l = h->gets.next; l != &h->gets; l = after) {
		struct http_get *g = LIST_ENTRY(l, struct http_get, in_http);

		after = l->next;
		if (g->cancelled)
			get__free(g);
	}
}

void http__drive(struct http *h)
{
	CURLMsg *msg;
	int n;

	if (list__empty(&h->gets) || h->driving)
		return;
	h->driving = true;
	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &n);
	curl_multi_perform(h->multi, &n);
	while ((msg = curl_multi_info_read(h->multi, &n))) {
		struct http_get *g;
		CURLcode code = msg->data.result;
		long status = 0;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &g);
		curl_easy_getinfo(g->easy, CURLINFO_RESPONSE_CODE, &status);
		if (!g->cancelled) {
			g->cancelled = true; /* it is freed below */
			g->o.end(g->o.ctx, code == CURLE_OK ? status : 0,
				 code == CURLE_OK ? "" : g->error[0] ? g->error : curl_easy_strerror(code));
		}
	}
	h->driving = false;
	http__reap(h);
}
