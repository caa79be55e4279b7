// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/* existing_walk.bpf.c - the iterators of existing.bpf.c over files, for kernels before 5.11. */
#define WS_UNTRUSTED
#include "existing.bpf.h"

SEC("iter/task_file")
int existing__select_walk(struct bpf_iter__task_file *ctx)
{
	return existing__select_file(ctx->task, ctx->file);
}

SEC("iter/task_file")
int existing__sockets_walk(struct bpf_iter__task_file *ctx)
{
	return existing__announce_file(ctx, ctx->task, ctx->file);
}
