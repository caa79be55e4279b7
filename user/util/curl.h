/* SPDX-License-Identifier: Apache-2.0 */
/* curl.h - what all that we fetch or send by libcurl has in common. A header alone: not all that links util/ links libcurl. */
#ifndef UTIL_CURL_H
#define UTIL_CURL_H

#include <curl/curl.h>
#include <sys/epoll.h>

/* Where curl's descriptors are watched. */
struct curl_watch {
	int epoll_fd;
	void *ptr; /* of the events there */
};

/* curl says which descriptor it wants to hear of. */
static inline int curl__on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
	const struct curl_watch *w = ctx;
	struct epoll_event ev = {.data.ptr = w->ptr};

	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	ev.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, fd, &ev))
		epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
	return 0;
}

/* w is kept as long as multi. */
static inline void curl__watch(CURLM *multi, struct curl_watch *w)
{
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, curl__on_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, w);
}

/* The authorities of that file, as it is now, and no other. 0: so it will be. */
static inline int curl__trust(CURL *easy, const char *ca_file)
{
	int bad = 0;

	bad |= curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
	bad |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* libcurl has a folder of the system's authorities by itself */
	bad |= curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* else a renewed file is read a day later (7.87) */
	return bad;
}

#endif
