/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.h - the counters of all stages side by side: made = seen + lost, and what became of it. */
#ifndef LEDGER_H
#define LEDGER_H

#include "capture/capture.h"
#include "conn/conn.h"
#include "export/export.h"
#include "view/view.h"

struct ledger {
	uint64_t kernel[WS_CNT_MAX];
	const struct capture_counters *capture;
	const struct conn_counters *conn;
	const struct decode_counters *decode;
	const struct exchange_counters *exchange;
	const struct link_counters *link;
	const struct export_counters *export; /* NULL: no exporter */
	uint64_t map_bytes;
	double cpu_us_at_start; /* spent before the first event: loading, attaching */
};

/* CPU time of this process so far, us. */
double ledger__cpu_us(void);

void ledger__truth(const struct ledger *l, struct view_truth *t);
/* On stderr: one line for the records, one for the exchanges, one for the spans; a warning where they do not add up. */
void ledger__log(const struct ledger *l);

#endif
