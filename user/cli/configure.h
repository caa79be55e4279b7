/* SPDX-License-Identifier: Apache-2.0 */
/*
 * configure.h - from the table of settings, and command line, environment and file, to an agent_config;
 * again at a reload.
 */
#ifndef CONFIGURE_H
#define CONFIGURE_H

#include "agent/agent.h"
#include "util/options.h"

struct configure {
	const struct option_row *rows;
	unsigned command; /* the bit of the subcommand */
	int argc;
	char **argv;
	struct agent_config defaults;
	struct values start; /* kept: agent_config borrows its texts */
	struct values now;   /* after reloads */
};

/*
 * Fills *c. Returns the index of the first operand, OPTIONS_HELP, or -errno with a message in err. When there
 * is a file, c->reload is set; f must live as long as the agent then.
 */
int configure__start(struct configure *f, struct agent_config *c, char *err, size_t err_size);
/* --print-config. 0, or -EINVAL and a message: OTEL_* is wrong. */
int configure__print(const struct configure *f, const struct agent_config *c, FILE *out, char *err, size_t err_size);
void configure__free(struct configure *f);

#endif
