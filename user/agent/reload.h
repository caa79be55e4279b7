/* SPDX-License-Identifier: Apache-2.0 */
/* reload.h - SIGHUP: what the configuration file says now reaches the stages that can change while they run. */
#ifndef RELOAD_H
#define RELOAD_H

#include "agent/state.h"

/* Wrong values leave everything as it was. Says on stderr what became of it. */
void reload__run(struct agent *a);

#endif
