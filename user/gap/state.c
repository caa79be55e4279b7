// SPDX-License-Identifier: Apache-2.0
/* state.c - two places in a file, each a header, connections and namespaces. Contract: state.h. */
#include "gap/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "util/own_dir.h"

#define MAGIC "wsstate1"
#define MAGIC_NAME 7 /* bytes of it that every version has */
#define PLACE (2u << 20)

/* In this machine's byte order, as another machine has another boot. */
struct header {
	char magic[8];
	uint64_t turn; /* the higher one is the newer one */
	uint32_t crc;  /* of the header with crc 0, then of what follows */
	uint32_t n_conns, n_nets;
	uint8_t ended, cut, pad[2];
	char boot[40];
	uint64_t boot_ns, wall_ns, selection;
};

_Static_assert(sizeof(struct header) + STATE_CONNS_MAX * sizeof(struct conn_moved) + NETNS_MAX * sizeof(struct netns_opened) <= PLACE,
	       "a state has room");

struct state_file {
	int fd;
	uint64_t turn;
	char *buf; /* a place's contents */
};

void state__free(struct state *s)
{
	free(s->conns);
	free(s->nets);
	*s = (struct state){0};
}

static uint32_t header__crc(struct header h, const void *body, size_t size)
{
	uLong crc;

	h.crc = 0;
	crc = crc32_z(0, (const Bytef *)&h, sizeof(h));
	return (uint32_t)crc32_z(crc, body, size);
}

static size_t header__body(const struct header *h)
{
	return h->n_conns * sizeof(struct conn_moved) + h->n_nets * sizeof(struct netns_opened);
}

/* A regular file of ours alone, whatever name leads to it. */
static int state_file__check(struct state_file *f, const char *dir, char *err, size_t err_size)
{
	struct stat st;
	int r = fstat(f->fd, &st) ? -errno : 0;

	if (!r && (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid()))
		r = -EEXIST;
	if (!r && (st.st_mode & 077) && fchmod(f->fd, 0600))
		r = -errno;
	if (r)
		snprintf(err, err_size, "--state-dir '%s': %s is no file of ours: %s", dir, STATE_FILE, strerror(-r));
	return r;
}

static int state_file__make(struct state_file *f, const char *dir, char *err, size_t err_size)
{
	struct stat st;
	int fd = own_dir__open("--state-dir", dir, &st, err, err_size), r;

	if (fd < 0)
		return fd;
	f->fd = openat(fd, STATE_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	r = f->fd < 0 ? -errno : 0;
	close(fd);
	if (!r)
		return state_file__check(f, dir, err, err_size);
	snprintf(err, err_size, "--state-dir '%s': %s can't be opened: %s", dir, STATE_FILE, strerror(-r));
	return r;
}

struct state_file *state_file__open(const char *dir, char *err, size_t err_size)
{
	struct state_file *f = calloc(1, sizeof(*f));

	if (!f || !(f->buf = malloc(PLACE)))
		abort();
	f->fd = -1;
	if (!state_file__make(f, dir, err, err_size))
		return f;
	state_file__free(f);
	return NULL;
}

int state_file__lock(struct state_file *f)
{
	return flock(f->fd, LOCK_EX | LOCK_NB) ? -errno : 0;
}

void state_file__free(struct state_file *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	free(f->buf);
	free(f);
}

/* Its header and body into buf: what is wrong with it, or NULL. */
static const char *place__read(struct state_file *f, unsigned place, struct header *h)
{
	ssize_t n = pread(f->fd, f->buf, PLACE, (off_t)place * PLACE);
	size_t body;

	if (n < 0)
		return strerror(errno);
	if ((size_t)n < sizeof(*h))
		return "it is cut short";
	memcpy(h, f->buf, sizeof(*h));
	if (memcmp(h->magic, MAGIC, MAGIC_NAME) != 0)
		return "it is no state of an agent";
	if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0)
		return "another version of the agent has written it";
	if (h->n_conns > STATE_CONNS_MAX || h->n_nets > NETNS_MAX || !memchr(h->boot, 0, sizeof(h->boot)) || h->turn == UINT64_MAX)
		return "it is not what an agent writes";
	body = header__body(h);
	if ((size_t)n - sizeof(*h) < body)
		return "it is cut short";
	return header__crc(*h, f->buf + sizeof(*h), body) == h->crc ? NULL : "it was altered, or written in part";
}

static void *copy__of(const void *p, size_t n)
{
	void *copy = malloc(n + 1);

	if (!copy)
		abort();
	return memcpy(copy, p, n);
}

static void state__take(struct state *s, const struct header *h, const char *body)
{
	const size_t conns = h->n_conns * sizeof(struct conn_moved);

	*s = (struct state){
		.boot_ns = h->boot_ns, .wall_ns = h->wall_ns, .selection = h->selection,
		.ended = h->ended, .cut = h->cut,
		.conns = copy__of(body, conns), .n_conns = h->n_conns,
		.nets = copy__of(body + conns, h->n_nets * sizeof(struct netns_opened)), .n_nets = h->n_nets,
	};
	memcpy(s->boot, h->boot, sizeof(s->boot));
}

int state_file__read(struct state_file *f, struct state *s, char *err, size_t err_size)
{
	const char *wrong[2];
	struct header h;
	struct stat st;

	*s = (struct state){0};
	if (fstat(f->fd, &st) == 0 && !st.st_size)
		return 0;
	for (unsigned place = 0; place < 2; place++) {
		wrong[place] = place__read(f, place, &h);
		if (wrong[place] || h.turn < f->turn)
			continue;
		f->turn = h.turn;
		state__free(s);
		state__take(s, &h, f->buf + sizeof(h));
	}
	if (!wrong[0] || !wrong[1])
		return 1;
	snprintf(err, err_size, "%s can't be used: %s", STATE_FILE, wrong[0]);
	/* Nothing of it may be taken for newer than what we write. */
	if (ftruncate(f->fd, 0))
		return -errno;
	return -EBADMSG;
}

int state_file__write(struct state_file *f, const struct state *s)
{
	struct header h = {
		.turn = f->turn + 1, .n_conns = (uint32_t)s->n_conns, .n_nets = (uint32_t)s->n_nets, .ended = s->ended, .cut = s->cut,
		.boot_ns = s->boot_ns, .wall_ns = s->wall_ns, .selection = s->selection,
	};
	const size_t conns = s->n_conns * sizeof(*s->conns), size = sizeof(h) + header__body(&h);
	ssize_t n;

	if (s->n_conns > STATE_CONNS_MAX || s->n_nets > NETNS_MAX)
		return -E2BIG;
	memcpy(h.magic, MAGIC, sizeof(h.magic));
	memcpy(h.boot, s->boot, sizeof(h.boot) - 1);
	if (conns)
		memcpy(f->buf + sizeof(h), s->conns, conns);
	if (s->n_nets)
		memcpy(f->buf + sizeof(h) + conns, s->nets, s->n_nets * sizeof(*s->nets));
	h.crc = header__crc(h, f->buf + sizeof(h), size - sizeof(h));
	memcpy(f->buf, &h, sizeof(h));
	n = pwrite(f->fd, f->buf, size, (off_t)((h.turn - 1) & 1) * PLACE);
	if (n != (ssize_t)size)
		return n < 0 ? -errno : -ENOSPC;
	f->turn = h.turn;
	return 0;
}
