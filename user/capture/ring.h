/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.h - records from the BPF ring buffer (Documentation/bpf/ringbuf.rst).
 *
 * As libbpf's ring_buffer, but the data is mapped once and a little more, not twice: of the second mapping,
 * which is there for records that reach over the end, one record's length is enough. Half of the agent's
 * resident memory was the other pages of it.
 */
#ifndef CAPTURE_RING_H
#define CAPTURE_RING_H

#include <stddef.h>

struct ring_source;
/* Below 0: no more now; the record has been taken nevertheless. */
typedef int ring_source_fn(void *ctx, void *p, size_t n);

/* map_fd: BPF_MAP_TYPE_RINGBUF of so many bytes; borrowed, and readable when there is something to read. NULL with errno. */
struct ring_source *ring_source__new(int map_fd, size_t bytes, ring_source_fn *fn, void *ctx);
void ring_source__free(struct ring_source *s);
int ring_source__fd(const struct ring_source *s);
/* Passes on what is there. */
void ring_source__read(struct ring_source *s);

#endif
