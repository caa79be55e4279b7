/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive.c - see drive.h. Makes records and hands them to the stages; border.c looks at what passes.
 */
#include "drive.h"

#include "border.h"
#include "capture/capture.h"

#define STEP_NS 10
#define PID 100 /* the first of two; the second is a Go program */

/* Kept from run to run: what a process is called is none of our concern. */
static struct meta *meta;
static struct drive_record late[DRIVE_LATE_MAX];

static void meta__prepare(void)
{
	static const char thread[] = "service.name=a", go[] = "wirespan.context=1\0service.name=b";

	if (!meta) {
		meta = meta__new(false);
		meta__load(meta, PID, (struct slice){thread, sizeof(thread)});
		meta__load(meta, PID + 1, (struct slice){go, sizeof(go)});
	}
	meta__process(meta, 0)->serves = false;
	meta__process(meta, PID)->serves = meta__process(meta, PID + 1)->serves = false;
}

void drive__open(struct drive *d)
{
	meta__prepare();
	*d = (struct drive){.now = 1000};
	for (unsigned i = 0; i < DRIVE_CONNS; i++) {
		/* The two ends of a connection agree; one direction soon passes 2^32. */
		d->conn[i].seq[i & 1] = 1000 + (i >> 1 << 20);
		d->conn[i].seq[!(i & 1)] = 0xfffffff0 - (i >> 1 << 20);
	}
	border__open(d);
	d->sampler = sampler__new(border__span, d);
	d->linker = linker__new(sampler__span, d->sampler);
	linker__set_clock(d->linker, 0, 1700000000ll * 1000000000);
	d->exchanges = exchanges__new(d->linker);
	d->decode = decode__new(d->exchanges);
	d->conns = conns__new(d->decode, d->exchanges, meta, border__budget, d);
}

void drive__sample(struct drive *d, bool half, bool paused)
{
	sampler__set(d->sampler, d->now, (struct sample_rule){.threshold = half ? 1ull << 55 : 0, .paused = paused, .probes = half});
}

static struct ws_actor actor__of(const struct drive *d, uint8_t a)
{
	const uint32_t tgid = PID + (a & 1);

	return (struct ws_actor){
		.tgid = a == 255 ? 0 : tgid,
		.tid = tgid + 10 * (a >> 1 & 3),
		.user_ctx = a >> 3 & 3,
		.switches = a & 32 ? d->switches : 0,
	};
}

/* As agent.c does. */
static void tie__pass(struct drive *d, const struct ws_rec_tie *r)
{
	const struct ws_actor by = {.tgid = r->tgid, .tid = r->by_tid, .user_ctx = r->by_ctx};
	const struct ws_actor of = {.tgid = r->tgid, .tid = r->of_tid, .user_ctx = r->of_ctx};

	linker__tie(d->linker, r->what == WS_TIE_MADE ? LINK_MADE : LINK_WOKE, meta__process(meta, r->tgid), &by, &of,
		    r->head.time_ns);
}

/* As it would come from the ring: checked, and with nothing readable behind it. */
static void record__pass(struct drive *d, const void *p, size_t n)
{
	struct event e;

	border__fence((const char *)p + n, true);
	CHECK(record__check(p, n, &e));
	d->data += e.type == WS_REC_DATA;
	if (e.type == WS_REC_TIE)
		tie__pass(d, e.tie);
	else
		conns__event(d->conns, &e);
	border__fence((const char *)p + n, false);
}

/* Those whose time has come; all: every one. */
static void late__pass(struct drive *d, bool all)
{
	for (unsigned i = 0; i < DRIVE_LATE_MAX; i++) {
		if (!late[i].wait || (--late[i].wait && !all))
			continue;
		late[i].wait = 0;
		record__pass(d, late[i].bytes, late[i].n);
	}
}

static struct drive_record *late__slot(void)
{
	for (unsigned i = 0; i < DRIVE_LATE_MAX; i++)
		if (!late[i].wait)
			return &late[i];
	return NULL;
}

