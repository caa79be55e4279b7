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
	size_t n_pids, n_comms, n_ports, n_cgroups, n_exes;
};

bool selection__empty(const struct selection *s);
/*
 * One option's value, a comma list: "pid", "comm", "port", "cgroup", "exe". The strings are borrowed
 * from `value`, which is cut up. 0, or -EINVAL with a message that quotes the bad part in err.
 */
int selection__add(struct selection *s, const char *option, char *value, char *err, size_t err_size);

#endif
