// SPDX-License-Identifier: Apache-2.0
/*
 * settings.c - the OTEL_* environment (OpenTelemetry specification: "OTLP Exporter Configuration",
 * "Batch Span Processor"). A variable of the traces signal wins over the general one.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/export.h"
#include "util/environment.h"
#include "util/slice.h"

#define HEADERS_MAX 64
#define NUMBER_MAX 2147483647ull /* of milliseconds: 24 days */
#define QUEUE_MAX 10000000
#define BATCH_MAX 16384 /* spans of the largest size still fit into what pb__open can hold */

/* A variable that is set to something; value NULL: none of the two is. */
struct variable {
	const char *name, *value;
};

static struct variable env(const char *traces, const char *general)
{
	const char *value = traces ? environment__get(traces) : NULL;
	const char *name = value || !general ? traces : general;

	return (struct variable){environment__name(name), value || !general ? value : environment__get(general)};
}

void endpoint__show(const char *url, char *out, size_t size)
{
	const char *host = strstr(url, "://");
	size_t scheme = host ? (size_t)(host + 3 - url) : 0, end = scheme + strcspn(url + scheme, "/?#");
	size_t path = strcspn(url + end, "?#");
	const char *at = memrchr(url + scheme, '@', end - scheme);

	snprintf(out, size, "%.*s%s%.*s%s", (int)scheme, url, at ? "REDACTED@" : "",
		 (int)(url + end + path - (at ? at + 1 : url + scheme)), at ? at + 1 : url + scheme,
		 url[end + path] ? "?REDACTED" : "");
}

static int settings__endpoint(struct export_settings *s, char *err, size_t size)
{
	struct variable exact = env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", NULL);
	struct variable base = env(NULL, "OTEL_EXPORTER_OTLP_ENDPOINT");
	const char *url = exact.value ? exact.value : base.value ? base.value : "http://localhost:4318";
	const char *name = exact.value ? exact.name : base.name;
	char shown[sizeof(s->endpoint)];
	size_t n = strlen(url);

	endpoint__show(url, shown, sizeof(shown));
	if (strncmp(url, "http://", 7) && strncmp(url, "https://", 8)) {
		snprintf(err, size, "%s '%s' is no http:// or https:// URL", name, shown);
		return -EINVAL;
	}
	if (exact.value)
		n = (size_t)snprintf(s->endpoint, sizeof(s->endpoint), "%s", url);
	else
		n = (size_t)snprintf(s->endpoint, sizeof(s->endpoint), "%s%sv1/traces", url, url[n - 1] == '/' ? "" : "/");
	if (n >= sizeof(s->endpoint)) {
		snprintf(err, size, "%s '%.40s...' is longer than %zu characters", name, shown, sizeof(s->endpoint) - 11);
		return -EINVAL;
	}
	return 0;
}

static int settings__protocol(struct export_settings *s, char *err, size_t size)
{
	struct variable v = env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL");

	if (!v.value || !strcmp(v.value, "http/protobuf")) {
		s->protocol = OTLP_HTTP_PROTOBUF;
	} else if (!strcmp(v.value, "http/json")) {
		s->protocol = OTLP_HTTP_JSON;
	} else {
		snprintf(err, size, "%s '%s' is not supported: use http/protobuf or http/json", v.name, v.value);
		return -EINVAL;
	}
	return 0;
}

static int settings__compression(struct export_settings *s, char *err, size_t size)
{
	struct variable v = env("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION");

	s->gzip = v.value && !strcmp(v.value, "gzip");
	if (!v.value || s->gzip || !strcmp(v.value, "none"))
		return 0;
	snprintf(err, size, "%s '%s' is neither gzip nor none", v.name, v.value);
	return -EINVAL;
}

static int settings__number(struct variable v, uint64_t otherwise, uint64_t *out, char *err, size_t size)
{
	char *end;

	*out = otherwise;
	if (!v.value)
		return 0;
	*out = strtoull(v.value, &end, 10);
	if (*end || !isdigit((unsigned char)*v.value) || *out > NUMBER_MAX) {
		snprintf(err, size, "%s '%s' is no number from 0 to %llu", v.name, v.value, NUMBER_MAX);
		return -EINVAL;
	}
	return 0;
}

static int hex__value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

/* "name" and "value", percent-encoded -> "name: value", or NULL: that is no header (RFC 9110, 5.5 and 5.6.2). */
static char *header__line(struct slice name, struct slice value)
{
	char *line = calloc(1, name.n + value.n + 3), *to;

	if (!line)
		abort();
	memcpy(line, name.p, name.n);
	for (to = line; *to; to++)
		if (!isalnum((unsigned char)*to) && !strchr("!#$%&'*+-.^_`|~", *to))
			goto bad;
	to = stpcpy(to, ": ");
	for (size_t i = 0; i < value.n; i++, to++) {
		int hi = i + 2 < value.n && value.p[i] == '%' ? hex__value(value.p[i + 1]) : -1;
		int lo = hi < 0 ? -1 : hex__value(value.p[i + 2]);

		*to = lo < 0 ? value.p[i] : (char)(hi << 4 | lo);
		i += lo < 0 ? 0 : 2;
		if ((unsigned char)*to < ' ' || *to == 127)
			goto bad;
	}
	return line;
bad:
	free(line);
	return NULL;
}

