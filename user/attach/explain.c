// SPDX-License-Identifier: Apache-2.0
/* explain.c - `wirespan doctor --pid`: what was recognised in a process, how it is followed, what is not seen. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attach/haproxy.h"
#include "attach/java.h"
#include "attach/language.h"
#include "attach/nodejs.h"
#include "attach/python.h"
#include "attach/runtime.h"
#include "attach/runtime_table.h"
#include "attach/tokio.h"
#include "meta/golang.h"

static void explain__go(FILE *out, const char *path, int minor)
{
	const struct runtime *go = runtime__of(WS_CTX_GO);
	struct uprobe_point v[POINTS_MAX];
	char err[256] = "";
	size_t n;

	fprintf(out, "ok   runtime           Go 1.%d, by its build information\n", minor);
	if (!golang__curg_offset(minor))
		snprintf(err, sizeof(err), "hand-offs are followed in Go 1.19 to 1.26");
	fprintf(out, "ok   mechanism         %s\n", go->mechanism);
	for (unsigned stage = 0; stage < STAGES_MAX && !err[0]; stage++) {
		n = runtime__points(go, stage, NULL, v);
		uprobes__try(path, v, n, err, sizeof(err));
		for (size_t i = 0; i < n && !err[0]; i++)
			fprintf(out, "ok   probe             %s at %#llx, stage %u\n", v[i].symbol, (unsigned long long)v[i].address, stage + 1);
	}
	if (err[0])
		fprintf(out, "note probes            none: %s; only calls of the goroutine that read the request are linked\n", err);
	fprintf(out, "     not seen          %s\n", go->unseen);
}

static void explain__python(FILE *out, uint32_t pid, int minor)
{
	const struct runtime *python = runtime__of(WS_CTX_PYTHON);
	struct uprobe_point v[POINTS_MAX];
	char err[256] = "";
	size_t n = python__points(pid, v, POINTS_MAX, err, sizeof(err));

	fprintf(out, "ok   runtime           CPython 3.%d, by its symbols\nok   mechanism         %s\n", minor, python->mechanism);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "ok   probe             %s at %#llx of \"%s\"\n", python__point_is(v[i].symbol),
			(unsigned long long)v[i].offset, v[i].path);
	if (!n)
		fprintf(out, "note probes            none: %s; calls of tasks and threads that a request's task makes are not linked\n", err);
	fprintf(out, "     not seen          %s\n", python->unseen);
}

static void explain__tokio(FILE *out, uint32_t pid)
{
	const struct runtime *tokio = runtime__of(WS_CTX_TOKIO);
	struct uprobe_point v[POINTS_MAX];
	char err[256] = "";
	size_t n = tokio__points(pid, v, POINTS_MAX, err, sizeof(err));

	fprintf(out, "ok   runtime           tokio, by its symbols\nok   mechanism         %s\n", tokio->mechanism);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "ok   probe             %s at %#llx\n", v[i].symbol, (unsigned long long)v[i].offset);
	if (!n)
		fprintf(out, "note probes            none: %s; only what event loops do is followed\n", err);
	fprintf(out, "     not seen          %s\n", tokio->unseen);
}

/* It is followed by what the kernel sees of its threads and sockets. */
static void explain__language(FILE *out, const struct language *l)
{
	fprintf(out, "ok   runtime           %s%s\n", l->title ? l->title : "none that is known", l->title ? ", by its symbols" : "");
	fprintf(out, "ok   mechanism         %s\n",
		l->mechanism ? l->mechanism : "threads and event loops: reads, replies, connect(), wakes and answers");
	fprintf(out, "     not seen          %s\n", l->unseen ? l->unseen : "work that timers or queues of the program pass on");
}

static void explain__rest(FILE *out, uint32_t pid)
{
	const struct runtime *node = runtime__of(WS_CTX_NODE);
	struct ws_python python;
	struct nodejs n;
	int minor = python__find(pid, &python);

	if (minor) {
		explain__python(out, pid, minor);
		return;
	}
	if (nodejs__find(pid, &n)) {
		fprintf(out, "ok   runtime           %s, by its symbols\nok   mechanism         %s\n"
			     "ok   probe             %s\n     not seen          %s\n",
			node->name, node->mechanism, n.symbol, node->unseen);
		return;
	}
	if (haproxy__find(pid)) {
		fprintf(out, "ok   runtime           HAProxy, by its symbols\n"
			     "ok   mechanism         the task that each thread runs, read at each transfer, without a probe\n"
			     "     not seen          calls of checks and of other tasks that answer no request\n");
		return;
	}
	if (tokio__is(pid)) {
		explain__tokio(out, pid);
		return;
	}
	if (java__explain(out, pid))
		return;
	explain__language(out, language__of(pid));
}

int runtimes__explain(FILE *out, uint32_t pid)
{
	char path[32], exe[512];
	ssize_t n;
	int minor;

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n <= 0) {
		fprintf(out, "NO   process %u: %s\n", pid, strerror(errno));
		return 1;
	}
	exe[n] = '\0';
	fprintf(out, "ok   process           %u, %s\n", pid, exe);
	minor = golang__minor(path);
	if (minor > 0)
		explain__go(out, path, minor);
	else if (minor == GOLANG_UNTOLD)
		fprintf(out, "note runtime           Go, of a version that is not known: goroutines are not told apart\n");
	else
		explain__rest(out, pid);
	return 0;
}
