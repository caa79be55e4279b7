/* SPDX-License-Identifier: Apache-2.0 */
/* tokio.h - does this program run tasks of tokio (Rust), and where does it begin, end, wake and queue them? */
#ifndef ATTACH_TOKIO_H
#define ATTACH_TOKIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uprobe_point;

#define TOKIO_POINTS 8

/* By the symbols of its executable. */
bool tokio__is(uint32_t pid);
/* Points, named as their programs (bpf/runtime_tokio.bpf.c), with offsets in the executable; how many, 0 with the reason. */
size_t tokio__points(uint32_t pid, struct uprobe_point *v, size_t max, char *err, size_t err_size);

#endif
