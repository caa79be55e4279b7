// SPDX-License-Identifier: Apache-2.0
/*
 * settings.c - the OTEL_* environment (OpenTelemetry specification: "OTLP Exporter Configuration",
 * "Batch Span Processor"). A variable of the traces signal wins over the general one.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "export/export.h"
#include "util/slice.h"

#define HEADERS_MAX 64

static const char *env(const char *traces, const char *general)
{
	const char *v = traces ? getenv(traces) : NULL;

	if (!v || !*v)
		v = general ? getenv(general) : NULL;
	return v && *v ? v : NULL;
}

static int settings__endpoint(struct export_settings *s, char *err, size_t size)
{
	const char *exact = env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", NULL);
	const char *base = env(NULL, "OTEL_EXPORTER_OTLP_ENDPOINT");
	const char *url = exact ? exact : base ? base : "http://localhost:4318";
	size_t n = strlen(url);

	if (strncmp(url, "http://", 7) && strncmp(url, "https://", 8)) {
		snprintf(err, size, "%s '%s' is no http:// or https:// URL",
			 exact ? "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" : "OTEL_EXPORTER_OTLP_ENDPOINT", url);
		return -EINVAL;
	}
	if (exact)
		n = (size_t)snprintf(s->endpoint, sizeof(s->endpoint), "%s", exact);
	else
		n = (size_t)snprintf(s->endpoint, sizeof(s->endpoint), "%s%sv1/traces", url, url[n - 1] == '/' ? "" : "/");
	if (n >= sizeof(s->endpoint)) {
		snprintf(err, size, "OTEL_EXPORTER_OTLP_ENDPOINT is longer than %zu characters", sizeof(s->endpoint) - 11);
		return -EINVAL;
	}
	return 0;
}

static int settings__protocol(struct export_settings *s, char *err, size_t size)
{
	const char *v = env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL");

	if (!v || !strcmp(v, "http/protobuf")) {
		s->protocol = OTLP_HTTP_PROTOBUF;
	} else if (!strcmp(v, "http/json")) {
		s->protocol = OTLP_HTTP_JSON;
	} else {
		snprintf(err, size, "OTEL_EXPORTER_OTLP_PROTOCOL '%s' is not supported: use http/protobuf or http/json", v);
		return -EINVAL;
	}
	return 0;
}

static int settings__compression(struct export_settings *s, char *err, size_t size)
{
	const char *v = env("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION");

	s->gzip = v && !strcmp(v, "gzip");
	if (!v || s->gzip || !strcmp(v, "none"))
		return 0;
	snprintf(err, size, "OTEL_EXPORTER_OTLP_COMPRESSION '%s' is neither gzip nor none", v);
	return -EINVAL;
}

static int settings__number(const char *traces, const char *general, uint64_t otherwise, uint64_t *out, char *err, size_t size)
{
	const char *v = env(traces, general);
	char *end;

	*out = otherwise;
	if (!v)
		return 0;
	*out = strtoull(v, &end, 10);
	if (*end || !isdigit((unsigned char)*v)) {
		snprintf(err, size, "%s '%s' is no number", general, v);
		return -EINVAL;
	}
	return 0;
}

/* "name=value,name=value", values percent-encoded -> "name: value". */
static int settings__headers(struct export_settings *s, char *err, size_t size)
{
	const char *v = env("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS");
	struct slice list = slice__of(v);
	size_t n = 0;

	s->headers = calloc(HEADERS_MAX + 1, sizeof(*s->headers));
	if (!s->headers)
		abort();
	while (list.n && n < HEADERS_MAX) {
		size_t comma = slice__find(list, ','), eq;
		struct slice item = slice__trim(slice__sub(list, 0, comma)), name, value;
		char *line;

		list = slice__sub(list, comma + 1, list.n);
		eq = slice__find(item, '=');
		name = slice__trim(slice__sub(item, 0, eq));
		value = slice__trim(slice__sub(item, eq + 1, item.n));
		if (!item.n)
			continue;
		if (eq == item.n || !name.n) {
			/* The value may be a secret: only its length is told. */
			snprintf(err, size, "OTEL_EXPORTER_OTLP_HEADERS: item %zu (%zu characters) is no name=value", n + 1, item.n);
			return -EINVAL;
		}
		line = s->headers[n++] = calloc(1, name.n + value.n + 3);
		if (!line)
			abort();
		memcpy(line, name.p, name.n);
		line += name.n;
		line = stpcpy(line, ": ");
		for (size_t i = 0; i < value.n; i++) {
			unsigned byte;

			if (value.p[i] == '%' && i + 2 < value.n && sscanf(value.p + i + 1, "%2x", &byte) == 1) {
				*line++ = (char)byte;
				i += 2;
			} else {
				*line++ = value.p[i];
			}
		}
	}
	return 0;
}

static char *copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

int export_settings__from_env(struct export_settings *s, char *err, size_t size)
{
	uint64_t queue = 0, batch = 0;
	int r;

	*s = (struct export_settings){0};
	r = settings__endpoint(s, err, size);
	r = r ? r : settings__protocol(s, err, size);
	r = r ? r : settings__compression(s, err, size);
	r = r ? r : settings__headers(s, err, size);
	r = r ? r : settings__number("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT", 10000, &s->timeout_ms, err, size);
	r = r ? r : settings__number(NULL, "OTEL_BSP_SCHEDULE_DELAY", 5000, &s->schedule_delay_ms, err, size);
	r = r ? r : settings__number(NULL, "OTEL_BSP_EXPORT_TIMEOUT", 30000, &s->export_timeout_ms, err, size);
	/* A node has more spans than a process: eight times the specification's default. */
	r = r ? r : settings__number(NULL, "OTEL_BSP_MAX_QUEUE_SIZE", 16384, &queue, err, size);
	r = r ? r : settings__number(NULL, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, &batch, err, size);
	if (!r && (!batch || batch > queue || queue > 10000000)) {
		snprintf(err, size, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE %llu must be from 1 to OTEL_BSP_MAX_QUEUE_SIZE %llu",
			 (unsigned long long)batch, (unsigned long long)queue);
		r = -EINVAL;
	}
	s->max_queue = (uint32_t)queue;
	s->max_batch = (uint32_t)batch;
	s->certificate = copy(env("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"));
	s->client_certificate = copy(env("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"));
	s->client_key = copy(env("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"));
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
