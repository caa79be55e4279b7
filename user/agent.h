/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h - the wiring of all stages, shared by the subcommands agent, trace, record and replay. */
#ifndef AGENT_H
#define AGENT_H

#include "attach/attach.h"

enum agent_output {
	OUTPUT_OTLP = 1,
	OUTPUT_JSON = 2,  /* one span a line on stdout */
	OUTPUT_TREES = 4, /* for a person, on stdout */
};

struct agent_config {
	struct selection selection;
	struct attach_options attach;
	unsigned outputs;
	bool summary;	       /* OUTPUT_TREES: at the end, instead of every trace */
	const char *recording; /* record: file to write */
	const char *replay;    /* replay: file to read */
	char **command;	       /* run this and trace it; NULL: until SIGTERM */
};

/* Exit status: 0 fine, 1 failure, 2 usage. Messages go to stderr. */
int agent__run(const struct agent_config *cfg);

#endif
