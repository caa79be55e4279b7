/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* core.bpf.h - what every program includes: the kernel's types, libbpf, the records; a few constants. */
#ifndef CORE_BPF_H
#define CORE_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#include "wirespan/record.h"

/* Macros of the kernel's headers, which BTF does not carry. */
#define AF_INET 2
#define AF_INET6 10
#define MSG_PEEK 0x2
#define MSG_TRUNC 0x20
#define MSG_ERRQUEUE 0x2000
#define PF_EXITING 0x00000004
#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD 0x00200000
#define TS_COMPAT 0x0002 /* thread_info.status: a 32-bit system call (x86) */

/*
 * A field of a kernel object. Hooks that are handed the object read it directly (the verifier knows its
 * type); where it was found by a walk (io_syscall.bpf.c defines WS_UNTRUSTED) it is read by address.
 */
#ifdef WS_UNTRUSTED
#define AT(p, field) FOUND(p, field)
#else
#define AT(p, field) ((p)->field)
#endif

#include "core_fixes.bpf.h"

/* clang 14 drops a bound that it can prove and the verifier cannot: forget what is known of var. */
#define OPAQUE(var) asm volatile("" : "+r"(var))
/* The verifier forgets that it is a copy: what it learns of the other is not learned of this one. */
#define UNTIE(var) asm volatile("%0 ^= 0" : "+r"(var))

#endif
