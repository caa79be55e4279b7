/* SPDX-License-Identifier: Apache-2.0 */
/* hooks.h - the hook plan: which programs there are, what each needs of the kernel, what goes missing without it. */
#ifndef ATTACH_HOOKS_H
#define ATTACH_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

#include "attach/attach.h"

struct hook {
	const char *program; /* its name in bpf/; "": all of them */
	const char *what;    /* tracepoint, "iter/..." or a helper function "bpf_..." */
	const char *since;   /* kernel release */
	unsigned plans; /* bits: 1 << enum attach_plan */
	bool required;
	const char *gives;   /* "bytes sent" */
	const char *without; /* if it is not there */
};

extern const struct hook hooks[];
extern const size_t hooks_n;

struct btf;
/* Does this kernel have it? */
bool hook__available(const struct btf *vmlinux, const struct hook *h);
/* It has not, but the function of that name, whose entry (fentry) does as well and is allowed: tried, as root. */
bool hook__by_entry(const struct btf *vmlinux, const struct hook *h);
/* The plan that `wanted` comes to on this kernel: AUTO is sock if its required hooks are there, else syscall. */
enum attach_plan hooks__choose(const struct btf *vmlinux, enum attach_plan wanted);
const char *plan__name(enum attach_plan plan);

#endif
