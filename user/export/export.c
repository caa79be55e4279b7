// SPDX-License-Identifier: Apache-2.0
/*
 * export.c - in: spans; out: batches on their way. The oldest batch is sent, and retried, before
 * any other; spans that find the queue full are dropped and counted.
 *
 * With a spool nothing is given up: a batch that the collector does not take goes there, and so does
 * every other until it answers again, so that memory holds little and a killed agent loses little. Then
 * what is new goes first, and of the spool, oldest first, a batch every SPOOL_PACE_MS.
 */
#include "export/export.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "export/sender.h"
#include "export/spool.h"
#include "util/clock.h"
#include "util/log.h"

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS 10000
#define LOG_EVERY_MS 30000
#define QUEUE_BYTES (24u << 20) /* of all that is queued, as it is kept */
#define BATCH_BYTES (4u << 20)	/* a batch that large is full: collectors refuse what is too large */
#define SPOOL_PACE_MS 50	/* 20 batches a second, some 10,000 spans: a collector that is back is not run over */
#define SPOOL_TRIES 8		/* then it is another batch's turn: this one may be why the collector fails */

/* Each is told at most every LOG_EVERY_MS, whatever else was. */
enum complaint { RETRIED, GAVE_UP, REFUSED, SPOOL_DROPPED, COMPLAINTS };

struct export {
	struct export_settings s; /* without the strings, which are the sender's business */
	struct sender *sender, *next_sender; /* the next one takes over when a post is through */
	int epoll_fd;
	struct otlp_batch filling;
	uint64_t filling_since; /* ms; 0: empty */
	struct batch *head, **tail; /* they wait */
	size_t ready_bytes;	    /* of their bodies */
	struct batch *current;	    /* under way, or to be tried again */
	bool posted;		    /* it is under way */
	struct spool *spool;	    /* NULL: none */
	bool from_spool;	    /* current is */
	unsigned spool_tries;	    /* of the oldest there */
	uint64_t spool_at;	    /* ms; not earlier than that */
	bool ending;		    /* the spool is for the next agent */
	uint64_t now;	     /* ms, of the last tick */
	uint64_t retry_at;   /* ms; 0: at once */
	uint64_t first_try;  /* ms, of current */
	uint64_t backoff_ms; /* 0: the collector has answered last time */
	uint64_t logged_at[COMPLAINTS];
	uint64_t random;     /* state of the jitter, never 0 */
	struct export_counters n;
};

/* Many agents that lost the same collector must not come back as one. */
static uint64_t random__seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = (uint64_t)getpid() << 32 ^ (uint64_t)time(NULL) ^ clock__ms() << 16;
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

static void export__set(struct export *e, const struct export_settings *s)
{
	e->s = *s;
	endpoint__show(s->endpoint, e->s.endpoint, sizeof(e->s.endpoint)); /* for messages */
	e->s.headers = NULL;
	e->s.certificate = e->s.client_certificate = e->s.client_key = NULL;
}

struct export *export__new(const struct export_settings *s, int epoll_fd, char *err, size_t err_size)
{
	struct export *e = calloc(1, sizeof(*e));

	if (!e)
		abort();
	export__set(e, s);
	e->epoll_fd = epoll_fd;
	e->filling.protocol = s->protocol;
	e->tail = &e->head;
	e->now = clock__ms();
	e->random = random__seed();
	e->sender = sender__new(s, epoll_fd, e, err, err_size);
	if (e->sender && s->spool)
		e->spool = spool__open(s->spool, s->spool_bytes, &e->n.spool, err, err_size);
	if (!e->sender || (s->spool && !e->spool)) {
		export__free(e);
		return NULL;
	}
	if (e->n.spool.found)
		log__info("the spool %s holds %llu spans of an earlier run", s->spool, (unsigned long long)e->n.spool.spans);
	return e;
}

static struct batch *export__shift(struct export *e)
{
	struct batch *b = e->head;

	e->head = b->next;
	if (!e->head)
		e->tail = &e->head;
	return b;
}

/* It is in memory no longer. */
static void export__release(struct export *e, struct batch *b)
{
	e->n.queued -= b->spans;
	e->ready_bytes -= b->size;
	batch__free(b);
}

static size_t export__bytes(const struct export *e)
{
	return e->ready_bytes + e->filling.bytes;
}

/* May it be told again? */
static bool export__may_tell(struct export *e, enum complaint what)
{
	if (e->logged_at[what] && e->now - e->logged_at[what] < LOG_EVERY_MS)
		return false;
	e->logged_at[what] = e->now;
	return true;
}

