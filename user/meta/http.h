/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h - GET by libcurl, over TCP, TLS or a unix socket, without ever waiting: its sockets are in an
 * epoll set of their own, which is one descriptor of the caller's set.
 */
#ifndef META_HTTP_H
#define META_HTTP_H

#include <stdbool.h>

#include "util/slice.h"

struct http;
struct http_get;

struct http_options {
	const char *url;
	const char *unix_socket; /* or NULL */
	const char *bearer;	 /* token, or NULL */
	const char *ca_file;	 /* whom to believe, read anew for every connection; NULL: the system's */
	const char *accept;	 /* or NULL */
	long connect_ms;	 /* until the connection stands */
	long total_ms;		 /* until the end; 0: no bound */
	long silent_s;		 /* without a byte; 0: no bound */
	/* A part of the body, any size. False: enough, end it. */
	bool (*data)(void *ctx, struct slice part);
	/* The end, once: status 0 if there was no answer; error "" if there was a whole one. Not after http__cancel. */
	void (*end)(void *ctx, long status, const char *error);
	void *ctx;
};

/* Never NULL. epoll_fd gets one descriptor with data.ptr = ptr. */
struct http *http__new(int epoll_fd, void *ptr);
void http__free(struct http *h);
/* Goes on with what can go on: when the descriptor is ready, and every 50 ms or so for what times out. */
void http__drive(struct http *h);
/* NULL: libcurl refuses. Valid until `end` has been called or http__cancel. */
struct http_get *http__get(struct http *h, const struct http_options *o);
void http__cancel(struct http_get *g);

#endif
