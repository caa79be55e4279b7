// SPDX-License-Identifier: Apache-2.0
/*
 * test_ledger.c - the table of the ledger: every counter is in it, accounts add up or are named, and
 * what is printed as metrics holds what the counters hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "decode/decode.h"
#include "ledger/metrics.h"

struct stages {
	struct capture_counters capture;
	struct conn_counters conn;
	struct decode_counters decode;
	struct exchange_counters exchange;
	struct link_counters link;
	struct sample_counters sample;
	struct export_counters export;
	struct ledger l;
};

static int setup(void **state)
{
	struct stages *s = calloc(1, sizeof(*s));

	s->l.capture = &s->capture;
	s->l.conn = &s->conn;
	s->l.decode = &s->decode;
	s->l.exchange = &s->exchange;
	s->l.link = &s->link;
	s->l.sample = &s->sample;
	s->l.export = &s->export;
	s->export.spool.written = 1; /* else it has no rows */
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static char *printed(const struct ledger *l)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	prometheus__print(f, l);
	fclose(f);
	return text;
}

static void balanced(void **state)
{
	struct stages *s = *state;
	uint64_t made, ended;

	assert_null(ledger__check(&s->l, &made, &ended));
	s->l.kernel[WS_CNT_made_data] = 10;
	s->l.kernel[WS_CNT_made_proc] = 2;
	s->l.kernel[WS_CNT_lost_data] = 3;
	s->capture.seen[WS_REC_DATA] = 6;
	s->capture.seen[WS_REC_PROC] = 2;
	s->capture.malformed = 1;
	assert_null(ledger__check(&s->l, &made, &ended));
	s->exchange.seen = 9;
	s->exchange.open = 1;
	s->link.waiting = 2;
	s->link.silent = 1;
	s->link.no_request = 1;
	s->link.spans = 4;
	s->sample.kept = 2;
	s->sample.out_hash = 1;
	s->sample.out_pause = 1;
	s->export.spans = 4;
	s->export.exported = 1;
	s->export.rejected = 1;
	s->export.dropped_queue = 1;
	s->export.queued = 1;
	assert_null(ledger__check(&s->l, &made, &ended));
	s->l.export = NULL; /* its rows are not there */
	assert_null(ledger__check(&s->l, &made, &ended));
}

/* One more or one less anywhere is found, with its account. */
static void unbalanced(void **state)
{
	struct stages *s = *state;
	uint64_t made, ended;

	for (size_t i = 0; i < ledger_rows_n; i++) {
		const struct ledger_row *r = &ledger_rows[i];
		uint64_t *counter = (uint64_t *)((char *)r->of(&s->l) + r->offset);

		if (r->account == NO_ACCOUNT)
			continue;
		(*counter)++;
		assert_non_null(ledger__check(&s->l, &made, &ended));
		/* Spans are in two accounts, of which one complains first. */
		assert_true(r->of(&s->l) == &s->link || (r->side == MADE ? made == ended + 1 : ended == made + 1));
		(*counter)--;
		assert_null(ledger__check(&s->l, &made, &ended));
	}
}

/* Rows of one name stand together; the first has the help and they agree on the type; words of the log have their number. */
static void rows(void **state)
{
	for (size_t i = 0; i < ledger_rows_n; i++) {
		const struct ledger_row *r = &ledger_rows[i], *before = i ? r - 1 : NULL;
		bool first = !before || strcmp(before->name, r->name) != 0;

		assert_int_equal(first, r->help != NULL);
		assert_true(first || before->type == r->type);
		assert_int_equal((r->log != NULL), r->line != LINE_NONE);
		if (r->line != LINE_NONE && r->line != LINE_RARE)
			assert_non_null(strchr(r->log, '#'));
		assert_int_equal(r->account != NO_ACCOUNT, r->side != NO_SIDE);
		for (size_t j = 0; first && j < i; j++)
			assert_string_not_equal(ledger_rows[j].name, r->name);
	}
}

/* Every counter of the kernel is told by some row. */
static void kernel_is_told(void **state)
{
	struct stages *s = *state;

	for (int c = 0; c < WS_CNT_MAX; c++) {
		bool told = false;

		memset(s->l.kernel, 0, sizeof(s->l.kernel));
		s->l.kernel[c] = 1;
		for (size_t i = 0; i < ledger_rows_n && !told; i++)
			for (size_t j = 0; ledger_rows[i].of(&s->l) == s->l.kernel && j < ledger_row__count(&ledger_rows[i], &s->l); j++)
				told |= ledger_row__value(&ledger_rows[i], &s->l, j) == 1;
		if (!told)
			fail_msg("kernel counter %d is in no row", c);
	}
}

static void metrics_text(void **state)
{
	struct stages *s = *state;
	char *text;

	s->link.by_evidence[EV_HEADER] = 7;
	s->l.agent.cpu_ns = 1500000000;
	s->l.agent.started_ns = 1795295485600000000;
	s->decode.ok[1] = 5;
	s->l.n_programs = 1;
	snprintf(s->l.programs[0].name, sizeof(s->l.programs[0].name), "io__sent");
	s->l.programs[0].run_ns = 2000;
	s->l.programs[0].runs = 4;
	text = printed(&s->l);
	assert_non_null(strstr(text, "\nwirespan_spans_linked_total{evidence=\"header\"} 7\n"));
	assert_non_null(strstr(text, "\nwirespan_agent_cpu_seconds_total 1.5\n"));
	assert_non_null(strstr(text, "\nwirespan_agent_start_time_seconds 1795295485.6\n"));
	assert_non_null(strstr(text, "\nwirespan_messages_total{protocol=\"postgresql\"} 5\n"));
	assert_non_null(strstr(text, "\nwirespan_bpf_program_run_seconds_total{program=\"io__sent\"} 2e-06\n"));
	assert_non_null(strstr(text, "\nwirespan_bpf_program_runs_total{program=\"io__sent\"} 4\n"));
	assert_non_null(strstr(text, "\n# TYPE wirespan_export_queued_spans gauge\n"));
	free(text);
	s->l.export = NULL;
	s->l.n_programs = 0;
	text = printed(&s->l);
	assert_null(strstr(text, "wirespan_export"));
	assert_null(strstr(text, "wirespan_bpf_program"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(balanced, setup, teardown),
		cmocka_unit_test_setup_teardown(unbalanced, setup, teardown),
		cmocka_unit_test(rows),
		cmocka_unit_test_setup_teardown(kernel_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(metrics_text, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
