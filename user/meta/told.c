// SPDX-License-Identifier: Apache-2.0
/*
 * told.c - in: what is known of a container; out: the resource of a process in it. Names and precedence:
 * OpenTelemetry semantic conventions, "container", "k8s" and the page "Specify resource attributes using
 * Kubernetes annotations". What a process's own environment says is left alone.
 */
#include <fnmatch.h>
#include <stdio.h>

#include "meta/key.h"
#include "meta/meta.h"
#include "meta/source.h"

/* Labels that become attributes; the others are for selection alone. */
static const char *const shown[] = {"app", "app.kubernetes.io/*", "com.docker.compose.project", "com.docker.compose.service"};

/* Who gives the service its name, best last. */
static const struct {
	const char *key;
	enum name_rank rank;
	bool label;
} names[] = {
	{"container.name", NAMED_BY_CONTAINER, false},
	{"k8s.container.name", NAMED_BY_CONTAINER, false},
	{"k8s.pod.name", NAMED_BY_POD, false},
	{"com.docker.compose.service", NAMED_BY_OWNER, true},
	{"com.docker.swarm.service.name", NAMED_BY_OWNER, true},
	{"k8s.job.name", NAMED_BY_OWNER, false},
	{"k8s.cronjob.name", NAMED_BY_OWNER, false},
	{"k8s.daemonset.name", NAMED_BY_OWNER, false},
	{"k8s.statefulset.name", NAMED_BY_OWNER, false},
	{"k8s.replicaset.name", NAMED_BY_OWNER, false},
	{"k8s.deployment.name", NAMED_BY_OWNER, false},
	{"app.kubernetes.io/name", NAMED_BY_LABEL, true},
	{"app.kubernetes.io/instance", NAMED_BY_LABEL, true},
	{"service.name", NAMED_BY_ANNOTATION, false},
};

static void process__set(struct process *p, const char *key, struct slice value)
{
	if (value.n && !attrs__find(&p->told, key))
		attrs__str(&p->resource, key, value);
}

static void process__take_facts(struct process *p, const struct attrs *facts)
{
	for (unsigned i = 0; i < facts->n; i++) {
		const struct attr *a = &facts->v[i];

		if (attrs__find(&p->told, a->key) || !strcmp(a->key, "service.name"))
			continue;
		if (a->type == ATTR_LIST)
			attrs__list(&p->resource, a->key, attr__text(facts, a));
		else if (a->type == ATTR_STR)
			attrs__str(&p->resource, a->key, attr__text(facts, a));
	}
}

/* container.label.<key> of a container; in a pod the labels that people set are the pod's. */
static void process__take_labels(struct process *p, const struct container *c)
{
	const char *prefix = c->ref.pod_uid[0] ? "k8s.pod.label." : "container.label.";

	for (size_t at = 0; at < c->n_labels; at += strlen(c->labels + at) + 1) {
		struct slice s = slice__of(c->labels + at);
		size_t eq = slice__find(s, '=');
		char label[256], key[300];
		const char *kept;
		bool show = false;

		if (eq >= sizeof(label))
			continue;
		memcpy(label, s.p, eq);
		label[eq] = '\0';
		for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++)
			show |= fnmatch(shown[i], label, 0) == 0;
		if (!show)
			continue;
		snprintf(key, sizeof(key), "%s%s", prefix, label);
		kept = key__intern(slice__of(key));
		if (kept)
			process__set(p, kept, slice__sub(s, eq + 1, s.n));
	}
}

struct slice container__service(const struct container *c, unsigned *rank)
{
	for (size_t i = sizeof(names) / sizeof(*names); i > 0; i--) {
		const char *key = names[i - 1].key;
		struct slice s = names[i - 1].label ? container__get_label(c, slice__of(key)) : attrs__get_str(&c->facts, key);

		*rank = names[i - 1].rank;
		if (s.n)
			return s;
	}
	return (struct slice){"", 0};
}

static void process__take_name(struct process *p, const struct container *c)
{
	unsigned rank;
	struct slice name = container__service(c, &rank);

	process__set_service(p, name, rank);
}

/* The rest of service.*, where no annotation has said it. */
static void process__take_service(struct process *p, const struct container *c)
{
	struct slice ns = attrs__get_str(&c->facts, "k8s.namespace.name"), pod = attrs__get_str(&c->facts, "k8s.pod.name");
	struct slice in_pod = attrs__get_str(&c->facts, "k8s.container.name");
	const struct attr *tag = attrs__find(&c->facts, "container.image.tags");
	struct slice version = container__get_label(c, SLICE("app.kubernetes.io/version"));
	char id[1024];

	if (!attrs__find(&c->facts, "service.namespace"))
		process__set(p, "service.namespace", ns);
	if (!version.n && tag)
		version = slice__of(attr__text(&c->facts, tag).p);
	if (!attrs__find(&c->facts, "service.version"))
		process__set(p, "service.version", version);
	if (!ns.n || !pod.n || !in_pod.n || attrs__find(&c->facts, "service.instance.id"))
		return;
	snprintf(id, sizeof(id), "%.*s.%.*s.%.*s", (int)ns.n, ns.p, (int)pod.n, pod.p, (int)in_pod.n, in_pod.p);
	process__set(p, "service.instance.id", slice__of(id));
}

/* Whose answer is awaited, or never came; "process": its own. */
static void process__mark(struct process *p, const struct container *c)
{
	char text[128] = "";
	size_t n = 0;

	if (list__in_one(&p->hanging))
		n = (size_t)snprintf(text, sizeof(text), "process");
	for (unsigned i = 0; i < sources_n; i++)
		if (c->asked & 1u << i && n < sizeof(text) - 1)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? "," : "", sources[i].name);
	if (!c->known && !n)
		snprintf(text, sizeof(text), "container");
	if (text[0])
		attrs__str(&p->resource, "wirespan.resource.incomplete", slice__of(text));
	else
		attrs__remove(&p->resource, "wirespan.resource.incomplete");
}

void process__told(struct process *p)
{
	const struct container *c = p->container;

	if (c->ref.runtime[0])
		process__set(p, "container.runtime.name", slice__of(c->ref.runtime));
	process__take_facts(p, &c->facts);
	process__take_labels(p, c);
	process__take_name(p, c);
	process__take_service(p, c);
	process__mark(p, c);
}
