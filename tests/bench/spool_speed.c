// SPDX-License-Identifier: Apache-2.0
/* spool_speed.c DIR: what a batch costs that goes through the spool, us, and what waiting for the disk would add. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "export/spool.h"
#include "util/clock.h"

#define BATCHES 200
#define BATCH_SIZE 320000 /* 512 spans of 635 bytes */

static double clock_us(clockid_t id)
{
	return (double)clock__ns(id) / 1e3;
}

struct lap {
	double wall, cpu;
};

static struct lap lap__begin(void)
{
	return (struct lap){clock_us(CLOCK_MONOTONIC), clock_us(CLOCK_PROCESS_CPUTIME_ID)};
}

static void lap__end(struct lap l, const char *what)
{
	printf("%-28s %8.0f us wall %8.0f us CPU a batch\n", what, (clock_us(CLOCK_MONOTONIC) - l.wall) / BATCHES,
	       (clock_us(CLOCK_PROCESS_CPUTIME_ID) - l.cpu) / BATCHES);
}

static void fsync_all(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		int fd = e->d_name[0] == '.' ? -1 : openat(dirfd(d), e->d_name, O_RDONLY);

		if (fd < 0)
			continue;
		fsync(fd);
		fsync(dirfd(d)); /* or the name may be gone */
		close(fd);
	}
	closedir(d);
}

int main(int argc, char **argv)
{
	char path[4096], err[512] = "";
	struct spool_counters n = {0};
	struct batch b = {.body = malloc(BATCH_SIZE), .size = BATCH_SIZE, .spans = 512}, *taken;
	struct spool *s;
	struct lap l;

	snprintf(path, sizeof(path), "%s/spool-speed.%d", argc > 1 ? argv[1] : ".", getpid());
	s = spool__open(path, 1u << 30, &n, err, sizeof(err));
	if (!s) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	for (size_t i = 0; i < BATCH_SIZE; i++)
		b.body[i] = (char)(i * 2654435761u >> 16);
	l = lap__begin();
	for (int i = 0; i < BATCHES; i++)
		spool__put(s, &b);
	lap__end(l, "written");
	l = lap__begin();
	fsync_all(path);
	lap__end(l, "fsync of file and directory");
	l = lap__begin();
	while ((taken = spool__take(s))) {
		batch__free(taken);
		spool__done(s);
	}
	lap__end(l, "read, checked, removed");
	spool__free(s);
	rmdir(path);
	return n.dropped_disk || n.damaged;
}
