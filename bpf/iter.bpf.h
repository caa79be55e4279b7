/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * iter.bpf.h - struct iov_iter of every kernel: where a socket call's bytes are in user memory.
 *
 *   before 5.14  the type is in `type`, together with the direction in bit 0 (8cd54c1c8480)
 *   before 6.0   one plain buffer is a vector of one (ITER_UBUF: fcb14cb1bdac)
 *   before 6.4   the vector is `iov`, not `__iov` (747b1f65d39a)
 */
#ifndef ITER_BPF_H
#define ITER_BPF_H

#include "core.bpf.h"

struct iov_iter___5_13 {
	unsigned int type;
} __attribute__((preserve_access_index));

struct iov_iter___6_3 {
	const struct iovec *iov;
} __attribute__((preserve_access_index));

static __always_inline __u32 iter__type(const struct iov_iter *it)
{
	if (bpf_core_field_exists(it->iter_type))
		return it->iter_type;
	return ((const struct iov_iter___5_13 *)it)->type & ~1u;
}

static __always_inline bool iter__is_buffer(const struct iov_iter *it)
{
	return bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	       iter__type(it) == bpf_core_enum_value(enum iter_type, ITER_UBUF);
}

/* Where it stands. In 6.0 to 6.3 the verifier takes ubuf for the vector that it shares its place with, no number. */
static __always_inline __u64 iter__buffer(const struct iov_iter *it)
{
	__u64 at = bpf_core_field_exists(it->__iov) ? (__u64)it->ubuf : (__u64)BPF_CORE_READ(it, ubuf);

	return at + it->iov_offset;
}

static __always_inline bool iter__is_vector(const struct iov_iter *it)
{
	return iter__type(it) == bpf_core_enum_value(enum iter_type, ITER_IOVEC);
}

/* The kernel's copy of the vector. */
static __always_inline __u64 iter__vector(const struct iov_iter *it)
{
	if (bpf_core_field_exists(it->__iov))
		return (__u64)it->__iov;
	return (__u64)((const struct iov_iter___6_3 *)it)->iov;
}

static __always_inline __u32 iter__vectors(const struct iov_iter *it)
{
	return it->nr_segs < 0xffff ? it->nr_segs : 0xffff;
}

#endif
