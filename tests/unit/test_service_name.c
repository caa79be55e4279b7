// SPDX-License-Identifier: Apache-2.0
/* test_service_name.c - command lines and what a person would call them. What a command line may hide is never in the name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard.h"
#include "meta/service_name.h"

#define ARGS 12
#define PY "/usr/bin/python3.11"
#define JAVA "/usr/lib/jvm/java-17/bin/java"

static const struct row {
	const char *name, *exe;
	const char *args[ARGS];
} rows[] = {
	/* Python. */
	{"app", PY, {"python3", "app.py"}},
	{"app", PY, {"python3", "/srv/shop/app.py", "--port", "80"}},
	{"app", PY, {"python3", "-u", "-W", "ignore", "-X", "dev", "app.py"}},
	{"app", PY, {"/usr/bin/python3", "-Wonce", "app.py"}},
	{"shop", PY, {"python3", "-m", "shop"}},
	{"server", PY, {"python3", "-m", "http.server", "8000"}},
	{"manage", PY, {"python", "manage.py", "runserver"}},
	{"python3.11", PY, {"python3"}},
	{"python3.11", PY, {"python3", "-c", "import os; token='hunter2'"}},
	{"python3.11", PY, {"python3", "-Ic", "import hunter2"}},
	{"python3.11", PY, {"python3", "-", "hunter2"}},
	{"python3.11", PY, {"python3", "-m"}},
	{"app", "/opt/venv/bin/python", {"python", "app.pyc"}},
	/* Servers that run somebody's module. */
	{"order", PY, {"/usr/bin/python3", "/usr/bin/gunicorn", "order:app"}},
	{"order", PY, {"/usr/bin/python3", "/usr/bin/gunicorn", "-w", "4", "-b", "127.0.0.1:8000", "order:app"}},
	{"order", PY, {"/usr/bin/python3", "/usr/bin/gunicorn", "order:create_app('x')", "-b", "127.0.0.1:8000"}},
	{"order", PY, {"/usr/bin/python3", "/usr/bin/gunicorn", "-b", "unix:/run/g.sock", "order:app"}},
	{"order", PY, {"/usr/bin/python3", "/usr/bin/gunicorn", "-b", "localhost:8000", "-k", "egg:gunicorn#tornado", "order:app"}},
	{"order", PY, {"/usr/bin/python3", "/usr/bin/gunicorn", "-c", "python:settings", "order:app"}},
	{"order", PY, {"python3", "-m", "gunicorn", "order:app"}},
	{"order", PY, {"gunicorn: worker [order:app]", "", ""}},
	{"order", PY, {"gunicorn: master [shop.order:app]"}},
	{"gunicorn", PY, {"gunicorn: worker [my name]"}},
	{"mod", PY, {"python3", "/usr/bin/uvicorn", "--port", "8000", "pkg.mod:app", "--host", "0.0.0.0"}},
	{"uvicorn", PY, {"python3", "/usr/bin/uvicorn", "--port", "8000"}},
	/* Node. */
	{"server", "/usr/bin/node", {"node", "server.js"}},
	{"server", "/usr/bin/node", {"node", "--max-old-space-size=4096", "-r", "dotenv/config", "/srv/server.mjs", "x"}},
	{"www", "/usr/bin/node", {"node", "./bin/www"}},
	{"node", "/usr/bin/node", {"node"}},
	{"node", "/usr/bin/node", {"node", "-e", "const key = 'hunter2'"}},
	{"node", "/usr/bin/node", {"node", "-pe", "hunter2"}},
	{"node", "/usr/bin/node", {"node", "--eval", "hunter2"}},
	{"npm", "/usr/bin/node", {"npm start"}},
	/* Java. */
	{"shop", JAVA, {"java", "-jar", "shop.jar"}},
	{"shop-1.2", JAVA, {"java", "-Xmx1g", "-Dpassword=hunter2", "-jar", "/opt/shop-1.2.jar", "--port=80"}},
	{"Main", JAVA, {"java", "-cp", "a.jar:b.jar", "com.acme.Main"}},
	{"Inventory", JAVA, {"java", "-ea", "--class-path", ".", "Inventory"}},
	{"Main", JAVA, {"java", "--module-path", "mods", "-m", "com.acme/com.acme.Main"}},
	{"java", JAVA, {"java", "-version"}},
	/* Others that run scripts. */
	{"app", "/usr/bin/ruby3.1", {"ruby", "-Ilib", "-r", "json", "app.rb"}},
	{"rails", "/usr/bin/ruby3.1", {"ruby", "bin/rails", "server"}},
	{"ruby3.1", "/usr/bin/ruby3.1", {"ruby", "-ne", "puts 'hunter2'"}},
	{"puma", "/usr/bin/ruby3.1", {"puma: cluster worker 0: 77 [shop]"}},
	{"tool", "/usr/bin/perl", {"perl", "-Mstrict", "-w", "/opt/tool.pl"}},
	{"perl", "/usr/bin/perl", {"perl", "-le", "hunter2"}},
	{"index", "/usr/bin/php8.2", {"php", "-d", "memory_limit=1G", "-S", "localhost:80", "index.php"}},
	{"php8.2", "/usr/bin/php8.2", {"php", "-r", "$password = 'hunter2';"}},
	{"php-fpm", "/usr/sbin/php-fpm8.2", {"php-fpm: pool www"}},
	{"run", "/usr/bin/bash", {"bash", "-e", "run.sh", "x"}},
	{"run", "/usr/bin/bash", {"/bin/bash", "-o", "pipefail", "./run"}},
	{"bash", "/usr/bin/bash", {"bash", "-c", "curl -u me:hunter2"}},
	{"bash", "/usr/bin/bash", {"bash", "-lc", "curl -u me:hunter2"}},
	{"bash", "/usr/bin/bash", {"-bash"}},
	{"dash", "/usr/bin/dash", {"sh", "-ec", "hunter2"}},
	{"run", "/usr/bin/dash", {"sh", "run.sh"}},
	{"Shop", "/usr/bin/dotnet", {"dotnet", "Shop.dll"}},
	/* Programs that are what they are. */
	{"nginx", "/usr/sbin/nginx", {"nginx: worker process"}},
	{"nginx", "/usr/sbin/nginx", {"nginx", "-g", "daemon off;"}},
	{"redis-server", "/usr/bin/redis-check-rdb", {"/usr/bin/redis-server *:6379"}},
	{"payment", "/srv/payment", {"./payment", "-dsn", "postgres://me:hunter2@h/db"}},
	{"payment", "/srv/payment", {NULL}},
	{"payment", "", {"./payment"}},
	{"payment", "/srv/payment", {""}},
	{"my-app-1.2.3", "/srv/my-app-1.2.3", {"/srv/my-app-1.2.3"}},
	{"unknown_service", "", {NULL}},
	{"unknown_service", "", {""}},
	{"unknown_service", "/", {"/"}},
};

