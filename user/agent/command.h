/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - `wirespan trace -- CMD`: a child that waits until it is traced before it runs. */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

struct command {
	pid_t pid;   /* 0: none, or it has ended */
	int go;	     /* written to when it may exec */
	int status;  /* of its end, as waitpid gives it */
};

/* Forks; the child waits. 0 or -errno. argv ends with NULL. */
int command__prepare(struct command *c, char **argv);
void command__start(struct command *c);
/* True when it has ended. */
bool command__reap(struct command *c);
/* Sends it a signal, if it runs. */
void command__signal(struct command *c, int signo);
/* Ends it, if it runs: SIGTERM, and SIGKILL after a second. */
void command__stop(struct command *c);

#endif
