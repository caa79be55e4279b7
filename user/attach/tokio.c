// SPDX-License-Identifier: Apache-2.0
/*
 * tokio.c - functions of tokio::runtime 1.x that are compiled once, whatever the futures are, so that a few probes do
 * for all tasks. By their mangled names (rustc's "legacy" ones, which end with a hash) in a program that is not
 * stripped; where link-time optimisation has put them into their callers there are none. Contract: tokio.h.
 */
#include "attach/tokio.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attach/code.h"
#include "attach/elf_symbols.h"
#include "attach/uprobe.h"

#define STATE "_ZN5tokio7runtime4task5state5State"
#define WAKER "_ZN5tokio7runtime4task5waker"
#define SCHEDULER "_ZN5tokio7runtime9scheduler"
#define MULTI_THREAD SCHEDULER "12multi_thread6worker73_$LT$impl$u20$tokio..runtime..scheduler..multi_thread..handle..Handle$GT$"
#define ENTRY_MAX 64 /* bytes from the entry in which an instruction must be that the kernel emulates */

static const struct {
	const char *symbol, *program;
	bool optional; /* a program that has no such scheduler has none */
} points[TOKIO_POINTS] = {
	{STATE "21transition_to_running17h", "tokio__runs"},
	{STATE "18transition_to_idle17h", "tokio__idle"},
	{STATE "22transition_to_complete17h", "tokio__ends"},
	{WAKER "11wake_by_ref17h", "tokio__wakes"},
	{WAKER "11wake_by_val17h", "tokio__wakes"},
	{MULTI_THREAD "13schedule_task17h", "tokio__queues", true},
	/* Who makes a task calls this; the one above may be part of it (rustc 1.95). */
	{MULTI_THREAD "34schedule_option_task_without_yield17h", "tokio__queues", true},
	{SCHEDULER "14current_thread134_$LT$impl$u20$tokio..runtime..task..Schedule$u20$for$u20$alloc..sync..Arc$LT$tokio.."
		   "runtime..scheduler..current_thread..Handle$GT$$GT$8schedule17h", "tokio__queues", true},
};

static int program__open(uint32_t pid, struct elf_symbol y[TOKIO_POINTS])
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < TOKIO_POINTS; i++)
		y[i] = (struct elf_symbol){.name = points[i].symbol, .prefix = true};
	if (fd >= 0 && elf_symbols__find(fd, y, TOKIO_POINTS) >= 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

bool tokio__is(uint32_t pid)
{
	struct elf_symbol y[TOKIO_POINTS];
	int fd = program__open(pid, y);

	if (fd < 0)
		return false;
	close(fd);
	return y[0].offset;
}

/* push, nop, jcc, jmp: arch/x86/kernel/uprobes.c, push_setup_ops() and branch_setup_ops(). */
static bool code__is_emulated(const unsigned char *p)
{
	return (p[0] & 0xf8) == 0x50 || (p[0] == 0x41 && (p[1] & 0xf8) == 0x50) || p[0] == 0x90 || (p[0] & 0xf0) == 0x70 ||
	       (p[0] == 0x0f && (p[1] & 0xf0) == 0x80) || p[0] == 0xe9 || p[0] == 0xeb;
}

/* mov, lea or test that leaves rdi alone, sub of the stack, or a long nop: what stands before a branch. */
static bool code__is_passed(const unsigned char *p, size_t length)
{
	unsigned reg;

	if (length > 8) /* nop with prefixes */
		return true;
	if ((p[0] & 0xf8) == 0x48 && (p[1] == 0x8b || p[1] == 0x8d)) {
		reg = (p[2] >> 3 & 7) | (p[0] & 4) << 1;
		return reg != 7;
	}
	return (p[0] == 0x0f && p[1] == 0x1f) || p[0] == 0xa8 || ((p[0] & 0xf8) == 0x48 && p[1] == 0x85) ||
	       (p[0] == 0x48 && p[1] == 0x83 && p[2] == 0xec);
}

/* The first instruction that every call comes by before its first argument is gone, and that the kernel emulates; 0: there is none. */
static uint64_t function__site(int fd, const struct elf_symbol *y)
{
	unsigned char code[ENTRY_MAX + CODE_LENGTH_MAX] = {0};
	size_t length;

	if (!y->offset || pread(fd, code, sizeof(code), (off_t)y->offset) < (ssize_t)sizeof(code))
		return 0;
	for (size_t at = 0; at < ENTRY_MAX; at += length) {
		if (code__is_emulated(code + at))
			return y->offset + at;
		length = code__length(code + at, sizeof(code) - at);
		if (!length || !code__is_passed(code + at, length))
			break;
	}
	return 0;
}

size_t tokio__points(uint32_t pid, struct uprobe_point *v, size_t max, char *err, size_t err_size)
{
	struct elf_symbol y[TOKIO_POINTS];
	int fd = program__open(pid, y);
	size_t n = 0;

	snprintf(err, err_size, "its executable cannot be read");
	for (size_t i = 0; fd >= 0 && i < TOKIO_POINTS && n < max; i++) {
		v[n] = (struct uprobe_point){.symbol = points[i].program, .offset = function__site(fd, &y[i])};
		if (v[n].offset) {
			n++;
			continue;
		}
		if (points[i].optional && !y[i].offset)
			continue;
		snprintf(err, err_size, "%s...: %s", points[i].symbol,
			 y[i].offset ? "it would be single-stepped, which costs 9 us" : "no such function");
		n = 0;
		break;
	}
	if (fd >= 0)
		close(fd);
	return n;
}