static size_t join(const char *const *args, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < ARGS && args[i]; i++) {
		memcpy(out + n, args[i], strlen(args[i]) + 1);
		n += strlen(args[i]) + 1;
	}
	return n;
}

static void test_names(void **state)
{
	struct guard g = guard__new(4096);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char line[1024], name[64] = "";
		size_t n = join(rows[i].args, line);

		service_name__of(guard__put(&g, (struct slice){line, n}), slice__of(rows[i].exe), name, sizeof(name));
		if (strcmp(name, rows[i].name))
			fail_msg("row %zu: \"%s\", not \"%s\"", i, name, rows[i].name);
	}
	guard__free(&g);
}

/* /proc/PID/cmdline may be cut anywhere, and the room for the name may be small. */
static void test_cut(void **state)
{
	struct guard g = guard__new(4096);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char line[1024], name[64];
		size_t n = join(rows[i].args, line);

		for (size_t k = 0; k <= n; k++) {
			service_name__of(guard__put(&g, (struct slice){line, k}), slice__of(rows[i].exe), name, sizeof(name));
			assert_true(name[0]);
			assert_null(strstr(name, "hunter2"));
		}
		for (size_t size = 1; size < 8; size++) {
			memset(name, '!', sizeof(name));
			service_name__of((struct slice){line, n}, slice__of(rows[i].exe), name, size);
			assert_true(strlen(name) < size);
			assert_int_equal(name[size], '!');
			assert_memory_equal(name, rows[i].name, strlen(name));
		}
	}
	guard__free(&g);
}

static void test_many_arguments(void **state)
{
	static const char python[] = "/usr/bin/python3";
	char line[4096], name[64];
	size_t n = sizeof("python3");

	memcpy(line, "python3", n);
	while (n + 3 < sizeof(line)) {
		memcpy(line + n, "-u", 3);
		n += 3;
	}
	service_name__of((struct slice){line, n}, slice__of(python), name, sizeof(name));
	assert_string_equal(name, "python3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_many_arguments),
	};
	return cmocka_run_group_tests_name("service name", tests, NULL, NULL);
}
