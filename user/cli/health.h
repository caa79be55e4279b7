/* SPDX-License-Identifier: Apache-2.0 */
/* health.h - `wirespan health`: asks the agent that runs here how it is, for probes that can only run a program. */
#ifndef HEALTH_H
#define HEALTH_H

#include <stdbool.h>

/*
 * where: ADDRESS:PORT of --metrics; an address that means all is asked through loopback. Prints the answer.
 * Exit status: 0 it is well (ready: hooks are attached too), 1 it is not or there is none.
 */
int health__run(const char *where, bool ready);

#endif
