// SPDX-License-Identifier: Apache-2.0
/*
 * haproxy.c - HAProxy by its symbols, which it exports to its modules: th_ctx, in thread-local storage,
 * points to the thread's scheduler (struct thread_ctx, include/haproxy/tinfo-t.h, 2.5 to 3.4), where
 * `current` is the task that runs. A stream has a task of its own, which connects, sends and answers.
 */
#include "attach/haproxy.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "attach/elf_symbols.h"
#include "meta/elf_file.h"

/*
 * Bytes from the end of the executable's thread-local storage, which is where the thread pointer points
 * to, back to that offset in it (ELF Handling For Thread-Local Storage, variant II). 0: there is none.
 */
static uint64_t tls__below(int fd, uint64_t offset)
{
	Elf *elf = elf_file__begin(fd);
	uint64_t below = 0;
	size_t i, count;
	GElf_Phdr ph;

	for (i = 0; elf && !elf_getphdrnum(elf, &count) && i < count && !below; i++)
		if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_TLS && offset < ph.p_memsz && ph.p_memsz <= INT32_MAX &&
		    ph.p_align && ph.p_align <= 4096 && !(ph.p_align & (ph.p_align - 1)))
			below = ((ph.p_memsz + ph.p_align - 1) & ~(ph.p_align - 1)) - offset;
	elf_end(elf);
	return below;
}

uint16_t haproxy__find(uint32_t pid)
{
	struct elf_symbol y[] = {{.name = "th_ctx"}, {.name = "ha_thread_ctx"}, {.name = "process_stream"}};
	const int n = sizeof(y) / sizeof(*y);
	uint64_t below = 0;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (elf_symbols__find(fd, y, (size_t)n) == n)
		below = tls__below(fd, y[0].address);
	close(fd);
	return below % 8 || below / 8 > UINT16_MAX ? 0 : (uint16_t)(below / 8);
}
