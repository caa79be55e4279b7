// SPDX-License-Identifier: Apache-2.0
#include "attach/sockets.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTED ((void *)0x20000)
#define ESTABLISHED 1 /* include/net/tcp_states.h */
#define LISTEN 10

/* "  sl  local_address rem_address   st tx_queue:rx_queue tr:tm->when retrnsmt   uid  timeout inode". proc_pid_net(5) */
static void file__read(struct sockets *s, const char *path)
{
	char line[512];
	unsigned port, state;
	unsigned long inode;
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu", &port, &state, &inode) != 3 || !inode)
			continue;
		if (state == LISTEN)
			table__set(&s->by_inode, inode, (void *)(uintptr_t)(port + 1));
		else if (state == ESTABLISHED)
			table__set(&s->by_inode, inode, CONNECTED);
	}
	if (f)
		fclose(f);
}

void sockets__read(struct sockets *s, uint32_t pid)
{
	char path[40];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
	if (stat(path, &st) || table__get(&s->seen, st.st_ino))
		return;
	table__set(&s->seen, st.st_ino, s);
	snprintf(path, sizeof(path), "/proc/%u/net/tcp", pid);
	file__read(s, path);
	snprintf(path, sizeof(path), "/proc/%u/net/tcp6", pid);
	file__read(s, path);
}

static void counts__add(struct socket_counts *c, const void *socket)
{
	const uint16_t port = (uint16_t)((uintptr_t)socket - 1);
	unsigned i = 0;

	if (socket == CONNECTED) {
		c->connections++;
		return;
	}
	c->listeners++;
	while (i < c->n_ports && c->ports[i] != port)
		i++;
	if (i == c->n_ports && i < PORTS_MAX)
		c->ports[c->n_ports++] = port;
}

bool sockets__of(const struct sockets *s, uint32_t pid, struct socket_counts *counts)
{
	char dir[32], path[64], link[64];
	struct dirent *e;
	DIR *d;

	*counts = (struct socket_counts){0};
	snprintf(dir, sizeof(dir), "/proc/%u/fd", pid);
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		const void *socket;
		unsigned long inode;
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%.20s", dir, e->d_name);
		n = readlink(path, link, sizeof(link) - 1);
		if (n <= 0)
			continue;
		link[n] = '\0';
		if (sscanf(link, "socket:[%lu]", &inode) == 1 && (socket = table__get(&s->by_inode, inode)))
			counts__add(counts, socket);
	}
	if (d)
		closedir(d);
	return counts->connections || counts->listeners;
}

void sockets__free(struct sockets *s)
{
	table__free(&s->by_inode);
	table__free(&s->seen);
}