/* "name=value,name=value", values percent-encoded. */
static int settings__headers(struct export_settings *s, char *err, size_t size)
{
	struct variable v = env("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS");
	struct slice list = slice__of(v.value);
	size_t n = 0, at = 0;

	s->headers = calloc(HEADERS_MAX + 1, sizeof(*s->headers));
	if (!s->headers)
		abort();
	while (list.n) {
		size_t comma = slice__find(list, ','), eq;
		struct slice item = slice__trim(slice__sub(list, 0, comma)), name;
		char *line = NULL;

		list = slice__sub(list, comma + 1, list.n);
		at++;
		if (!item.n)
			continue;
		eq = slice__find(item, '=');
		name = slice__trim(slice__sub(item, 0, eq));
		if (n == HEADERS_MAX) {
			snprintf(err, size, "%s has more than %d items", v.name, HEADERS_MAX);
			return -EINVAL;
		}
		if (eq < item.n && name.n)
			line = header__line(name, slice__trim(slice__sub(item, eq + 1, item.n)));
		if (!line) {
			/* The value may be a secret: only its length is told. */
			snprintf(err, size, "%s: item %zu (%zu characters) is no name=value", v.name, at, item.n);
			return -EINVAL;
		}
		s->headers[n++] = line;
	}
	return 0;
}

/* Default: 512, or the whole of a smaller queue. */
static int settings__batch(struct export_settings *s, char *err, size_t size)
{
	/* A node has more spans than a process: eight times the specification's default. */
	struct variable v = env(NULL, "OTEL_BSP_MAX_QUEUE_SIZE");
	uint64_t queue, batch;
	int r = settings__number(v, 16384, &queue, err, size);

	if (r)
		return r;
	if (!queue || queue > QUEUE_MAX) {
		snprintf(err, size, "%s '%s' is not from 1 to %d", v.name, v.value, QUEUE_MAX);
		return -EINVAL;
	}
	v = env(NULL, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE");
	r = settings__number(v, queue < 512 ? queue : 512, &batch, err, size);
	if (r)
		return r;
	if (!batch || batch > queue || batch > BATCH_MAX) {
		snprintf(err, size, "%s '%s' is not from 1 to %llu%s", v.name, v.value,
			 (unsigned long long)(queue < BATCH_MAX ? queue : BATCH_MAX),
			 queue < BATCH_MAX ? ", which is OTEL_BSP_MAX_QUEUE_SIZE" : "");
		return -EINVAL;
	}
	s->max_queue = (uint32_t)queue;
	s->max_batch = (uint32_t)batch;
	return 0;
}

/* A file that libcurl will read later, again and again: it must be there now. */
static int settings__file(struct variable v, char **out, char *err, size_t size)
{
	struct stat st;

	if (!v.value)
		return 0;
	if (stat(v.value, &st) || access(v.value, R_OK)) {
		snprintf(err, size, "%s '%s' can't be read: %s", v.name, v.value, strerror(errno));
		return -EINVAL;
	}
	if (S_ISDIR(st.st_mode)) {
		snprintf(err, size, "%s '%s' is a directory", v.name, v.value);
		return -EINVAL;
	}
	*out = strdup(v.value);
	return 0;
}

static int settings__files(struct export_settings *s, char *err, size_t size)
{
	const struct {
		struct variable v;
		char **out;
	} files[] = {
		{env("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"), &s->certificate},
		{env("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
		 &s->client_certificate},
		{env("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"), &s->client_key},
	};
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(files) / sizeof(*files); i++)
		r = settings__file(files[i].v, files[i].out, err, size);
	return r;
}

int export_settings__from_env(struct export_settings *s, char *err, size_t size)
{
	const struct {
		struct variable v;
		uint64_t otherwise, *out;
	} times[] = {
		{env("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"), 10000, &s->timeout_ms},
		{env(NULL, "OTEL_BSP_SCHEDULE_DELAY"), 5000, &s->schedule_delay_ms},
		{env(NULL, "OTEL_BSP_EXPORT_TIMEOUT"), 30000, &s->export_timeout_ms},
	};
	int r;

	*s = (struct export_settings){0};
	r = settings__endpoint(s, err, size);
	r = r ? r : settings__protocol(s, err, size);
	r = r ? r : settings__compression(s, err, size);
	r = r ? r : settings__headers(s, err, size);
	for (size_t i = 0; !r && i < sizeof(times) / sizeof(*times); i++)
		r = settings__number(times[i].v, times[i].otherwise, times[i].out, err, size);
	r = r ? r : settings__batch(s, err, size);
	r = r ? r : settings__files(s, err, size);
	if (r)
		export_settings__free(s);
	return r;
}

void export_settings__free(struct export_settings *s)
{
	for (char **h = s->headers; h && *h; h++)
		free(*h);
	free(s->headers);
	free(s->certificate);
	free(s->client_certificate);
	free(s->client_key);
	*s = (struct export_settings){0};
}
