// SPDX-License-Identifier: Apache-2.0
/* ledger.c - the log at the end, and whether the accounts add up. Contract: ledger.h. */
#include "ledger/ledger.h"

#include <stdio.h>
#include <stdlib.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/process_use.h"

void ledger__measure(struct agent_counters *a)
{
	a->cpu_ns = clock__ns(CLOCK_PROCESS_CPUTIME_ID);
	a->rss_bytes = process_use__rss();
	if (!a->started_ns)
		a->started_ns = clock__ns(CLOCK_REALTIME);
}

double ledger__cpu_us(void)
{
	return (double)clock__ns(CLOCK_PROCESS_CPUTIME_ID) / 1e3;
}

static uint64_t row__sum(const struct ledger_row *r, const struct ledger *l)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ledger_row__count(r, l); i++)
		sum += ledger_row__value(r, l, i);
	return sum;
}

static void account__sum(const struct ledger *l, enum ledger_account account, uint64_t sum[ENDED + 1])
{
	sum[MADE] = sum[ENDED] = 0;
	for (size_t i = 0; i < ledger_rows_n; i++)
		if (ledger_rows[i].account == account)
			sum[ledger_rows[i].side] += row__sum(&ledger_rows[i], l);
}

const char *ledger__check(const struct ledger *l, uint64_t *made, uint64_t *ended)
{
	static const char *const names[ACCOUNTS] = {NULL, "records", "exchanges", "spans", "spans given to the exporter"};
	uint64_t sum[ENDED + 1];

	for (int account = ACCOUNT_RECORDS; account < ACCOUNTS; account++) {
		account__sum(l, account, sum);
		*made = sum[MADE];
		*ended = sum[ENDED];
		if (*made != *ended)
			return names[account];
	}
	return NULL;
}

void ledger__truth(const struct ledger *l, struct view_truth *t)
{
	const struct exchange_counters *x = l->exchange;

	*t = (struct view_truth){
		.exchanges = x->ended - x->silent,
		.lost = x->lost,
		.truncated = x->cut,
		.unlinked = l->link->by_evidence[EV_UNKNOWN],
		.spans = l->link->spans,
		.agent_us_per_exchange = x->ended ? (ledger__cpu_us() - l->cpu_us_at_start) / (double)x->ended : 0,
		.rss_bytes = l->agent.rss_bytes,
		.map_bytes = l->agent.map_bytes,
	};
	for (int i = 0; i < WS_REC_KERNEL_MAX - WS_REC_DATA; i++) {
		t->records_made += l->kernel[WS_CNT_made_data + i];
		t->records_lost += l->kernel[WS_CNT_lost_data + i];
		t->records_seen += l->capture->seen[WS_REC_DATA + i];
	}
}

static void ledger__log_line(const struct ledger *l, enum ledger_line line, const char *title)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	bool any = false;

	if (!f)
		return;
	for (size_t i = 0; i < ledger_rows_n; i++) {
		const struct ledger_row *r = &ledger_rows[i];
		const char *number = r->line == line ? strchr(r->log, '#') : NULL;

		if (!number || !r->of(l))
			continue;
		any = true;
		fprintf(f, "%.*s%llu%s", (int)(number - r->log), r->log, (unsigned long long)row__sum(r, l), number + 1);
	}
	fclose(f);
	if (any)
		log__info("%s: %s", title, text);
	free(text);
}

/* What is seldom other than 0: told only then. */
static void ledger__log_rare(const struct ledger *l)
{
	for (size_t i = 0; i < ledger_rows_n; i++) {
		const struct ledger_row *r = &ledger_rows[i];
		uint64_t n = r->line == LINE_RARE ? row__sum(r, l) : 0;

		if (n)
			log__info("%s: %llu", r->log, (unsigned long long)n);
	}
}

void ledger__log(const struct ledger *l)
{
	struct view_truth t;
	uint64_t made, ended;
	const char *wrong = ledger__check(l, &made, &ended);

	ledger__truth(l, &t);
	if (wrong)
		log__warn("%s do not add up: made %llu, accounted for %llu", wrong, (unsigned long long)made,
			  (unsigned long long)ended);
	ledger__log_line(l, LINE_RECORDS, "records");
	ledger__log_rare(l);
	if (t.records_lost)
		log__warn("the ring buffer was too small: raise --ring-size");
	ledger__log_line(l, LINE_EXCHANGES, "exchanges");
	ledger__log_line(l, LINE_SPANS, "spans");
	if (l->shed.steps_up)
		ledger__log_line(l, LINE_SAMPLED, "sampled out");
	ledger__log_line(l, LINE_EXPORT, "export");
	ledger__log_line(l, LINE_SPOOL, "spool");
	log__info("agent: %.2f us CPU an exchange, %.1f MiB resident, BPF maps %.1f MiB", t.agent_us_per_exchange,
		  (double)t.rss_bytes / 1048576, (double)t.map_bytes / 1048576);
}
