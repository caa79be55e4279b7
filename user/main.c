// SPDX-License-Identifier: Apache-2.0
/* main.c - the table of subcommands and the table of options. */
#include <ctype.h>
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

#include "attach/runtime.h"
#include "cli/configure.h"
#include "cli/health.h"
#include "ledger/metrics.h"
#include "cli/ps.h"
#include "util/log.h"

enum { CMD_AGENT = 1, CMD_TRACE = 2, CMD_RECORD = 4, CMD_REPLAY = 8, CMD_DOCTOR = 16, CMD_HEALTH = 32, CMD_PS = 64 };
#define AGENT_CPU .05
#define AGENT_MEMORY (256ull << 20)
#define CMD_LIVE (CMD_AGENT | CMD_TRACE | CMD_RECORD)
#define CMD_SELECT (CMD_LIVE | CMD_PS)
#define SPOOL_MIB 256
#define SPOOL_MIB_MIN 8 /* two of the largest batches */
#define SPOOL_MIB_MAX (1 << 20)
#define CMD_EXPORT (CMD_AGENT | CMD_TRACE | CMD_REPLAY)

/* configure.c has looked at it before. */
static int set__nothing(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	return 0;
}

static int set__selection(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	struct agent_config *c = config;

	return selection__add(&c->selection, row->name, value, err, size);
}

/* A flag, or a text, at row->at. */
static int set__true(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	*(bool *)((char *)config + row->at) = true;
	return 0;
}

static int set__false(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	*(bool *)((char *)config + row->at) = false;
	return 0;
}

static int set__text(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	*(const char **)((char *)config + row->at) = value;
	return 0;
}

static int set__json(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	((struct agent_config *)config)->outputs |= OUTPUT_JSON;
	return 0;
}

static int set__otlp(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	((struct agent_config *)config)->outputs |= OUTPUT_OTLP;
	return 0;
}

static int set__verbose(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	((struct agent_config *)config)->attach.verbose = true;
	log__set_level(LOG_DEBUG);
	return 0;
}

static int set__without_rule(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	unsigned bit = rule__bit(value);
	int at;

	((struct agent_config *)config)->link.without |= bit;
	if (bit)
		return 0;
	at = snprintf(err, size, "--without-rule '%s': there are", value);
	for (unsigned i = 0; rule__name(i) && at < (int)size; i++)
		at += snprintf(err + at, size - (size_t)at, "%s %s", i ? "," : "", rule__name(i));
	return -EINVAL;
}

static int set__capture(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	return attach__parse_plan(value, &((struct agent_config *)config)->attach.plan, err, size);
}

static int set__transport(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	return attach__parse_transport(value, &((struct agent_config *)config)->attach.transport, err, size);
}

/* A whole number from least to most, in *n. */
static bool number__within(const char *text, unsigned long least, unsigned long most, unsigned long *n)
{
	char *end;

	*n = strtoul(text, &end, 10);
	return isdigit((unsigned char)*text) && !*end && *n >= least && *n <= most;
}

/* MiB, a power of two. */
static int set__ring_size(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	unsigned long n;

	if (!number__within(value, 1, 1024, &n) || (n & (n - 1))) {
		snprintf(err, size, "--ring-size '%s' is no power of two from 1 to 1024 (MiB)", value);
		return -EINVAL;
	}
	((struct agent_config *)config)->attach.ring_bytes = (uint32_t)n << 20;
	return 0;
}

static int set__spool_size(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	unsigned long n;

	if (!number__within(value, SPOOL_MIB_MIN, SPOOL_MIB_MAX, &n)) {
		snprintf(err, size, "--spool-size '%s' is not from %d to %d (MiB)", value, SPOOL_MIB_MIN, SPOOL_MIB_MAX);
		return -EINVAL;
	}
	((struct agent_config *)config)->spool_mib = (uint32_t)n;
	return 0;
}

