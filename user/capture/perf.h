/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perf.h - records from perf buffers, one a CPU, put back into the order in which they were made.
 *
 * Each buffer is in order by itself. A record is held until everything made before it must have been
 * read: until the read after the one that found it, or until a read finds nothing new.
 */
#ifndef CAPTURE_PERF_H
#define CAPTURE_PERF_H

#include <stddef.h>

struct perf_source;
/* As of ring_buffer_sample_fn; what it returns is ignored. */
typedef int perf_source_fn(void *ctx, void *p, size_t n);

/* map_fd: BPF_MAP_TYPE_PERF_EVENT_ARRAY, borrowed; bytes: of all buffers together. NULL with errno. */
struct perf_source *perf_source__new(int map_fd, size_t bytes, perf_source_fn *fn, void *ctx);
void perf_source__free(struct perf_source *s);
int perf_source__fd(const struct perf_source *s);
/* Passes on what is due. 0 or -errno. */
int perf_source__read(struct perf_source *s);
/* Records that are held yet: none after a read that finds nothing new. */
size_t perf_source__held(const struct perf_source *s);

#endif
