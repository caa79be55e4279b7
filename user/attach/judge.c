// SPDX-License-Identifier: Apache-2.0
/* judge.c - in: rules and a container's facts; out: wanted, left out, or neither. Contract: judge.h. */
#include "attach/judge.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "util/text.h"

#define ID_PREFIX_MIN 4
#define TEXT_MAX 512

/* A fact as text that fnmatch() takes; empty: not known. */
static const char *fact(const struct container *c, const char *key, char text[TEXT_MAX])
{
	const struct attr *a = attrs__find(&c->facts, key);
	struct slice s = a ? attr__text(&c->facts, a) : (struct slice){"", 0};

	if (a && a->type == ATTR_LIST)
		s.n = strnlen(s.p, s.n);
	text__copy(text, TEXT_MAX, s);
	return text;
}

static bool glob(const char *pattern, const char *text)
{
	return *text && fnmatch(pattern, text, 0) == 0;
}

static bool match_container(const char *value, const struct container *c)
{
	char text[TEXT_MAX];
	size_t n = strlen(value);

	return glob(value, fact(c, "container.name", text)) || glob(value, fact(c, "k8s.container.name", text)) ||
	       (n && !strcmp(value, c->ref.id)) || (n >= ID_PREFIX_MIN && !strncmp(value, c->ref.id, n));
}

/* "nginx", "nginx:1.25", "library/nginx" and "docker.io/library/nginx:1.25" all name that. */
static bool match_image(const char *value, const struct container *c)
{
	char name[TEXT_MAX], tag[TEXT_MAX], whole[2 * TEXT_MAX + 2];

	if (!*fact(c, "container.image.name", name))
		return false;
	snprintf(whole, sizeof(whole), "%s:%s", name, *fact(c, "container.image.tags", tag) ? tag : "latest");
	for (const char *p = whole; p; p = strchr(p, '/')) {
		char *colon;

		p += *p == '/';
		if (fnmatch(value, p, 0) == 0)
			return true;
		colon = strrchr(p, ':');
		*colon = '\0';
		if (fnmatch(value, p, 0) == 0)
			return true;
		*colon = ':';
	}
	return false;
}

static bool match_pod(const char *value, const struct container *c)
{
	const char *slash = strchr(value, '/');
	char text[TEXT_MAX], wanted[TEXT_MAX];

	if (slash) {
		text__copy(wanted, sizeof(wanted), (struct slice){value, (size_t)(slash - value)});
		if (!glob(wanted, fact(c, "k8s.namespace.name", text)))
			return false;
		value = slash + 1;
	}
	return glob(value, fact(c, "k8s.pod.name", text));
}

static bool match_namespace(const char *value, const struct container *c)
{
	char text[TEXT_MAX];

	return glob(value, fact(c, "k8s.namespace.name", text));
}

static bool match_label(const char *value, const struct container *c)
{
	size_t eq = strcspn(value, "=");
	struct slice label = container__get_label(c, (struct slice){value, eq});
	char text[TEXT_MAX];

	text__copy(text, sizeof(text), label);
	return label.p && (!value[eq] || fnmatch(value + eq + 1, text, 0) == 0);
}

static const struct kind {
	const char *name;
	bool (*match)(const char *value, const struct container *c);
	size_t values, count; /* in struct selection */
} kinds[] = {
#define KIND(one, many) {#one, match_##one, offsetof(struct selection, many), offsetof(struct selection, n_##many)}
	KIND(container, containers), KIND(image, images), KIND(pod, pods), KIND(namespace, namespaces), KIND(label, labels),
#undef KIND
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

bool judge__matches(const char *kind, const char *value, const struct container *c)
{
	for (size_t i = 0; i < KINDS; i++)
		if (!strcmp(kinds[i].name, kind))
			return kinds[i].match(value, c);
	return false;
}

/* A rule of every kind that was given. */
static bool is_named(const struct selection *s, const struct container *c)
{
	for (size_t i = 0; i < KINDS; i++) {
		const char *const *values = (const void *)((const char *)s + kinds[i].values);
		size_t n = *(const size_t *)((const char *)s + kinds[i].count), k = 0;

		while (k < n && !kinds[i].match(values[k], c))
			k++;
		if (n && k == n)
			return false;
	}
	return selection__has_containers(s);
}

static bool is_excepted(const struct selection *s, const struct container *c)
{
	for (size_t i = 0; i < s->n_nots; i++) {
		const char *eq = strchr(s->nots[i], '=');
		char kind[16];

		text__copy(kind, sizeof(kind), (struct slice){s->nots[i], (size_t)(eq - s->nots[i])});
		if (judge__matches(kind, eq + 1, c))
			return true;
	}
	return false;
}

/* Does somebody want kube-system by its name? A pattern that happens to match it does not count. */
static bool asks_for_system(const struct selection *s)
{
	for (size_t i = 0; i < s->n_namespaces; i++)
		if (!strcmp(s->namespaces[i], "kube-system"))
			return true;
	for (size_t i = 0; i < s->n_pods; i++)
		if (!strncmp(s->pods[i], "kube-system/", 12))
			return true;
	return false;
}

/* Tracing the collector that takes our spans would never end. */
static bool is_collector(const struct container *c)
{
	static const char *const images[] = {"*opentelemetry-collector*", "*otel/*collector*", "*otelcol*", "*otel-collector*"};
	char text[TEXT_MAX];

	for (size_t i = 0; i < sizeof(images) / sizeof(*images); i++)
		if (glob(images[i], fact(c, "container.image.name", text)))
			return true;
	return false;
}

static bool asks_for_one(const struct selection *s, const struct container *c)
{
	for (size_t i = 0; i < s->n_containers; i++)
		if (!strpbrk(s->containers[i], "*?[") && match_container(s->containers[i], c))
			return true;
	for (size_t i = 0; i < s->n_images; i++)
		if (strcmp(s->images[i], "*") && match_image(s->images[i], c))
			return true;
	for (size_t i = 0; i < s->n_pods; i++)
		if (!strpbrk(s->pods[i], "*?[") && match_pod(s->pods[i], c))
			return true;
	return false;
}

enum judgement judge__container(const struct selection *s, const struct container *c, const char **why)
{
	const char *ignored;

	why = why ? why : &ignored;
	*why = "";
	if (is_excepted(s, c)) {
		*why = "left out by --not";
		return JUDGED_LEFT_OUT;
	}
	if (s->n_nots && c->asked) {
		*why = "left out until it is known whether --not names it";
		return JUDGED_LEFT_OUT;
	}
	if (match_namespace("kube-system", c) && !asks_for_system(s) && !asks_for_one(s, c)) {
		*why = "kube-system is left out unless it is named";
		return JUDGED_LEFT_OUT;
	}
	if (is_collector(c) && !asks_for_one(s, c)) {
		*why = "a collector is left out unless it is named";
		return JUDGED_LEFT_OUT;
	}
	if (c->sandbox)
		*why = "it only holds the pod's namespaces";
	else if (is_named(s, c))
		return JUDGED_WANTED;
	else
		*why = "the selection does not name it";
	return JUDGED_OTHER;
}
