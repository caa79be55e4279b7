// SPDX-License-Identifier: Apache-2.0
/*
 * tracestate.c - OpenTelemetry's member "ot" of a tracestate: "ot=th:c;rv:6e6d1a75832a2f". Rules:
 * OpenTelemetry specification, "TraceState: Probability Sampling" (th: one to fourteen digits, zeros at the
 * end left out; rv: fourteen) and W3C Trace Context (a member that was changed comes first).
 */
#include "sample/sample.h"

#include <stdio.h>
#include <stdlib.h>

#define DIGITS 14 /* 56 bits */

static struct slice list__next(struct slice *rest, char between)
{
	size_t n = slice__find(*rest, between);
	struct slice item = slice__trim(slice__sub(*rest, 0, n));

	*rest = slice__sub(*rest, n + (n < rest->n), rest->n);
	return item;
}

/* The value of member ot; empty: there is none. */
static struct slice tracestate__ot(const char *tracestate)
{
	struct slice rest = slice__of(tracestate ? tracestate : "");

	while (rest.n) {
		struct slice m = list__next(&rest, ',');

		if (slice__starts(m, SLICE("ot=")))
			return slice__sub(m, 3, m.n);
	}
	return (struct slice){"", 0};
}

/* The value of a key of it, as 56 bits with the digits left-aligned. False: not there, or none; *value stays. */
static bool ot__get(struct slice ot, struct slice key, size_t least, uint64_t *value)
{
	while (ot.n) {
		struct slice m = list__next(&ot, ';');
		uint64_t v = 0;

		if (!slice__starts(m, key))
			continue;
		m = slice__sub(m, key.n, m.n);
		if (m.n < least || m.n > DIGITS)
			return false;
		for (size_t i = 0; i < DIGITS; i++) {
			unsigned digit = 0;

			if (i < m.n && (m.p[i] < '0' || m.p[i] > '9') && (m.p[i] < 'a' || m.p[i] > 'f'))
				return false;
			if (i < m.n)
				digit = m.p[i] <= '9' ? (unsigned)(m.p[i] - '0') : (unsigned)(m.p[i] - 'a') + 10;
			v = v << 4 | digit;
		}
		*value = v;
		return true;
	}
	return false;
}

uint64_t trace__randomness(const uint8_t trace_id[16], const char *tracestate)
{
	uint64_t rv = 0;

	if (tracestate && ot__get(tracestate__ot(tracestate), SLICE("rv:"), DIGITS, &rv))
		return rv;
	for (int i = 9; i < 16; i++)
		rv = rv << 8 | trace_id[i];
	return rv;
}

/* ot=th:...;what else it had, then all other members as they were. */
bool tracestate__with_threshold(const char *tracestate, uint64_t threshold, char *out, size_t size)
{
	struct slice ot = tracestate__ot(tracestate), rest = slice__of(tracestate ? tracestate : "");
	uint64_t has;
	FILE *f = fmemopen(out, size, "w");
	char digits[DIGITS + 1];
	long n;

	if (!f)
		return false;
	if (ot__get(ot, SLICE("th:"), 1, &has) && has > threshold)
		threshold = has;
	snprintf(digits, sizeof(digits), "%014llx", (unsigned long long)threshold);
	for (size_t i = DIGITS; i-- > 1 && digits[i] == '0';)
		digits[i] = '\0';
	fprintf(f, "ot=th:%s", digits);
	while (ot.n) {
		struct slice m = list__next(&ot, ';');

		if (m.n && !slice__starts(m, SLICE("th:")))
			fprintf(f, ";%.*s", (int)m.n, m.p);
	}
	while (rest.n) {
		struct slice m = list__next(&rest, ',');

		if (m.n && !slice__starts(m, SLICE("ot=")))
			fprintf(f, ",%.*s", (int)m.n, m.p);
	}
	n = fflush(f) ? -1 : ftell(f);
	fclose(f);
	return n > 0 && (size_t)n < size;
}
