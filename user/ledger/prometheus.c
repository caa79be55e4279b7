// SPDX-License-Identifier: Apache-2.0
/*
 * prometheus.c - in: the ledger; out: Prometheus' text format 0.0.4 ("Exposition formats"): HELP and TYPE
 * once a name, then its samples, nothing twice.
 */
#include "ledger/metrics.h"

static void prometheus__value(FILE *out, const struct ledger_row *r, uint64_t n)
{
	if (r->unit > 0)
		fprintf(out, " %.12g\n", (double)n * r->unit);
	else
		fprintf(out, " %llu\n", (unsigned long long)n);
}

static void prometheus__row(FILE *out, const struct ledger_row *r, const struct ledger *l)
{
	for (size_t i = 0; i < ledger_row__count(r, l); i++) {
		fprintf(out, "%s", r->name);
		if (r->label)
			fprintf(out, "{%s=\"%s\"%s%s}", r->label, r->label_of(l, i), r->labels ? "," : "",
				r->labels ? r->labels : "");
		else if (r->labels)
			fprintf(out, "{%s}", r->labels);
		prometheus__value(out, r, ledger_row__value(r, l, i));
	}
}

void prometheus__print(FILE *out, const struct ledger *l)
{
	fprintf(out, "# HELP wirespan_build_info Which wirespan this is.\n# TYPE wirespan_build_info gauge\n"
		     "wirespan_build_info{version=\"%s\"} 1\n", WIRESPAN_VERSION);
	for (size_t i = 0; i < ledger_rows_n; i++) {
		const struct ledger_row *r = &ledger_rows[i];

		if (!ledger_row__count(r, l))
			continue;
		if (r->help)
			fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", r->name, r->help, r->name,
				r->type == GAUGE ? "gauge" : "counter");
		prometheus__row(out, r, l);
	}
}
