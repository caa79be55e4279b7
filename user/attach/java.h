/* SPDX-License-Identifier: Apache-2.0 */
/* java.h - is this process HotSpot, and where does it keep what its threads are doing? */
#ifndef ATTACH_JAVA_H
#define ATTACH_JAVA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <linux/types.h>

#include "wirespan/record.h"

/*
 * 1: j is filled in, but for classes that are not loaded yet, which stay 0. 0: no HotSpot, or one that is not
 * understood: `why` says what is missing, if it is one ("" if not).
 */
int java__find(uint32_t pid, struct ws_java *j, char *why, size_t size);
/* What is recognised, for `doctor --pid`. 0: no HotSpot. */
int java__explain(FILE *out, uint32_t pid);
/* All classes that matter are loaded. */
bool java__is_complete(const struct ws_java *j);

#endif
