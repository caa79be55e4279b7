// SPDX-License-Identifier: Apache-2.0
/* spool.c - files "SEQUENCE-SPANS.batch": a header and a body. Contract: spool.h. */
#include "export/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#include "util/own_dir.h"

#define MAGIC "wsspool1"
#define NAME_MAX_BYTES 48
#define PROBE "probe.tmp"

/* In this machine's byte order; another one's does not have these numbers, and is refused. */
struct header {
	char magic[8];
	uint64_t size; /* of the body */
	uint32_t spans;
	uint32_t crc; /* of the header with crc 0, then the body */
	uint8_t protocol, gzip;
	uint8_t pad[6];
};

struct entry {
	uint64_t sequence;
	uint32_t blocks, spans;
};

struct spool {
	int dir;
	uint64_t max_bytes, next;
	struct entry *v; /* v[first .. first + count), oldest first */
	size_t first, count, room;
	bool taken; /* v[first] is: its batch is on its way */
	struct spool_counters *n;
};

static void entry__name(const struct entry *e, const char *end, char name[NAME_MAX_BYTES])
{
	snprintf(name, NAME_MAX_BYTES, "%016llx-%u%s", (unsigned long long)e->sequence, e->spans, end);
}

/* A name of ours, exactly as it is written. */
static bool name__parse(const char *name, const char *end, struct entry *e)
{
	char again[NAME_MAX_BYTES];
	unsigned long long sequence;

	if (sscanf(name, "%16llx-%u", &sequence, &e->spans) != 2 || sequence >> 63)
		return false;
	e->sequence = sequence;
	entry__name(e, end, again);
	return !strcmp(name, again);
}

static uint32_t blocks__of(uint64_t bytes)
{
	return (uint32_t)((bytes + SPOOL_BLOCK - 1) / SPOOL_BLOCK);
}

static uint32_t header__crc(struct header h, const void *body)
{
	uLong crc;

	h.crc = 0;
	crc = crc32_z(0, (const Bytef *)&h, sizeof(h));
	return (uint32_t)crc32_z(crc, body, h.size);
}

/* --- the index ----------------------------------------------------------------------------- */

static void spool__append(struct spool *s, struct entry e)
{
	if (s->first + s->count == s->room && s->first > s->room / 2) {
		memmove(s->v, s->v + s->first, s->count * sizeof(*s->v));
		s->first = 0;
	}
	if (s->first + s->count == s->room) {
		s->room = s->room ? s->room * 2 : 256;
		s->v = realloc(s->v, s->room * sizeof(*s->v));
		if (!s->v)
			abort();
	}
	s->v[s->first + s->count++] = e;
	s->n->files++;
	s->n->spans += e.spans;
	s->n->bytes += (uint64_t)e.blocks * SPOOL_BLOCK;
}

/* Takes the oldest off the index, or the one after it while the oldest is on its way. */
static struct entry spool__shift(struct spool *s, bool keep_taken)
{
	size_t at = s->first + keep_taken;
	struct entry e = s->v[at];

	if (keep_taken)
		s->v[at] = s->v[s->first];
	s->first++;
	s->count--;
	s->n->files--;
	s->n->spans -= e.spans;
	s->n->bytes -= (uint64_t)e.blocks * SPOOL_BLOCK;
	return e;
}

/* The oldest and its file go. */
static struct entry spool__remove(struct spool *s, bool keep_taken)
{
	struct entry e = spool__shift(s, keep_taken);
	char name[NAME_MAX_BYTES];

	entry__name(&e, ".batch", name);
	unlinkat(s->dir, name, 0);
	return e;
}

/* Drops the oldest ones until there is room for these blocks within the bounds. False: there cannot be. */
static bool spool__fit(struct spool *s, uint64_t blocks)
{
	uint64_t kept = s->taken ? s->v[s->first].blocks : 0;

	if ((kept + blocks) * SPOOL_BLOCK > s->max_bytes)
		return false;
	while (s->n->bytes + blocks * SPOOL_BLOCK > s->max_bytes || s->count >= SPOOL_FILES_MAX) {
		s->n->dropped_full += spool__remove(s, s->taken).spans;
	}
	return true;
}

/* --- opening ------------------------------------------------------------------------------- */

