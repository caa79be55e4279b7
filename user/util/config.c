// SPDX-License-Identifier: Apache-2.0
#include "util/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define FILE_LIMIT (1 << 20)
#define DEPTH_LIMIT 8
#define NAME_LIMIT 200

struct reader {
	yaml_parser_t yaml;
	yaml_event_t event; /* the current one */
	const struct option_row *rows;
	unsigned command;
	struct values *values;
	const char *path;
	char *err;
	size_t err_size;
};

static int reader__fail(struct reader *r, size_t line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int reader__fail(struct reader *r, size_t line, const char *fmt, ...)
{
	int n = snprintf(r->err, r->err_size, "%s:%zu: ", r->path, line);
	va_list args;

	va_start(args, fmt);
	if (n > 0 && (size_t)n < r->err_size)
		vsnprintf(r->err + n, r->err_size - (size_t)n, fmt, args);
	va_end(args);
	return -EINVAL;
}

static size_t reader__line(const struct reader *r)
{
	return r->event.start_mark.line + 1;
}

static int reader__next(struct reader *r)
{
	yaml_event_delete(&r->event);
	if (!yaml_parser_parse(&r->yaml, &r->event)) {
		memset(&r->event, 0, sizeof(r->event));
		return reader__fail(r, r->yaml.problem_mark.line + 1, "this is no YAML: %s", r->yaml.problem);
	}
	if (r->event.type == YAML_ALIAS_EVENT)
		return reader__fail(r, reader__line(r), "aliases (*name) are not supported");
	return 0;
}

static const char *scalar(const struct reader *r)
{
	return (const char *)r->event.data.scalar.value;
}

/* YAML 1.1, "null". */
static bool scalar__is_null(const struct reader *r)
{
	const char *s = scalar(r);

	return r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && (!*s || !strcmp(s, "~") || !strcasecmp(s, "null"));
}

static int reader__check_scalar(struct reader *r, const char *name)
{
	if (r->event.type != YAML_SCALAR_EVENT)
		return reader__fail(r, reader__line(r), "%s holds a list or a mapping where a value must stand", name);
	if (strlen(scalar(r)) != r->event.data.scalar.length)
		return reader__fail(r, reader__line(r), "%s holds a NUL", name);
	return 0;
}

/* text NULL: on, or with off not. */
static void reader__add(struct reader *r, const struct option_row *row, const char *text, bool off, size_t line)
{
	struct value *v;

	if (!(row->commands & r->command))
		return;
	v = values__add(r->values, row, ORIGIN_FILE, text);
	v->off = off;
	v->line = (int)line;
}

static int read__scalar(struct reader *r, const struct option_row *row)
{
	size_t line = reader__line(r);
	int rc = reader__check_scalar(r, row->name);
	bool on;

	if (rc || scalar__is_null(r))
		return rc;
	if (row->arg)
		reader__add(r, row, scalar(r), false, line);
	else if (option__flag(scalar(r), &on))
		reader__add(r, row, NULL, !on, line);
	else
		rc = reader__fail(r, line, "%s '%s' is neither true nor false", row->name, scalar(r));
	return rc;
}

static int read__list(struct reader *r, const struct option_row *row)
{
	size_t line = reader__line(r), n = 0;
	int rc;

	if (!row->arg || !(row->commands & OPTION_LIST))
		return reader__fail(r, line, "%s takes one value, not a list", row->name);
	while (!(rc = reader__next(r)) && r->event.type != YAML_SEQUENCE_END_EVENT) {
		rc = read__scalar(r, row);
		if (rc)
			return rc;
		n++;
	}
	if (!rc && !n)
		reader__add(r, row, NULL, true, line);
	return rc;
}

/* "%2C" for what would end an item of "k=v,k=v": W3C Baggage, which OpenTelemetry's lists follow. */
static void put__encoded(FILE *out, const char *s)
{
	for (; *s; s++)
		fprintf(out, strchr(",=%; ", *s) || (unsigned char)*s < ' ' ? "%%%02X" : "%c", (unsigned char)*s);
}

static int read__items(struct reader *r, const struct option_row *row, FILE *out)
{
	int rc;

	while (!(rc = reader__next(r)) && r->event.type != YAML_MAPPING_END_EVENT) {
		rc = reader__check_scalar(r, row->name);
		if (rc)
			return rc;
		fprintf(out, "%s%s=", ftell(out) ? "," : "", scalar(r));
		rc = reader__next(r);
		rc = rc ? rc : reader__check_scalar(r, row->name);
		if (rc)
			return rc;
		put__encoded(out, scalar(r));
	}
	return rc;
}

static int read__map(struct reader *r, const struct option_row *row)
{
	size_t line = reader__line(r), size;
	char *text = NULL;
	FILE *out;
	int rc;

	if (!(row->commands & OPTION_MAP))
		return reader__fail(r, line, "%s takes a value, not a mapping", row->name);
	out = open_memstream(&text, &size);
	if (!out)
		return -ENOMEM;
	rc = read__items(r, row, out);
	fclose(out);
	if (!rc)
		reader__add(r, row, *text ? text : NULL, !*text, line);
	free(text);
	return rc;
}

static bool is_section(const struct option_row *rows, const char *name)
{
	size_t n = strlen(name);

	for (; rows->name; rows++)
		if (!strncmp(rows->name, name, n) && rows->name[n] == '.')
			return true;
	return false;
}

static int fail__unknown(struct reader *r, const char *name, size_t line, bool section)
{
	char nearest[NAME_LIMIT];

	if (options__nearest(r->rows, name, section, nearest, sizeof(nearest)))
		return reader__fail(r, line, "there is no setting '%s'; did you mean '%s'?", name, nearest);
	return reader__fail(r, line, "there is no setting '%s'; wirespan agent --print-config lists them", name);
}

static const struct value *value__given(const struct values *vs, const struct option_row *row)
{
	for (size_t i = 0; i < vs->n; i++)
		if (vs->v[i].row == row && vs->v[i].origin == ORIGIN_FILE)
			return &vs->v[i];
	return NULL;
}

static int read__settings(struct reader *r, const char *prefix, int depth);

static int read__setting(struct reader *r, const char *name, size_t line, int depth)
{
	const struct option_row *row = options__find(r->rows, name, strlen(name));
	const struct value *before = row ? value__given(r->values, row) : NULL;
	bool mapping = r->event.type == YAML_MAPPING_START_EVENT;

	if (!row && is_section(r->rows, name))
		return mapping ? read__settings(r, name, depth + 1) :
		       r->event.type == YAML_SCALAR_EVENT && scalar__is_null(r) ? 0 :
		       reader__fail(r, line, "'%s' is a section: settings must stand below it", name);
	if (!row)
		return fail__unknown(r, name, line, mapping);
	if (row->commands & OPTION_LINE)
		return reader__fail(r, line, "'%s' can be given on the command line only", name);
	if (before)
		return reader__fail(r, line, "'%s' is set a second time, after line %d", name, before->line);
	if (mapping)
		return read__map(r, row);
	return r->event.type == YAML_SEQUENCE_START_EVENT ? read__list(r, row) : read__scalar(r, row);
}

/* Behind the start of a mapping, to its end. */
static int read__settings(struct reader *r, const char *prefix, int depth)
{
	char name[NAME_LIMIT];
	int rc;

	if (depth > DEPTH_LIMIT)
		return reader__fail(r, reader__line(r), "nested deeper than %d", DEPTH_LIMIT);
	while (!(rc = reader__next(r)) && r->event.type != YAML_MAPPING_END_EVENT) {
		size_t line = reader__line(r);

		rc = reader__check_scalar(r, "a name");
		if (rc)
			return rc;
		if (snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", scalar(r)) >= NAME_LIMIT)
			return reader__fail(r, line, "there is no setting of so long a name");
		rc = reader__next(r);
		rc = rc ? rc : read__setting(r, name, line, depth);
		if (rc)
			return rc;
	}
	return rc;
}

/* An empty file sets nothing. */
static int read__stream(struct reader *r)
{
	int rc = reader__next(r); /* the stream's start */

	rc = rc ? rc : reader__next(r);
	if (rc || r->event.type == YAML_STREAM_END_EVENT)
		return rc;
	rc = reader__next(r);
	if (rc)
		return rc;
	if (r->event.type == YAML_MAPPING_START_EVENT)
		rc = read__settings(r, "", 0);
	else if (r->event.type != YAML_SCALAR_EVENT || !scalar__is_null(r))
		rc = reader__fail(r, reader__line(r), "settings must stand here, as in 'ring-size: 8'");
	rc = rc ? rc : reader__next(r); /* the document's end */
	rc = rc ? rc : reader__next(r);
	if (!rc && r->event.type != YAML_STREAM_END_EVENT)
		rc = reader__fail(r, reader__line(r), "a second document");
	return rc;
}

static int file__open(const char *path, FILE **file, char *err, size_t err_size)
{
	struct stat st;

	/* To open a pipe would wait for who writes to it. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

	*file = NULL;
	if (fd < 0 || fstat(fd, &st)) {
		rc = -errno;
		snprintf(err, err_size, "%s: %s", path, strerror(-rc));
	} else if (!S_ISREG(st.st_mode) || st.st_size >= FILE_LIMIT) {
		rc = -EINVAL;
		snprintf(err, err_size, "%s: %s", path, S_ISREG(st.st_mode) ? "larger than 1 MiB" : "is no regular file");
	} else {
		*file = fdopen(fd, "r");
		if (!*file)
			abort();
		return 0;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

int config__read(const struct option_row *rows, unsigned command, const char *path, struct values *values, char *err,
		 size_t err_size)
{
	struct reader r = {.rows = rows, .command = command, .values = values, .path = path, .err = err, .err_size = err_size};
	FILE *file;
	int rc = file__open(path, &file, err, err_size);

	if (rc)
		goto cleanup;
	values->path = strdup(path);
	if (!values->path || !yaml_parser_initialize(&r.yaml))
		abort();
	yaml_parser_set_input_file(&r.yaml, file);
	rc = read__stream(&r);
	yaml_event_delete(&r.event);
	yaml_parser_delete(&r.yaml);
cleanup:
	if (file)
		fclose(file);
	return rc;
}
