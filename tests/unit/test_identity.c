// SPDX-License-Identifier: Apache-2.0
/*
 * test_identity.c - from a cgroup's path and the runtimes' files, laid out below WIRESPAN_HOST_ROOT as the
 * runtimes do it, to a process's resource; and who gives a service its name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "meta/meta.h"

#define A "3d4f9c1b6b2a4f0e9b1f2c3d4e5f60718293a4b5c6d7e8f9012345678abcdef0"
#define UID "c2a0f5ae-3b3a-4c8e-8d3e-0d0b7a3f2f11"

static char root[64];

static void put(const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
	}
	f = fopen(full, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	fclose(f);
}

static int set_up(void **state)
{
	strcpy(root, "/tmp/wirespan-test-XXXXXX");
	return mkdtemp(root) && setenv("WIRESPAN_HOST_ROOT", root, 1) == 0 ? 0 : -1;
}

static int unlink_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	return nftw(root, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *fact(const struct container *c, const char *key)
{
	static char out[4][256];
	static unsigned turn;
	const struct attr *a = attrs__find(&c->facts, key);
	struct slice s = a ? attr__text(&c->facts, a) : (struct slice){"", 0};

	snprintf(out[++turn % 4], 256, "%.*s", (int)s.n, s.p);
	return out[turn % 4];
}

static void test_docker(void **state)
{
	struct identities *ids = identities__new(-1, NULL, false);
	const struct container *c;

	put("/var/lib/docker/containers/" A "/config.v2.json",
	    "{\"ID\":\"" A "\",\"Name\":\"/shop-order-1\",\"Config\":{\"Image\":\"registry.example.com:5000/shop/order:1.2@sha256:00\","
	    "\"Labels\":{\"com.docker.compose.service\":\"order\",\"tier\":\"back\",\"empty\":\"\"}},\"State\":{\"Pid\":7}}");
	c = identities__of_path(ids, SLICE("/system.slice/docker-" A ".scope"));
	assert_non_null(c);
	assert_string_equal(fact(c, "container.id"), A);
	assert_string_equal(fact(c, "container.name"), "shop-order-1");
	assert_string_equal(fact(c, "container.image.name"), "registry.example.com:5000/shop/order");
	assert_string_equal(fact(c, "container.image.tags"), "1.2");
	assert_string_equal(c->ref.runtime, "docker");
	assert_true(slice__eq(container__get_label(c, SLICE("tier")), SLICE("back")));
	assert_true(container__get_label(c, SLICE("tie")).p == NULL);
	assert_true(identities__of_path(ids, SLICE("/docker/" A)) == c);
	identities__free(ids);
}

static void test_containerd(void **state)
{
	struct identities *ids = identities__new(-1, NULL, false);
	const struct container *c;

	put("/run/containerd/io.containerd.runtime.v2.task/k8s.io/" A "/config.json",
	    "{\"ociVersion\":\"1.1.0\",\"annotations\":{\"io.kubernetes.cri.container-name\":\"order\","
	    "\"io.kubernetes.cri.container-type\":\"container\",\"io.kubernetes.cri.image-name\":\"docker.io/shop/order:2\","
	    "\"io.kubernetes.cri.sandbox-name\":\"order-7c9f-abcde\",\"io.kubernetes.cri.sandbox-namespace\":\"shop\","
	    "\"io.kubernetes.cri.sandbox-uid\":\"" UID "\"}}");
	c = identities__of_path(ids, SLICE("/kubepods/besteffort/pod" UID "/" A));
	assert_non_null(c);
	assert_string_equal(fact(c, "k8s.container.name"), "order");
	assert_string_equal(fact(c, "k8s.pod.name"), "order-7c9f-abcde");
	assert_string_equal(fact(c, "k8s.namespace.name"), "shop");
	assert_string_equal(fact(c, "k8s.pod.uid"), UID);
	assert_string_equal(fact(c, "container.image.name"), "docker.io/shop/order");
	assert_string_equal(c->ref.runtime, "containerd");
	assert_false(c->sandbox);
	identities__free(ids);
}

static void test_crio_and_podman(void **state)
{
	struct identities *ids = identities__new(-1, NULL, false);
	const struct container *c;

	put("/run/containers/storage/overlay-containers/" A "/userdata/config.json",
	    "{\"annotations\":{\"io.kubernetes.cri-o.Name\":\"k8s_POD\",\"io.kubernetes.pod.name\":\"p\",\"io.kubernetes.pod.namespace\":\"n\","
	    "\"io.kubernetes.cri-o.ContainerType\":\"sandbox\",\"org.example\":\"yes\"}}");
	c = identities__of_path(ids, SLICE("/kubepods/burstable/pod" UID "/crio-" A));
	assert_true(c && c->sandbox);
	assert_string_equal(fact(c, "k8s.pod.name"), "p");
	assert_string_equal(c->ref.runtime, "cri-o");
	identities__free(ids);

	ids = identities__new(-1, NULL, false);
	put("/var/lib/containers/storage/overlay-containers/containers.json",
	    "[{\"id\":\"other\",\"names\":[\"no\"]},{\"id\":\"" A "\",\"names\":[\"web\"],\"metadata\":"
	    "\"{\\\"image-name\\\":\\\"docker.io/library/nginx:latest\\\",\\\"name\\\":\\\"web\\\"}\"}]");
	c = identities__of_path(ids, SLICE("/machine.slice/libpod-" A ".scope/container"));
	assert_string_equal(fact(c, "container.name"), "web");
	assert_string_equal(fact(c, "container.image.name"), "docker.io/library/nginx");
	assert_string_equal(c->ref.runtime, "podman");
	identities__free(ids);
}

/* runc's own: called like its folder or not; a folder of the same name elsewhere is another. */
static void test_runc(void **state)
{
	struct identities *ids = identities__new(-1, NULL, false);
	const struct container *c;

	put("/run/runc/order/state.json",
	    "{\"id\":\"order\",\"cgroup_paths\":{\"pids\":\"/sys/fs/cgroup/pids/shop/x\",\"\":\"/sys/fs/cgroup/shop/x\"},"
	    "\"config\":{\"labels\":[\"bundle=/b/order\"]}}");
	put("/b/order/config.json", "{\"annotations\":{\"org.opencontainers.image.ref.name\":\"shop/order:3\",\"team\":\"a\"}}");
	c = identities__of_path(ids, SLICE("/shop/x"));
	assert_non_null(c);
	assert_string_equal(fact(c, "container.id"), "order");
	assert_string_equal(fact(c, "container.name"), "order");
	assert_string_equal(fact(c, "container.image.name"), "shop/order");
	assert_string_equal(c->ref.runtime, "runc");
	assert_true(slice__eq(container__get_label(c, SLICE("team")), SLICE("a")));
	assert_null(identities__of_path(ids, SLICE("/x")));
	assert_null(identities__of_path(ids, SLICE("/other/shop/x")));
	assert_null(identities__of_path(ids, SLICE("/")));
	assert_null(identities__of_path(ids, SLICE("/system.slice/cron.service")));
	put("/run/runc/same/state.json", "{\"cgroup_paths\":{\"pids\":\"/sys/fs/cgroup/pids/same\"}}");
	assert_non_null(identities__of_path(ids, SLICE("/same")));
	assert_null(identities__of_path(ids, SLICE("/elsewhere/same")));
	put("/run/containerd/io.containerd.runtime.v2.task/default/web/config.json", "{\"annotations\":{}}");
	c = identities__of_path(ids, SLICE("/default/web"));
	assert_non_null(c);
	assert_string_equal(c->ref.runtime, "containerd");
	assert_string_equal(fact(c, "container.name"), "web");
	identities__free(ids);
}

