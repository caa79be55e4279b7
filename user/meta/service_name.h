/* SPDX-License-Identifier: Apache-2.0 */
/* service_name.h - what a command line is called: the program a person wrote rather than what runs it. */
#ifndef META_SERVICE_NAME_H
#define META_SERVICE_NAME_H

#include "util/slice.h"

/*
 * cmdline: arguments, each ended by NUL, as in /proc/PID/cmdline. exe: path of the program.
 * name gets e.g. "order" for "python3 /usr/bin/gunicorn -w 4 order:app"; never empty.
 */
void service_name__of(struct slice cmdline, struct slice exe, char *name, size_t size);

#endif
