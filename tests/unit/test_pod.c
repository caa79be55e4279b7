// SPDX-License-Identifier: Apache-2.0
/* test_pod.c - Pods as the Kubernetes API gives them, and things that are none, to attributes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>

#include "meta/pod.h"

static struct pod *pod__of(const char *text)
{
	json_t *j = json_loads(text, 0, NULL);
	struct pod *p;

	assert_non_null(j);
	p = pod__new(j);
	json_decref(j);
	return p;
}

static const char *fact(const struct container *c, const char *key)
{
	static char out[256];
	struct slice s = attrs__get_str(&c->facts, key);

	snprintf(out, sizeof(out), "%.*s", (int)s.n, s.n ? s.p : "");
	return out;
}

static void container__clear(struct container *c)
{
	attrs__free(&c->facts);
	free(c->labels);
	*c = (struct container){0};
}

#define OWNED(kind, name, labels)                                                                                      \
	"{\"metadata\":{\"uid\":\"u\",\"name\":\"p\",\"namespace\":\"n\",\"labels\":" labels                           \
	",\"ownerReferences\":[{\"kind\":\"Other\",\"name\":\"no\"},{\"kind\":\"" kind "\",\"name\":\"" name           \
	"\",\"controller\":true}]}}"

static void test_owners(void **state)
{
	static const struct {
		const char *pod, *key, *value, *other, *other_value;
	} rows[] = {
		{OWNED("ReplicaSet", "order-7c9f", "{\"pod-template-hash\":\"7c9f\"}"), "k8s.deployment.name", "order", "k8s.replicaset.name", "order-7c9f"},
		/* a ReplicaSet of nobody's */
		{OWNED("ReplicaSet", "order-7c9f", "{}"), "k8s.deployment.name", "", "k8s.replicaset.name", "order-7c9f"},
		{OWNED("ReplicaSet", "7c9f", "{\"pod-template-hash\":\"7c9f\"}"), "k8s.deployment.name", "", "k8s.replicaset.name", "7c9f"},
		{OWNED("StatefulSet", "db", "{}"), "k8s.statefulset.name", "db", "k8s.deployment.name", ""},
		{OWNED("DaemonSet", "log", "{}"), "k8s.daemonset.name", "log", "k8s.deployment.name", ""},
		{OWNED("Job", "backup-29384756", "{}"), "k8s.cronjob.name", "backup", "k8s.job.name", "backup-29384756"},
		{OWNED("Job", "backup-2", "{}"), "k8s.cronjob.name", "", "k8s.job.name", "backup-2"},
		{OWNED("Job", "-29384756", "{}"), "k8s.cronjob.name", "", "k8s.job.name", "-29384756"},
		{OWNED("Job", "a-2938475x", "{}"), "k8s.cronjob.name", "", "k8s.job.name", "a-2938475x"},
		{OWNED("Rollout", "x", "{}"), "k8s.deployment.name", "", "k8s.pod.name", "p"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct container c = {0};
		struct pod *p = pod__of(rows[i].pod);

		pod__tell(p, &c);
		assert_string_equal(fact(&c, rows[i].key), rows[i].value);
		assert_string_equal(fact(&c, rows[i].other), rows[i].other_value);
		pod__free(p);
		container__clear(&c);
	}
}

static void test_containers(void **state)
{
	struct container c = {.ref = {.id = "00ff"}};
	struct pod *p = pod__of("{\"metadata\":{\"uid\":\"mirror\",\"name\":\"p\",\"namespace\":\"n\",\"annotations\":{\"kubernetes.io/config.hash\":"
				"\"b38d\",\"resource.opentelemetry.io/service.name\":\"mine\",\"resource.opentelemetry.io/\":\"none\",\"x\":\"y\"},"
				"\"labels\":{\"app\":\"a\"}},\"spec\":{\"nodeName\":\"node\"},\"status\":{\"initContainerStatuses\":[{\"name\":\"i\","
				"\"containerID\":\"containerd://1\"}],\"containerStatuses\":[{\"name\":\"waiting\"},{\"name\":\"c\",\"image\":\"i:1\","
				"\"containerID\":\"cri-o://00ff\"}]}}");

	assert_string_equal(p->uid, "b38d"); /* a static pod's cgroup has this one */
	pod__tell(p, &c);
	assert_string_equal(fact(&c, "k8s.container.name"), "c");
	assert_string_equal(fact(&c, "container.image.name"), "i");
	assert_string_equal(fact(&c, "service.name"), "mine");
	assert_string_equal(fact(&c, "k8s.node.name"), "node");
	assert_string_equal(fact(&c, "x"), "");
	assert_true(slice__eq(container__get_label(&c, SLICE("app")), SLICE("a")));
	pod__free(p);
	container__clear(&c);
}