/* Percent of one core; of several cores more than 100. */
static int set__max_cpu(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	char *end;
	double percent = !strcmp(value, "off") ? 0 : strtod(value, &end);

	if (strcmp(value, "off") != 0 && (!isdigit((unsigned char)*value) || *end || percent < .1 || percent > 100000)) {
		snprintf(err, size, "--max-cpu '%s' is no percentage of a core from 0.1 on, nor off", value);
		return -EINVAL;
	}
	((struct agent_config *)config)->budget.cpu = percent / 100;
	return 0;
}

static int set__max_memory(void *config, const struct option_row *row, char *value, char *err, size_t size)
{
	unsigned long mib = 0;

	if (strcmp(value, "off") != 0 && !number__within(value, 32, 1 << 20, &mib)) {
		snprintf(err, size, "--max-memory '%s' is not from 32 to 1048576 (MiB), nor off", value);
		return -EINVAL;
	}
	((struct agent_config *)config)->budget.memory = (uint64_t)mib << 20;
	return 0;
}

#define AT(member) offsetof(struct agent_config, member)

static const struct option_row options[] = {
	{"config", 0, "FILE", "settings in YAML; see also --print-config", CMD_SELECT | CMD_HEALTH | OPTION_LINE, set__nothing},
	{"print-config", 0, NULL, "the settings that hold, and where each comes from; does nothing else", CMD_LIVE | OPTION_LINE, set__true, AT(print_config)},
	{"pid", 0, "N", "this process and its children; doctor: what runs in it", CMD_SELECT | CMD_DOCTOR | OPTION_LIST | OPTION_LIVE, set__selection},
	{"comm", 0, "NAME", "processes of this name, 15 characters at most", CMD_SELECT | OPTION_LIST | OPTION_LIVE, set__selection},
	{"port", 0, "N", "processes that listen on this TCP port", CMD_SELECT | OPTION_LIST | OPTION_LIVE, set__selection},
	{"cgroup", 0, "PATH", "processes in this cgroup, below /sys/fs/cgroup", CMD_SELECT | OPTION_LIST | OPTION_LIVE, set__selection},
	{"exe", 0, "GLOB", "processes whose program's path matches", CMD_SELECT | OPTION_LIST | OPTION_LIVE, set__selection},
	{"container", 0, "NAME|ID", "containers by name, a pattern for it, or the beginning of the id", CMD_SELECT | OPTION_LIST | OPTION_LIVE, set__selection},
	{"image", 0, "GLOB", "containers by image", CMD_SELECT | OPTION_LIST | OPTION_LIVE, set__selection},
	{"pod", 0, "[NS/]NAME", "containers of pods, by name or pattern", CMD_SELECT | OPTION_LIST | OPTION_LIVE, set__selection},
	{"namespace", 0, "NAME", "containers of pods in this namespace", CMD_SELECT | OPTION_LIST | OPTION_LIVE, set__selection},
	{"label", 0, "KEY=VALUE", "containers by a label of theirs or of their pod", CMD_SELECT | OPTION_LIST | OPTION_LIVE, set__selection},
	{"not", 0, "KIND=VALUE", "leave out in any case: container=, image=, pod=, namespace=, label=", CMD_SELECT | OPTION_LIST | OPTION_LIVE, set__selection},
	{"all", 0, NULL, "every process of this machine", CMD_SELECT, set__true, AT(selection.all)},
	{"output", 'o', "FILE", "where to record; made 0600, must not exist", CMD_RECORD | OPTION_LINE, set__text, AT(recording)},
	{"json", 0, NULL, "one span (ps: one process) a line, as JSON", CMD_TRACE | CMD_REPLAY | CMD_PS, set__json},
	{"otlp", 0, NULL, "export as well, as the OTEL_* environment says", CMD_TRACE | CMD_REPLAY, set__otlp},
	{"summary", 0, NULL, "services and telling traces at the end, instead of each", CMD_TRACE | CMD_REPLAY, set__true, AT(summary)},
	{"why", 0, NULL, "show what every rule said of a span's parent", CMD_TRACE | CMD_REPLAY, set__true, AT(link.why)},
	{"no-header-links", 0, NULL, "infer parents only, without reading traceparent and the like", CMD_LIVE | CMD_REPLAY, set__true, AT(link.no_headers)},
	{"no-runtime-probes", 0, NULL, "leave the runtimes of processes alone: fewer parents are found", CMD_LIVE, set__true, AT(no_runtime_probes)},
	{"without-rule", 0, "NAME", "switch off one rule of linking, for tests", CMD_TRACE | CMD_REPLAY | OPTION_LIST, set__without_rule},
	{"kubernetes-services", 0, NULL, "ask the API for the cluster's services, to name whose address was called", CMD_AGENT | CMD_TRACE, set__true, AT(kubernetes_services)},
	{"ring-size", 0, "MIB", "ring buffer between kernel and agent (8)", CMD_LIVE, set__ring_size},
	{"transport", 0, "NAME", "ring, perf or auto: ring buffer, or perf buffers (auto)", CMD_LIVE, set__transport},
	{"capture", 0, "PLAN", "sock, fentry, syscall or auto: which hooks see the bytes (auto)", CMD_LIVE, set__capture},
	{"spool", 0, "DIR", "keep what the collector does not take now in DIR, and send it later", CMD_AGENT, set__text, AT(spool)},
	{"spool-size", 0, "MIB", "of that directory at most; then its oldest spans are dropped (256)", CMD_AGENT, set__spool_size},
	{"state-dir", 0, "DIR", "keep in DIR what the next agent needs to count what was missed between", CMD_AGENT, set__text, AT(state_dir)},
	{"max-cpu", 0, "PERCENT", "of a core for the agent, or off; over it less is traced (agent: 5)", CMD_LIVE | OPTION_LIVE, set__max_cpu},
	{"max-memory", 0, "MIB", "for the agent, or off; over it less is traced (agent: 256)", CMD_LIVE | OPTION_LIVE, set__max_memory},
	{"metrics", 0, "WHERE", "ADDRESS:PORT of /metrics and the probes, or off (agent: 127.0.0.1:9465)", CMD_LIVE | CMD_HEALTH, set__text, AT(metrics)},
	{"unconfined", 0, NULL, "keep the rights that only the start needs, for debuggers", CMD_AGENT, set__false, AT(confine)},
	{"verbose", 'v', NULL, "say more on stderr", CMD_LIVE | CMD_REPLAY | OPTION_LIVE, set__verbose},
	/* Variables of OpenTelemetry: read in user/export/settings.c and user/meta/. */
	{"otel.exporter.otlp.endpoint", 0, "URL", "base URL of the collector (http://localhost:4318)", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.exporter.otlp.protocol", 0, "NAME", "http/protobuf or http/json (http/protobuf)", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.exporter.otlp.headers", 0, "LIST", "of each request, name=value", CMD_EXPORT | OPTION_LIVE | OPTION_MAP | OPTION_SECRET, NULL},
	{"otel.exporter.otlp.compression", 0, "NAME", "gzip or none (none)", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.exporter.otlp.timeout", 0, "MS", "for one request (10000)", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.exporter.otlp.certificate", 0, "FILE", "who signed the collector's", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.exporter.otlp.client.certificate", 0, "FILE", "ours", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.exporter.otlp.client.key", 0, "FILE", "of ours", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.exporter.otlp.traces.endpoint", 0, "URL", "full URL of the collector", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.exporter.otlp.traces.protocol", 0, "NAME", "http/protobuf or http/json, of traces", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.exporter.otlp.traces.headers", 0, "LIST", "of each request, name=value, of traces", CMD_EXPORT | OPTION_LIVE | OPTION_MAP | OPTION_SECRET, NULL},
	{"otel.exporter.otlp.traces.compression", 0, "NAME", "gzip or none, of traces", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.exporter.otlp.traces.timeout", 0, "MS", "for one request, of traces", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.exporter.otlp.traces.certificate", 0, "FILE", "who signed the collector's, of traces", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.exporter.otlp.traces.client.certificate", 0, "FILE", "ours, of traces", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.exporter.otlp.traces.client.key", 0, "FILE", "of ours, of traces", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.bsp.schedule.delay", 0, "MS", "the longest a span waits for a batch to fill (5000)", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.bsp.export.timeout", 0, "MS", "when a batch is given up (30000)", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.bsp.max.queue.size", 0, "SPANS", "that may wait (16384)", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.bsp.max.export.batch.size", 0, "SPANS", "in one request (512)", CMD_EXPORT | OPTION_LIVE, NULL},
	{"otel.service.name", 0, "NAME", "of processes that have none", CMD_EXPORT, NULL},
	{"otel.resource.attributes", 0, "LIST", "of all processes, name=value", CMD_EXPORT | OPTION_MAP, NULL},
	{0},
};

static int run__live(struct agent_config *c, char **operands)
{
	if (operands[0])
		c->command = operands;
	if (!c->command && selection__empty(&c->selection)) {
		log__error("nothing selected: give --pid, --comm, --port, --cgroup, --exe, --container, --pod"
			   " and the like, a command after --, or --all");
		return 2;
	}
	return agent__run(c);
}

static int run__trace(struct agent_config *c, char **operands)
{
	if (!(c->outputs & OUTPUT_JSON))
		c->outputs |= OUTPUT_TREES;
	return run__live(c, operands);
}

static int run__record(struct agent_config *c, char **operands)
{
	if (!c->recording) {
		log__error("record needs -o FILE");
		return 2;
	}
	return run__live(c, operands);
}

static int run__replay(struct agent_config *c, char **operands)
{
	if (!operands[0] || operands[1]) {
		log__error("replay takes one FILE");
		return 2;
	}
	if (!(c->outputs & OUTPUT_JSON) && !(c->outputs & OUTPUT_OTLP))
		c->outputs |= OUTPUT_TREES;
	c->replay = operands[0];
	return agent__run(c);
}

static int run__doctor(struct agent_config *c, char **operands)
{
	int worst = 0;

	if (operands[0]) {
		log__error("doctor takes no operand: '%s'", operands[0]);
		return 2;
	}
	for (size_t i = 0; i < c->selection.n_pids; i++)
		worst |= runtimes__explain(stdout, c->selection.pids[i]);
	return c->selection.n_pids ? worst : doctor__run(stdout);
}

static int run__health(struct agent_config *c, char **operands)
{
	if (operands[0] && strcmp(operands[0], "ready")) {
		log__error("health takes no operand but 'ready': '%s'", operands[0]);
		return 2;
	}
	return health__run(c->metrics ? c->metrics : METRICS_DEFAULT, operands[0]);
}

static int run__ps(struct agent_config *c, char **operands)
{
	if (operands[0]) {
		log__error("ps takes no operand: '%s'", operands[0]);
		return 2;
	}
	return ps__run(&c->selection, c->outputs & OUTPUT_JSON, stdout);
}

static const struct subcommand {
	const char *name, *operands, *help;
	unsigned bit;
	int (*run)(struct agent_config *c, char **operands);
} subcommands[] = {
	{"agent", "SELECTION [-- CMD...]", "trace and export to the collector that OTEL_* names, until SIGTERM", CMD_AGENT, run__live},
	{"trace", "SELECTION | -- CMD...", "trace and show trees of requests as they complete", CMD_TRACE, run__trace},
	{"record", "-o FILE SELECTION [-- CMD...]", "write what the kernel reports to a file, for replay", CMD_RECORD, run__record},
	{"replay", "FILE", "read such a file and show its traces; needs no root", CMD_REPLAY, run__replay},
	{"ps", "[SELECTION]", "what runs here and has TCP connections, and whether the selection traces it or why not", CMD_PS, run__ps},
	{"health", "[ready]", "asks the agent that runs here whether it is well; exit status 1 if not", CMD_HEALTH, run__health},
	{"doctor", "", "what this kernel offers, what is used, what is missing", CMD_DOCTOR, run__doctor},
	{0},
};

static void help__all(FILE *out)
{
	fprintf(out, "usage: wirespan COMMAND [OPTION...]\n\n"
		     "Traces the requests of unmodified programs from the kernel.\n\n");
	for (const struct subcommand *s = subcommands; s->name; s++)
		fprintf(out, "  %-8s %s\n", s->name, s->help);
	fprintf(out, "\n'wirespan COMMAND --help' tells more.\n");
}

static void help__one(const struct subcommand *s)
{
	printf("usage: wirespan %s [OPTION...] %s\n\n%s.\n", s->name, s->operands, s->help);
	if (s->bit & CMD_SELECT)
		printf("\nSELECTION: one or more of --pid, --comm, --port, --cgroup, --exe, or of --container, --image, --pod,\n"
		       "--namespace, --label, of which a container must match each kind given; each may be repeated or\n"
		       "hold a comma list; processes that start later and children are included.\n");
	if (s->bit != CMD_DOCTOR)
		printf("\n");
	options__help(options, s->bit, stdout);
}

static int subcommand__run(const struct subcommand *s, int argc, char **argv)
{
	static struct configure f; /* reloads use it as long as we live */
	struct agent_config c;
	char err[512] = "";
	int first, r = 0;

	f = (struct configure){.rows = options, .command = s->bit, .argc = argc, .argv = argv};
	f.defaults.confine = s->bit == CMD_AGENT;
	f.defaults.outputs = s->bit == CMD_AGENT ? OUTPUT_OTLP : 0;
	f.defaults.serves = s->bit == CMD_AGENT;
	if (s->bit == CMD_AGENT)
		f.defaults.budget = (struct shed_budget){AGENT_CPU, AGENT_MEMORY};
	f.defaults.spool_mib = SPOOL_MIB;
	attach__defaults(&f.defaults.attach);
	first = configure__start(&f, &c, err, sizeof(err));
	if (first == OPTIONS_HELP) {
		help__one(s);
	} else if (first < 0) {
		log__error("%s; see 'wirespan %s --help'", err, s->name);
		r = 2;
	} else if ((s->bit & CMD_LIVE) && argv[first] && strcmp(argv[first - 1], "--")) {
		/* A command to run stands behind "--": a stray word must not be run as root. */
		log__error("'%s' is no option; a command comes after --; see 'wirespan %s --help'", argv[first], s->name);
		r = 2;
	} else if (!c.print_config) {
		r = s->run(&c, argv + first);
	} else if (configure__print(&f, &c, stdout, err, sizeof(err))) {
		log__error("%s", err);
		r = 2;
	}
	configure__free(&f);
	return r;
}

int main(int argc, char **argv)
{
	/* Bodies of requests come and go, several a second: keep their pages rather than fault them in again. */
	mallopt(M_MMAP_THRESHOLD, 8 << 20);
	mallopt(M_TRIM_THRESHOLD, 8 << 20);
	if (argc < 2) {
		help__all(stderr);
		return 2;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help") || !strcmp(argv[1], "-h")) {
		help__all(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("wirespan %s\n", WIRESPAN_VERSION);
		return 0;
	}
	for (const struct subcommand *s = subcommands; s->name; s++)
		if (!strcmp(argv[1], s->name))
			return subcommand__run(s, argc - 1, argv + 1);
	log__error("no command '%s'; see 'wirespan --help'", argv[1]);
	return 2;
}
