// SPDX-License-Identifier: Apache-2.0
/*
 * export.c - in: spans; out: batches on their way. The oldest batch is sent, and retried, before
 * any other; spans that find the queue full are dropped and counted.
 */
#include "export/export.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "export/otlp.h"
#include "export/sender.h"
#include "util/log.h"

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS 10000
#define LOG_EVERY_MS 30000
#define QUEUE_BYTES (24u << 20) /* of all that is queued, as it is kept */
#define BATCH_BYTES (4u << 20)	/* a batch that large is full: collectors refuse what is too large */

/* Each is told at most every LOG_EVERY_MS, whatever else was. */
enum complaint { RETRIED, GAVE_UP, REFUSED, COMPLAINTS };

struct ready_batch {
	struct ready_batch *next;
	char *body;
	size_t size;
	uint32_t spans;
};

struct export {
	struct export_settings s; /* without the strings, which are the sender's business */
	struct sender *sender;
	struct otlp_batch filling;
	uint64_t filling_since; /* ms; 0: empty */
	struct ready_batch *head, **tail;
	size_t ready_bytes; /* of their bodies */
	bool posted;	     /* head is under way */
	uint64_t now;	     /* ms, of the last tick */
	uint64_t retry_at;   /* ms; 0: at once */
	uint64_t first_try;  /* ms, of head */
	uint64_t backoff_ms;
	uint64_t logged_at[COMPLAINTS];
	uint64_t random;     /* state of the jitter, never 0 */
	struct export_counters n;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Many agents that lost the same collector must not come back as one. */
static uint64_t random__seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = (uint64_t)getpid() << 32 ^ (uint64_t)time(NULL) ^ now_ms() << 16;
	return seed | 1;
}

/* xorshift64*: 0 to n - 1. */
static uint64_t export__random(struct export *e, uint64_t n)
{
	e->random ^= e->random >> 12;
	e->random ^= e->random << 25;
	e->random ^= e->random >> 27;
	return (e->random * 0x2545f4914f6cdd1dull >> 32) % n;
}

struct export *export__new(const struct export_settings *s, int epoll_fd, char *err, size_t err_size)
{
	struct export *e = calloc(1, sizeof(*e));

	if (!e)
		abort();
	e->s = *s;
	endpoint__show(s->endpoint, e->s.endpoint, sizeof(e->s.endpoint)); /* for messages */
	e->s.headers = NULL;
	e->s.certificate = e->s.client_certificate = e->s.client_key = NULL;
	e->filling.protocol = s->protocol;
	e->tail = &e->head;
	e->now = now_ms();
	e->random = random__seed();
	e->sender = sender__new(s, epoll_fd, e, err, err_size);
	if (!e->sender) {
		free(e);
		return NULL;
	}
	return e;
}

static char *body__gzip(char *body, size_t *size)
{
	z_stream z = {0};
	size_t bound;
	char *out;

	/* 15 + 16: a gzip header; level 1, spans are very repetitive. */
	if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	bound = deflateBound(&z, *size);
	out = malloc(bound);
	if (!out)
		abort();
	z.next_in = (Bytef *)body;
	z.avail_in = (uInt)*size;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)bound;
	deflate(&z, Z_FINISH);
	*size = z.total_out;
	deflateEnd(&z);
	free(body);
	body = realloc(out, *size);
	return body ? body : out;
}

/* What is filling becomes a batch at the end of the queue. */
static void export__seal(struct export *e)
{
	struct ready_batch *b;

	if (!e->filling.spans)
		return;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->spans = e->filling.spans;
	b->body = otlp_batch__body(&e->filling, &b->size);
	e->n.bytes_encoded += b->size;
	if (e->s.gzip)
		b->body = body__gzip(b->body, &b->size);
	e->ready_bytes += b->size;
	*e->tail = b;
	e->tail = &b->next;
	e->n.batches++;
	e->filling_since = 0;
}

static size_t export__bytes(const struct export *e)
{
	return e->ready_bytes + e->filling.bytes;
}

void export__span(struct export *e, const struct span *s)
{
	e->n.spans++;
	if (e->n.queued >= e->s.max_queue || export__bytes(e) >= QUEUE_BYTES) {
		e->n.dropped_queue++;
		return;
	}
	otlp_batch__add(&e->filling, s);
	e->n.queued++;
	if (!e->filling_since)
		e->filling_since = e->now;
	if (e->filling.spans >= e->s.max_batch || e->filling.bytes >= BATCH_BYTES) {
		export__seal(e);
		export__ready(e);
	}
}

static void export__pop(struct export *e)
{
	struct ready_batch *b = e->head;

	e->head = b->next;
	if (!e->head)
		e->tail = &e->head;
	e->n.queued -= b->spans;
	e->ready_bytes -= b->size;
	e->posted = false;
	e->first_try = e->retry_at = e->backoff_ms = 0;
	free(b->body);
	free(b);
}

