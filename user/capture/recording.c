/* SPDX-License-Identifier: Apache-2.0 */
/* recording.c - writes and reads recordings. Format: recording.h; contract: capture.h. */
#include "capture/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "capture/capture.h"

struct file_head {
	char magic[8];
	uint32_t version, order;
};

static const struct file_head head_now = {{'W', 'I', 'R', 'E', 'S', 'P', 'A', 'N'}, RECORDING_VERSION, 0x01020304};

struct recording {
	FILE *f;
	int rc;
};

static size_t padding(size_t n)
{
	return -n & 7;
}

static int recording__put(struct recording *r, const void *p, size_t n)
{
	if (r->rc == 0 && n && fwrite(p, n, 1, r->f) != 1)
		r->rc = errno ? -errno : -EIO;
	return r->rc;
}

/* A fixed part and what follows it; both together are head.size. */
static int recording__record(struct recording *r, const void *fixed, size_t fixed_n, const void *text, size_t text_n)
{
	static const char zeros[8];

	recording__put(r, fixed, fixed_n);
	recording__put(r, text, text_n);
	return recording__put(r, zeros, padding(fixed_n + text_n));
}

struct recording *recording__new(const char *path, char *err, size_t err_size)
{
	struct recording *r = calloc(1, sizeof(*r));
	int fd = r ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;

	if (fd >= 0)
		r->f = fdopen(fd, "w");
	if (r && r->f && recording__put(r, &head_now, sizeof(head_now)) == 0)
		return r;
	snprintf(err, err_size, "\"%s\": %s; %s", path, strerror(errno),
		 errno == EEXIST ? "no file is overwritten, give another name" : "give a path that can be written");
	if (r && r->f)
		fclose(r->f);
	else if (fd >= 0)
		close(fd);
	free(r);
	return NULL;
}

int recording__event(struct recording *r, const struct event *e)
{
	return recording__record(r, e->head, e->head->size, NULL, 0);
}

int recording__clock(struct recording *r, uint64_t mono_ns, uint64_t wall_ns)
{
	struct ws_rec_clock c = {{WS_REC_CLOCK, 0, sizeof(c), mono_ns}, wall_ns};

	return recording__record(r, &c, sizeof(c), NULL, 0);
}

int recording__meta(struct recording *r, uint64_t time_ns, uint32_t pid, const char *text, size_t size)
{
	struct ws_rec_meta m = {{WS_REC_META, 0, (uint32_t)(sizeof(m) + size), time_ns}, pid, (uint32_t)size};

	if (size > RECORDING_RECORD_MAX / 2) /* what record__check() lets pass */
		return -E2BIG;
	return recording__record(r, &m, sizeof(m), text, size);
}

int recording__counters(struct recording *r, uint64_t time_ns, const uint64_t value[WS_CNT_MAX])
{
	struct ws_rec h = {WS_REC_COUNTERS, 0, sizeof(struct ws_rec_counters), time_ns};

	return recording__record(r, &h, sizeof(h), value, sizeof(*value) * WS_CNT_MAX);
}

int recording__flush(struct recording *r)
{
	if (fflush(r->f) && r->rc == 0)
		r->rc = -errno;
	return r->rc;
}

int recording__close(struct recording *r)
{
	int rc;

	if (!r)
		return 0;
	rc = r->rc;
	if (fclose(r->f) && rc == 0)
		rc = -errno;
	free(r);
	return rc;
}

struct recording_reader {
	gzFile f; /* plain files are read through it as they are */
	int rc; /* why it ended, for good */
	uint64_t buf[RECORDING_RECORD_MAX / sizeof(uint64_t)];
};

struct recording_reader *recording_reader__new(const char *path, char *err, size_t err_size)
{
	struct recording_reader *r = malloc(sizeof(*r));
	struct file_head h;

	if (r)
		r->rc = 0;
	if (!r || !(r->f = gzopen(path, "re"))) {
		snprintf(err, err_size, "\"%s\": %s; make one with `wirespan record -o FILE`", path, strerror(errno));
		free(r);
		return NULL;
	}
	if (gzread(r->f, &h, sizeof(h)) != sizeof(h) || memcmp(h.magic, head_now.magic, sizeof(h.magic)))
		snprintf(err, err_size, "\"%s\" is no recording; make one with `wirespan record -o FILE`", path);
	else if (h.order != head_now.order)
		snprintf(err, err_size, "\"%s\" was recorded on a machine of the other byte order; replay it there", path);
	else if (h.version != head_now.version)
		snprintf(err, err_size, "\"%s\" has version %u, this program reads %u; record it again", path, h.version,
			 head_now.version);
	else
		return r;
	recording_reader__free(r);
	return NULL;
}

void recording_reader__free(struct recording_reader *r)
{
	if (!r)
		return;
	gzclose(r->f);
	free(r);
}

int recording_reader__next(struct recording_reader *r, const void **p, size_t *n)
{
	struct ws_rec h;
	int got, rest, error;

	if (r->rc)
		return r->rc;
	got = gzread(r->f, &h, sizeof(h));
	gzerror(r->f, &error);
	if (got == 0 && error == Z_OK)
		return 0;
	/* Where a record ends is told by its size alone: a wrong one cannot be passed over. */
	if (got < (int)sizeof(h) || h.size < sizeof(h) || h.size > sizeof(r->buf) - 8)
		return r->rc = -EBADMSG;
	memcpy(r->buf, &h, sizeof(h));
	rest = (int)(h.size - sizeof(h) + padding(h.size));
	if (rest && gzread(r->f, (char *)r->buf + sizeof(h), (unsigned)rest) != rest)
		return r->rc = -EBADMSG;
	*p = r->buf;
	*n = h.size;
	return 1;
}
