/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selection.h - what may be traced. Parsed from the command line in main's options; read-only after.
 * Nothing selected and not `all`: nothing is traced, and the commands exit with status 2.
 */
#ifndef ATTACH_SELECTION_H
#define ATTACH_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SELECT_MAX 64 /* of each kind */

struct selection {
	bool all;
	uint32_t pids[SELECT_MAX];	  /* the process and what it forks later */
	const char *comms[SELECT_MAX];	  /* exact, at most 15 characters */
	uint16_t ports[SELECT_MAX];	  /* processes that listen on this TCP port */
	const char *cgroups[SELECT_MAX];  /* a folder below /sys/fs/cgroup, of any hierarchy; its descendants too */
	const char *exes[SELECT_MAX];	  /* glob (fnmatch) on the path of the program */
	/* Containers, by what people know: those that a rule of every kind given matches, less the nots. */
	const char *containers[SELECT_MAX]; /* glob on the name, or the beginning of the id */
	const char *images[SELECT_MAX];	    /* glob */
	const char *pods[SELECT_MAX];	    /* [NAMESPACE/]NAME, globs */
	const char *namespaces[SELECT_MAX]; /* glob */
	const char *labels[SELECT_MAX];	    /* KEY=VALUE, a glob; KEY alone: any value */
	const char *nots[SELECT_MAX];	    /* one of these, as "pod=kube-system/dns-*"; holds for every process */
	size_t n_pids, n_comms, n_ports, n_cgroups, n_exes;
	size_t n_containers, n_images, n_pods, n_namespaces, n_labels, n_nots;
};

bool selection__empty(const struct selection *s);
/* Are containers looked for at all? */
bool selection__has_containers(const struct selection *s);
/*
 * One option's value, a comma list: "pid", "comm", "container", ... "not". The strings are borrowed
 * from `value`, which is cut up. 0, or -EINVAL with a message that quotes the bad part in err.
 */
int selection__add(struct selection *s, const char *option, char *value, char *err, size_t err_size);
/*
 * What `fresh` has and `s` has not joins it, copied. Returns how many; *left: how many of `s` are not in
 * `fresh` any more, and stay. -E2BIG: there is no room for all, none was added.
 */
int selection__join(struct selection *s, const struct selection *fresh, size_t *left);
/* What `s` has and `fresh` has not goes; the rest keeps its order. How many went. */
size_t selection__drop(struct selection *s, const struct selection *fresh);
/* The same for two that select by the same rules, in the same order. */
uint64_t selection__hash(const struct selection *s);

#endif