/* Its labels and annotations change while it lives: what it does not say any more goes, what others say stays. */
static void test_changes(void **state)
{
	struct container c = {.ref = {.id = "abc"}};
	struct pod *old = pod__of("{\"metadata\":{\"uid\":\"u\",\"name\":\"p\",\"namespace\":\"n\",\"labels\":{\"app\":\"a\",\"tier\":\"x\",\"same\":\"s\"},"
				  "\"annotations\":{\"resource.opentelemetry.io/team.name\":\"red\",\"resource.opentelemetry.io/service.name\":\"mine\"},"
				  "\"ownerReferences\":[{\"kind\":\"ReplicaSet\",\"name\":\"r\",\"controller\":true}]}}");
	struct pod *new = pod__of("{\"metadata\":{\"uid\":\"u\",\"name\":\"p\",\"namespace\":\"n\",\"labels\":{\"same\":\"s\",\"app\":\"b\"},"
				  "\"annotations\":{\"resource.opentelemetry.io/team.name\":\"blue\"}}}");

	container__fact(&c, "container.name", SLICE("told by another"));
	container__label(&c, SLICE("tier"), SLICE("told by another"));
	pod__tell(old, &c);
	assert_string_equal(fact(&c, "k8s.replicaset.name"), "r");
	assert_false(pod__says_the_same(old, new));
	assert_true(pod__says_the_same(old, old));
	for (unsigned i = 0; i < 1000; i++) { /* and back again: nothing grows */
		pod__untell(old, &c);
		pod__tell(new, &c);
		assert_string_equal(fact(&c, "team.name"), "blue");
		assert_string_equal(fact(&c, "service.name"), "");
		assert_string_equal(fact(&c, "k8s.replicaset.name"), "");
		assert_string_equal(fact(&c, "k8s.pod.name"), "p");
		assert_string_equal(fact(&c, "container.name"), "told by another");
		assert_true(slice__eq(container__get_label(&c, SLICE("app")), SLICE("b")));
		assert_true(slice__eq(container__get_label(&c, SLICE("same")), SLICE("s")));
		assert_true(slice__eq(container__get_label(&c, SLICE("tier")), SLICE("told by another")));
		assert_int_equal(c.n_labels, sizeof("tier=told by another") + sizeof("same=s") + sizeof("app=b"));
		assert_in_range(c.facts.size, 1, 512);
		pod__untell(new, &c);
		pod__tell(old, &c);
		assert_true(slice__eq(container__get_label(&c, SLICE("app")), SLICE("a")));
		assert_string_equal(fact(&c, "service.name"), "mine");
	}
	pod__free(old);
	pod__free(new);
	container__clear(&c);
}

/* The address of a pod that is over may be another's. */
static void test_address(void **state)
{
	static const struct {
		const char *status, *ip;
	} rows[] = {
		{"{\"podIP\":\"10.0.0.7\",\"hostIP\":\"192.0.2.1\"}", "10.0.0.7"},
		{"{\"podIP\":\"192.0.2.1\",\"hostIP\":\"192.0.2.1\"}", ""},
		{"{\"phase\":\"Pending\"}", ""},
		{"{\"phase\":\"Running\",\"podIP\":\"10.0.0.7\"}", "10.0.0.7"},
		{"{\"phase\":\"Unknown\",\"podIP\":\"10.0.0.7\"}", "10.0.0.7"},
		{"{\"phase\":7,\"podIP\":\"fd00::7\"}", "fd00::7"},
		{"{\"phase\":\"Succeeded\",\"podIP\":\"10.0.0.7\",\"hostIP\":\"192.0.2.1\"}", ""},
		{"{\"phase\":\"Failed\",\"podIP\":\"10.0.0.7\"}", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[256];
		struct pod *p;

		snprintf(text, sizeof(text), "{\"metadata\":{\"uid\":\"u\"},\"status\":%s}", rows[i].status);
		p = pod__of(text);
		assert_string_equal(p->ip, rows[i].ip);
		pod__free(p);
	}
}

static void test_anything(void **state)
{
	static const char *const none[] = {
		"[]", "{}", "{\"metadata\":7}", "{\"metadata\":{\"uid\":7}}", "{\"metadata\":{\"uid\":\"\"}}",
		"{\"metadata\":{\"uid\":\"0123456789012345678901234567890123456789\"}}",
	};
	static const char *const odd[] = {
		"{\"metadata\":{\"uid\":\"u\"}}",
		"{\"metadata\":{\"uid\":\"u\",\"name\":[],\"labels\":[1],\"annotations\":7,\"ownerReferences\":{}},\"spec\":0,\"status\":[]}",
		"{\"metadata\":{\"uid\":\"u\",\"labels\":{\"a\":1,\"\":\"x\"},\"ownerReferences\":[7]},\"status\":{\"containerStatuses\":[1,"
		"{\"containerID\":\"no-scheme\"},{\"containerID\":\"x://\"}]}}",
	};

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		assert_null(pod__of(none[i]));
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		struct container c = {.ref = {.id = "1"}};
		struct pod *p = pod__of(odd[i]);

		assert_non_null(p);
		pod__tell(p, &c);
		pod__free(p);
		container__clear(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_changes), cmocka_unit_test(test_address),
		cmocka_unit_test(test_anything),
	};

	return cmocka_run_group_tests_name("pod", tests, NULL, NULL);
}