static void export__to_spool(struct export *e, struct batch *b)
{
	uint64_t full = e->n.spool.dropped_full, disk = e->n.spool.dropped_disk;
	int r = spool__put(e->spool, b);

	export__release(e, b);
	if (full == e->n.spool.dropped_full && disk == e->n.spool.dropped_disk)
		return;
	if (!export__may_tell(e, SPOOL_DROPPED))
		return;
	if (disk != e->n.spool.dropped_disk)
		log__warn("the spool %s can't be written, spans are dropped: %s", e->s.spool, strerror(r ? -r : ENOSPC));
	else
		log__warn("the spool %s is full, its oldest spans are dropped: raise --spool-size", e->s.spool);
}

/* While the collector is away everything that waits goes to the spool; else what is above half of the queue. */
static void export__relieve(struct export *e)
{
	uint32_t spans = e->backoff_ms || e->ending ? 0 : e->s.max_queue / 2;
	size_t bytes = e->backoff_ms || e->ending ? 0 : QUEUE_BYTES / 2;

	while (e->spool && e->head && (e->n.queued > spans || export__bytes(e) > bytes))
		export__to_spool(e, export__shift(e));
}

/* What is filling becomes a batch at the end of the queue. */
static void export__seal(struct export *e)
{
	size_t encoded;
	struct batch *b;

	if (!e->filling.spans)
		return;
	b = batch__new(&e->filling, e->s.gzip, &encoded);
	e->n.bytes_encoded += encoded;
	e->ready_bytes += b->size;
	*e->tail = b;
	e->tail = &b->next;
	e->n.batches++;
	e->filling_since = 0;
	export__relieve(e);
}

