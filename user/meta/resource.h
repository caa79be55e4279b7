/* SPDX-License-Identifier: Apache-2.0 */
/* resource.h - what the machine, /proc and environments say of a process: the resource of its spans. */
#ifndef META_RESOURCE_H
#define META_RESOURCE_H

#include <sys/utsname.h>

#include "meta/meta.h"
#include "util/proc.h"

#define RESOURCE_BUF (128 * 1024) /* of a command line, of an environment: as much is looked at */

/* The same for all processes. */
struct machine {
	char name[256], id[64], boot_id[PROC_BOOT_SIZE];
	struct utsname uts;
};

void machine__read(struct machine *m);
void resource__set_machine(struct attrs *a, const struct machine *m);
/* service.instance.id: a name-based UUID of host, boot, pid and start (RFC 9562 version 8: our own hash). */
void resource__set_instance(struct attrs *a, const struct machine *m, uint32_t pid);
/*
 * Its service, and what else OTEL_ variables say, its own and ours. buf: RESOURCE_BUF bytes, to read into. False: it
 * does not tell its command line, for it hangs in the kernel or is about to become another program.
 */
bool process__name(struct process *p, struct slice exe, char *buf);

#endif
