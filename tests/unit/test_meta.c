// SPDX-License-Identifier: Apache-2.0
/*
 * test_meta.c - processes: what is read of one that the test starts, who wins where its name is told
 * in several places, what a recording keeps, and who frees it (run it under ASan).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/language.h"
#include "guard.h"
#include "meta/meta.h"
#include "util/proc.h"
#include "util/text.h"

#define DEADLINE_MS 10000

/* A copy of cat(1) waits on a pipe: its own executable, environment and command line, and it ends with us. */
struct child {
	pid_t pid;
	int to, from;
	char dir[32], exe[48];
};

static void copy_file(const char *from, const char *to)
{
	char buf[65536];
	ssize_t n;
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		assert_int_equal(write(out, buf, (size_t)n), n);
	assert_int_equal(n, 0);
	close(in);
	close(out);
}

/* It has exec'ed when it echoes. */
static void child__await(const struct child *c)
{
	struct pollfd p = {c->from, POLLIN, 0};
	char byte;

	assert_int_equal(write(c->to, "x", 1), 1);
	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
	assert_int_equal(read(c->from, &byte, 1), 1);
}

static void child__start(struct child *c, char *const *env)
{
	int in[2], out[2];

	strcpy(c->dir, "/tmp/wirespan-test-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	snprintf(c->exe, sizeof(c->exe), "%s/payment", c->dir);
	copy_file("/bin/cat", c->exe);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (!c->pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execve(c->exe, (char *const[]){c->exe, NULL}, env);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	c->to = in[1];
	c->from = out[0];
	child__await(c);
}

static void child__end(struct child *c)
{
	int status;

	close(c->to);
	close(c->from);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	unlink(c->exe);
	rmdir(c->dir);
}

static const char *text(const struct process *p, const char *key)
{
	static char out[4096];
	struct slice s = attrs__get_str(&p->resource, key);

	snprintf(out, sizeof(out), "%.*s", (int)s.n, s.n ? s.p : "");
	return out;
}

static int set_up(void **state)
{
	unsetenv("OTEL_SERVICE_NAME");
	unsetenv("OTEL_RESOURCE_ATTRIBUTES");
	return 0;
}

/* Who wins: each row adds to what the child, and the agent, have in their environments. */
static void test_names(void **state)
{
	static const struct {
		const char *child[3], *agent_name, *agent_list;
		const char *service;
	} rows[] = {
		{{NULL}, NULL, NULL, "payment"},
		{{"PATH=/bin", "XOTEL_SERVICE_NAME=no"}, NULL, NULL, "payment"},
		{{"OTEL_SERVICE_NAME="}, NULL, NULL, "payment"},
		{{"OTEL_SERVICE_NAME=mine"}, NULL, NULL, "mine"},
		{{"OTEL_RESOURCE_ATTRIBUTES=a=b,service.name=listed"}, NULL, NULL, "listed"},
		{{"OTEL_RESOURCE_ATTRIBUTES=service.name=listed", "OTEL_SERVICE_NAME=mine"}, NULL, NULL, "mine"},
		{{"OTEL_RESOURCE_ATTRIBUTES=service.name="}, NULL, NULL, "payment"},
		{{NULL}, "agents", NULL, "agents"},
		{{NULL}, "agents", "service.name=agents-list", "agents"},
		{{NULL}, NULL, "service.name=agents-list", "agents-list"},
		{{"OTEL_SERVICE_NAME=mine"}, "agents", "service.name=agents-list", "mine"},
		{{"OTEL_RESOURCE_ATTRIBUTES=service.name=listed"}, "agents", "service.name=agents-list", "listed"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *env[4] = {(char *)rows[i].child[0], (char *)rows[i].child[1], (char *)rows[i].child[2], NULL};
		const struct process *p;
		struct meta *m;
		struct child c;

		set_up(NULL);
		if (rows[i].agent_name)
			setenv("OTEL_SERVICE_NAME", rows[i].agent_name, 1);
		if (rows[i].agent_list)
			setenv("OTEL_RESOURCE_ATTRIBUTES", rows[i].agent_list, 1);
		child__start(&c, env);
		m = meta__new(true);
		p = meta__process(m, (uint32_t)c.pid);
		if (strcmp(p->service, rows[i].service) || strcmp(text(p, "service.name"), rows[i].service))
			fail_msg("row %zu: %s and %s, not %s", i, p->service, text(p, "service.name"), rows[i].service);
		meta__free(m);
		child__end(&c);
	}
	set_up(NULL);
}

static void test_resource(void **state)
{
	char *env[] = {"OTEL_RESOURCE_ATTRIBUTES= deployment.environment.name = prod%2Ceu ,service.version=1.2,bad,=x,"
		       "with space=1,caf\xC3\xA9=1,percent=100%,quarter=%zz,service.instance.id=my-own",
		       "SECRET=hunter2", NULL};
	struct meta *m = meta__new(true);
	const struct process *p;
	struct child c;
	char host[256] = "";

	child__start(&c, env);
	p = meta__process(m, (uint32_t)c.pid);
	assert_ptr_equal(meta__process(m, (uint32_t)c.pid), p);
	assert_string_equal(text(p, "deployment.environment.name"), "prod,eu");
	assert_string_equal(text(p, "service.version"), "1.2");
	assert_string_equal(text(p, "percent"), "100%");
	assert_string_equal(text(p, "quarter"), "%zz");
	assert_string_equal(text(p, "service.instance.id"), "my-own");
	assert_null(attrs__find(&p->resource, "bad"));
	assert_null(attrs__find(&p->resource, ""));
	assert_null(attrs__find(&p->resource, "with space"));
	assert_null(attrs__find(&p->resource, "caf\xC3\xA9"));
	assert_int_equal(p->resource.dropped, 4);
	assert_int_equal(attrs__get_int(&p->resource, "process.pid", 0), c.pid);
	assert_string_equal(text(p, "process.executable.path"), c.exe);
	assert_string_equal(text(p, "process.executable.name"), "payment");
	gethostname(host, sizeof(host) - 1);
	assert_string_equal(text(p, "host.name"), host);
	assert_string_equal(text(p, "os.type"), "linux");
	assert_string_equal(text(p, "telemetry.sdk.name"), "wirespan");
	assert_int_equal(p->ctx_kind, WS_CTX_THREAD);
	for (unsigned i = 0; i < p->resource.n; i++)
		if (p->resource.v[i].type == ATTR_STR)
			assert_null(strstr(text(p, p->resource.v[i].key), "hunter2"));
	meta__free(m);
	child__end(&c);
}

/* The same process is the same instance to everybody who asks; another one is another. */
static void test_instance(void **state)
{
	char *env[] = {NULL};
	struct meta *m[2] = {meta__new(true), meta__new(true)};
	struct child c[2];
	char id[40];

	child__start(&c[0], env);
	child__start(&c[1], env);
	text__copy(id, sizeof(id), slice__of(text(meta__process(m[0], (uint32_t)c[0].pid), "service.instance.id")));
	assert_int_equal(strlen(id), 36);
	assert_int_equal(id[14], '8'); /* RFC 9562: version, variant */
	assert_non_null(strchr("89ab", id[19]));
	assert_string_equal(text(meta__process(m[1], (uint32_t)c[0].pid), "service.instance.id"), id);
	assert_string_not_equal(text(meta__process(m[0], (uint32_t)c[1].pid), "service.instance.id"), id);
	for (int i = 0; i < 2; i++) {
		meta__free(m[i]);
		child__end(&c[i]);
	}
}

/* Its program was replaced while it runs, as an upgrade does. */
static void test_deleted_program(void **state)
{
	char *env[] = {NULL};
	struct meta *m = meta__new(true);
	const struct process *p;
	struct child c;

	child__start(&c, env);
	assert_int_equal(unlink(c.exe), 0);
	p = meta__process(m, (uint32_t)c.pid);
	assert_string_equal(p->service, "payment");
	assert_string_equal(text(p, "process.executable.path"), c.exe);
	assert_string_equal(text(p, "process.executable.name"), "payment");
	meta__free(m);
	child__end(&c);
}

/* Its language is not told by its name, which may hold anything; its file may be no more. */
static void test_language(void **state)
{
	char *env[] = {NULL}, dir[64], exe[96];
	struct child c;

	child__start(&c, env);
	assert_string_equal(language__of((uint32_t)c.pid)->name, "native");
	snprintf(dir, sizeof(dir), "%s/my programs", c.dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(exe, sizeof(exe), "%s/node", dir);
	assert_int_equal(rename(c.exe, exe), 0);
	assert_string_equal(language__of((uint32_t)c.pid)->name, "native");
	assert_int_equal(unlink(exe), 0);
	assert_string_equal(language__of((uint32_t)c.pid)->name, "native");
	rmdir(dir);
	child__end(&c);
}

/* Longer than the field that the view uses: whole in the resource, cut at a character there. */
static void test_long_name(void **state)
{
	char var[256] = "OTEL_SERVICE_NAME=", *env[] = {var, NULL};
	struct meta *m = meta__new(true);
	const struct process *p;
	struct child c;

	for (int i = 0; i < 40; i++)
		strcat(var, "\xE6\x97\xA5"); /* 120 bytes */
	child__start(&c, env);
	p = meta__process(m, (uint32_t)c.pid);
	assert_string_equal(text(p, "service.name"), var + strlen("OTEL_SERVICE_NAME="));
	assert_int_equal(strlen(p->service), 63);
	assert_memory_equal(p->service, text(p, "service.name"), 63);
	meta__free(m);
	child__end(&c);
}

static void test_no_such_process(void **state)
{
	struct meta *m = meta__new(true);
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_string_equal(meta__process(m, (uint32_t)pid)->service, "unknown_service");
	assert_string_equal(meta__process(m, 0)->service, "unknown_service");
	assert_string_equal(meta__process(m, UINT32_MAX)->service, "unknown_service");
	meta__free(m);
}

static void note_new(void *ctx, struct process *p)
{
	uint32_t *pids = ctx;

	assert_true(p->service[0]); /* its resource is known by now */
	pids[++pids[0]] = p->pid;
}

/* Once each; forgotten and seen again is new again. */
static void test_on_new_and_forget(void **state)
{
	struct meta *m = meta__new(false);
	struct process *old, *now;
	uint32_t pids[8] = {0};

	meta__on_new(m, note_new, pids);
	old = process__ref(meta__process(m, 7));
	meta__process(m, 7);
	meta__process(m, 8);
	assert_int_equal(pids[0], 2);
	meta__forget(m, 7);
	meta__forget(m, 7);
	meta__forget(m, 99);
	assert_int_equal(old->refs, 1);
	assert_string_equal(old->service, "unknown_service"); /* lives on */
	now = meta__process(m, 7);
	assert_int_equal(pids[0], 3);
	assert_ptr_not_equal(now, old);
	assert_int_equal(now->refs, 1);
	process__unref(old);
	process__unref(NULL);
	process__ref(now);
	meta__free(m);
	assert_int_equal(now->refs, 1);
	process__unref(now);
	meta__free(NULL);
}

static void check_same(const struct attrs *a, const struct attrs *b)
{
	assert_int_equal(a->n, b->n);
	for (unsigned i = 0; i < a->n; i++) {
		const struct attr *x = &a->v[i], *y = attrs__find(b, x->key);

		if (!y)
			fail_msg("no %s", x->key);
		assert_int_equal(x->type, y->type);
		if (x->type == ATTR_INT)
			assert_true(x->i == y->i);
		else
			assert_true(slice__eq(attr__text(a, x), attr__text(b, y)));
	}
}

static void test_round_trip(void **state)
{
	char *env[] = {"OTEL_RESOURCE_ATTRIBUTES=a=%3D%23x,service.name=sp%20aced", NULL};
	struct meta *live = meta__new(true), *replay = meta__new(false);
	struct process *p;
	char buf[8192];
	struct child c;
	size_t n;

	child__start(&c, env);
	p = meta__process(live, (uint32_t)c.pid);
	p->ctx_kind = WS_CTX_GO;
	attrs__int(&p->resource, "negative", -5);
	n = process__save(p, buf, sizeof(buf));
	assert_true(n > 0);
	assert_int_equal(buf[n - 1], '\0');
	meta__load(replay, 77, (struct slice){buf, n});
	check_same(&p->resource, &meta__process(replay, 77)->resource);
	assert_string_equal(meta__process(replay, 77)->service, "sp aced");
	assert_int_equal(meta__process(replay, 77)->ctx_kind, WS_CTX_GO);
	/* Room for less: nothing at all rather than a part. */
	for (size_t size = 0; size < n; size++)
		assert_int_equal(process__save(p, buf, size), 0);
	meta__free(live);
	meta__free(replay);
	child__end(&c);
}

/* What a recording may hold: cut anywhere, and things that are no key=value. */
static void test_load_anything(void **state)
{
	static const char good[] = "wirespan.context=1\0service.name=shop\0#process.pid=42\0k=v\0";
	static const struct slice odd[] = {
		SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), SLICE("=value of nobody, long enough\0"),
		SLICE("#\0=#=#=#=#=#=#=#=#=#=#=#=#=#=#=\0"), SLICE("#number=is none, and is long\0"),
		SLICE("caf\xC3\xA9=1\0and more of the same kind=2\0"), SLICE("no end of this string, nor a key"),
		SLICE("service.name=\0service.name=\0\0"), {NULL, 0}, {"", 0},
	};
	struct guard g = guard__new(4096);
	struct meta *m = meta__new(false);

	for (size_t n = 0; n < sizeof(good); n++)
		meta__load(m, 5, guard__put(&g, (struct slice){good, n}));
	assert_string_equal(meta__process(m, 5)->service, "shop");
	assert_int_equal(attrs__get_int(&meta__process(m, 5)->resource, "process.pid", 0), 42);
	assert_int_equal(meta__process(m, 5)->ctx_kind, WS_CTX_GO);
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		meta__load(m, 6, guard__put(&g, odd[i]));
		assert_null(attrs__find(&meta__process(m, 6)->resource, ""));
	}
	guard__free(&g);
	meta__free(m);
}

/* A later record takes the place of what pid was called before. */
static void test_load_again(void **state)
{
	struct meta *m = meta__new(false);
	struct process *p;

	meta__load(m, 5, SLICE("wirespan.context=0\0service.name=one\0"));
	p = process__ref(meta__process(m, 5));
	meta__load(m, 5, SLICE("wirespan.context=0\0service.name=two\0"));
	assert_ptr_not_equal(meta__process(m, 5), p);
	assert_string_equal(meta__process(m, 5)->service, "two");
	assert_string_equal(p->service, "one");
	process__unref(p);
	meta__free(m);
}

/* A process that hangs in the kernel, in vfork(), until one byte comes on `in`; at its end it answers. */
static int hang(int in)
{
	char byte;

	if (!vfork())
		_exit(read(in, &byte, 1) != 1);
	return read(in, &byte, 1) < 0;
}

static void await_state(pid_t pid, bool hangs)
{
	struct proc_stat s;

	for (int i = 0; i < DEADLINE_MS / 10; i++) {
		assert_true(proc__stat((uint32_t)pid, 0, &s));
		if ((s.state == 'D') == hangs)
			return;
		usleep(10000);
	}
	fail_msg("state %c", s.state);
}

/* It is not asked for what waits for its memory's lock, and goes by its executable until it answers. */
static void test_hanging_process(void **state)
{
	struct meta *m = meta__new(true);
	const struct process *seen;
	char in[16];
	int end[2];
	pid_t pid;

	setenv("OTEL_RESOURCE_ATTRIBUTES", "from=agent", 1);
	assert_int_equal(pipe(end), 0);
	snprintf(in, sizeof(in), "%d", end[0]);
	pid = fork();
	if (!pid) {
		close(end[1]);
		execle("/proc/self/exe", "frontend", "--hang", in, NULL, (char *const[]){"OTEL_RESOURCE_ATTRIBUTES=from=own", NULL});
		_exit(127);
	}
	close(end[0]);
	await_state(pid, true);
	seen = meta__process(m, (uint32_t)pid);
	meta__tick(m);
	assert_string_equal(seen->service, "test_meta"); /* by its executable */
	assert_string_equal(text(seen, "from"), "agent");
	assert_string_equal(text(seen, "wirespan.resource.incomplete"), "process");
	assert_int_equal(write(end[1], "x", 1), 1);
	await_state(pid, false);
	meta__tick(m);
	assert_string_equal(seen->service, "frontend");
	assert_string_equal(text(seen, "from"), "own");
	assert_string_equal(text(seen, "wirespan.resource.incomplete"), "");
	close(end[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	meta__free(m);
	set_up(NULL);
}

/* One that hangs is forgotten, or ends: nobody looks at who has its pid by then, nor at what was freed. */
static void test_hanging_process_forgotten(void **state)
{
	struct meta *m = meta__new(true);
	struct process *seen;
	int end[2];
	pid_t pid;

	assert_int_equal(pipe(end), 0);
	pid = fork();
	if (!pid) {
		close(end[1]);
		_exit(hang(end[0]));
	}
	close(end[0]);
	await_state(pid, true);
	seen = process__ref(meta__process(m, (uint32_t)pid));
	meta__forget(m, (uint32_t)pid);
	assert_int_equal(write(end[1], "x", 1), 1);
	await_state(pid, false);
	meta__tick(m);
	assert_string_equal(text(seen, "wirespan.resource.incomplete"), "process");
	meta__process(m, (uint32_t)pid);
	close(end[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	meta__free(m);
	process__unref(seen);
}

/* What is told of its container changes: what nobody says any more goes, what it had before comes back, and nothing grows. */
static void test_container_changes(void **state)
{
	char *env[] = {"OTEL_RESOURCE_ATTRIBUTES=team.name=own", NULL};
	struct meta *m = meta__new(true);
	struct identities *ids = meta__identities(m);
	struct container *in = identities__of_path(ids, SLICE("/kubepods/besteffort/podb38d1a6c-5f0e-4a44-9d3c-1f0c1f4b8c11/"
								   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"));
	struct process *p;
	struct child c;
	unsigned n;

	child__start(&c, env);
	p = meta__process(m, (uint32_t)c.pid);
	n = p->resource.n;
	container__add_process(in, p);
	for (unsigned i = 0; i < 1000; i++) {
		container__fact(in, "service.name", SLICE("order"));
		container__fact(in, "team.name", SLICE("red"));
		container__label(in, SLICE("app"), SLICE("a"));
		container__label(in, SLICE("app.kubernetes.io/version"), SLICE("7"));
		identities__told(ids, in, 1);
		assert_string_equal(p->service, "order");
		assert_string_equal(text(p, "k8s.pod.label.app"), "a");
		assert_string_equal(text(p, "service.version"), "7");
		assert_string_equal(text(p, "team.name"), "own");
		container__unfact(in, "service.name", SLICE("order"));
		container__unlabel(in, SLICE("app"), SLICE("a"));
		container__unlabel(in, SLICE("app.kubernetes.io/version"), SLICE("7"));
		identities__retold(ids, in, 1);
		assert_string_equal(p->service, "payment");
		assert_string_equal(text(p, "service.name"), "payment");
		assert_string_equal(text(p, "k8s.pod.label.app"), "");
		assert_string_equal(text(p, "service.version"), "");
		assert_string_equal(text(p, "team.name"), "own");
		assert_string_equal(text(p, "process.executable.path"), c.exe);
		assert_in_range(p->resource.n, n, n + 3);
		assert_in_range(p->resource.size, 1, 1024);
	}
	child__end(&c);
	container__fact(in, "team.name2", SLICE("blue"));
	identities__retold(ids, in, 1); /* it has ended, and stays what it was */
	assert_string_equal(text(p, "process.executable.path"), c.exe);
	assert_string_equal(text(p, "team.name2"), "blue");
	meta__free(m);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_names, set_up),	    cmocka_unit_test_setup(test_resource, set_up),
		cmocka_unit_test_setup(test_instance, set_up),	    cmocka_unit_test_setup(test_deleted_program, set_up),
		cmocka_unit_test_setup(test_long_name, set_up),	    cmocka_unit_test_setup(test_no_such_process, set_up),
		cmocka_unit_test_setup(test_on_new_and_forget, set_up), cmocka_unit_test_setup(test_round_trip, set_up),
		cmocka_unit_test_setup(test_load_anything, set_up), cmocka_unit_test_setup(test_load_again, set_up),
		cmocka_unit_test_setup(test_hanging_process, set_up), cmocka_unit_test_setup(test_hanging_process_forgotten, set_up),
		cmocka_unit_test_setup(test_language, set_up),
		cmocka_unit_test_setup(test_container_changes, set_up),
	};
	if (argc == 3 && !strcmp(argv[1], "--hang"))
		return hang(atoi(argv[2]));
	return cmocka_run_group_tests_name("meta", tests, NULL, NULL);
}