int export__reload(struct export *e, const struct export_settings *s, char *err, size_t err_size)
{
	struct export_settings new = *s;
	struct sender *sender = sender__new(s, e->epoll_fd, e, err, err_size);

	if (!sender)
		return -EIO;
	sender__free(e->next_sender);
	e->next_sender = sender;
	export__seal(e); /* in the old protocol */
	new.spool = e->s.spool;
	new.spool_bytes = e->s.spool_bytes;
	export__set(e, &new);
	e->filling.protocol = s->protocol;
	e->retry_at = 0; /* the new collector has asked for no pause */
	return 0;
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

/* The current batch has been dealt with. */
static void export__pop(struct export *e)
{
	if (e->from_spool) {
		spool__done(e->spool);
		batch__free(e->current);
		e->spool_tries = 0;
	} else {
		export__release(e, e->current);
	}
	e->current = NULL;
	e->posted = e->from_spool = false;
	e->first_try = e->retry_at = 0;
}

/* The collector did not take the current batch: it waits in the spool. */
static void export__park(struct export *e)
{
	if (e->from_spool) {
		bool last = ++e->spool_tries >= SPOOL_TRIES;

		spool__back(e->spool, last);
		batch__free(e->current);
		e->spool_tries = last ? 0 : e->spool_tries;
	} else {
		export__to_spool(e, e->current);
	}
	e->current = NULL;
	e->posted = e->from_spool = false;
	e->first_try = 0;
	export__relieve(e);
}

static void export__complain(struct export *e, enum complaint what)
{
	static const char *const words[] = {"is being retried", "gave up on a batch", "was refused"};

	if (export__may_tell(e, what))
		log__warn("export to %s %s: %s", e->s.endpoint, words[what], sender__error(e->sender));
}

/* The next batch has its own time, but waits for the moment that was asked for, within reason. */
static void export__give_up(struct export *e, uint64_t asked)
{
	e->n.dropped_retry += e->current->spans;
	export__complain(e, GAVE_UP);
	export__pop(e);
	e->backoff_ms = 0;
	e->retry_at = e->now + (asked < e->s.export_timeout_ms ? asked : e->s.export_timeout_ms);
}

/*
 * Exponential back-off with jitter, but never earlier than the collector asked for. A batch whose
 * next try would come after its time is given up now: it would only stand in the others' way. Not so
 * with a spool, where nothing stands in the way.
 */
static void export__schedule_retry(struct export *e)
{
	uint64_t asked = sender__retry_after_ms(e->sender), wait;

	e->n.failures++;
	e->now = clock__ms(); /* the last tick was a while ago, and not a moment of what was asked for is cut */
	e->backoff_ms = e->backoff_ms ? e->backoff_ms * 3 / 2 : BACKOFF_FIRST_MS;
	if (e->backoff_ms > BACKOFF_MAX_MS)
		e->backoff_ms = BACKOFF_MAX_MS;
	wait = e->backoff_ms / 2 + export__random(e, e->backoff_ms / 2 + 1);
	if (wait < asked)
		wait = asked;
	if (!e->spool && e->now + wait - e->first_try > e->s.export_timeout_ms) {
		export__give_up(e, asked);
		return;
	}
	e->retry_at = e->now + wait;
	e->posted = false;
	export__complain(e, RETRIED);
	if (e->spool)
		export__park(e);
}

/* The collector has answered, and the batch is gone. */
static void export__answered(struct export *e)
{
	if (e->spool && e->backoff_ms)
		log__info("export to %s works again; the spool holds %llu spans", e->s.endpoint,
			  (unsigned long long)e->n.spool.spans);
	export__pop(e);
	e->backoff_ms = 0;
}

static void export__result(struct export *e, enum sender_result r)
{
	uint64_t rejected;

	switch (r) {
	case SENDER_BUSY:
		break;
	case SENDER_OK:
		rejected = sender__rejected(e->sender);
		if (rejected > e->current->spans)
			rejected = e->current->spans;
		e->n.rejected += rejected;
		e->n.exported += e->current->spans - rejected;
		e->n.bytes_sent += e->current->size;
		export__answered(e);
		break;
	case SENDER_RETRY:
		export__schedule_retry(e);
		break;
	case SENDER_REFUSED:
		e->n.failures++;
		e->n.rejected += e->current->spans;
		export__complain(e, REFUSED);
		export__answered(e);
		break;
	}
}

/* Is it the spool's turn? Also while there is something new, or it might never be. */
static bool export__spool_is_due(const struct export *e)
{
	return e->spool && !e->ending && e->n.spool.files && e->now >= e->spool_at;
}

static void export__choose(struct export *e)
{
	if (export__spool_is_due(e)) {
		e->spool_at = e->now + SPOOL_PACE_MS;
		e->current = spool__take(e->spool);
		e->from_spool = e->current;
	}
	if (!e->current && e->head)
		e->current = export__shift(e);
}

/* Posts the oldest batch unless one is under way or has to wait. */
static void export__post(struct export *e)
{
	if (e->posted || e->retry_at > e->now)
		return;
	if (!e->current)
		export__choose(e);
	if (!e->current)
		return;
	if (e->next_sender) {
		sender__free(e->sender);
		e->sender = e->next_sender;
		e->next_sender = NULL;
	}
	if (e->backoff_ms)
		e->n.retries++;
	if (!e->first_try)
		e->first_try = e->now;
	e->posted = true;
	sender__post(e->sender, e->current);
}

/* Is there anything in memory that is not just filling? */
static bool export__holds(const struct export *e)
{
	return e->current || e->head;
}

void export__ready(struct export *e)
{
	do {
		export__post(e);
		export__result(e, sender__drive(e->sender));
	} while (!e->posted && e->retry_at <= e->now && (export__holds(e) || export__spool_is_due(e)));
}

int export__tick(struct export *e, uint64_t now)
{
	e->now = now;
	if (e->filling_since && now - e->filling_since >= e->s.schedule_delay_ms)
		export__seal(e);
	export__ready(e);
	return export__holds(e) ? 10 : -1;
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
	uint64_t end = clock__ms() + ms;

	while (!export__has_room(e)) {
		e->now = clock__ms();
		if (e->now >= end)
			return -ETIMEDOUT;
		if (!export__holds(e)) /* a batch may be as large as the queue */
			export__seal(e);
		export__work(e, end);
	}
	return 0;
}

static uint64_t export__dropped(const struct export *e)
{
	const struct spool_counters *s = &e->n.spool;

	return e->n.dropped_queue + e->n.dropped_retry + s->dropped_full + s->dropped_disk + s->damaged;
}

bool export__failed(const struct export *e)
{
	return e->n.rejected || export__dropped(e);
}

/* There is no time left to send what is in memory. */
static void export__abandon(struct export *e)
{
	sender__cancel(e->sender);
	if (e->spool) {
		if (e->current)
			export__park(e);
		export__relieve(e);
		return;
	}
	while (export__holds(e)) {
		if (!e->current)
			e->current = export__shift(e);
		e->n.dropped_retry += e->current->spans;
		export__pop(e);
	}
}

int export__flush(struct export *e, uint64_t ms)
{
	uint64_t end = clock__ms() + ms, dropped = export__dropped(e);

	export__seal(e);
	e->ending = true;
	while (export__holds(e) && (e->now = clock__ms()) < end)
		export__work(e, end);
	export__abandon(e);
	e->ending = false;
	return export__dropped(e) == dropped ? 0 : -ETIMEDOUT;
}

void export__free(struct export *e)
{
	if (!e)
		return;
	sender__free(e->sender);
	sender__free(e->next_sender);
	while (e->head)
		export__release(e, export__shift(e));
	batch__free(e->current);
	spool__free(e->spool);
	otlp_batch__free(&e->filling);
	free(e);
}

const struct export_counters *export__counters(const struct export *e)
{
	return &e->n;
}
