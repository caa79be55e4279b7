// SPDX-License-Identifier: Apache-2.0
/*
 * java.c - HotSpot of JDK 11 and later, by what it tells debuggers (hotspot.h): where threads are, what
 * they carry, and where fields of Java's classes lie (InstanceKlass::_fields; from 21 _fieldinfo_stream).
 *
 * Only under collectors that move objects while all threads of Java are stopped (Serial, Parallel, G1):
 * under the others an object may have two copies, of which one is not current.
 */
#include "attach/java.h"

#include <stdio.h>
#include <string.h>

#include "attach/hotspot.h"

#define CLASSES_MAX 65536
#define FLAGS_MAX 4096
#define FIELDS_MAX 256 /* of a class */
#define NAME_SIZE 96

enum {
	THREADS, LENGTH, ARRAY, FIRST, NEXT, OS_THREAD, TID, OBJECT, STATE, MOUNTED, OWNER, OOP_BASE, OOP_SHIFT,
	CLASS_BASE, CLASS_SHIFT, K_NAME, K_NEXT, K_CHECK, GRAPH, LOADER_NEXT, LOADER_CLASSES, LOADER_OBJECT, S_LENGTH, S_BODY,
	FIELDS, FIELD_STREAM, CONSTANTS, FLAGS, FLAGS_N, FLAG_NAME, FLAG_ADDRESS, KNOWN
};

#define NAMES 3 /* that a field has had, from version to version */

static const struct {
	struct { const char *type, *name; } is[NAMES];
	bool may_miss; /* one version or another has none */
} known[KNOWN] = {
	[THREADS] = {{{"ThreadsSMRSupport", "_java_thread_list"}}, true},
	[LENGTH] = {{{"ThreadsList", "_length"}}, true},
	[ARRAY] = {{{"ThreadsList", "_threads"}}, true},
	[FIRST] = {{{"Threads", "_thread_list"}}, true},
	[NEXT] = {{{"JavaThread", "_next"}}, true},
	[OS_THREAD] = {{{"JavaThread", "_osthread"}, {"Thread", "_osthread"}}},
	[TID] = {{{"OSThread", "_thread_id"}}},
	[OBJECT] = {{{"JavaThread", "_threadObj"}}},
	[STATE] = {{{"OSThread", "_state"}}},
	[MOUNTED] = {{{"JavaThread", "_vthread"}}, true},
	[OWNER] = {{{"JavaThread", "_monitor_owner_id"}}, true},
	[OOP_BASE] = {{{"CompressedOops", "_base"}, {"CompressedOops", "_narrow_oop._base"}, {"Universe", "_narrow_oop._base"}}},
	[OOP_SHIFT] = {{{"CompressedOops", "_shift"}, {"CompressedOops", "_narrow_oop._shift"}, {"Universe", "_narrow_oop._shift"}}},
	[CLASS_BASE] = {{{"CompressedKlassPointers", "_base"}, {"CompressedKlassPointers", "_narrow_klass._base"},
			 {"Universe", "_narrow_klass._base"}}},
	[CLASS_SHIFT] = {{{"CompressedKlassPointers", "_shift"}, {"CompressedKlassPointers", "_narrow_klass._shift"},
			  {"Universe", "_narrow_klass._shift"}}},
	[K_NAME] = {{{"Klass", "_name"}}},
	[K_NEXT] = {{{"Klass", "_next_link"}}},
	[K_CHECK] = {{{"Klass", "_super_check_offset"}}},
	[GRAPH] = {{{"ClassLoaderDataGraph", "_head"}}},
	[LOADER_NEXT] = {{{"ClassLoaderData", "_next"}}},
	[LOADER_CLASSES] = {{{"ClassLoaderData", "_klasses"}}},
	[LOADER_OBJECT] = {{{"ClassLoaderData", "_class_loader"}}},
	[S_LENGTH] = {{{"Symbol", "_length"}}},
	[S_BODY] = {{{"Symbol", "_body"}}},
	[FIELDS] = {{{"InstanceKlass", "_fields"}}, true},
	[FIELD_STREAM] = {{{"InstanceKlass", "_fieldinfo_stream"}}, true},
	[CONSTANTS] = {{{"InstanceKlass", "_constants"}}},
	[FLAGS] = {{{"JVMFlag", "flags"}}},
	[FLAGS_N] = {{{"JVMFlag", "numFlags"}}},
	[FLAG_NAME] = {{{"JVMFlag", "_name"}}},
	[FLAG_ADDRESS] = {{{"JVMFlag", "_addr"}}},
};

