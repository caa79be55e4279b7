/* SPDX-License-Identifier: Apache-2.0 */
/* churn.h - what the parts of tests/progs/churn*.c share. */
#ifndef CHURN_H
#define CHURN_H

#include <netinet/in.h>
#include <stdint.h>

#define CROWD_SOCKETS 10
/* Addresses of 127/8 that clients go to in turn: ports in TIME_WAIT are kept for each of them. */
#define CHURN_ADDRESSES 250

void die(const char *what) __attribute__((noreturn));
struct sockaddr_in churn__address(unsigned n, uint16_t port);
int churn__connect(unsigned n, uint16_t port);
/* One request and its whole answer on a connection that stays open. 0, or -1. */
int churn__ask(int fd, const char *path);
void churn__many_files(void);

int serve(uint16_t port);		     /* answers until it is killed */
int collect(uint16_t port);		     /* OTLP/HTTP: takes everything and forgets it */
int churn(uint16_t port, unsigned n);	     /* n connections, ended in every way there is, at RATE a second */
int processes(uint16_t port, unsigned n);    /* n processes of one request each */
int crowd(uint16_t port, unsigned n);	     /* n processes with CROWD_SOCKETS connections each, until it is killed */
int idle(uint16_t port, unsigned n);	     /* n connections at once; a line on stdin: one request on each */

#endif
