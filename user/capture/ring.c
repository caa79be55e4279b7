// SPDX-License-Identifier: Apache-2.0
#include "capture/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "wirespan/record.h"

#define TAIL 65536
/* What is reserved for a vector's record is twice its payload (payload.bpf.h). */
_Static_assert(sizeof(struct ws_rec_data) + 2 * WS_PAYLOAD_MAX + BPF_RINGBUF_HDR_SZ <= TAIL, "a record may be larger");

struct ring_source {
	int fd;
	size_t bytes, page, mapped;
	unsigned long *consumer; /* a page that we may write; positions only grow */
	const unsigned long *producer; /* a page, and then the data */
	char *data;
	ring_source_fn *fn;
	void *ctx;
};

struct ring_source *ring_source__new(int map_fd, size_t bytes, ring_source_fn *fn, void *ctx)
{
	struct ring_source *s = calloc(1, sizeof(*s));
	void *p;

	if (!s)
		return NULL;
	s->page = (size_t)sysconf(_SC_PAGESIZE);
	s->fd = map_fd;
	s->bytes = bytes;
	s->fn = fn;
	s->ctx = ctx;
	p = mmap(NULL, s->page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (p == MAP_FAILED)
		goto fail;
	s->consumer = p;
	s->mapped = s->page + bytes + (bytes < TAIL ? bytes : TAIL);
	p = mmap(NULL, s->mapped, PROT_READ, MAP_SHARED, map_fd, (off_t)s->page);
	if (p == MAP_FAILED)
		goto fail;
	s->producer = p;
	s->data = (char *)p + s->page;
	return s;
fail:
	ring_source__free(s);
	return NULL;
}

void ring_source__free(struct ring_source *s)
{
	int saved = errno;

	if (!s)
		return;
	if (s->consumer)
		munmap(s->consumer, s->page);
	if (s->producer)
		munmap((void *)s->producer, s->mapped);
	free(s);
	errno = saved;
}

int ring_source__fd(const struct ring_source *s)
{
	return s->fd;
}

/* The record at this position, or NULL: it is still being written. *n: what it takes of the ring. */
static const uint32_t *ring__record(const struct ring_source *s, unsigned long at, unsigned long *n)
{
	const uint32_t *head = (const uint32_t *)(s->data + (at & (s->bytes - 1)));
	uint32_t length = __atomic_load_n(head, __ATOMIC_ACQUIRE);

	if (length & BPF_RINGBUF_BUSY_BIT)
		return NULL;
	*n = ((length & ~BPF_RINGBUF_DISCARD_BIT) + BPF_RINGBUF_HDR_SZ + 7ul) & ~7ul;
	return head;
}

void ring_source__read(struct ring_source *s)
{
	unsigned long at = __atomic_load_n(s->consumer, __ATOMIC_ACQUIRE), end, n;
	const uint32_t *head;
	int rc = 0;

	/* The producer's position is looked at again after what was there: the kernel sends no second word of it. */
	while (rc >= 0 && at < (end = __atomic_load_n(s->producer, __ATOMIC_ACQUIRE))) {
		for (; rc >= 0 && at < end; at += n) {
			head = ring__record(s, at, &n);
			if (!head)
				return;
			if (!(*head & BPF_RINGBUF_DISCARD_BIT))
				rc = s->fn(s->ctx, (char *)head + BPF_RINGBUF_HDR_SZ, *head);
			__atomic_store_n(s->consumer, at + n, __ATOMIC_RELEASE);
		}
	}
}
