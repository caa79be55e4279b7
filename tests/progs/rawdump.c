/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rawdump.c - what the kernel half says, one JSON object a line; for tests of bpf/ alone.
 *
 * usage: rawdump SECONDS [key=value]... with the keys of selection__add() and of the table below.
 * "ready" goes to stderr when everything is attached; the ledger comes last. Payload is hex.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attach/attach.h"
#include "meta/golang.h"
#include "capture/capture.h"

static volatile sig_atomic_t stop;
static struct attach *attach;
static bool quiet;
static struct recording *rec;
static int own_mode = -1; /* own=: budget mode given to every connection that is announced */

static void on_signal(int sig)
{
	stop = 1;
}

static void print_actor(const struct ws_actor *a)
{
	printf(",\"tgid\":%u,\"tid\":%u,\"ctx\":%" PRIu64 ",\"cpu\":%" PRIu64 ",\"delay\":%" PRIu64 ",\"switches\":%" PRIu64,
	       a->tgid, a->tid, (uint64_t)a->user_ctx, (uint64_t)a->cpu_ns, (uint64_t)a->run_delay_ns,
	       (uint64_t)a->switches);
}

static void print_data(const struct event *e)
{
	const struct ws_rec_data *d = e->data;

	printf("\"type\":\"data\",\"conn\":%llu,\"dir\":%u,\"seq\":%u,\"wire\":%u,\"cap_len\":%u,\"cap\":%u,\"start\":%llu",
	       d->conn, d->dir, d->seq, d->wire_len, d->cap_len, d->cap, d->start_ns);
	print_actor(&d->actor);
	printf(",\"payload\":\"");
	for (size_t i = 0; i < e->text.n; i++)
		printf("%02x", (unsigned char)e->text.p[i]);
	printf("\"");
}

static void print_conn(const struct ws_rec_conn *c)
{
	printf("\"type\":\"%s\",\"conn\":%llu,\"role\":%u,\"origin\":%u,\"failed\":%u,\"lport\":%u,\"rport\":%u,"
	       "\"netns\":%u,\"connect\":%llu,\"established\":%llu,\"snd\":%u,\"rcv\":%u,\"local\":\"",
	       c->head.flags & WS_CONN_CONNECTING ? "connecting" : "conn", c->conn, c->role, c->origin, c->failed, c->local_port, c->remote_port, c->netns, c->connect_ns,
	       c->established_ns, c->snd_seq, c->rcv_seq);
	for (int i = 0; i < 16; i++)
		printf("%02x", c->local[i]);
	printf("\",\"remote\":\"");
	for (int i = 0; i < 16; i++)
		printf("%02x", c->remote[i]);
	printf("\"");
	print_actor(&c->actor);
}

/* What the agent does on EXEC. */
static void on_exec(const struct event *e)
{
	struct ws_process p = {.selected = 1};
	char path[32];
	unsigned offset;

	if (e->proc->what != WS_PROC_EXEC)
		return;
	if (!e->proc->selected && !attach__exe_matches(attach, e->proc->tgid, e->text))
		return;
	snprintf(path, sizeof(path), "/proc/%u/exe", e->proc->tgid);
	offset = golang__goid_offset(golang__minor(path));
	if (offset) {
		p.ctx_kind = WS_CTX_GO;
		p.goid_offset = (uint16_t)offset;
	}
	if (offset || !e->proc->selected)
		attach__set_process(attach, e->proc->tgid, &p);
}

static void on_event(void *ctx, const struct event *e)
{
	if (rec)
		recording__event(rec, e);
	if (e->type == WS_REC_PROC)
		on_exec(e);
	if (own_mode >= 0 && e->type == WS_REC_CONN) {
		const struct ws_budget b = {(uint32_t)own_mode, 100};

		attach__set_budget(attach, e->conn->conn, &(struct ws_budget_pair){{b, b}});
	}
	if (quiet)
		return;
	printf("{\"time\":%llu,", e->head->time_ns);
	if (e->type == WS_REC_DATA)
		print_data(e);
	else if (e->type == WS_REC_CONN)
		print_conn(e->conn);
	else if (e->type == WS_REC_CLOSE)
		printf("\"type\":\"close\",\"conn\":%llu,\"snd\":%u,\"rcv\":%u,\"lost\":[%u,%u],\"srtt\":%u,\"retrans\":%u,\"state\":%u",
		       e->close->conn, e->close->snd_seq, e->close->rcv_seq, e->close->lost[0], e->close->lost[1],
		       e->close->srtt_us, e->close->retransmits, e->close->state);
	else
		printf("\"type\":\"proc\",\"tgid\":%u,\"ptgid\":%u,\"what\":%u,\"selected\":%u,\"comm\":\"%.16s\",\"path\":\"%.*s\"",
		       e->proc->tgid, e->proc->ptgid, e->proc->what, e->proc->selected, e->proc->comm, (int)e->text.n,
		       e->text.n ? e->text.p : "");
	printf("}\n");
}