struct java {
	struct hotspot h;
	struct hotspot_field f[KNOWN];
	uint64_t class_base;
	unsigned class_shift;
};

/* 0, and what it does not tell of, or NULL; or -errno: no HotSpot. */
static int java__open(struct java *v, uint32_t pid, const char **missing)
{
	struct hotspot_field all[KNOWN * NAMES] = {0};
	size_t n = 0;
	int rc;

	for (int i = 0; i < KNOWN; i++)
		for (int k = 0; k < NAMES && known[i].is[k].name; k++)
			all[n++] = (struct hotspot_field){.type = known[i].is[k].type, .name = known[i].is[k].name};
	rc = hotspot__open(&v->h, pid, all, n);
	*missing = NULL;
	n = 0;
	for (int i = 0; i < KNOWN; i++) {
		v->f[i] = (struct hotspot_field){0};
		for (int k = 0; k < NAMES && known[i].is[k].name; k++, n++)
			if (all[n].found && !v->f[i].found)
				v->f[i] = all[n];
		if (!v->f[i].found && !known[i].may_miss)
			*missing = known[i].is[0].name;
	}
	if (!v->f[FIELDS].found && !v->f[FIELD_STREAM].found)
		*missing = "_fields";
	if (!(v->f[THREADS].found && v->f[LENGTH].found && v->f[ARRAY].found) && !(v->f[FIRST].found && v->f[NEXT].found))
		*missing = "_thread_list";
	return rc;
}

static bool symbol__read(const struct java *v, uint64_t at, char name[NAME_SIZE])
{
	uint16_t length = 0;

	if (!hotspot__read(&v->h, at + v->f[S_LENGTH].at, &length, sizeof(length)) || !length || length >= NAME_SIZE ||
	    !hotspot__read(&v->h, at + v->f[S_BODY].at, name, length))
		return false;
	name[length] = '\0';
	return true;
}

/* --- flags ------------------------------------------------------------------------------------ */

enum { SERIAL, PARALLEL, G1, OOPS, CLASSES, COMPACT, WANTED_FLAGS };

static const char *const wanted_flags[WANTED_FLAGS] = {
	"UseSerialGC", "UseParallelGC", "UseG1GC", "UseCompressedOops", "UseCompressedClassPointers", "UseCompactObjectHeaders",
};

static void java__flags(const struct java *v, uint8_t value[WANTED_FLAGS])
{
	uint64_t at = hotspot__word(&v->h, v->f[FLAGS].at), n = hotspot__word(&v->h, v->f[FLAGS_N].at);
	char name[40];

	for (uint64_t i = 0; i < n && i < FLAGS_MAX; i++, at += v->h.flag) {
		if (!hotspot__string(&v->h, hotspot__word(&v->h, at + v->f[FLAG_NAME].at), name, sizeof(name)) || strncmp(name, "Use", 3))
			continue;
		for (int k = 0; k < WANTED_FLAGS; k++)
			if (!strcmp(name, wanted_flags[k]))
				hotspot__read(&v->h, hotspot__word(&v->h, at + v->f[FLAG_ADDRESS].at), &value[k], 1);
	}
}

/* --- fields of Java's classes ----------------------------------------------------------------- */

