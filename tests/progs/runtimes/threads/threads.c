// SPDX-License-Identifier: Apache-2.0
/*
 * threads PORT UPSTREAM WORKERS MODE: a server whose requests call /up, in the ways that threads do:
 *
 * thread   a thread a connection makes both calls itself
 * submit   it hands two calls to a pool and waits (a condition variable of the request's own)
 * shared   as submit, but all wait on one condition variable, which is broadcast
 * handoff  the thread that reads hands the request to a pool, which calls and answers
 * mixed    as submit, but in one request of three nothing is called, and of others one or two
 * forget   the pool's call goes on after the answer: nobody waits for it
 * late     the thread makes a call, answers, and only then reads its reply
 * join     a thread is made for each of two calls, and joined
 * retry    the thread's first call is reset, so it calls once more
 * cron     as thread, and beside it a thread that serves nobody calls by the clock, for b-000001 ...
 * cron-pool  as submit, and somebody who serves nobody submits calls by the clock to the same pool
 */
#include <pthread.h>

#include "http.h"

struct task {
	struct task *next;
	char id[ID_LEN];
	int fd; /* handoff: whom to answer */
	int calls;
	bool done;
	pthread_mutex_t lock;
	pthread_cond_t cond;
};

static const char *mode;
static int upstream;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_cond = PTHREAD_COND_INITIALIZER, shared_cond = PTHREAD_COND_INITIALIZER;
static struct task *head, **tail = &head;

static bool mode_is(const char *name)
{
	return !strcmp(mode, name);
}

static bool try_call(int *fd, const char *id)
{
	char got[ID_LEN];

	if (*fd < 0)
		*fd = http__connect(upstream);
	http__ask(*fd, "/up", id);
	return http__read(*fd, got);
}

static void call(int *fd, const char *id)
{
	if (!try_call(fd, id))
		http__die("upstream");
}

static void call_twice(int *fd, const char *id)
{
	char vain[ID_LEN + 8];

	snprintf(vain, sizeof(vain), "%s.vain", id);
	if (try_call(fd, vain))
		http__die("a call in vain was answered");
	close(*fd);
	*fd = -1;
	call(fd, id);
}

static void queue__put(struct task *t)
{
	t->next = NULL;
	pthread_mutex_lock(&queue_lock);
	*tail = t;
	tail = &t->next;
	pthread_cond_signal(&queue_cond);
	pthread_mutex_unlock(&queue_lock);
}

static struct task *queue__take(void)
{
	struct task *t;

	pthread_mutex_lock(&queue_lock);
	while (!head)
		pthread_cond_wait(&queue_cond, &queue_lock);
	t = head;
	head = t->next;
	if (!head)
		tail = &head;
	pthread_mutex_unlock(&queue_lock);
	return t;
}

static void task__complete(struct task *t)
{
	if (mode_is("handoff") || mode_is("forget")) {
		if (mode_is("handoff"))
			http__answer(t->fd);
		free(t);
		return;
	}
	pthread_mutex_lock(&t->lock);
	t->done = true;
	if (mode_is("shared"))
		pthread_cond_broadcast(&shared_cond);
	else
		pthread_cond_signal(&t->cond);
	pthread_mutex_unlock(&t->lock);
}

static void *worker(void *arg)
{
	int fd = -1;

	for (;;) {
		struct task *t = queue__take();

		for (int i = 0; i < t->calls; i++)
			call(&fd, t->id);
		task__complete(t);
	}
	return NULL;
}

static void submit_and_wait(const char *id, int calls)
{
	static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
	struct task t = {.calls = calls, .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

	snprintf(t.id, sizeof(t.id), "%s", id);
	queue__put(&t);
	if (mode_is("shared")) {
		/* The task's own lock guards done; the shared one would lose no wake, as the waiter looks again. */
		pthread_mutex_lock(&shared_lock);
		while (!__atomic_load_n(&t.done, __ATOMIC_ACQUIRE)) {
			struct timespec soon;

			clock_gettime(CLOCK_REALTIME, &soon);
			soon.tv_nsec += 2000000;
			soon.tv_sec += soon.tv_nsec / 1000000000;
			soon.tv_nsec %= 1000000000;
			pthread_cond_timedwait(&shared_cond, &shared_lock, &soon);
		}
		pthread_mutex_unlock(&shared_lock);
	}
	pthread_mutex_lock(&t.lock);
	while (!t.done)
		pthread_cond_wait(&t.cond, &t.lock);
	pthread_mutex_unlock(&t.lock);
}

/* Nothing that it does is for a request. */
static void *cron(void *pool)
{
	char id[ID_LEN];

	for (int n = 1, fd = -1;; n++) {
		snprintf(id, sizeof(id), "b-%06d", n);
		usleep(500);
		if (pool)
			submit_and_wait(id, 2);
		else
			call(&fd, id);
	}
	return NULL;
}

static void *call_once(void *id)
{
	int fd = -1;

	call(&fd, id);
	close(fd);
	return NULL;
}

static void call_in_threads(char *id)
{
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, call_once, id);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

static void hand_off(const char *id, int fd)
{
	struct task *t = calloc(1, sizeof(*t));

	t->calls = 1;
	t->fd = fd;
	snprintf(t->id, sizeof(t->id), "%s", id);
	queue__put(t);
}

static void *serve(void *arg)
{
	int fd = (int)(long)arg, up = -1;
	char id[ID_LEN];

	while (http__read(fd, id)) {
		if (mode_is("late")) {
			char got[ID_LEN];

			up = up < 0 ? http__connect(upstream) : up;
			http__ask(up, "/up", id);
			http__answer(fd);
			if (!http__read(up, got))
				http__die("upstream");
			continue;
		}
		if (mode_is("retry")) {
			call_twice(&up, id);
		} else if (mode_is("thread") || mode_is("cron")) {
			call(&up, id);
			call(&up, id);
		} else if (mode_is("submit") || mode_is("cron-pool") || mode_is("shared")) {
			submit_and_wait(id, 2);
		} else if (mode_is("mixed")) {
			submit_and_wait(id, atoi(id + 2) % 3);
		} else if (mode_is("join")) {
			call_in_threads(id);
		} else {
			hand_off(id, fd);
		}
		if (!mode_is("handoff"))
			http__answer(fd);
	}
	close(fd);
	close(up);
	return NULL;
}

int main(int argc, char **argv)
{
	int fd = http__listen(atoi(argv[1])), c;
	pthread_t t;

	upstream = atoi(argv[2]);
	mode = argv[4];
	for (int i = atoi(argv[3]); i > 0; i--)
		pthread_create(&t, NULL, worker, NULL);
	if (mode_is("cron") || mode_is("cron-pool"))
		pthread_create(&t, NULL, cron, mode_is("cron-pool") ? (void *)mode : NULL);
	while ((c = accept(fd, NULL, NULL)) >= 0 && !pthread_create(&t, NULL, serve, (void *)(long)c))
		pthread_detach(t);
	return 1;
}
