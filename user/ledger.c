// SPDX-License-Identifier: Apache-2.0
#include "ledger.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "util/log.h"

static const struct {
	enum ws_counter made, lost;
	enum ws_rec_type type;
	const char *name;
} kinds[] = {
	{WS_CNT_made_data, WS_CNT_lost_data, WS_REC_DATA, "data"},
	{WS_CNT_made_conn, WS_CNT_lost_conn, WS_REC_CONN, "connection"},
	{WS_CNT_made_close, WS_CNT_lost_close, WS_REC_CLOSE, "close"},
	{WS_CNT_made_proc, WS_CNT_lost_proc, WS_REC_PROC, "process"},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static uint64_t rss_bytes(void)
{
	unsigned long total = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%lu %lu", &total, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

double ledger__cpu_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
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
		.rss_bytes = rss_bytes(),
		.map_bytes = l->map_bytes,
	};
	for (size_t i = 0; i < KINDS; i++) {
		t->records_made += l->kernel[kinds[i].made];
		t->records_lost += l->kernel[kinds[i].lost];
		t->records_seen += l->capture->seen[kinds[i].type];
	}
}

/* What is seldom other than 0: told only then. */
static void ledger__log_rare(const struct ledger *l)
{
	static const char *const texts[] = {
#define X(name, text) text,
		WS_COUNTERS(X)
#undef X
	};
	static const enum ws_counter rare[] = {
		WS_CNT_cut_max,		WS_CNT_ignored,	       WS_CNT_no_socket_storage,
		WS_CNT_no_task_storage, WS_CNT_processes_full, WS_CNT_missed_runs,
	};
	const struct {
		uint64_t n;
		const char *text;
	} ours[] = {
		{l->conn->evicted, "connections forgotten: too many at once"},
		{l->conn->unknown, "transfers on connections that no record told of"},
		{l->conn->duplicates, "transfers told twice, or too late"},
		{l->exchange->timeout, "exchanges open at the end, or given up"},
		{l->link->evicted, "spans decided early: too many were waiting"},
	};

	for (size_t i = 0; i < sizeof(rare) / sizeof(*rare); i++)
		if (l->kernel[rare[i]])
			log__info("%s: %llu", texts[rare[i]], (unsigned long long)l->kernel[rare[i]]);
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (ours[i].n)
			log__info("%s: %llu", ours[i].text, (unsigned long long)ours[i].n);
}

void ledger__log(const struct ledger *l)
{
	const struct exchange_counters *x = l->exchange;
	const struct link_counters *k = l->link;
	struct view_truth t;

	ledger__truth(l, &t);
	for (size_t i = 0; i < KINDS; i++)
		if (l->kernel[kinds[i].made] != l->capture->seen[kinds[i].type] + l->kernel[kinds[i].lost])
			log__warn("%s records do not add up: made %llu, seen %llu, lost %llu", kinds[i].name,
				  (unsigned long long)l->kernel[kinds[i].made],
				  (unsigned long long)l->capture->seen[kinds[i].type],
				  (unsigned long long)l->kernel[kinds[i].lost]);
	log__info("records: made %llu = seen %llu + lost %llu (ring full); malformed %llu; payload shed from %llu, "
		  "no address %llu, unreadable %llu; gaps %llu (%llu bytes)",
		  (unsigned long long)t.records_made, (unsigned long long)t.records_seen,
		  (unsigned long long)t.records_lost, (unsigned long long)l->capture->malformed,
		  (unsigned long long)l->kernel[WS_CNT_shed_payload], (unsigned long long)l->kernel[WS_CNT_no_address],
		  (unsigned long long)l->kernel[WS_CNT_fault], (unsigned long long)l->conn->gaps,
		  (unsigned long long)l->conn->gap_bytes);
	ledger__log_rare(l);
	if (t.records_lost)
		log__warn("the ring buffer was too small: raise --ring-size");
	log__info("exchanges: %llu; touched by loss %llu, truncated %llu, without response %llu, without request %llu; "
		  "undecodable bytes %llu",
		  (unsigned long long)t.exchanges, (unsigned long long)t.lost, (unsigned long long)t.truncated,
		  (unsigned long long)x->no_response, (unsigned long long)x->no_request,
		  (unsigned long long)l->decode->undecodable_bytes);
	log__info("spans: made %llu; parent unknown %llu, candidates refused %llu, header conflicts %llu, decided early %llu",
		  (unsigned long long)k->spans, (unsigned long long)t.unlinked, (unsigned long long)k->rejected,
		  (unsigned long long)k->conflicts, (unsigned long long)k->evicted);
	if (l->export)
		log__info("export: spans %llu = exported %llu + rejected %llu + dropped %llu (queue full) + %llu (gave up) "
			  "+ queued %llu",
			  (unsigned long long)l->export->spans, (unsigned long long)l->export->exported,
			  (unsigned long long)l->export->rejected, (unsigned long long)l->export->dropped_queue,
			  (unsigned long long)l->export->dropped_retry, (unsigned long long)l->export->queued);
	log__info("agent: %.2f us CPU an exchange, %.1f MiB resident, BPF maps %.1f MiB", t.agent_us_per_exchange,
		  (double)t.rss_bytes / 1048576, (double)t.map_bytes / 1048576);
}
