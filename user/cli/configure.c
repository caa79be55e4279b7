// SPDX-License-Identifier: Apache-2.0
#include "cli/configure.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "export/export.h"
#include "util/config.h"
#include "util/log.h"

static const char *configure__file(const struct values *vs)
{
	const char *path = NULL;

	for (size_t i = 0; i < vs->n; i++)
		if (!strcmp(vs->v[i].row->name, "config"))
			path = vs->v[i].text;
	return path;
}

/* All sources, and which of them counts. The first operand's index, OPTIONS_HELP or -errno. */
static int configure__read(const struct configure *f, struct values *vs, char *err, size_t err_size)
{
	char unknown[64], nearest[64];
	const char *path;
	int r, first = options__parse(f->rows, f->command, f->argc, f->argv, vs, err, err_size);

	if (first < 0)
		return first;
	path = configure__file(vs);
	r = options__environment(f->rows, f->command, environ, vs, unknown, nearest, err, err_size);
	if (!r && path)
		r = config__read(f->rows, f->command, path, vs, err, err_size);
	if (r)
		return r;
	if (vs == &f->start && *unknown)
		log__warn("environment: %s is no setting; did you mean %s?", unknown, nearest);
	values__settle(vs);
	return first;
}

/* The exporter's settings, if anything will be exported. */
static int configure__check(const struct agent_config *c, char *err, size_t err_size)
{
	struct export_settings s;

	if (!(c->outputs & OUTPUT_OTLP))
		return 0;
	if (export_settings__from_env(&s, err, err_size))
		return -EINVAL;
	export_settings__free(&s);
	return 0;
}

static int configure__apply(const struct configure *f, struct values *vs, struct agent_config *c, char *err, size_t err_size)
{
	*c = f->defaults;
	log__set_level(LOG_INFO);
	return values__apply(vs, c, err, err_size);
}

/* What differs: it takes effect, or why it does not. */
static void configure__compare(const struct configure *f, const struct values *fresh)
{
	for (const struct option_row *row = f->rows; row->name; row++) {
		if (values__same(&f->now, fresh, row))
			continue;
		if (row->commands & OPTION_LIVE)
			log__info("reload: '%s' has changed", row->name);
		else
			log__warn("reload: '%s' has changed, which takes effect at a restart only", row->name);
	}
}

static int configure__reload(void *ctx, struct agent_config *c)
{
	struct configure *f = ctx;
	struct values read = {0}, merged = {0};
	struct agent_config old;
	char err[512] = "", ignored[512];
	int r = configure__read(f, &read, err, sizeof(err));

	if (r >= 0) {
		merged = values__reload(&f->now, &read);
		r = configure__apply(f, &merged, c, err, sizeof(err));
		r = r ? r : configure__check(c, err, sizeof(err));
		if (r)
			configure__apply(f, &f->now, &old, ignored, sizeof(ignored));
	}
	if (r) {
		log__error("reload: %s; nothing was changed", err);
		values__free(&merged);
	} else {
		configure__compare(f, &read);
		values__free(&f->now);
		f->now = merged;
	}
	values__free(&read);
	return r;
}

int configure__start(struct configure *f, struct agent_config *c, char *err, size_t err_size)
{
	int r, first = configure__read(f, &f->start, err, err_size);

	if (first < 0)
		return first;
	r = configure__apply(f, &f->start, c, err, err_size);
	if (r)
		return r;
	if (f->start.path) {
		c->reload = configure__reload;
		c->reload_ctx = f;
		c->attach.may_grow = true;
		f->now = values__reload(&f->start, &f->start);
	}
	return first;
}

static void show(const struct option_row *row, const char *text, char *out, size_t size)
{
	const char *last = strrchr(row->name, '.');

	if (last && !strcmp(last, ".endpoint"))
		endpoint__show(text, out, size);
	else
		snprintf(out, size, "%s", text);
}

int configure__print(const struct configure *f, const struct agent_config *c, FILE *out, char *err, size_t err_size)
{
	fprintf(out, "# What holds, and where it comes from: command line > environment > file > default.\n");
	values__print(&f->start, f->rows, f->command, f->argv[0], show, out);
	return configure__check(c, err, err_size);
}

void configure__free(struct configure *f)
{
	values__free(&f->start);
	values__free(&f->now);
}