/* UNSIGNED5 (src/hotspot/share/utilities/unsigned5.hpp): digits of base 64, of bytes from 1 on; those from 192 on go on. */
static uint32_t unsigned5(const uint8_t *b, size_t n, size_t *at)
{
	uint32_t sum = 0;

	for (int i = 0; i < 5 && *at < n; i++) {
		uint8_t byte = b[(*at)++];

		sum += (uint32_t)(byte - 1) << (6 * i);
		if (byte < 192)
			break;
	}
	return sum;
}

static bool constant__is(const struct java *v, uint64_t pool, uint32_t index, const char *wanted)
{
	char name[NAME_SIZE];

	return symbol__read(v, hotspot__word(&v->h, pool + v->h.constant_pool + 8ull * index), name) && !strcmp(name, wanted);
}

/* FieldInfo of JDK 21 and later (oops/fieldInfo.hpp): name, signature, offset, access, flags, then what the flags say. */
static uint16_t stream__field(const struct java *v, uint64_t class, uint64_t pool, const char *wanted)
{
	uint64_t array = hotspot__word(&v->h, class + v->f[FIELD_STREAM].at);
	uint32_t length = hotspot__half(&v->h, array), count;
	uint8_t bytes[FIELDS_MAX * 12];
	size_t at = 0;

	if (length > sizeof(bytes) || !hotspot__read(&v->h, array + 4, bytes, length))
		return 0;
	count = unsigned5(bytes, length, &at);
	unsigned5(bytes, length, &at); /* of fields that HotSpot has put in, which come last */
	for (uint32_t i = 0; i < count && at < length; i++) {
		uint32_t name = unsigned5(bytes, length, &at), offset, flags;

		unsigned5(bytes, length, &at);
		offset = unsigned5(bytes, length, &at);
		unsigned5(bytes, length, &at);
		flags = unsigned5(bytes, length, &at);
		for (uint32_t more = flags & (1 | 4 | 16); more; more &= more - 1) /* initialized, generic, contended */
			unsigned5(bytes, length, &at);
		if (constant__is(v, pool, name, wanted))
			return (uint16_t)offset;
	}
	return 0;
}

/* Six halves a field until JDK 20: access, name, signature, initial value, offset << 2 with a tag. */
static uint16_t halves__field(const struct java *v, uint64_t class, uint64_t pool, const char *wanted)
{
	uint64_t array = hotspot__word(&v->h, class + v->f[FIELDS].at);
	uint32_t length = hotspot__half(&v->h, array);
	uint16_t u[FIELDS_MAX * 6];

	if (length > FIELDS_MAX * 6 || !hotspot__read(&v->h, array + 4, u, length * sizeof(*u)))
		return 0;
	for (uint32_t i = 0; i + 6 <= length; i += 6)
		if (!(u[i] & 0x400) && constant__is(v, pool, u[i + 1], wanted)) /* JVM_ACC_FIELD_INTERNAL */
			return (uint16_t)(((uint32_t)u[i + 5] << 16 | u[i + 4]) >> 2);
	return 0;
}

/* The offset of a field of a class; 0: it has none of this name. */
static uint16_t class__field(const struct java *v, uint64_t class, const char *wanted)
{
	uint64_t pool = hotspot__word(&v->h, class + v->f[CONSTANTS].at);

	return v->f[FIELD_STREAM].found ? stream__field(v, class, pool, wanted) : halves__field(v, class, pool, wanted);
}

/* --- classes ---------------------------------------------------------------------------------- */

enum {
	THREAD, HOLDER, WORKER, VIRTUAL, FORK_JOIN, CONTINUATION, RUN, FUTURE, WAITER, RESULT,
	WANTED_CLASSES = RESULT + WS_JAVA_RESULTS
};

