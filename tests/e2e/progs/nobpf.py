#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nobpf.py COMMAND...: runs it under a seccomp filter that answers bpf() with EPERM, as container runtimes do."""
import ctypes
import os
import platform
import struct
import sys

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
BPF_LD_W_ABS, BPF_JEQ, BPF_RET = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NR_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]

rows = [(BPF_LD_W_ABS, 0, 0, 0), (BPF_JEQ, 0, 1, NR_BPF), (BPF_RET, 0, 0, ERRNO | 1), (BPF_RET, 0, 0, ALLOW)]
code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *r) for r in rows))
prog = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(rows), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_void_p(ctypes.addressof(prog)), 0, 0):
    sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
