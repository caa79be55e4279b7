/* SPDX-License-Identifier: Apache-2.0 */
/* haproxy.h - is this process HAProxy, and where does it keep which task a thread runs? */
#ifndef ATTACH_HAPROXY_H
#define ATTACH_HAPROXY_H

#include <stdint.h>

/* How many words (of 8 bytes) below its thread pointer a thread has the address of its scheduler; 0: it is none, or not known. */
uint16_t haproxy__find(uint32_t pid);

#endif