/* Whoever waits on one of the last is told that a task, or all that he waits for, is done. */
static const char *const wanted_classes[WANTED_CLASSES] = {
	"java/lang/Thread",
	"java/lang/Thread$FieldHolder",
	"java/util/concurrent/ThreadPoolExecutor$Worker",
	"java/lang/VirtualThread",
	"java/util/concurrent/ForkJoinTask",
	"jdk/internal/vm/Continuation",
	"java/lang/VirtualThread$VThreadContinuation$1",
	"java/util/concurrent/ThreadPerTaskExecutor$ThreadBoundFuture",
	"java/util/concurrent/FutureTask$WaitNode",
	"java/util/concurrent/FutureTask",
	"java/util/concurrent/CompletableFuture$Signaller",
	"java/util/concurrent/CountDownLatch$Sync",
};

/* All that matter are loaded by the first loader, which has no object of Java. */
static void java__classes(const struct java *v, uint64_t found[WANTED_CLASSES])
{
	uint64_t loader = hotspot__word(&v->h, v->f[GRAPH].at), class = 0;
	char name[NAME_SIZE];
	int n;

	for (n = 0; loader && n < CLASSES_MAX; n++, loader = hotspot__word(&v->h, loader + v->f[LOADER_NEXT].at)) {
		uint64_t handle = hotspot__word(&v->h, loader + v->f[LOADER_OBJECT].at);

		if (!handle || !hotspot__word(&v->h, handle))
			class = hotspot__word(&v->h, loader + v->f[LOADER_CLASSES].at);
		for (; class && n < CLASSES_MAX; n++, class = hotspot__word(&v->h, class + v->f[K_NEXT].at)) {
			if (!symbol__read(v, hotspot__word(&v->h, class + v->f[K_NAME].at), name) || (strncmp(name, "java/", 5) && strncmp(name, "jdk/", 4)))
				continue;
			for (int i = 0; i < WANTED_CLASSES; i++)
				if (!strcmp(name, wanted_classes[i]))
					found[i] = class;
		}
	}
}

static uint32_t class__narrow(const struct java *v, uint64_t class)
{
	return class > v->class_base ? (uint32_t)((class - v->class_base) >> v->class_shift) : 0;
}

/* Who waits for the task of a virtual thread (java__awaits): j->future stays 0 if anything of it is not loaded yet, or not understood. */
static void java__fill_awaits(const struct java *v, const uint64_t class[WANTED_CLASSES], struct ws_java *j)
{
	if (!class[VIRTUAL] || !class[CONTINUATION] || !class[RUN] || !class[FUTURE] || !class[WAITER] || !class[RESULT])
		return;
	j->run = class__narrow(v, class[RUN]);
	j->waiter = class__narrow(v, class[WAITER]);
	j->continuation = class__field(v, class[VIRTUAL], "cont");
	j->body = class__field(v, class[CONTINUATION], "target");
	j->task = class__field(v, class[RUN], "val$task");
	j->runner = class__field(v, class[RESULT], "runner");
	j->waiters = class__field(v, class[RESULT], "waiters");
	j->waiter_thread = class__field(v, class[WAITER], "thread");
	j->waiter_next = class__field(v, class[WAITER], "next");
	if (j->continuation && j->body && j->task && j->runner && j->waiters && j->waiter_thread && j->waiter_next)
		j->future = class__narrow(v, class[FUTURE]);
}

