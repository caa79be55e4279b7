/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netns.h - how many connections a network namespace has opened since it was made: ActiveOpens and PassiveOpens of
 * /proc/PID/net/snmp (RFC 4022, tcpActiveOpens, tcpPassiveOpens), of whichever process.
 */
#ifndef GAP_NETNS_H
#define GAP_NETNS_H

#include "attach/attach.h"

#define NETNS_MAX 1024
#define NETNS_PROCESSES_MAX 8192 /* looked at to find the namespaces of those that are traced */

struct netns_opened {
	uint32_t inode; /* of /proc/PID/ns/net */
	uint32_t pad;
	uint64_t accepted, connected;
};

/* Of the namespaces of traced processes: into v[0..max), how many. *cut: there were more, or too many processes. */
size_t netns__of_traced(const struct attach *a, struct netns_opened *v, size_t max, bool *cut);
/*
 * The same namespaces now, of which `then` told at that CLOCK_BOOTTIME: a namespace is the same if one of its processes is older,
 * for the numbers of those that are gone are given again. found[i] tells for which; the counters of the others are 0.
 */
void netns__again(const struct netns_opened *then, size_t n, uint64_t boot_ns, struct netns_opened *now, bool *found);
/* ActiveOpens and PassiveOpens of such a file; false: it has none. */
bool netns__read(const char *path, struct netns_opened *o);

#endif
