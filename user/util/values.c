// SPDX-License-Identifier: Apache-2.0
#include "util/values.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "util/environment.h"
#include "util/options.h"

#define SHOWN_MAX 1024

struct value *values__add(struct values *vs, const struct option_row *row, enum origin origin, const char *text)
{
	struct value *v;

	if (vs->n == vs->room) {
		vs->room = vs->room ? vs->room * 2 : 16;
		vs->v = reallocarray(vs->v, vs->room, sizeof(*vs->v));
		if (!vs->v)
			abort();
	}
	v = &vs->v[vs->n++];
	*v = (struct value){.row = row, .origin = origin, .text = text ? strdup(text) : NULL};
	if (text && !v->text)
		abort();
	return v;
}

static void values__copy(struct values *vs, const struct value *v)
{
	struct value *w = values__add(vs, v->row, v->origin, v->text);

	w->off = v->off;
	w->line = v->line;
}

static void value__free(struct value *v)
{
	free(v->text);
	free(v->given);
}

void values__free(struct values *vs)
{
	for (size_t i = 0; i < vs->n; i++)
		value__free(&vs->v[i]);
	free(vs->v);
	free(vs->path);
	*vs = (struct values){0};
}

static bool value__is_outvoted(const struct values *vs, const struct value *v)
{
	for (size_t i = 0; i < vs->n; i++)
		if (vs->v[i].row == v->row && vs->v[i].origin > v->origin)
			return true;
	return false;
}

void values__settle(struct values *vs)
{
	struct values kept = {.path = vs->path};

	vs->path = NULL;
	for (enum origin o = ORIGIN_FILE; o <= ORIGIN_LINE; o++)
		for (size_t i = 0; i < vs->n; i++)
			if (vs->v[i].origin == o && !value__is_outvoted(vs, &vs->v[i]))
				values__copy(&kept, &vs->v[i]);
	values__free(vs);
	*vs = kept;
}

/* "/etc/wirespan.yaml:3", "environment", "command line". */
static void value__where(const struct values *vs, const struct value *v, char *out, size_t size)
{
	char name[128];

	switch (v->origin) {
	case ORIGIN_FILE:
		snprintf(out, size, "%s:%d", vs->path ? vs->path : "file", v->line);
		break;
	case ORIGIN_ENVIRONMENT:
		option__variable(v->row, name, sizeof(name));
		snprintf(out, size, "environment %s", name);
		break;
	case ORIGIN_LINE:
		snprintf(out, size, "command line");
		break;
	}
}

static int value__apply(const struct values *vs, struct value *v, void *config, char *err, size_t err_size)
{
	char where[512], variable[128], message[512] = "";
	int r;

	value__where(vs, v, where, sizeof(where));
	if (option__is_variable(v->row)) {
		option__variable(v->row, variable, sizeof(variable));
		snprintf(where + strlen(where), sizeof(where) - strlen(where), ": %s", v->row->name);
		if (v->origin == ORIGIN_FILE)
			environment__offer(variable, v->text, where);
		return 0;
	}
	free(v->given);
	v->given = v->text ? strdup(v->text) : NULL;
	if (v->text && !v->given)
		abort();
	r = v->row->set(config, v->row, v->given, message, sizeof(message));
	if (r)
		snprintf(err, err_size, "%s%s%s", v->origin == ORIGIN_LINE ? "" : where, v->origin == ORIGIN_LINE ? "" : ": ",
			 message);
	return r;
}

int values__apply(struct values *vs, void *config, char *err, size_t err_size)
{
	int r = 0;

	environment__clear();
	for (size_t i = 0; i < vs->n && !r; i++)
		if (!vs->v[i].off)
			r = value__apply(vs, &vs->v[i], config, err, err_size);
	return r;
}

/* The next value of that setting from position *i on, or NULL. */
static const struct value *values__next(const struct values *vs, const struct option_row *row, size_t *i)
{
	for (; *i < vs->n; ++*i)
		if (vs->v[*i].row == row)
			return &vs->v[(*i)++];
	return NULL;
}

bool values__same(const struct values *a, const struct values *b, const struct option_row *row)
{
	size_t i = 0, j = 0;

	for (;;) {
		const struct value *v = values__next(a, row, &i), *w = values__next(b, row, &j);

		if (!v || !w)
			return !v && !w;
		if (v->off != w->off || !v->text != !w->text || (v->text && strcmp(v->text, w->text)))
			return false;
	}
}

struct values values__reload(const struct values *old, const struct values *fresh)
{
	struct values both = {.path = fresh->path ? strdup(fresh->path) : NULL};

	for (int live = 0; live < 2; live++) {
		const struct values *from = live ? fresh : old;

		for (size_t i = 0; i < from->n; i++) {
			const struct value *v = &from->v[i];

			if (!!(v->row->commands & OPTION_LIVE) == live)
				values__copy(&both, v);
		}
	}
	return both;
}

/* As YAML 1.1 reads it back: plain where nothing in it could mean something, else in double quotes. */
static void print__scalar(const char *s, FILE *out)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-+:";
	size_t n = strlen(s);

	if (n && strspn(s, plain) == n && (isalnum((unsigned char)*s) || *s == '/') && s[n - 1] != ':' && strcasecmp(s, "null")) {
		fputs(s, out);
		return;
	}
	putc('"', out);
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == 127)
			fprintf(out, "\\x%02x", (unsigned char)*s);
		else
			fprintf(out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	}
	putc('"', out);
}

static void print__value(const struct value *v, values_show show, FILE *out)
{
	char text[SHOWN_MAX];

	if (!v->row->arg) {
		fputs(v->off ? "false" : "true", out);
		return;
	}
	if (v->row->commands & OPTION_SECRET)
		snprintf(text, sizeof(text), "REDACTED");
	else
		show(v->row, v->text, text, sizeof(text));
	print__scalar(text, out);
}

static void print__row(const struct values *vs, const struct option_row *row, const char *name, values_show show, FILE *out)
{
	size_t i = 0;
	const struct value *v = values__next(vs, row, &i), *last = v;
	bool list = row->arg && row->commands & OPTION_LIST;
	char text[SHOWN_MAX];

	if (!v) {
		bool known = !row->arg || option__default(row, name, text, sizeof(text));

		fprintf(out, "%s%s: ", known ? "" : "# ", row->name);
		if (known)
			print__scalar(row->arg ? text : "false", out);
		fprintf(out, "%s\n", known ? " # default" : "(not set)");
		return;
	}
	if (!list) /* the last of several counts */
		for (const struct value *w; (w = values__next(vs, row, &i));)
			last = v = w;
	fprintf(out, "%s: %s", row->name, list ? "[" : "");
	while (v && !(list && v->off)) {
		print__value(v, show, out);
		v = list ? values__next(vs, row, &i) : NULL;
		fputs(v ? ", " : "", out);
	}
	value__where(vs, last, text, sizeof(text));
	fprintf(out, "%s # %s\n", list ? "]" : "", text);
}

void values__print(const struct values *vs, const struct option_row *rows, unsigned command, const char *name,
		   values_show show, FILE *out)
{
	for (; rows->name; rows++)
		if (rows->commands & command && !(rows->commands & OPTION_LINE))
			print__row(vs, rows, name, show, out);
}
