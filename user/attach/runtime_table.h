/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_table.h - the runtimes that are followed by more than threads and sockets, and how: one row each. */
#ifndef ATTACH_RUNTIME_TABLE_H
#define ATTACH_RUNTIME_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "attach/uprobe.h"
#include "wirespan/record.h"

struct attach;
struct process;

#define POINTS_MAX 16
#define STAGES_MAX 4

struct point {
	const char *symbol, *program; /* of the executable; of bpf/ */
	const char *callers[UPROBE_CALLERS];
};

struct runtime {
	const char *name;
	enum ws_ctx_kind kind;
	const char *mechanism, *unseen; /* for `doctor --pid` */
	/* One after the other, each where those before it leave calls without a parent: it costs more. */
	const struct point stages[STAGES_MAX][POINTS_MAX];
	/* Instead of the first stage: finds them in the program's own way, named as their programs of bpf/, with their files; how many, 0 with the reason. */
	size_t (*find)(uint32_t pid, struct uprobe_point *v, size_t max, char *err, size_t err_size);
	/* Tells the kernel what the programs need besides, before they are attached; 0, or -1 with the reason. */
	int (*prepare)(struct attach *a, struct process *p, const char *path, char *err, size_t size);
};

/* Static; NULL: there is no such row. */
const struct runtime *runtime__of(enum ws_ctx_kind kind);
/* Points of a stage, with their programs if there is an `a`; how many. */
size_t runtime__points(const struct runtime *t, unsigned stage, const struct attach *a, struct uprobe_point v[POINTS_MAX]);

#endif
