/* SPDX-License-Identifier: Apache-2.0 */
/*
 * govern.h - keeps the agent within its budget: measures, asks sample/shed.h for the step, and moves the
 * switches of the kernel's half and of the sampler; opens and closes the windows of its pauses.
 */
#ifndef GOVERN_H
#define GOVERN_H

#include "attach/attach.h"
#include "sample/sample.h"
#include "sample/shed.h"

struct govern;

/* a and s are borrowed. A budget of nothing: NULL, which all other calls take. epoll_fd: its timer is added, data.ptr = the struct govern. */
struct govern *govern__new(const struct shed_budget *b, struct attach *a, struct sampler *s, int epoll_fd);
void govern__free(struct govern *g);
/* Another budget, or none, from now on. Not for NULL. */
void govern__set_budget(struct govern *g, const struct shed_budget *b);
/* Every 50 ms: CLOCK_MONOTONIC. */
void govern__tick(struct govern *g, uint64_t now);
/* After an event of its timer. */
void govern__ready(struct govern *g);
/* Everything is traced again: the end is near. */
void govern__stop(struct govern *g);
/* All zero for NULL. */
struct shed_counters govern__counters(const struct govern *g);

#endif
