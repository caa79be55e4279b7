// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * handoff.bpf.c - owns the maps of goroutines, what they work for, and their batches, and of tokio's tasks; see
 * handoff.bpf.h, batch.bpf.h, tokio.bpf.h.
 */
#include "batch.bpf.h"
#include "tokio.bpf.h"

struct handoff_goroutines goroutines SEC(".maps");
struct batches batches SEC(".maps");
struct tokio_tasks tokio_tasks SEC(".maps");