/* NULL, or what is missing. */
static const char *java__fill(struct java *v, struct ws_java *j)
{
	uint8_t flags[WANTED_FLAGS] = {0};
	uint64_t class[WANTED_CLASSES] = {0};

	java__flags(v, flags);
	if (!flags[SERIAL] && !flags[PARALLEL] && !flags[G1])
		return "its collector moves objects while threads run";
	if (!flags[CLASSES] || flags[COMPACT])
		return "the headers of its objects are not understood";
	v->class_base = hotspot__word(&v->h, v->f[CLASS_BASE].at);
	v->class_shift = hotspot__half(&v->h, v->f[CLASS_SHIFT].at) & 31;
	java__classes(v, class);
	if (!class[THREAD])
		return "its classes cannot be read";
	*j = (struct ws_java){
		.threads = v->f[v->f[THREADS].found ? THREADS : FIRST].at,
		.next = v->f[THREADS].found ? 0 : (uint16_t)v->f[NEXT].at,
		.oop_base = hotspot__word(&v->h, v->f[OOP_BASE].at),
		.worker = class__narrow(v, class[WORKER]),
		.virtual_thread = class__narrow(v, class[VIRTUAL]),
		.length = (uint16_t)v->f[LENGTH].at,
		.array = (uint16_t)v->f[ARRAY].at,
		.os_thread = (uint16_t)v->f[OS_THREAD].at,
		.object = (uint16_t)v->f[OBJECT].at,
		.class_base = v->class_base,
		.class_shift = (uint8_t)v->class_shift,
		.fork_join = class[FORK_JOIN],
		.state = (uint16_t)v->f[STATE].at,
		.mounted = (uint16_t)v->f[MOUNTED].at,
		.owner = (uint16_t)v->f[OWNER].at,
		.tid = (uint16_t)v->f[TID].at,
		.holder = class__field(v, class[THREAD], "holder"),
		.blocker = class__field(v, class[THREAD], "parkBlocker"),
		.number = class__field(v, class[THREAD], "tid"),
		.shift = (uint8_t)hotspot__half(&v->h, v->f[OOP_SHIFT].at),
		.wide = !flags[OOPS],
		.handles = v->f[OBJECT].handle,
	};
	j->target = class__field(v, class[j->holder ? HOLDER : THREAD], j->holder ? "task" : "target");
	for (int i = 0; i < WS_JAVA_RESULTS; i++)
		j->results[i] = class__narrow(v, class[RESULT + i]);
	if (class[FORK_JOIN])
		j->fork_join_at = (uint16_t)hotspot__half(&v->h, class[FORK_JOIN] + v->f[K_CHECK].at);
	if (class[WORKER]) {
		j->worker_thread = class__field(v, class[WORKER], "thread");
		j->worker_done = class__field(v, class[WORKER], "completedTasks");
	}
	if (!j->worker_thread || !j->worker_done)
		j->worker = 0;
	java__fill_awaits(v, class, j);
	return j->target && j->blocker && j->number ? NULL : "fields of its threads are not understood";
}

int java__find(uint32_t pid, struct ws_java *j, char *why, size_t size)
{
	const char *fault = NULL;
	struct java v;

	why[0] = '\0';
	if (java__open(&v, pid, &fault)) {
		hotspot__close(&v.h);
		return 0;
	}
	if (fault)
		snprintf(why, size, "it does not tell of %s", fault);
	else if ((fault = java__fill(&v, j)))
		snprintf(why, size, "%s", fault);
	hotspot__close(&v.h);
	return !fault;
}

int java__explain(FILE *out, uint32_t pid)
{
	struct ws_java j;
	char why[128];
	int read = java__find(pid, &j, why, sizeof(why));

	if (!read && !why[0])
		return 0;
	fprintf(out, "ok   runtime           HotSpot (Java), by the tables that it exports for debuggers\n"
		     "ok   mechanism         threads; who wakes whom, and who answers, for pools\n");
	if (read)
		fprintf(out, "%s tasks             of ThreadPoolExecutor, by each worker's count, read at each transfer, without a probe%s\n"
			     "%s virtual threads   by their numbers, read in the same way; who waits for the task of one%s\n",
			j.worker ? "ok  " : "note", j.worker ? "" : "; its class is not loaded",
			j.virtual_thread ? "ok  " : "note",
			j.virtual_thread ? "" : !j.mounted ? "; this version has none" : "; their class is not loaded");
	else
		fprintf(out, "note tasks             are not told apart, nor virtual threads: %s\n", why);
	fprintf(out, "     not seen          what a task hands on to another (thenApplyAsync); of several that are waited for together,\n"
		     "                       all but the last (allOf); work that virtual threads do for others that do not wait in get()\n");
	return 1;
}

bool java__is_complete(const struct ws_java *j)
{
	return j->worker && j->results[0] && j->results[1] && (!j->virtual_thread || j->future);
}
