/* SPDX-License-Identifier: Apache-2.0 */
/* nodejs.h - is this process Node.js, where does it begin callbacks, and where does it keep what runs? */
#ifndef ATTACH_NODEJS_H
#define ATTACH_NODEJS_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "wirespan/record.h"

#define NODEJS_PROMISES 7

struct nodejs {
	char path[320];	    /* of its executable or its library, as we can open it */
	const char *symbol; /* static: where the probe goes (bpf/runtime_node.bpf.c) */
	uint64_t offset;    /* in the file: an instruction there that the kernel emulates */
	struct ws_node node; /* but for its lane */
	uint64_t promises[NODEJS_PROMISES]; /* likewise, where V8 handles promises: bpf/node_promise.bpf.c; the first 0: not known */
};


/* false: it is not, it cannot be read, or its code is not as that of Node.js 18 to 24 on x86-64. */
bool nodejs__find(uint32_t pid, struct nodejs *n);
/* Of bpf/, for promises[i]. */
const char *nodejs__promise_program(unsigned i);

#endif
