/* SPDX-License-Identifier: Apache-2.0 */
/* selection.c - "--pid 12,34" and its like. Contract: selection.h. */
#include "attach/selection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/table.h"

#define PID_LIMIT 4194304 /* PID_MAX_LIMIT of a 64-bit kernel (include/linux/threads.h) */
#define COMM_LIMIT 15	  /* TASK_COMM_LEN less its NUL */

bool selection__empty(const struct selection *s)
{
	return !s->all && !s->n_pids && !s->n_comms && !s->n_ports && !s->n_cgroups && !s->n_exes &&
	       !selection__has_containers(s);
}

bool selection__has_containers(const struct selection *s)
{
	return s->n_containers || s->n_images || s->n_pods || s->n_namespaces || s->n_labels;
}

/* A whole decimal number from 1 to max, else 0. */
static unsigned long number__parse(const char *text, unsigned long max)
{
	unsigned long n = 0;

	if (!*text)
		return 0;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return 0;
		n = n * 10 + (unsigned long)(*text - '0');
		if (n > max)
			return 0;
	}
	return n;
}

static bool add_pid(struct selection *s, const char *v)
{
	return (s->pids[s->n_pids] = (uint32_t)number__parse(v, PID_LIMIT)) && ++s->n_pids;
}

static bool add_port(struct selection *s, const char *v)
{
	return (s->ports[s->n_ports] = (uint16_t)number__parse(v, 65535)) && ++s->n_ports;
}

static bool add_comm(struct selection *s, const char *v)
{
	s->comms[s->n_comms] = v;
	return *v && strlen(v) <= COMM_LIMIT && ++s->n_comms;
}

static bool add_cgroup(struct selection *s, const char *v)
{
	s->cgroups[s->n_cgroups] = v;
	return *v == '/' && ++s->n_cgroups;
}

static bool add_label(struct selection *s, const char *v)
{
	s->labels[s->n_labels] = v;
	return *v && *v != '=' && ++s->n_labels;
}

static bool add_not(struct selection *s, const char *v)
{
	static const char *const kinds_of_not[] = {"container=", "image=", "pod=", "namespace=", "label="};

	s->nots[s->n_nots] = v;
	for (size_t i = 0; i < sizeof(kinds_of_not) / sizeof(*kinds_of_not); i++) {
		size_t n = strlen(kinds_of_not[i]);

		if (!strncmp(v, kinds_of_not[i], n) && v[n] && v[n] != '=')
			return ++s->n_nots;
	}
	return false;
}