static void endpoint__of(uint8_t addr[16], uint16_t *port, unsigned conn, bool near)
{
	static const uint8_t v4[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, v6[16] = {0x20, 1, [15] = 1};

	memcpy(addr, conn & 4 ? v6 : v4, 16);
	*port = (conn & 1) == near ? 8080 : (uint16_t)(40000 + conn / 2);
}

void drive__connect(struct drive *d, unsigned conn, enum ws_role role, enum ws_origin origin, unsigned flags)
{
	struct {
		struct ws_rec_conn r;
		char fence[BORDER_FENCE];
	} rec = {.r = {
		.head = {WS_REC_CONN, (uint16_t)flags, sizeof(rec.r), d->now += STEP_NS},
		.conn = conn + 1,
		.actor = actor__of(d, (uint8_t)conn),
		.connect_ns = role == WS_ROLE_CONNECTED ? d->now - 1 : 0,
		.established_ns = d->now,
		.netns = 1,
		.snd_seq = origin == WS_ORIGIN_NEW ? d->conn[conn].seq[WS_DIR_OUT] : 0,
		.rcv_seq = origin == WS_ORIGIN_NEW ? d->conn[conn].seq[WS_DIR_IN] : 0,
		.role = (uint8_t)role,
		.origin = (uint8_t)origin,
	}};

	endpoint__of(rec.r.local, &rec.r.local_port, conn, true);
	endpoint__of(rec.r.remote, &rec.r.remote_port, conn, false);
	d->conn[conn].role = role;
	record__pass(d, &rec.r, sizeof(rec.r));
}

static size_t record__make(struct drive *d, const struct transfer *t, uint32_t seq, unsigned char *to)
{
	struct ws_rec_data *r = (struct ws_rec_data *)to;
	const size_t fixed = offsetof(struct ws_rec_data, payload);

	CHECK(t->bytes.n <= DRIVE_PAYLOAD_MAX);
	*r = (struct ws_rec_data){
		.head = {WS_REC_DATA, 0, (uint32_t)(fixed + t->bytes.n), d->now},
		.conn = t->conn + 1,
		.actor = actor__of(d, t->actor),
		.start_ns = t->unstamped ? 0 : d->now - 1,
		.seq = seq + (uint32_t)t->shift,
		.wire_len = (uint32_t)t->bytes.n + t->missing,
		.cap_len = (uint32_t)t->bytes.n,
		.dir = t->dir,
		.cap = t->cap ? t->cap : t->missing ? WS_CAP_BUDGET : WS_CAP_WHOLE,
		.watched = t->watched,
		.polls = t->polls,
	};
	if (t->bytes.n)
		memcpy(to + fixed, t->bytes.p, t->bytes.n);
	return fixed + t->bytes.n;
}

void drive__send(struct drive *d, const struct transfer *t)
{
	static struct drive_record now;
	struct drive_conn *c = &d->conn[t->conn];
	uint32_t seq = c->seq[t->dir] + t->lost;
	struct drive_record *r = t->late ? late__slot() : NULL;
	struct transfer other = *t;

	d->now += STEP_NS;
	c->seq[t->dir] = seq + (uint32_t)t->bytes.n + t->missing;
	late__pass(d, false);
	if (t->unmade) {
		c->unmade[t->dir]++;
	} else if (r) {
		r->n = record__make(d, t, seq, r->bytes);
		r->wait = t->late;
	} else {
		now.n = record__make(d, t, seq, now.bytes);
		record__pass(d, now.bytes, now.n);
		if (t->twice)
			record__pass(d, now.bytes, now.n);
	}
	if (!t->both)
		return;
	other.conn = t->conn ^ 1;
	other.dir = (enum ws_dir)!t->dir;
	other.both = false;
	other.actor ^= 1;
	drive__send(d, &other);
}

void drive__end(struct drive *d, unsigned conn)
{
	struct drive_conn *c = &d->conn[conn];
	struct {
		struct ws_rec_close r;
		char fence[BORDER_FENCE];
	} rec = {.r = {
		.head = {WS_REC_CLOSE, 0, sizeof(rec.r), d->now += STEP_NS},
		.conn = conn + 1,
		.snd_seq = c->seq[WS_DIR_OUT],
		.rcv_seq = c->seq[WS_DIR_IN],
		.lost = {c->unmade[WS_DIR_IN], c->unmade[WS_DIR_OUT]},
	}};

	record__pass(d, &rec.r, sizeof(rec.r));
}

void drive__tie(struct drive *d, uint8_t by, uint8_t of, bool made)
{
	const struct ws_actor one = actor__of(d, by), other = actor__of(d, of);
	struct {
		struct ws_rec_tie r;
		char fence[BORDER_FENCE];
	} rec = {.r = {
		.head = {WS_REC_TIE, 0, sizeof(rec.r), d->now += STEP_NS},
		.tgid = one.tgid,
		.what = made ? WS_TIE_MADE : WS_TIE_WOKE,
		.by_tid = one.tid,
		.of_tid = other.tid - other.tgid + one.tgid,
		.by_ctx = one.user_ctx,
		.of_ctx = other.user_ctx,
	}};

	record__pass(d, &rec.r, sizeof(rec.r));
}

void drive__tick(struct drive *d, uint64_t ns)
{
	d->now += ns;
	d->switches++;
	conns__tick(d->conns, d->now);
	exchanges__tick(d->exchanges, d->now);
	linker__tick(d->linker, d->now);
}

void drive__close(struct drive *d)
{
	late__pass(d, true);
	d->now += STEP_NS;
	conns__finish(d->conns);
	linker__finish(d->linker);
	border__ledger(d);
	conns__free(d->conns);
	decode__free(d->decode);
	exchanges__free(d->exchanges);
	linker__free(d->linker);
	sampler__free(d->sampler);
}
