// SPDX-License-Identifier: Apache-2.0
/* main.c - the table of subcommands and the table of options. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "agent.h"
#include "util/log.h"
#include "util/options.h"

enum { CMD_AGENT = 1, CMD_TRACE = 2, CMD_RECORD = 4, CMD_REPLAY = 8, CMD_DOCTOR = 16 };
#define CMD_LIVE (CMD_AGENT | CMD_TRACE | CMD_RECORD)

static int set__selection(void *config, const char *name, char *value, char *err, size_t size)
{
	struct agent_config *c = config;

	return selection__add(&c->selection, name, value, err, size);
}

static int set__all(void *config, const char *name, char *value, char *err, size_t size)
{
	((struct agent_config *)config)->selection.all = true;
	return 0;
}

static int set__json(void *config, const char *name, char *value, char *err, size_t size)
{
	((struct agent_config *)config)->outputs |= OUTPUT_JSON;
	return 0;
}

static int set__otlp(void *config, const char *name, char *value, char *err, size_t size)
{
	((struct agent_config *)config)->outputs |= OUTPUT_OTLP;
	return 0;
}

static int set__summary(void *config, const char *name, char *value, char *err, size_t size)
{
	((struct agent_config *)config)->summary = true;
	return 0;
}

static int set__output(void *config, const char *name, char *value, char *err, size_t size)
{
	((struct agent_config *)config)->recording = value;
	return 0;
}

static int set__verbose(void *config, const char *name, char *value, char *err, size_t size)
{
	((struct agent_config *)config)->attach.verbose = true;
	log__set_level(LOG_DEBUG);
	return 0;
}

static int set__capture(void *config, const char *name, char *value, char *err, size_t size)
{
	return attach__parse_plan(value, &((struct agent_config *)config)->attach.plan, err, size);
}

/* MiB, a power of two. */
static int set__ring_size(void *config, const char *name, char *value, char *err, size_t size)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*end || !n || n > 1024 || (n & (n - 1))) {
		snprintf(err, size, "--ring-size '%s' is no power of two from 1 to 1024 (MiB)", value);
		return -EINVAL;
	}
	((struct agent_config *)config)->attach.ring_bytes = (uint32_t)n << 20;
	return 0;
}

static const struct option_row options[] = {
	{"pid", 0, "N", "this process and its children", CMD_LIVE, set__selection},
	{"comm", 0, "NAME", "processes of this name (15 characters at most)", CMD_LIVE, set__selection},
	{"port", 0, "N", "processes that listen on this TCP port", CMD_LIVE, set__selection},
	{"cgroup", 0, "PATH", "processes in this cgroup, below /sys/fs/cgroup", CMD_LIVE, set__selection},
	{"exe", 0, "GLOB", "processes whose program's path matches", CMD_LIVE, set__selection},
	{"all", 0, NULL, "every process of this machine", CMD_LIVE, set__all},
	{"output", 'o', "FILE", "where to record; made 0600, must not exist", CMD_RECORD, set__output},
	{"json", 0, NULL, "one span a line, as JSON", CMD_TRACE | CMD_REPLAY, set__json},
	{"otlp", 0, NULL, "export as well, as the OTEL_* environment says", CMD_TRACE | CMD_REPLAY, set__otlp},
	{"summary", 0, NULL, "services and telling traces at the end, instead of each", CMD_TRACE | CMD_REPLAY, set__summary},
	{"ring-size", 0, "MIB", "ring buffer between kernel and agent (8)", CMD_LIVE, set__ring_size},
	{"capture", 0, "PLAN", "sock, syscall or auto: which hooks see the bytes (auto)", CMD_LIVE, set__capture},
	{"verbose", 'v', NULL, "say more on stderr", CMD_LIVE | CMD_REPLAY, set__verbose},
	{0},
};

static int run__live(struct agent_config *c, char **operands)
{
	if (operands[0])
		c->command = operands;
	if (!c->command && selection__empty(&c->selection)) {
		log__error("nothing selected: give --pid, --comm, --port, --cgroup or --exe, a command after --, or --all");
		return 2;
	}
	return agent__run(c);
}

static int run__agent(struct agent_config *c, char **operands)
{
	c->outputs = OUTPUT_OTLP;
	return run__live(c, operands);
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
	if (operands[0]) {
		log__error("doctor takes no operand: '%s'", operands[0]);
		return 2;
	}
	return doctor__run(stdout);
}

static const struct subcommand {
	const char *name, *operands, *help;
	unsigned bit;
	int (*run)(struct agent_config *c, char **operands);
} subcommands[] = {
	{"agent", "SELECTION [-- CMD...]", "trace and export to the collector that OTEL_* names, until SIGTERM", CMD_AGENT, run__agent},
	{"trace", "SELECTION | -- CMD...", "trace and show trees of requests as they complete", CMD_TRACE, run__trace},
	{"record", "-o FILE SELECTION [-- CMD...]", "write what the kernel reports to a file, for replay", CMD_RECORD, run__record},
	{"replay", "FILE", "read such a file and show its traces; needs no root", CMD_REPLAY, run__replay},
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
	if (s->bit & CMD_LIVE)
		printf("\nSELECTION: one or more of --pid, --comm, --port, --cgroup, --exe; each may be repeated or\n"
		       "hold a comma list; processes that start later and children are included.\n");
	if (s->bit != CMD_DOCTOR)
		printf("\n");
	options__help(options, s->bit, stdout);
}

static int subcommand__run(const struct subcommand *s, int argc, char **argv)
{
	struct agent_config c = {0};
	char err[256];
	int first;

	attach__defaults(&c.attach);
	first = options__parse(options, s->bit, argc, argv, &c, err, sizeof(err));
	if (first == OPTIONS_HELP) {
		help__one(s);
		return 0;
	}
	if (first < 0) {
		log__error("%s; see 'wirespan %s --help'", err, s->name);
		return 2;
	}
	/* A command to run stands behind "--": a stray word must not be run as root. */
	if ((s->bit & CMD_LIVE) && argv[first] && strcmp(argv[first - 1], "--")) {
		log__error("'%s' is no option; a command comes after --; see 'wirespan %s --help'", argv[first], s->name);
		return 2;
	}
	return s->run(&c, argv + first);
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
