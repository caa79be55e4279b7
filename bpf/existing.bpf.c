// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * existing.bpf.c - what was there before us, by iterators that user space runs once at the start:
 *   existing__listeners  every listening port of the caller's network namespace
 *   existing__select     which running processes are selected (rules and ports)
 *   existing__sockets    the connections that these have open
 */
#include "existing.bpf.h"

SEC("iter/tcp")
int existing__listeners(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_sock *tp;

	if (!skc || skc->skc_state != TCP_LISTEN)
		return 0;
	tp = bpf_skc_to_tcp_sock(skc);
	if (tp)
		listener__add((struct sock *)tp, false);
	return 0;
}

SEC("iter/task_file")
int existing__select(struct bpf_iter__task_file *ctx)
{
	return existing__select_file(ctx->task, ctx->file);
}

SEC("iter/task_file")
int existing__sockets(struct bpf_iter__task_file *ctx)
{
	return existing__announce_file(ctx, ctx->task, ctx->file);
}
