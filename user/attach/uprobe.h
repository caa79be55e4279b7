/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uprobe.h - programs at functions of a running process, by its executable's inode and an offset.
 *
 * Only at instructions that the kernel emulates (push, nop, jcc, call, jmp: about 0.7 us a hit); others
 * it single-steps, which costs 9 us. Never at a return. The breakpoint is the kernel's own: it writes
 * it into a private copy of the page, for that process alone, and takes it back at the end.
 */
#ifndef ATTACH_UPROBE_H
#define ATTACH_UPROBE_H

#include <stddef.h>
#include <stdint.h>

struct bpf_program;
struct uprobes;

#define UPROBE_CALLERS 2
#define UPROBE_PATH 320

struct uprobe_point {
	const char *symbol;
	struct bpf_program *program;
	uint64_t offset; /* of an instruction that the kernel emulates, in the file; 0: it is looked for behind the symbol */
	/* Of these functions, if there are any: the probes are at their calls of `symbol`, for others call it as well. */
	const char *callers[UPROBE_CALLERS];
	uint64_t address; /* filled in: of the (first) probe; virtual, as linked */
	char path[UPROBE_PATH]; /* of the file, if that is another one than is given for all: for points with an offset */
};

/*
 * Finds an instruction at or after `offset` that every call passes before its arguments are touched, and
 * that the kernel emulates. Its offset in the file, or 0 with the reason in err.
 */
uint64_t uprobe__site(int fd, uint64_t offset, char *err, size_t err_size);
/*
 * The calls of what lies `ahead` bytes after the function of `size` bytes at `offset` (below 0: before it): offsets
 * in the file, as many as there is room for. Their number; 0: there are none, or it cannot be read.
 */
size_t uprobe__calls(int fd, uint64_t offset, uint64_t size, int64_t ahead, uint64_t *sites, size_t room);

/* All points or none; NULL with the reason. path: /proc/PID/exe, or a library that the process maps. */
struct uprobes *uprobes__attach(uint32_t pid, const char *path, struct uprobe_point *v, size_t n, char *err,
				size_t err_size);
/* Would they be found? 0, or -1 with the reason. */
int uprobes__try(const char *path, struct uprobe_point *v, size_t n, char *err, size_t err_size);
void uprobes__free(struct uprobes *u);
/* The same, of a process that is gone: in the background, for the kernel takes a tenth of a second for each. */
void uprobes__abandon(struct uprobes *u);

#endif
