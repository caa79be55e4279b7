/* SPDX-License-Identifier: Apache-2.0 */
/* measure.c - what the kernel counted, and what our maps and programs cost there. Contract: attach.h. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attach/state.h"
#include "util/proc.h"

/* Programs that the kernel skipped because they were running on that CPU already: bpf_prog_inc_misses_counter(). */
static uint64_t attach__missed(const struct attach *a)
{
	struct bpf_program *p;
	uint64_t sum = 0;

	bpf_object__for_each_program(p, a->skel->obj) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (bpf_program__fd(p) >= 0 && bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &size) == 0)
			sum += info.recursion_misses;
	}
	return sum;
}

void attach__counters(struct attach *a, uint64_t value[WS_CNT_MAX])
{
	size_t one = sizeof(uint64_t) * WS_CNT_MAX, size = one * (size_t)a->cpus;
	uint64_t *per_cpu = calloc(1, size);
	uint32_t zero = 0;

	memset(value, 0, one);
	if (per_cpu && bpf_map__lookup_elem(a->skel->maps.counters, &zero, sizeof(zero), per_cpu, size, 0) == 0)
		for (size_t i = 0; i < (size_t)a->cpus * WS_CNT_MAX; i++)
			value[i % WS_CNT_MAX] += per_cpu[i];
	free(per_cpu);
	value[WS_CNT_processes_full] += a->full;
	value[WS_CNT_budgets_full] += a->budgets_full;
	value[WS_CNT_programs_full] += a->programs_full;
	value[WS_CNT_tasks_evicted] = attach__evicted(a, value[WS_CNT_tasks_evicted]);
	value[WS_CNT_missed_runs] = attach__missed(a);
}

/* "memlock:" of a map's fdinfo: what bpf_map_memory_usage() says (6.4), an estimate before. */
static uint64_t map__bytes(int fd)
{
	unsigned long long n = 0;
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	proc__scan(path, "memlock: %llu", &n);
	return n;
}

uint64_t attach__map_bytes(const struct attach *a)
{
	struct bpf_map *m;
	uint64_t sum = (uint64_t)a->node_waits * a->node_waits_each * a->node_wait_size;

	bpf_object__for_each_map(m, a->skel->obj)
		if (bpf_map__fd(m) >= 0)
			sum += map__bytes(bpf_map__fd(m));
	return sum;
}

/* The positions of reader and writer are the first words of the ring's first two pages (kernel/bpf/ringbuf.c). */
uint64_t attach__ring_fill(const struct attach *a)
{
	long page = sysconf(_SC_PAGESIZE);
	uint64_t at[2] = {0, 0};

	for (int i = 0; i < 2; i++) {
		void *p = mmap(NULL, (size_t)page, PROT_READ, MAP_SHARED, attach__ring_fd(a), i * page);

		if (p == MAP_FAILED)
			return 0;
		at[i] = __atomic_load_n((uint64_t *)p, __ATOMIC_ACQUIRE);
		munmap(p, (size_t)page);
	}
	return at[1] - at[0];
}

size_t attach__programs(const struct attach *a, struct attach_program *v, size_t max)
{
	struct bpf_program *p;
	size_t n = 0;

	bpf_object__for_each_program(p, a->skel->obj) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (n == max || bpf_program__fd(p) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &size))
			continue;
		snprintf(v[n].name, sizeof(v[n].name), "%s", bpf_program__name(p));
		v[n].run_ns = info.run_time_ns;
		v[n++].runs = info.run_cnt;
	}
	return n;
}
