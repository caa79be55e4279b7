// SPDX-License-Identifier: Apache-2.0
#include "gap/netns.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach/running.h"
#include "util/table.h"

/* The line of names, then the one of numbers. */
static bool snmp__number(const char *names, const char *numbers, const char *name, uint64_t *value)
{
	size_t n = strlen(name);

	for (;;) {
		names += strspn(names, " ");
		numbers += strspn(numbers, " ");
		if (*names == '\0' || *names == '\n' || *numbers == '\0' || *numbers == '\n')
			return false;
		if (strcspn(names, " \n") == n && !memcmp(names, name, n))
			break;
		names += strcspn(names, " \n");
		numbers += strcspn(numbers, " \n");
	}
	*value = strtoull(numbers, NULL, 10);
	return *numbers >= '0' && *numbers <= '9';
}

bool netns__read(const char *path, struct netns_opened *o)
{
	char names[512], numbers[512];
	FILE *f = fopen(path, "re");
	bool ok = false;

	if (!f)
		return false;
	while (fgets(names, sizeof(names), f))
		if (!strncmp(names, "Tcp:", 4) && fgets(numbers, sizeof(numbers), f)) {
			ok = snmp__number(names, numbers, "ActiveOpens", &o->connected) &&
			     snmp__number(names, numbers, "PassiveOpens", &o->accepted);
			break;
		}
	fclose(f);
	return ok;
}

/* 0: it is gone, or we may not see it. */
static uint32_t netns__of(uint32_t pid)
{
	char path[40];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
	return stat(path, &st) ? 0 : (uint32_t)st.st_ino;
}

static bool netns__read_of(uint32_t pid, struct netns_opened *o)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%u/net/snmp", pid);
	return netns__read(path, o);
}

struct of_traced {
	struct netns_opened *v;
	size_t n, max, looked_at;
	struct table seen;
	bool cut;
};

static void of_traced__look(void *ctx, uint32_t pid)
{
	struct of_traced *t = ctx;
	struct netns_opened o = {0};

	if (t->looked_at++ >= NETNS_PROCESSES_MAX) {
		t->cut = true;
		return;
	}
	o.inode = netns__of(pid);
	if (!o.inode || table__get(&t->seen, o.inode) || !netns__read_of(pid, &o))
		return;
	if (t->n == t->max) {
		t->cut = true;
		return;
	}
	table__set(&t->seen, o.inode, t);
	t->v[t->n++] = o;
}

size_t netns__of_traced(const struct attach *a, struct netns_opened *v, size_t max, bool *cut)
{
	struct of_traced t = {.v = v, .max = max};

	attach__each_process(a, of_traced__look, &t);
	table__free(&t.seen);
	*cut |= t.cut;
	return t.n;
}

/* Clock ticks since boot, of which process__start() counts one more, are rounded down. */
static bool start__is_before(uint64_t start, uint64_t boot_ns)
{
	return start - 1 <= boot_ns / 1000000000 * (uint64_t)sysconf(_SC_CLK_TCK) +
				    boot_ns % 1000000000 * (uint64_t)sysconf(_SC_CLK_TCK) / 1000000000;
}

void netns__again(const struct netns_opened *then, size_t n, uint64_t boot_ns, struct netns_opened *now, bool *found)
{
	struct running *r = running__new();
	struct table wanted = {0};

	for (size_t i = 0; i < n; i++) {
		now[i] = (struct netns_opened){.inode = then[i].inode};
		found[i] = false;
		table__set(&wanted, then[i].inode, now + i);
	}
	for (size_t k = 0; n && r && k < running__count(r); k++) {
		const uint32_t pid = running__pid(r, k), inode = netns__of(pid);
		struct netns_opened *o = inode ? table__get(&wanted, inode) : NULL;

		if (!o || found[o - now] || !start__is_before(running__start(r, k), boot_ns))
			continue;
		/* It may have left the namespace, or ended, between the two looks. */
		if (netns__read_of(pid, o) && netns__of(pid) == inode)
			found[o - now] = true;
	}
	for (size_t i = 0; i < n; i++)
		if (!found[i])
			now[i] = (struct netns_opened){.inode = then[i].inode};
	table__free(&wanted);
	running__free(r);
}