/* Files that are no JSON, of another kind, huge, or a pipe: nothing is known, nothing hangs. */
static void test_bad_files(void **state)
{
	static const char *const bad[] = {"", "{", "[]", "{\"annotations\":[1]}", "{\"Name\":7,\"Config\":{\"Labels\":[1,2]}}", "null"};
	char path[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct identities *ids = identities__new(-1, NULL, false);
		const struct container *c;

		put("/var/lib/docker/containers/" A "/config.v2.json", bad[i]);
		put("/run/containerd/io.containerd.runtime.v2.task/moby/" A "/config.json", bad[i]);
		c = identities__of_path(ids, SLICE("/x/" A));
		assert_non_null(c);
		assert_string_equal(fact(c, "container.id"), A);
		assert_string_equal(fact(c, "container.name"), "");
		identities__free(ids);
	}
	put("/run/runc/pipe/x", "");
	snprintf(path, sizeof(path), "%s/run/runc/pipe/state.json", root);
	assert_int_equal(mkfifo(path, 0600), 0);
	struct identities *ids = identities__new(-1, NULL, false);
	assert_null(identities__of_path(ids, SLICE("/pipe")));
	identities__free(ids);
}

static void test_images(void **state)
{
	static const struct {
		const char *image, *name, *tag;
	} rows[] = {
		{"nginx", "nginx", ""},
		{"nginx:1.25", "nginx", "1.25"},
		{"localhost:5000/a/b", "localhost:5000/a/b", ""},
		{"localhost:5000/a/b:c", "localhost:5000/a/b", "c"},
		{"a/b@sha256:0123", "a/b", ""},
		{"a/b:v1@sha256:0123", "a/b", "v1"},
		{"sha256:0123", "", ""},
		{"a:", "a", ""},
		{"", "", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct container c = {0};

		container__image(&c, slice__of(rows[i].image));
		assert_string_equal(fact(&c, "container.image.name"), rows[i].name);
		assert_string_equal(fact(&c, "container.image.tags"), rows[i].tag);
		attrs__free(&c.facts);
	}
}

/* Each row adds one thing, which wins over all before it. */
static void test_service_names(void **state)
{
	static const struct {
		const char *key, *value, *service;
		bool label;
	} rows[] = {
		{"container.name", "c", "c", false},
		{"k8s.container.name", "main", "main", false},
		{"k8s.pod.name", "order-x", "order-x", false},
		{"k8s.job.name", "j-29000000", "j-29000000", false},
		{"k8s.cronjob.name", "j", "j", false},
		{"k8s.replicaset.name", "order-7c", "order-7c", false},
		{"k8s.deployment.name", "order", "order", false},
		{"app.kubernetes.io/name", "orders", "orders", true},
		{"app.kubernetes.io/instance", "orders-eu", "orders-eu", true},
		{"service.name", "annotated", "annotated", false},
	};
	struct identities *ids = identities__new(-1, NULL, false);
	struct process p = {.refs = 1}, own = {.refs = 1};
	struct container *c = identities__of_path(ids, SLICE("/docker/" A));

	process__set_service(&p, SLICE("exe"), NAMED_BY_PROGRAM);
	process__set_service(&own, SLICE("mine"), NAMED_BY_PROCESS);
	attrs__str(&own.told, "k8s.pod.name", SLICE("told"));
	attrs__str(&own.resource, "k8s.pod.name", SLICE("told"));
	container__add_process(c, &p);
	container__add_process(c, &own);
	assert_string_equal(p.service, "exe");
	assert_true(slice__eq(attrs__get_str(&p.resource, "wirespan.resource.incomplete"), SLICE("container")));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].label)
			container__label(c, slice__of(rows[i].key), slice__of(rows[i].value));
		else
			container__fact(c, rows[i].key, slice__of(rows[i].value));
		identities__told(ids, c, 1);
		assert_string_equal(p.service, rows[i].service);
		assert_true(slice__eq(attrs__get_str(&p.resource, "service.name"), slice__of(rows[i].service)));
		assert_string_equal(own.service, "mine");
	}
	assert_true(slice__eq(attrs__get_str(&own.resource, "k8s.pod.name"), SLICE("told")));
	assert_null(attrs__find(&p.resource, "wirespan.resource.incomplete"));
	assert_true(slice__eq(attrs__get_str(&p.resource, "k8s.deployment.name"), SLICE("order")));
	container__remove_process(&p);
	container__remove_process(&own);
	attrs__free(&p.resource);
	attrs__free(&own.resource);
	attrs__free(&own.told);
	identities__free(ids);
}