static void export__complain(struct export *e, enum complaint what)
{
	static const char *const words[] = {"is being retried", "gave up on a batch", "was refused"};

	if (e->logged_at[what] && e->now - e->logged_at[what] < LOG_EVERY_MS)
		return;
	e->logged_at[what] = e->now;
	log__warn("export to %s %s: %s", e->s.endpoint, words[what], sender__error(e->sender));
}

/* The next batch has its own time, but waits for the moment that was asked for, within reason. */
static void export__give_up(struct export *e, uint64_t asked)
{
	e->n.dropped_retry += e->head->spans;
	export__complain(e, GAVE_UP);
	export__pop(e);
	e->retry_at = e->now + (asked < e->s.export_timeout_ms ? asked : e->s.export_timeout_ms);
}

/*
 * Exponential back-off with jitter, but never earlier than the collector asked for. A batch whose
 * next try would come after its time is given up now: it would only stand in the others' way.
 */
static void export__schedule_retry(struct export *e)
{
	uint64_t asked = sender__retry_after_ms(e->sender), wait;

	e->n.failures++;
	e->now = now_ms(); /* the last tick was a while ago, and not a moment of what was asked for is cut */
	e->backoff_ms = e->backoff_ms ? e->backoff_ms * 3 / 2 : BACKOFF_FIRST_MS;
	if (e->backoff_ms > BACKOFF_MAX_MS)
		e->backoff_ms = BACKOFF_MAX_MS;
	wait = e->backoff_ms / 2 + export__random(e, e->backoff_ms / 2 + 1);
	if (wait < asked)
		wait = asked;
	if (e->now + wait - e->first_try > e->s.export_timeout_ms) {
		export__give_up(e, asked);
		return;
	}
	e->retry_at = e->now + wait;
	e->posted = false;
	export__complain(e, RETRIED);
}

static void export__result(struct export *e, enum sender_result r)
{
	uint64_t rejected;

	switch (r) {
	case SENDER_BUSY:
		break;
	case SENDER_OK:
		rejected = sender__rejected(e->sender);
		if (rejected > e->head->spans)
			rejected = e->head->spans;
		e->n.rejected += rejected;
		e->n.exported += e->head->spans - rejected;
		e->n.bytes_sent += e->head->size;
		export__pop(e);
		break;
	case SENDER_RETRY:
		export__schedule_retry(e);
		break;
	case SENDER_REFUSED:
		e->n.failures++;
		e->n.rejected += e->head->spans;
		export__complain(e, REFUSED);
		export__pop(e);
		break;
	}
}

/* Posts the oldest batch unless one is under way or has to wait. */
static void export__post(struct export *e)
{
	if (e->posted || !e->head || e->retry_at > e->now)
		return;
	if (e->first_try)
		e->n.retries++;
	else
		e->first_try = e->now;
	e->posted = true;
	sender__post(e->sender, e->head->body, e->head->size);
}

void export__ready(struct export *e)
{
	do {
		export__post(e);
		export__result(e, sender__drive(e->sender));
	} while (e->head && !e->posted && e->retry_at <= e->now);
}

int export__tick(struct export *e, uint64_t now)
{
	e->now = now;
	if (e->filling_since && now - e->filling_since >= e->s.schedule_delay_ms)
		export__seal(e);
	export__ready(e);
	return e->head ? 10 : -1;
}

/* Sends what is at the head, or waits for its time; not beyond `end`, and a while at most. */
static void export__work(struct export *e, uint64_t end)
{
	uint64_t wait = e->retry_at > e->now ? e->retry_at - e->now : 20;

	export__post(e);
	export__result(e, sender__wait(e->sender, (int)(wait < end - e->now ? wait : end - e->now)));
}

static bool export__has_room(const struct export *e)
{
	return e->n.queued < (e->s.max_queue + 1) / 2 && export__bytes(e) < QUEUE_BYTES / 2;
}

int export__make_room(struct export *e, uint64_t ms)
{
	uint64_t end = now_ms() + ms;

	while (!export__has_room(e)) {
		e->now = now_ms();
		if (e->now >= end)
			return -ETIMEDOUT;
		if (!e->head) /* a batch may be as large as the queue */
			export__seal(e);
		export__work(e, end);
	}
	return 0;
}

bool export__failed(const struct export *e)
{
	return e->n.rejected || e->n.dropped_queue || e->n.dropped_retry;
}

int export__flush(struct export *e, uint64_t ms)
{
	uint64_t end = now_ms() + ms;

	export__seal(e);
	while (e->head && (e->now = now_ms()) < end)
		export__work(e, end);
	if (!e->head)
		return 0;
	sender__cancel(e->sender);
	while (e->head) {
		e->n.dropped_retry += e->head->spans;
		export__pop(e);
	}
	return -ETIMEDOUT;
}

void export__free(struct export *e)
{
	if (!e)
		return;
	sender__free(e->sender);
	while (e->head)
		export__pop(e);
	otlp_batch__free(&e->filling);
	free(e);
}

const struct export_counters *export__counters(const struct export *e)
{
	return &e->n;
}
