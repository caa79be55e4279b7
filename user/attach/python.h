/* SPDX-License-Identifier: Apache-2.0 */
/* python.h - is this process CPython, and where does it keep what its threads are doing? */
#ifndef ATTACH_PYTHON_H
#define ATTACH_PYTHON_H

#include <stddef.h>
#include <stdint.h>

#include <linux/types.h>

#include "wirespan/record.h"

struct uprobe_point;

#define PYTHON_UVLOOP "/uvloop/loop." /* in the path of its library */

/* Its minor version, if it is 3.8 to 3.13 and p is filled in; 0: it is not, or it cannot be read. */
int python__find(uint32_t pid, struct ws_python *p);

/*
 * The instructions at which CPython has just made a context, which is in the first register of results
 * or of arguments then; and those at which an extension passes work on. `symbol` is the program of bpf/ for
 * it. How many; 0 with the reason.
 */
size_t python__points(uint32_t pid, struct uprobe_point *v, size_t max, char *err, size_t err_size);
/* What happens where that program is, for `doctor --pid`. Static. */
const char *python__point_is(const char *program);

#endif