#define MEMBERS(m) offsetof(struct selection, n_##m), offsetof(struct selection, m), sizeof(((struct selection *)0)->m[0])
static const struct kind {
	const char *option;
	bool (*add)(struct selection *s, const char *value); /* false: no such value; room is there. NULL: any text */
	size_t count, values, size;			     /* offsets of n_... and of the array, size of one in it */
	const char *wanted;
} kinds[] = {
	{"pid", add_pid, MEMBERS(pids), "a process id: a number from 1 to 4194304"},
	{"comm", add_comm, MEMBERS(comms), "a command name of 1 to 15 characters, as in `ps -o comm`"},
	{"port", add_port, MEMBERS(ports), "a TCP port: a number from 1 to 65535"},
	{"cgroup", add_cgroup, MEMBERS(cgroups), "a folder's path, such as /sys/fs/cgroup/system.slice"},
	{"exe", NULL, MEMBERS(exes), "a pattern for a program's path, such as /usr/bin/python3*"},
	{"container", NULL, MEMBERS(containers), "a container's name, a pattern for it, or the beginning of its id"},
	{"image", NULL, MEMBERS(images), "a pattern for an image, such as */nginx:1.*"},
	{"pod", NULL, MEMBERS(pods), "a pod's name or a pattern for it, with or without NAMESPACE/ in front"},
	{"namespace", NULL, MEMBERS(namespaces), "a namespace of Kubernetes, or a pattern for it"},
	{"label", add_label, MEMBERS(labels), "KEY=VALUE, the VALUE a pattern, or KEY"},
	{"not", add_not, MEMBERS(nots), "container=, image=, pod=, namespace= or label= and a value as these options take it"},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static size_t *kind__count(const struct kind *k, const struct selection *s)
{
	return (size_t *)((char *)s + k->count);
}

static bool kind__add(const struct kind *k, struct selection *s, const char *v)
{
	if (k->add)
		return k->add(s, v);
	((const char **)((char *)s + k->values))[*kind__count(k, s)] = v;
	return *v && ++*kind__count(k, s);
}

int selection__add(struct selection *s, const char *option, char *value, char *err, size_t err_size)
{
	const struct kind *k = kinds;
	char *part;

	while (k < kinds + KINDS && strcmp(k->option, option))
		k++;
	if (k == kinds + KINDS) {
		snprintf(err, err_size, "\"--%s\" selects nothing; there are --pid, --comm, --port, --cgroup, --exe,"
			 " --container, --image, --pod, --namespace, --label, --not", option);
		return -EINVAL;
	}
	while ((part = strsep(&value, ","))) {
		if (*kind__count(k, s) == SELECT_MAX) {
			snprintf(err, err_size, "--%s: \"%s\" is one too many, %d is the most; use --cgroup or --all", option,
				 part, SELECT_MAX);
			return -EINVAL;
		}
		if (!kind__add(k, s, part)) {
			snprintf(err, err_size, "--%s: \"%s\" is not %s", option, part, k->wanted);
			return -EINVAL;
		}
	}
	return 0;
}

/* Texts are pointers, numbers are shorter. */
static bool kind__same(const struct kind *k, const void *a, const void *b)
{
	if (k->size == sizeof(char *))
		return !strcmp(*(char *const *)a, *(char *const *)b);
	return !memcmp(a, b, k->size);
}

/*
 * Texts that reloads have brought, each once and for good: selections borrow theirs, and who has a copy of one that
 * was dropped may still look at it. There are no more than were ever written into the file.
 */
static struct table kept_texts;

static const char *text__kept(const char *text)
{
	uint64_t key = hash__bytes(0, text, strlen(text));
	char *kept;

	while ((kept = table__get(&kept_texts, key)) && strcmp(kept, text))
		key++;
	if (kept)
		return kept;
	kept = strdup(text);
	if (!kept)
		abort();
	table__set(&kept_texts, key, kept);
	return kept;
}

/* How many of a are not in b; they join `to`, unless that is NULL. */
static size_t kind__missing(const struct kind *k, const struct selection *a, const struct selection *b, struct selection *to)
{
	const char *va = (const char *)a + k->values, *vb = (const char *)b + k->values;
	size_t n = 0, na = *kind__count(k, a), nb = *kind__count(k, b);

	for (size_t i = 0; i < na; i++) {
		size_t j = 0;
		char *place;

		while (j < nb && !kind__same(k, va + i * k->size, vb + j * k->size))
			j++;
		n += j == nb;
		if (j < nb || !to)
			continue;
		place = (char *)to + k->values + (*kind__count(k, to))++ * k->size;
		memcpy(place, va + i * k->size, k->size);
		if (k->size == sizeof(char *))
			*(const char **)place = text__kept(*(char **)place);
	}
	return n;
}

int selection__join(struct selection *s, const struct selection *fresh, size_t *left)
{
	size_t added = 0;

	*left = 0;
	for (size_t i = 0; i < KINDS; i++) {
		if (*kind__count(&kinds[i], s) + kind__missing(&kinds[i], fresh, s, NULL) > SELECT_MAX)
			return -E2BIG;
		*left += kind__missing(&kinds[i], s, fresh, NULL);
	}
	for (size_t i = 0; i < KINDS; i++)
		added += kind__missing(&kinds[i], fresh, s, s);
	return (int)added;
}

static size_t kind__drop(const struct kind *k, struct selection *s, const struct selection *fresh)
{
	char *v = (char *)s + k->values;
	const char *of = (const char *)fresh + k->values;
	const size_t n = *kind__count(k, s), n_fresh = *kind__count(k, fresh);
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		size_t j = 0;

		while (j < n_fresh && !kind__same(k, v + i * k->size, of + j * k->size))
			j++;
		if (j < n_fresh)
			memmove(v + kept++ * k->size, v + i * k->size, k->size);
	}
	*kind__count(k, s) = kept;
	return n - kept;
}

size_t selection__drop(struct selection *s, const struct selection *fresh)
{
	size_t gone = 0;

	for (size_t i = 0; i < KINDS; i++)
		gone += kind__drop(&kinds[i], s, fresh);
	return gone;
}

uint64_t selection__hash(const struct selection *s)
{
	uint64_t h = s->all;

	for (size_t i = 0; i < KINDS; i++) {
		const char *v = (const char *)s + kinds[i].values;
		const size_t n = *kind__count(&kinds[i], s), size = kinds[i].size;

		h = hash__mix(h + n + 1);
		for (size_t k = 0; k < n; k++, v += size)
			h = size == sizeof(char *) ? hash__bytes(h, *(char *const *)v, strlen(*(char *const *)v)) :
						     hash__bytes(h, v, size);
	}
	return h;
}