/* A pod is told of each time that its status changes. */
static void test_told_again(void **state)
{
	struct identities *ids = identities__new(-1, NULL, false);
	struct process p = {.refs = 1};
	struct container *c = identities__of_path(ids, SLICE("/kubepods/besteffort/pod" UID "/" A));
	unsigned n;

	container__add_process(c, &p);
	container__fact(c, "k8s.pod.name", SLICE("order-7c9f-abcde"));
	container__fact(c, "k8s.namespace.name", SLICE("shop"));
	container__fact(c, "k8s.container.name", SLICE("order"));
	container__image(c, SLICE("docker.io/shop/order:2"));
	container__label(c, SLICE("app.kubernetes.io/version"), SLICE("gr\xc3\xbc\xc3\x9f"));
	identities__told(ids, c, 1);
	n = p.resource.n;
	for (unsigned i = 0; i < 1000; i++)
		identities__told(ids, c, 1);
	assert_int_equal(p.resource.n, n);
	assert_int_equal(p.resource.dropped, 0);
	assert_true(slice__eq(attrs__get_str(&p.resource, "k8s.pod.name"), SLICE("order-7c9f-abcde")));
	assert_true(slice__eq(attrs__get_str(&p.resource, "service.name"), SLICE("order-7c9f-abcde")));
	assert_true(slice__eq(attrs__get_str(&p.resource, "service.version"), SLICE("gr\xc3\xbc\xc3\x9f")));
	assert_true(slice__eq(attrs__get_str(&p.resource, "service.instance.id"), SLICE("shop.order-7c9f-abcde.order")));
	container__remove_process(&p);
	attrs__free(&p.resource);
	identities__free(ids);
}

