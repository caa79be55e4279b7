/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.h - the counters of all stages side by side: made = exported + sampled out + lost, for
 * records, exchanges and spans. One table (table.c) says what each counter is called; the log at
 * the end (ledger.c) and the metrics (prometheus.c) are both printed from it.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include "attach/attach.h"
#include "capture/capture.h"
#include "conn/conn.h"
#include "export/export.h"
#include "gap/gap.h"
#include "meta/meta.h"
#include "sample/sample.h"
#include "sample/shed.h"
#include "view/view.h"

#define LEDGER_PROGRAMS 64

/* What no stage counts. */
struct agent_counters {
	uint64_t cpu_ns, started_ns; /* CPU time of this process; when it began (wall clock) */
	uint64_t rss_bytes, map_bytes;
	uint64_t ring_bytes, ring_fill_bytes;
	uint64_t ticks; /* turns of the loop's timer */
};

struct ledger {
	uint64_t kernel[WS_CNT_MAX];
	const struct capture_counters *capture;
	const struct conn_counters *conn;
	const struct decode_counters *decode;
	const struct exchange_counters *exchange;
	const struct link_counters *link;
	const struct sample_counters *sample;
	const struct export_counters *export; /* NULL: no exporter */
	struct meta_counters meta;
	struct shed_counters shed;
	struct gap_counters gap;
	struct agent_counters agent;
	struct attach_program programs[LEDGER_PROGRAMS];
	size_t n_programs;	/* 0: not asked for, or kernel.bpf_stats_enabled is off */
	double cpu_us_at_start; /* spent before the first event: loading, attaching */
};

/* CPU time of this process so far, us. */
double ledger__cpu_us(void);
/* cpu_ns, started_ns and rss_bytes. */
void ledger__measure(struct agent_counters *a);

void ledger__truth(const struct ledger *l, struct view_truth *t);
/* On stderr: a line an account, one for each rare trouble; a warning where an account does not add up. */
void ledger__log(const struct ledger *l);
/* The account that does not add up: its name, what was made and what became of it. NULL: all do. At the end only. */
const char *ledger__check(const struct ledger *l, uint64_t *made, uint64_t *ended);

/* --- the table --- */

/* Lines of the log, in this order. RARE: a line of its own if it is not 0. */
enum ledger_line { LINE_NONE, LINE_RECORDS, LINE_EXCHANGES, LINE_SPANS, LINE_SAMPLED, LINE_EXPORT, LINE_SPOOL, LINE_RARE };
/* What must add up: the sum of all MADE is that of all ENDED. */
enum ledger_account { NO_ACCOUNT, ACCOUNT_RECORDS, ACCOUNT_EXCHANGES, ACCOUNT_SPANS, ACCOUNT_EXPORT, ACCOUNTS };
enum ledger_side { NO_SIDE, MADE, ENDED };
enum ledger_type { COUNTER, GAUGE };

struct ledger_row {
	/* The metric: rows of one name follow each other, and the first one has its help. */
	const char *name, *labels, *help;
	enum ledger_type type;
	/* Where it stands: a member of what `of` returns; NULL there: the row does not exist. */
	const void *(*of)(const struct ledger *l);
	size_t offset;
	/* Several numbers side by side, `stride` apart: told apart by label, and added up in the log. */
	size_t n, stride; /* n 0: one, or as many as count() says */
	size_t (*count)(const struct ledger *l);
	const char *label;
	const char *(*label_of)(const struct ledger *l, size_t i);
	double unit; /* 0: as it is; else what one is worth: 1e-9 for nanoseconds told as seconds */
	enum ledger_line line;
	const char *log; /* words of the line, # for the number; RARE: words before it */
	enum ledger_account account;
	enum ledger_side side;
};

extern const struct ledger_row ledger_rows[];
extern const size_t ledger_rows_n;

/* How many numbers this row has now. */
size_t ledger_row__count(const struct ledger_row *r, const struct ledger *l);
uint64_t ledger_row__value(const struct ledger_row *r, const struct ledger *l, size_t i);

#endif
