/* SPDX-License-Identifier: Apache-2.0 */
/* rights.h - the capabilities that are of use, what is lost without each, and which of them we have. */
#ifndef ATTACH_RIGHTS_H
#define ATTACH_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum right_need {
	RIGHT_REQUIRED, /* nothing works without */
	RIGHT_WANTED,	/* a part does not */
	RIGHT_SPARED,	/* not asked for: what it would give is little for what it allows */
};

struct right {
	int bit; /* linux/capability.h */
	const char *name; /* "CAP_BPF" */
	const char *without;
	enum right_need need;
};

extern const struct right rights[];
extern const size_t rights_n;

/* CapEff; with CAP_SYS_ADMIN those that it stands for (capabilities(7)). */
uint64_t rights__have(void);
/* Is a seccomp filter active for us? It may forbid bpf(), as those of container runtimes do. */
bool rights__filtered(void);
#define RIGHTS_FILTER_ADVICE "a seccomp filter is active: let it allow bpf() and perf_event_open() (Kubernetes: seccompProfile Unconfined)"
/* "CAP_BPF and CAP_PERFMON": the required ones that are missing; "" if none is. */
void rights__required(char *out, size_t size);
/* A warning for each wanted one that is missing, with what is lost. */
void rights__warn(void);

#endif
