/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder.c - writes everything that the kernel half says of one process and its children to a file,
 * with a chosen capture plan and every byte wanted.
 *
 * usage: recorder PLAN[,TRANSPORT] PID FILE. "ready" goes to stderr when everything is attached; on SIGINT or
 * SIGTERM the ledger goes to stdout as one JSON object. The format of FILE is capture/recording.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "attach/attach.h"
#include "capture/capture.h"

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = 1;
}

static void on_event(void *recording, const struct event *e)
{
	recording__event(recording, e);
}

static void print_ledger(struct attach *a, const struct capture_counters *seen)
{
	static const char *const names[] = {
#define X(name, text) #name,
		WS_COUNTERS(X)
#undef X
	};
	uint64_t value[WS_CNT_MAX];

	attach__counters(a, value);
	printf("{\"seen_data\":%" PRIu64 ",\"seen_conn\":%" PRIu64 ",\"seen_close\":%" PRIu64 ",\"seen_proc\":%" PRIu64
	       ",\"malformed\":%" PRIu64,
	       seen->seen[WS_REC_DATA], seen->seen[WS_REC_CONN], seen->seen[WS_REC_CLOSE], seen->seen[WS_REC_PROC],
	       seen->malformed);
	for (size_t i = 0; i < WS_CNT_MAX; i++)
		printf(",\"%s\":%" PRIu64, names[i], value[i]);
	printf("}\n");
}

static void record(struct attach *a, struct capture *c)
{
	fprintf(stderr, "ready\n");
	while (!stop) {
		poll(&(struct pollfd){capture__fd(c), POLLIN, 0}, 1, 20);
		capture__read(c);
	}
	attach__stop(a);
	while (capture__read(c) > 0)
		;
}

int main(int argc, char **argv)
{
	const struct ws_budget_pair all = {{{WS_BUDGET_STREAM, 0}, {WS_BUDGET_STREAM, 0}}};
	struct selection sel = {0};
	struct recording *r = NULL;
	struct attach_options o;
	struct capture *c = NULL;
	struct attach *a = NULL;
	char err[512] = "", *transport;
	int rc = 1;

	if (argc != 4) {
		fprintf(stderr, "usage: recorder PLAN[,TRANSPORT] PID FILE\n");
		return 2;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	attach__defaults(&o);
	transport = strchr(argv[1], ',');
	if (transport)
		*transport++ = 0;
	o.accepted = o.connected = all;
	o.ring_bytes = 64u << 20;
	if (attach__parse_plan(argv[1], &o.plan, err, sizeof(err)) ||
	    (transport && attach__parse_transport(transport, &o.transport, err, sizeof(err))) ||
	    selection__add(&sel, "pid", argv[2], err, sizeof(err)) ||
	    !(r = recording__new(argv[3], err, sizeof(err))) || !(a = attach__new(&sel, &o, err, sizeof(err))) ||
	    !(c = capture__live(attach__ring_fd(a), o.ring_bytes, on_event, r, err, sizeof(err))) ||
	    attach__start(a, err, sizeof(err))) {
		fprintf(stderr, "recorder: %s\n", err);
	} else {
		record(a, c);
		print_ledger(a, capture__counters(c));
		rc = 0;
	}
	capture__free(c);
	attach__free(a);
	return recording__close(r) ? 1 : rc;
}
