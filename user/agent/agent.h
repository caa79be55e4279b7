/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h - the wiring of all stages, shared by the subcommands agent, trace, record and replay. */
#ifndef AGENT_H
#define AGENT_H

#include "attach/attach.h"
#include "sample/shed.h"
#include "link/link.h"

enum agent_output {
	OUTPUT_OTLP = 1,
	OUTPUT_JSON = 2,  /* one span a line on stdout */
	OUTPUT_TREES = 4, /* for a person, on stdout */
};

struct agent_config {
	struct selection selection;
	struct attach_options attach;
	struct link_options link;
	bool no_runtime_probes;
	bool kubernetes_services; /* ask the API for those of the cluster */
	unsigned outputs;
	bool summary;	       /* OUTPUT_TREES: at the end, instead of every trace */
	const char *recording; /* record: file to write */
	const char *replay;    /* replay: file to read */
	const char *spool;     /* OUTPUT_OTLP: directory for what the collector does not take; NULL: none */
	uint32_t spool_mib;
	const char *state_dir; /* where the state is kept that the next agent goes on from; NULL: nowhere */
	/* SIGHUP: fills *fresh from what the configuration file says now. 0, or -errno and nothing changes. NULL: no file. */
	int (*reload)(void *ctx, struct agent_config *fresh);
	void *reload_ctx;
	bool print_config;
	bool confine; /* give up what only the start needs */
	const char *metrics;   /* ADDRESS:PORT; "off"; NULL: METRICS_DEFAULT for the agent, none for the others */
	bool serves;	       /* `wirespan agent`: what is on by default there */
	struct shed_budget budget; /* for the agent itself */
	char **command;	       /* run this and trace it; NULL: until SIGTERM */
};

/* Exit status: 0 fine, 1 failure, 2 usage. Messages go to stderr. */
int agent__run(const struct agent_config *cfg);

#endif
