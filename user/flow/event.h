/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.h - capture -> conn: one record of the kernel (or of a recording) whose size and fields
 * have been checked. Pointers are valid during the call only.
 */
#ifndef FLOW_EVENT_H
#define FLOW_EVENT_H

#include <linux/types.h>

#include "util/slice.h"
#include "wirespan/record.h"

struct event {
	enum ws_rec_type type;
	union {
		const struct ws_rec *head;
		const struct ws_rec_data *data;
		const struct ws_rec_conn *conn;
		const struct ws_rec_close *close;
		const struct ws_rec_proc *proc;
		const struct ws_rec_tie *tie;
		const struct ws_rec_handed *handed;
		const struct ws_rec_meta *meta;
		const struct ws_rec_clock *clock;
		const struct ws_rec_counters *counters;
	};
	struct slice text; /* DATA: payload; PROC: path; META: key=value strings; else empty */
};

typedef void event_fn(void *ctx, const struct event *e);

#endif
