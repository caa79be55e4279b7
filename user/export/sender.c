// SPDX-License-Identifier: Apache-2.0
#include "export/sender.h"

#include <stdlib.h>

#include "export/otlp.h"
#include "util/curl.h"

#define RESPONSE_MAX 65536
#define UPLOAD_BYTES (512L << 10) /* most batches go in one piece: each costs curl a poll and four looks at the clock */
#define RETRY_AFTER_MAX 86400 /* s */

struct sender {
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers[OTLP_PROTOCOLS][2]; /* by protocol, and whether gzip: what was spooled may differ */
	enum otlp_protocol protocol; /* of what is under way */
	struct curl_watch watch;
	bool busy;
	char *response;
	size_t n_response;
	uint64_t rejected, retry_after_ms;
	char error[CURL_ERROR_SIZE + 64];
};

static size_t on_response(char *p, size_t size, size_t n, void *ctx)
{
	struct sender *s = ctx;
	size_t room = RESPONSE_MAX - s->n_response, take = size * n < room ? size * n : room;

	memcpy(s->response + s->n_response, p, take);
	s->n_response += take;
	return size * n;
}

static struct curl_slist *headers__new(const struct export_settings *o, enum otlp_protocol protocol, bool gzip)
{
	struct curl_slist *list;

	list = curl_slist_append(NULL, protocol == OTLP_HTTP_JSON ? "Content-Type: application/json"
								  : "Content-Type: application/x-protobuf");
	list = curl_slist_append(list, "Expect:");
	if (gzip)
		list = curl_slist_append(list, "Content-Encoding: gzip");
	for (char **h = o->headers; h && *h; h++)
		list = curl_slist_append(list, *h);
	return list;
}

static int sender__setup(struct sender *s, const struct export_settings *o)
{
	CURL *e = s->easy;
	int bad = 0;

	for (int p = 0; p < OTLP_PROTOCOLS; p++)
		for (int gzip = 0; gzip < 2; gzip++)
			s->headers[p][gzip] = headers__new(o, (enum otlp_protocol)p, gzip);
	bad |= curl_easy_setopt(e, CURLOPT_URL, o->endpoint);
	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	bad |= curl_easy_setopt(e, CURLOPT_POST, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_USERAGENT, "OTel-OTLP-Exporter-wirespan/" WIRESPAN_VERSION);
	bad |= curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
	bad |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BYTES);
	bad |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_response);
	bad |= curl_easy_setopt(e, CURLOPT_WRITEDATA, s);
	bad |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, s->error);
	if (o->certificate)
		bad |= curl__trust(e, o->certificate);
	if (o->client_certificate)
		bad |= curl_easy_setopt(e, CURLOPT_SSLCERT, o->client_certificate);
	if (o->client_key)
		bad |= curl_easy_setopt(e, CURLOPT_SSLKEY, o->client_key);
	curl__watch(s->multi, &s->watch);
	return bad;
}

struct sender *sender__new(const struct export_settings *o, int epoll_fd, void *ptr, char *err, size_t err_size)
{
	struct sender *s = calloc(1, sizeof(*s));
	char shown[sizeof(o->endpoint)];

	if (!s || !(s->response = malloc(RESPONSE_MAX)))
		abort();
	s->watch = (struct curl_watch){epoll_fd, ptr};
	curl_global_init(CURL_GLOBAL_DEFAULT);
	s->multi = curl_multi_init();
	s->easy = curl_easy_init();
	if (!s->multi || !s->easy)
		abort();
	if (!sender__setup(s, o))
		return s;
	endpoint__show(o->endpoint, shown, sizeof(shown));
	snprintf(err, err_size, "libcurl can't send to '%s': %s", shown, s->error);
	sender__free(s);
	return NULL;
}

void sender__free(struct sender *s)
{
	if (!s)
		return;
	sender__cancel(s);
	curl_easy_cleanup(s->easy);
	curl_multi_cleanup(s->multi);
	for (int p = 0; p < OTLP_PROTOCOLS; p++)
		for (int gzip = 0; gzip < 2; gzip++)
			curl_slist_free_all(s->headers[p][gzip]);
	free(s->response);
	free(s);
}

void sender__post(struct sender *s, const struct batch *b)
{
	s->protocol = b->protocol;
	s->n_response = 0;
	s->error[0] = '\0';
	curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->headers[b->protocol][b->gzip]);
	curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, b->body);
	curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)b->size);
	curl_multi_add_handle(s->multi, s->easy);
	s->busy = true;
}

void sender__cancel(struct sender *s)
{
	if (s->busy)
		curl_multi_remove_handle(s->multi, s->easy);
	s->busy = false;
}

static enum sender_result sender__judge(struct sender *s, CURLcode code)
{
	struct slice body = {s->response, s->n_response};
	curl_off_t after = 0;
	long status = 0;

	s->rejected = s->retry_after_ms = 0;
	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK) {
		if (!s->error[0])
			snprintf(s->error, sizeof(s->error), "%s", curl_easy_strerror(code));
		return SENDER_RETRY;
	}
	if (status >= 200 && status < 300) {
		s->rejected = otlp__rejected(s->protocol, body);
		return SENDER_OK;
	}
	snprintf(s->error, sizeof(s->error), "the collector answered %ld", status);
	if (status != 429 && status != 502 && status != 503 && status != 504)
		return SENDER_REFUSED;
	curl_easy_getinfo(s->easy, CURLINFO_RETRY_AFTER, &after);
	s->retry_after_ms = after > RETRY_AFTER_MAX ? RETRY_AFTER_MAX * 1000ull : after > 0 ? (uint64_t)after * 1000 : 0;
	return SENDER_RETRY;
}

enum sender_result sender__drive(struct sender *s)
{
	CURLMsg *msg;
	int n;

	if (!s->busy)
		return SENDER_BUSY;
	curl_multi_socket_action(s->multi, CURL_SOCKET_TIMEOUT, 0, &n);
	curl_multi_perform(s->multi, &n);
	while ((msg = curl_multi_info_read(s->multi, &n))) {
		CURLcode code = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_multi_remove_handle(s->multi, s->easy);
		s->busy = false;
		return sender__judge(s, code);
	}
	return SENDER_BUSY;
}

enum sender_result sender__wait(struct sender *s, int ms)
{
	curl_multi_poll(s->multi, NULL, 0, ms, NULL);
	return sender__drive(s);
}

uint64_t sender__rejected(const struct sender *s)
{
	return s->rejected;
}

uint64_t sender__retry_after_ms(const struct sender *s)
{
	return s->retry_after_ms;
}

const char *sender__error(const struct sender *s)
{
	return s->error;
}