static int entry__compare(const void *a, const void *b)
{
	uint64_t x = ((const struct entry *)a)->sequence, y = ((const struct entry *)b)->sequence;

	return (x > y) - (x < y);
}

/* One name of the directory: kept, counted and removed as a partial file, or left alone. False: not of ours. */
static bool spool__found(struct spool *s, const char *name)
{
	struct entry e = {0};
	struct stat st;

	if (name__parse(name, ".tmp", &e)) {
		s->n->found += e.spans;
		s->n->damaged += e.spans;
		s->n->damaged_files++;
		unlinkat(s->dir, name, 0);
		return true;
	}
	if (!name__parse(name, ".batch", &e))
		return !strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "lost+found") || !strcmp(name, PROBE);
	if (fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) || st.st_size < 0 || st.st_size > UINT32_MAX)
		st.st_size = 0; /* not to be read; refused when its turn comes */
	e.blocks = blocks__of((uint64_t)st.st_size);
	s->n->found += e.spans;
	spool__append(s, e);
	return true;
}

/* What an earlier agent left. A name that is not ours is copied to stranger. 0 or -errno. */
static int spool__scan(struct spool *s, char *stranger, size_t size)
{
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		int r = -errno;

		if (fd >= 0)
			close(fd);
		return r;
	}
	while ((e = readdir(d)))
		if (!spool__found(s, e->d_name))
			snprintf(stranger, size, "%s", e->d_name);
	closedir(d);
	if (s->count)
		qsort(s->v, s->count, sizeof(*s->v), entry__compare);
	s->next = s->count ? s->v[s->count - 1].sequence + 1 : 1;
	return 0;
}

