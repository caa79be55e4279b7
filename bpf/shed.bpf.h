/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * shed.bpf.h - what is left out while the agent sheds load, and that it was: user space moves the
 * switches (user/agent/govern.c), each transfer is asked about here.
 *
 * A pause begins on a connection with its next request, so that exchanges under way are told to their
 * end; it ends at once. So does the tracing of a process that is not selected any more (WS_SELECTED_LEAVING).
 * Nothing is announced that is not told, and the first record after shows a gap.
 */
#ifndef SHED_BPF_H
#define SHED_BPF_H

#include "payload.bpf.h"

extern __u32 shed_paused; /* tracing pauses */
extern __u32 shed_low;	  /* connections that nobody understands are passed over */
extern __u32 shed_head;	  /* bytes of a head at most; 0: as the budget says */

static __always_inline bool shed__begins_request(const struct transfer *x)
{
	return x->turned && x->dir == (x->s->role == WS_ROLE_CONNECTED ? WS_DIR_OUT : WS_DIR_IN);
}

/*
 * Sizes alone are told of what nobody understands. An event loop's reads are told still: link must know
 * that the loop turned to something else.
 */
static __always_inline bool shed__is_low(const struct transfer *x)
{
	if (!shed_low || x->s->flow[x->dir & 1].budget.mode != WS_BUDGET_SIZES)
		return false;
	return x->dir == WS_DIR_OUT || (!x->watched && !x->t->polls);
}

/* True: no record of this transfer; it was counted. */
static __always_inline bool shed__hides(struct transfer *x)
{
	const bool leaving = x->t->selected == WS_SELECTED_LEAVING;
	struct ws_sock *s = x->s;
	bool begins;

	x->turned = s->last_dir != x->dir;
	begins = shed__begins_request(x);
	if (!shed_paused && !leaving)
		s->hidden = 0;
	else if (begins || s->last_dir == 2)
		s->hidden = 1;
	if (!s->hidden && !shed__is_low(x))
		return false;
	s->last_dir = x->dir;
	s->shed |= 1 << (x->dir & 1);
	if (leaving)
		return true; /* it is not selected: nothing is left out for load */
	emit__count(WS_CNT_sampled_data, 1);
	emit__count(WS_CNT_sampled_bytes, x->wire_len);
	if (begins)
		emit__count(WS_CNT_sampled_exchanges, 1);
	return true;
}

/* Told by the record that follows. */
static __always_inline __u16 shed__flags(const struct transfer *x)
{
	__u8 bit = 1 << (x->dir & 1);

	if (!(x->s->shed & bit))
		return 0;
	x->s->shed &= ~bit;
	return WS_DATA_SHED | (x->turned ? WS_DATA_TURNED : 0);
}

#endif
