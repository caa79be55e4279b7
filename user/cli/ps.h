/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ps.h - `wirespan ps`: what runs here and has TCP connections, what it would be called, and whether the given
 * selection traces it, or why not. Looks at /proc and at the sources of identity; loads nothing into the kernel.
 */
#ifndef PS_H
#define PS_H

#include <stdio.h>

#include "attach/selection.h"

/* json: one object a line; else a table. The exit status. */
int ps__run(const struct selection *sel, bool json, FILE *out);

#endif
