/* SPDX-License-Identifier: Apache-2.0 */
/* sockets.h - the TCP sockets of this machine, of every network namespace, by inode. */
#ifndef ATTACH_SOCKETS_H
#define ATTACH_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/table.h"

#define PORTS_MAX 8

struct sockets {
	struct table by_inode; /* value: port + 1 of a listener, or CONNECTED */
	struct table seen;     /* network namespaces */
};

struct socket_counts {
	unsigned connections, listeners;
	uint16_t ports[PORTS_MAX]; /* of the first listeners */
	unsigned n_ports;
};

/* Reads the namespace that pid is in, unless that was read before. */
void sockets__read(struct sockets *s, uint32_t pid);
/* What of them pid has open; connections count once for each descriptor. False: no TCP socket, or it cannot be seen. */
bool sockets__of(const struct sockets *s, uint32_t pid, struct socket_counts *counts);
void sockets__free(struct sockets *s);

#endif
