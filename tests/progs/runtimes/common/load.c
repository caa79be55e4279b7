// SPDX-License-Identifier: Apache-2.0
/*
 * load PORT REQUESTS CONCURRENCY: for a second (WARM_UP: so many) GET /a?id=w-000001 ..., so that everything is there;
 * then GET /a?id=r-000001 ... over so many kept connections, the next one at once.
 *
 * To warm up, all connections begin at the same time, with one to eight requests each, and pause when all are done
 * (PAUSE_US: one each, and so long a pause): pools and queues fill as they will later, yet the tracer, which attaches by
 * what it sees, does not fall behind.
 */
#include <time.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http.h"

#define PAUSE_EACH_US 2000 /* a connection: some 2,000 requests a second */
#define ROUND_MAX 8

static double warm_up_s = 1;
static useconds_t pause_us;
static int round_max = ROUND_MAX;
static atomic_int warm = 1, next = 1;
static int port, requests;
static pthread_barrier_t together;

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A server may keep no connection: once more. */
static void get(int *fd, char kind, int n)
{
	char id[ID_LEN], got[ID_LEN];

	snprintf(id, sizeof(id), "%c-%06d", kind, n);
	for (int tries = 0; tries < 2; tries++) {
		if (*fd < 0)
			*fd = http__connect(port);
		http__ask(*fd, "/a", id);
		if (http__read(*fd, got))
			return;
		close(*fd);
		*fd = -1;
	}
	http__die("no answer");
}

/* All of them end in the same turn. */
static bool is_over(double until)
{
	static bool over;

	if (pthread_barrier_wait(&together) == PTHREAD_BARRIER_SERIAL_THREAD)
		over = seconds() >= until;
	pthread_barrier_wait(&together);
	return over;
}

static void *work(void *arg)
{
	double until = seconds() + warm_up_s;
	int fd = -1, n;

	do {
		for (n = atomic_fetch_add(&warm, 1); n; n = n % round_max ? atomic_fetch_add(&warm, 1) : 0)
			get(&fd, 'w', n);
		usleep(pause_us);
	} while (!is_over(until));
	while ((n = atomic_fetch_add(&next, 1)) <= requests)
		get(&fd, 'r', n);
	return NULL;
}

int main(int argc, char **argv)
{
	int concurrency = atoi(argv[3]);
	pthread_t t[512];

	if (getenv("WARM_UP"))
		warm_up_s = atof(getenv("WARM_UP"));
	pause_us = PAUSE_EACH_US * (useconds_t)concurrency;
	if (getenv("PAUSE_US")) {
		pause_us = (useconds_t)atoi(getenv("PAUSE_US"));
		round_max = 1;
	}
	port = atoi(argv[1]);
	requests = atoi(argv[2]);
	pthread_barrier_init(&together, NULL, (unsigned)concurrency);
	for (int i = 0; i < concurrency; i++)
		pthread_create(&t[i], NULL, work, NULL);
	for (int i = 0; i < concurrency; i++)
		pthread_join(t[i], NULL);
	return 0;
}