#define MANY 100 /* more than are asked for at a time */

/* An engine that tells the same of each: until its socket is shut down. */
static void *engine__serve(void *ctx)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"Name\":\"n\"}";
	const int *listener = ctx;
	char request[4096];
	int fd;

	while ((fd = accept(*listener, NULL, NULL)) >= 0) {
		if (read(fd, request, sizeof(request)) > 0)
			assert_int_equal(send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL), sizeof(answer) - 1);
		close(fd);
	}
	return NULL;
}

static void count_awaited(void *ctx, struct container *c)
{
	*(unsigned *)ctx += c->asked != 0;
}

static unsigned awaited(struct identities *ids)
{
	unsigned n = 0;

	identities__each(ids, count_awaited, &n);
	return n;
}

/* More than are asked for at a time, of an engine that does not answer at first: all are told in the end. */
static void test_engine_is_asked_again(void **state)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct identities *ids;
	struct epoll_event ev;
	char path[128];
	pthread_t server;

	put("/var/run/x", "");
	snprintf(to.sun_path, sizeof(to.sun_path), "%s/var/run/docker.sock", root);
	assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof(to)), 0);
	ids = identities__new(epoll_fd, NULL, false);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "/docker/%064x", i);
		assert_non_null(identities__of_path(ids, slice__of(path)));
	}
	assert_int_equal(awaited(ids), MANY);
	for (uint64_t now = 1000; now < 1500; now += 50) /* nobody listens */
		identities__tick(ids, now);
	assert_int_equal(awaited(ids), MANY);
	assert_int_equal(listen(listener, MANY), 0);
	assert_int_equal(pthread_create(&server, NULL, engine__serve, &listener), 0);
	for (uint64_t now = 40000; now < 43000 && awaited(ids); now++) {
		epoll_wait(epoll_fd, &ev, 1, 10);
		identities__tick(ids, now);
	}
	assert_int_equal(awaited(ids), 0);
	assert_string_equal(fact(identities__of_path(ids, slice__of(path)), "container.name"), "n");
	identities__free(ids);
	shutdown(listener, SHUT_RDWR);
	assert_int_equal(pthread_join(server, NULL), 0);
	close(listener);
	close(epoll_fd);
}

/* Many containers come and go: those that nobody is in are forgotten, the oldest first. */
static void test_bounded(void **state)
{
	struct identities *ids = identities__new(-1, NULL, false);
	struct process p = {.refs = 1};
	struct container *held = identities__of_path(ids, SLICE("/docker/" A));
	char path[128];

	container__add_process(held, &p);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "/docker/%064x", i);
		assert_non_null(identities__of_path(ids, slice__of(path)));
	}
	assert_true(identities__of_path(ids, SLICE("/docker/" A)) == held);
	container__remove_process(&p);
	attrs__free(&p.resource);
	identities__free(ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_docker, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_containerd, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_crio_and_podman, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_runc, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_files, set_up, tear_down),
		cmocka_unit_test(test_images),
		cmocka_unit_test_setup_teardown(test_service_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_told_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_engine_is_asked_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bounded, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