static void print_ledger(const struct capture *c)
{
	static const char *const names[] = {
#define X(name, text) #name,
		WS_COUNTERS(X)
#undef X
	};
	const struct capture_counters *n = capture__counters(c);
	struct attach_program v[32];
	uint64_t value[WS_CNT_MAX];
	size_t i, programs;

	attach__counters(attach, value);
	printf("{\"type\":\"ledger\",\"seen_data\":%" PRIu64 ",\"seen_conn\":%" PRIu64 ",\"seen_close\":%" PRIu64
	       ",\"seen_proc\":%" PRIu64 ",\"malformed\":%" PRIu64 ",\"seen_payload\":%" PRIu64 ",\"map_bytes\":%" PRIu64,
	       n->seen[WS_REC_DATA], n->seen[WS_REC_CONN], n->seen[WS_REC_CLOSE], n->seen[WS_REC_PROC], n->malformed,
	       n->seen_payload_bytes, attach__map_bytes(attach));
	for (i = 0; i < WS_CNT_MAX; i++)
		printf(",\"%s\":%" PRIu64, names[i], value[i]);
	printf(",\"programs\":{");
	programs = attach__programs(attach, v, 32);
	for (i = 0; i < programs; i++)
		printf("%s\"%s\":[%" PRIu64 ",%" PRIu64 "]", i ? "," : "", v[i].name, v[i].run_ns, v[i].runs);
	printf("}}\n");
}

static int option(struct selection *sel, struct attach_options *o, char *arg, int *poll_ms)
{
	char *value = strchr(arg, '='), err[256];
	uint32_t n;

	if (!value)
		return -EINVAL;
	*value++ = 0;
	n = (uint32_t)strtoul(value, NULL, 0);
	if (strcmp(arg, "all") == 0)
		sel->all = n;
	else if (strcmp(arg, "quiet") == 0)
		quiet = n;
	else if (strcmp(arg, "own") == 0)
		own_mode = (int)n;
	else if (strcmp(arg, "poll") == 0)
		*poll_ms = (int)n;
	else if (strcmp(arg, "verbose") == 0)
		o->verbose = n;
	else if (strcmp(arg, "stats") == 0) /* until we end, unlike the sysctl */
		return n && bpf_enable_stats(BPF_STATS_RUN_TIME) < 0 ? -errno : 0;
	else if (strcmp(arg, "ring") == 0)
		o->ring_bytes = n;
	else if (strcmp(arg, "record") == 0)
		return (rec = recording__new(value, err, sizeof(err))) ? 0 : (fprintf(stderr, "%s\n", err), -EIO);
	else if (strcmp(arg, "head") == 0)
		for (int i = 0; i < 2; i++)
			o->accepted.dir[i].head_bytes = o->connected.dir[i].head_bytes = n;
	else if (strcmp(arg, "mode") == 0)
		for (int i = 0; i < 2; i++)
			o->accepted.dir[i].mode = o->connected.dir[i].mode = n;
	else if (selection__add(sel, arg, value, err, sizeof(err)))
		return fprintf(stderr, "%s\n", err), -EINVAL;
	return 0;
}

int main(int argc, char **argv)
{
	struct selection sel = {0};
	struct attach_options o;
	struct capture *c;
	char err[512];
	int poll_ms = 50;
	time_t end;

	attach__defaults(&o);
	for (int i = 2; i < argc; i++)
		if (option(&sel, &o, argv[i], &poll_ms))
			return 2;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	attach = attach__new(&sel, &o, err, sizeof(err));
	c = attach ? capture__live(attach__ring_fd(attach), o.ring_bytes, on_event, NULL, err, sizeof(err)) : NULL;
	if (!c || attach__start(attach, err, sizeof(err))) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	fprintf(stderr, "ready\n");
	end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 5);
	while (!stop && time(NULL) < end) {
		struct pollfd p = {capture__fd(c), POLLIN, 0};

		poll(&p, 1, poll_ms);
		capture__read(c);
	}
	while (capture__read(c) > 0)
		;
	print_ledger(c);
	capture__free(c);
	attach__free(attach);
	return rec ? -recording__close(rec) : 0;
}
