// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/* python.bpf.c - walks the structures of CPython, whose offsets user space tells; see python.bpf.h. */
#include "python.bpf.h"

#define THREADS_MAX 256 /* as far as the list is walked */

#define FRAMES_MAX 48
#define OBJECT_TYPE 8 /* PyObject.ob_type */

struct python_written python_written SEC(".maps");
struct python_items python_items SEC(".maps");
__u32 python_written_full = 0;

static __always_inline __u64 word(__u64 at)
{
	__u64 v = 0;

	bpf_probe_read_user(&v, sizeof(v), (void *)at);
	return v;
}

__u64 python__state(__u64 tgid, __u64 pointer)
{
	__u32 key = tgid;
	struct ws_python *p = bpf_map_lookup_elem(&python_programs, &key);
	__u64 state;
	int i;

	if (!p)
		return 0;
	state = word(word(p->interpreter) + p->threads);
	for (i = 0; i < THREADS_MAX && state; i++) {
		if (word(state + p->thread_id) == pointer)
			return state;
		state = word(state + p->next);
	}
	return PYTHON_NONE;
}

__u64 python__context(__u64 tgid, __u64 pointer, __u64 state)
{
	__u32 key = tgid;
	struct ws_python *p = bpf_map_lookup_elem(&python_programs, &key);

	if (!p || word(state + p->thread_id) != pointer) /* it was freed */
		return PYTHON_NONE;
	return word(state + p->context);
}

__u64 python__sends(__u64 tgid, __u64 cookie, __u64 context, __u64 watched)
{
	__u32 key = tgid;
	struct ws_python *p = bpf_map_lookup_elem(&python_programs, &key);
	__u64 *written;

	if (!p || !p->sends_later)
		return context;
	written = bpf_map_lookup_elem(&python_written, &cookie);
	if (!written)
		return watched ? 0 : context;
	context = *written == PYTHON_NONE ? 0 : *written;
	bpf_map_delete_elem(&python_written, &cookie);
	return context;
}

/* _WorkItem.run(self) calls the function that was submitted: its frame is one of those below the one that runs. */
__u64 python__item(__u64 tgid, __u64 state)
{
	__u32 key = tgid;
	struct ws_python *p = bpf_map_lookup_elem(&python_programs, &key);
	struct python_item item = {.tgid = tgid};
	__u64 frame, class, *type;
	int i;

	if (!p || !p->frame || !state)
		return 0;
	frame = word(state + p->frame);
	if (p->held)
		frame = word(frame + p->held - 1);
	for (i = 0; i < FRAMES_MAX && frame; i++) {
		item.item = word(frame + p->locals);
		class = word(item.item + OBJECT_TYPE);
		type = bpf_map_lookup_elem(&python_items, &item);
		if (type && class == *type)
			return item.item | PYTHON_ITEM;
		if (class && class == p->item_type) {
			emit__count(WS_CNT_items_forgotten, 1);
			return 0;
		}
		frame = word(frame + p->previous);
	}
	return 0;
}
