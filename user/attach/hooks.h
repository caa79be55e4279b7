/* SPDX-License-Identifier: Apache-2.0 */
/* hooks.h - the hook plan: which programs there are, what each needs of the kernel, what goes missing without it. */
#ifndef ATTACH_HOOKS_H
#define ATTACH_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

#include "attach/attach.h"

struct hook {
	const char *program; /* its name in bpf/ */
	const char *what;    /* tracepoint, "iter/...", or "fentry/..." and "fexit/..." of a function */
	const char *since;   /* kernel release */
	unsigned plans; /* bits: 1 << enum attach_plan */
	bool required;
	const char *gives;   /* "bytes sent" */
	const char *without; /* if it is not there */
	const char *entry;   /* the function whose entry does as well, where that is allowed; or NULL */
	const char *helper;  /* for kernels that have this helper function of BPF; "!...": that have it not; or NULL: for all */
};

extern const struct hook hooks[];
extern const size_t hooks_n;

struct btf;
/* Has the kernel this helper function of BPF ("bpf_..." without the prefix)? */
bool kernel__has_helper(const struct btf *vmlinux, const char *name);
/* Number of arguments of a function of the kernel; 0: it is not there. */
unsigned kernel__args(const struct btf *vmlinux, const char *function);
/* Is it meant for this plan and this kernel? */
bool hook__applies(const struct btf *vmlinux, const struct hook *h, enum attach_plan plan);
/* 0: this kernel has it; -ENOENT: not; another -errno: it has the function, and refuses to have it entered (tried, as root). */
int hook__available(const struct btf *vmlinux, const struct hook *h);
/* It has not, but h->entry, and that can be entered. */
bool hook__by_entry(const struct btf *vmlinux, const struct hook *h);
/* The plan that `wanted` comes to on this kernel: AUTO is the first of sock, fentry, syscall whose required hooks are there. */
enum attach_plan hooks__choose(const struct btf *vmlinux, enum attach_plan wanted);
/* The required hook that this plan lacks here, with what hook__available said; NULL: none. */
const struct hook *hooks__lacking(const struct btf *vmlinux, enum attach_plan plan, int *rc);
const char *plan__name(enum attach_plan plan);

#endif
