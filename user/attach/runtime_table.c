// SPDX-License-Identifier: Apache-2.0
/* runtime_table.c - the rows, and what their programs want to be told. Contract: runtime_table.h. */
#include "attach/runtime_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attach/attach.h"
#include "attach/nodejs.h"
#include "attach/python.h"
#include "attach/tokio.h"
#include "meta/golang.h"
#include "meta/meta.h"

static int go__prepare(struct attach *a, struct process *process, const char *path, char *err, size_t size)
{
	const struct ws_go_program p = {.recvx = golang__recvx_offset(golang__minor(path))};
	int rc = attach__set_go(a, process->pid, &p);

	if (rc)
		snprintf(err, size, "\"%s\": go_programs: %s", path, strerror(-rc));
	return rc ? -1 : 0;
}

static size_t node__points(uint32_t pid, struct uprobe_point *v, size_t max, char *err, size_t err_size)
{
	struct nodejs n;

	if (!max || !nodejs__find(pid, &n)) {
		snprintf(err, err_size, "its functions are not found");
		return 0;
	}
	v[0] = (struct uprobe_point){.symbol = "node__scope", .offset = n.offset};
	snprintf(v[0].path, sizeof(v[0].path), "%s", n.path);
	return 1;
}

static int node__prepare(struct attach *a, struct process *p, const char *path, char *err, size_t size)
{
	struct nodejs n;
	int rc = nodejs__find(p->pid, &n) ? attach__set_node(a, p->pid, &n.node) : -ESRCH;

	if (rc)
		snprintf(err, size, "\"%s\": node_programs: %s", path, strerror(-rc));
	return rc ? -1 : 0;
}

/* Libraries may have been mapped since it was looked at first. */
static int python__prepare(struct attach *a, struct process *process, const char *path, char *err, size_t size)
{
	struct ws_python p;
	int rc = python__find(process->pid, &p) ? attach__set_python(a, process->pid, &p) : -ESRCH;

	process->sends_later = !rc && p.sends_later;
	if (rc)
		snprintf(err, size, "\"%s\": python_programs: %s", path, strerror(-rc));
	return rc ? -1 : 0;
}

static const struct runtime runtimes[] = {
	{"Go", WS_CTX_GO,
	 "goroutine ids, read from the thread's g at each transfer, without a probe; while it serves and calls have no\n"
	 "     parent: first replies, to the goroutine that asked for them, by probes at runtime.send and recv; if that\n"
	 "     is not enough, work, by whose goroutine made which and what leaves channels' buffers, then what goes\n"
	 "     into them, then what timers run (bpf/runtime_go.bpf.c)",
	 "work taken from a channel's buffer, or from a queue under a mutex, that is sent on before anybody tells whose it is;\n"
	 "     what a timer does that gives nothing to the goroutine of the request that set it",
	 {{{"runtime.send", "go__send"}, {"runtime.recv", "go__recv"}},
	  {{"runtime.typedmemclr", "go__dequeue", {"runtime.chanrecv", "runtime.selectgo"}}, {"runtime.gostartcallfn", "go__create"}},
	  {{"runtime.chansend", "go__sends"}},
	  {{"time.AfterFunc", "go__timer"}, {"runtime.goexit1", "go__end"}}},
	 NULL, go__prepare},
	{"Python", WS_CTX_PYTHON,
	 "threads; the context of each task of asyncio, read at each transfer, without a probe; while it serves and calls\n"
	 "     have no parent, which context made which, by probes where contexts are made, where uvloop is told what to\n"
	 "     send, and where ThreadPoolExecutor is given work (bpf/runtime_python.bpf.c)",
	 "work that tasks or threads take from other queues",
	 {{{0}}}, python__points, python__prepare},
	{"Node.js", WS_CTX_NODE,
	 "one event loop: reads, replies and connect() of the turn; while it serves and that leaves calls without a\n"
	 "     parent, the callbacks that it runs and the ids of their resources (async_hooks), by a probe at\n"
	 "     node::AsyncHooks::push_async_context (bpf/runtime_node.bpf.c); and where calls that follow from replies have\n"
	 "     none, whose code promises resume, by probes at V8's (bpf/node_promise.bpf.c)",
	 "calls that wait in queues of the program, or for messages of workers, unless their reply leads to the answer",
	 {{{0}}, {{"Builtins_EnqueueMicrotask", "node__microtask"}}}, node__points, node__prepare},
	{"tokio", WS_CTX_TOKIO,
	 "event loops; while it serves and calls have no parent, tasks: whose turn it is on a thread, who wakes whom and\n"
	 "     who makes whom, by probes at transition_to_running, _idle and _complete, at wake_by_ref and wake_by_val, and\n"
	 "     where tasks are queued (bpf/runtime_tokio.bpf.c)",
	 "calls that a task sends for others who did not have to wake it; work of tasks that outlive their request",
	 {{{0}}}, tokio__points, NULL},
};
#define RUNTIMES (sizeof(runtimes) / sizeof(*runtimes))

const struct runtime *runtime__of(enum ws_ctx_kind kind)
{
	for (size_t i = 0; i < RUNTIMES; i++)
		if (runtimes[i].kind == kind)
			return &runtimes[i];
	return NULL;
}

size_t runtime__points(const struct runtime *t, unsigned stage, const struct attach *a, struct uprobe_point v[POINTS_MAX])
{
	size_t n = 0;

	for (const struct point *p = t->stages[stage]; n < POINTS_MAX && p->symbol; n++, p++) {
		v[n] = (struct uprobe_point){.symbol = p->symbol, .program = a ? attach__find_program(a, p->program) : NULL};
		memcpy(v[n].callers, p->callers, sizeof(v[n].callers));
	}
	return n;
}
