// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/* emit.bpf.c - owns the ring and the ledger; see emit.bpf.h. */
#include "emit.bpf.h"

struct emit_ring ring SEC(".maps");
struct emit_perf perf SEC(".maps");
struct emit_scratch scratch SEC(".maps");
struct emit_claims scratch_claims SEC(".maps");
struct emit_counters counters SEC(".maps");

const volatile __u64 ring_bytes = 8 << 20;
const volatile bool use_perf = false;
__u64 emit_woken_ns = 0; /* two CPUs may both wake the reader: harmless */

__u32 shed_paused = 0, shed_low = 0, shed_head = 0; /* shed.bpf.h */

char LICENSE[] SEC("license") = "Dual BSD/GPL";