/* Can a file be made here? A full disk is no reason not to start: that is the spool's daily bread. */
static int spool__probe(struct spool *s)
{
	int fd;

	unlinkat(s->dir, PROBE, 0);
	fd = openat(s->dir, PROBE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == ENOSPC || errno == EDQUOT ? 0 : -errno;
	close(fd);
	return unlinkat(s->dir, PROBE, 0) ? -errno : 0;
}

/* Locked for this agent, and its own. */
static int spool__own(struct spool *s, const char *path, struct stat *st, char *err, size_t size)
{
	int r = own_dir__open("--spool", path, st, err, size);

	if (r < 0)
		return r;
	s->dir = r;
	r = 0;
	if (flock(s->dir, LOCK_EX | LOCK_NB)) {
		r = -errno;
		snprintf(err, size, r == -EWOULDBLOCK ? "--spool '%s' is in use by another agent: give each its own"
						      : "--spool '%s' can't be locked: %m", path);
	}
	return r;
}

static int spool__ready(struct spool *s, const char *path, char *err, size_t size)
{
	char stranger[256] = "";
	struct stat st;
	int r = spool__own(s, path, &st, err, size);

	if (r)
		return r;
	r = spool__probe(s);
	if (r) {
		snprintf(err, size, "--spool '%s' can't be written: %s", path, strerror(-r));
		return r;
	}
	r = spool__scan(s, stranger, sizeof(stranger));
	if (r) {
		snprintf(err, size, "--spool '%s': %s", path, strerror(-r));
	} else if (*stranger && st.st_mode & 077) { /* of the system, such as /etc */
		r = -EEXIST;
		snprintf(err, size, "--spool '%s' is open to others and holds '%s', so it is no spool: name a directory of its own",
			 path, stranger);
	}
	return r;
}

struct spool *spool__open(const char *path, uint64_t max_bytes, struct spool_counters *n, char *err, size_t err_size)
{
	struct spool *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->dir = -1;
	s->max_bytes = max_bytes;
	s->n = n;
	if (spool__ready(s, path, err, err_size)) {
		spool__free(s);
		return NULL;
	}
	spool__fit(s, 0); /* it may have been larger before */
	return s;
}

void spool__free(struct spool *s)
{
	if (!s)
		return;
	if (s->dir >= 0)
		close(s->dir);
	free(s->v);
	free(s);
}

/* --- writing and reading ------------------------------------------------------------------- */

static int fd__write(int fd, const void *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = write(fd, (const char *)data + at, size - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += (size_t)n;
	}
	return 0;
}

static int fd__read(int fd, void *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = read(fd, (char *)data + at, size - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EBADMSG;
		at += (size_t)n;
	}
	return 0;
}

static int spool__write(struct spool *s, const struct entry *e, const struct batch *b)
{
	struct header h = {.size = b->size, .spans = b->spans, .protocol = (uint8_t)b->protocol, .gzip = b->gzip};
	char partial[NAME_MAX_BYTES], name[NAME_MAX_BYTES];
	int fd, r;

	memcpy(h.magic, MAGIC, sizeof(h.magic));
	h.crc = header__crc(h, b->body);
	entry__name(e, ".tmp", partial);
	entry__name(e, ".batch", name);
	fd = openat(s->dir, partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fd__write(fd, &h, sizeof(h));
	r = r ? r : fd__write(fd, b->body, b->size);
	if (close(fd) && !r)
		r = -errno; /* NFS and quotas tell late */
	if (!r && renameat(s->dir, partial, s->dir, name))
		r = -errno;
	if (r)
		unlinkat(s->dir, partial, 0);
	return r;
}

static bool errno__is_full(int r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

int spool__put(struct spool *s, const struct batch *b)
{
	struct entry e = {s->next++, blocks__of(sizeof(struct header) + b->size), b->spans};
	uint64_t freed = 0;
	int r;

	if (!spool__fit(s, e.blocks)) {
		s->n->dropped_full += b->spans;
		return -EFBIG;
	}
	r = spool__write(s, &e, b);
	/* The disk is full before the spool is: as many of the oldest as this one is large, then once more. */
	if (errno__is_full(r)) {
		while (s->count > s->taken && freed < e.blocks) {
			struct entry old = spool__remove(s, s->taken);

			freed += old.blocks;
			s->n->dropped_disk += old.spans;
		}
		r = freed ? spool__write(s, &e, b) : r;
	}
	if (r) {
		s->n->dropped_disk += b->spans;
		return r;
	}
	s->n->written += b->spans;
	spool__append(s, e);
	return 0;
}

static bool header__is_right(const struct header *h, const struct entry *e, uint64_t file_size)
{
	return !memcmp(h->magic, MAGIC, sizeof(h->magic)) && h->spans == e->spans && h->size == file_size - sizeof(*h) &&
	       h->protocol < OTLP_PROTOCOLS && h->gzip <= 1;
}

/* 0, -EBADMSG: not what was written, or -errno. */
static int spool__read(struct spool *s, const struct entry *e, struct batch **out)
{
	char name[NAME_MAX_BYTES], *body = NULL;
	struct batch *b;
	struct header h;
	struct stat st;
	int fd, r;

	entry__name(e, ".batch", name);
	fd = openat(s->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) ? -errno : fd__read(fd, &h, sizeof(h));
	if (!r && (!S_ISREG(st.st_mode) || !header__is_right(&h, e, (uint64_t)st.st_size)))
		r = -EBADMSG;
	if (!r && !(body = malloc(h.size + 1)))
		r = -ENOMEM;
	r = r ? r : fd__read(fd, body, h.size);
	if (!r && header__crc(h, body) != h.crc)
		r = -EBADMSG;
	close(fd);
	b = r ? NULL : calloc(1, sizeof(*b));
	if (!b) {
		free(body);
		return r ? r : -ENOMEM;
	}
	*b = (struct batch){.body = body, .size = h.size, .spans = h.spans, .protocol = h.protocol, .gzip = h.gzip};
	*out = b;
	return 0;
}

struct batch *spool__take(struct spool *s)
{
	struct batch *b = NULL;

	while (!s->taken && s->count) {
		int r = spool__read(s, &s->v[s->first], &b);

		s->taken = !r;
		if (!r || r == -ENOMEM || r == -EMFILE || r == -ENFILE)
			break;
		s->n->damaged_files++;
		s->n->damaged += spool__remove(s, false).spans;
	}
	return b;
}

void spool__done(struct spool *s)
{
	if (s->taken)
		spool__remove(s, false);
	s->taken = false;
}

void spool__back(struct spool *s, bool last)
{
	if (s->taken && last)
		spool__append(s, spool__shift(s, false));
	s->taken = false;
}
