/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - is this one valid record? Nobody reads a field before this said yes. Every type has its
 * fixed size, where the length of what follows is stated, and what its small fields may hold.
 * Contract: capture.h.
 */
#include "capture/capture.h"

#include <stddef.h>

#define META_TEXT_MAX (64u << 10) /* recording.c keeps to it as well */
#define COUNTERS_MAX 4096u

static bool data__check(const void *p, size_t fixed, size_t *text)
{
	struct ws_rec_data d;

	memcpy(&d, p, fixed);
	*text = d.cap_len;
	return d.cap_len <= d.wire_len && d.cap_len <= WS_PAYLOAD_MAX && d.dir <= WS_DIR_OUT && d.cap <= WS_CAP_LOAD;
}

static bool conn__check(const void *p, size_t fixed, size_t *text)
{
	struct ws_rec_conn c;

	memcpy(&c, p, fixed);
	*text = c.head.size - fixed; /* older recordings end here */
	return (!*text || *text == sizeof(c) - fixed) && c.role <= WS_ROLE_CONNECTED && c.origin <= WS_ORIGIN_EXISTING && c.failed <= 1;
}

static bool proc__check(const void *p, size_t fixed, size_t *text)
{
	struct ws_rec_proc r;

	memcpy(&r, p, fixed);
	*text = r.path_len;
	if (r.what == WS_PROC_CGROUP_MADE || r.what == WS_PROC_CGROUP_GONE)
		return r.path_len <= WS_CGROUP_PATH_LEN;
	return r.path_len <= WS_PATH_LEN && r.what >= WS_PROC_FORK && r.what <= WS_PROC_EXIT && r.selected <= 1;
}

static bool tie__check(const void *p, size_t fixed, size_t *text)
{
	struct ws_rec_tie t;

	memcpy(&t, p, fixed);
	return t.what >= WS_TIE_WOKE && t.what <= WS_TIE_PROMISE;
}

static bool meta__check(const void *p, size_t fixed, size_t *text)
{
	struct ws_rec_meta m;

	memcpy(&m, p, fixed);
	*text = m.text_len;
	return m.text_len <= META_TEXT_MAX;
}

/* A newer kernel half may count more, an older one less: any number of whole counters. */
static bool counters__check(const void *p, size_t fixed, size_t *text)
{
	struct ws_rec h;

	memcpy(&h, p, sizeof(h));
	*text = h.size - fixed;
	return *text % sizeof(uint64_t) == 0 && *text / sizeof(uint64_t) <= COUNTERS_MAX;
}

static const struct shape {
	size_t fixed;
	bool (*check)(const void *p, size_t fixed, size_t *text); /* NULL: nothing to check */
	bool hands_text;					  /* what follows is the event's text */
} shapes[] = {
	[WS_REC_DATA] = {offsetof(struct ws_rec_data, payload), data__check, true},
	[WS_REC_CONN] = {offsetof(struct ws_rec_conn, sent), conn__check, false},
	[WS_REC_CLOSE] = {sizeof(struct ws_rec_close), NULL, false},
	[WS_REC_PROC] = {offsetof(struct ws_rec_proc, path), proc__check, true},
	[WS_REC_TIE] = {sizeof(struct ws_rec_tie), tie__check, false},
	[WS_REC_HANDED] = {sizeof(struct ws_rec_handed), NULL, false},
	[WS_REC_META] = {offsetof(struct ws_rec_meta, text), meta__check, true},
	[WS_REC_CLOCK] = {sizeof(struct ws_rec_clock), NULL, false},
	[WS_REC_COUNTERS] = {sizeof(struct ws_rec), counters__check, true},
};

bool record__check(const void *p, size_t n, struct event *e)
{
	const struct shape *s;
	struct ws_rec h;
	size_t text = 0;

	if (n < sizeof(h))
		return false;
	memcpy(&h, p, sizeof(h));
	if (h.type >= sizeof(shapes) / sizeof(*shapes) || !shapes[h.type].fixed)
		return false;
	s = &shapes[h.type];
	if (h.size > n || h.size < s->fixed || (s->check && !s->check(p, s->fixed, &text)) || h.size != s->fixed + text)
		return false;
	e->type = h.type;
	e->head = p;
	e->text = s->hands_text ? (struct slice){(const char *)p + s->fixed, text} : (struct slice){NULL, 0};
	return true;
}

void record__counters(const struct event *e, uint64_t value[WS_CNT_MAX])
{
	size_t n = sizeof(*value) * WS_CNT_MAX;

	memset(value, 0, n);
	if (e->text.n)
		memcpy(value, e->text.p, e->text.n < n ? e->text.n : n);
}
