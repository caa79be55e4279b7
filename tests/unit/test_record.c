/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_record.c - the contract with the kernel half: where every field lies, and that no sequence of
 * bytes is taken for a record unless all its lengths agree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "capture/capture.h"
#include "guard.h"

struct field {
	const char *name;
	size_t is, should;
};
#define AT(type, member, offset) {#type "." #member, offsetof(struct type, member), offset}
#define SIZE(type, size) {"sizeof " #type, sizeof(struct type), size}

static const struct field layout[] = {
	AT(ws_rec, type, 0), AT(ws_rec, flags, 2), AT(ws_rec, size, 4), AT(ws_rec, time_ns, 8), SIZE(ws_rec, 16),
	AT(ws_actor, tgid, 0), AT(ws_actor, tid, 4), AT(ws_actor, user_ctx, 8), AT(ws_actor, cause, 16),
	AT(ws_actor, cpu_ns, 24), AT(ws_actor, run_delay_ns, 32), AT(ws_actor, switches, 40), SIZE(ws_actor, 48),
	AT(ws_rec_data, conn, 16), AT(ws_rec_data, actor, 24), AT(ws_rec_data, start_ns, 72), AT(ws_rec_data, seq, 80),
	AT(ws_rec_data, wire_len, 84), AT(ws_rec_data, cap_len, 88), AT(ws_rec_data, dir, 92), AT(ws_rec_data, cap, 93),
	AT(ws_rec_data, payload, 96), SIZE(ws_rec_data, 96),
	AT(ws_rec_conn, conn, 16), AT(ws_rec_conn, actor, 24), AT(ws_rec_conn, connect_ns, 72), AT(ws_rec_conn, first, 72),
	AT(ws_rec_conn, established_ns, 80), AT(ws_rec_conn, local, 88), AT(ws_rec_conn, remote, 104),
	AT(ws_rec_conn, local_port, 120), AT(ws_rec_conn, remote_port, 122), AT(ws_rec_conn, netns, 124),
	AT(ws_rec_conn, snd_seq, 128), AT(ws_rec_conn, rcv_seq, 132), AT(ws_rec_conn, role, 136),
	AT(ws_rec_conn, origin, 137), AT(ws_rec_conn, failed, 138), AT(ws_rec_conn, sent, 144), AT(ws_rec_conn, read, 152), SIZE(ws_rec_conn, 160),
	AT(ws_rec_close, conn, 16), AT(ws_rec_close, snd_seq, 24), AT(ws_rec_close, rcv_seq, 28),
	AT(ws_rec_close, lost, 32), AT(ws_rec_close, srtt_us, 40), AT(ws_rec_close, retransmits, 44),
	AT(ws_rec_close, state, 48), SIZE(ws_rec_close, 56),
	AT(ws_rec_proc, tgid, 16), AT(ws_rec_proc, ptgid, 20), AT(ws_rec_proc, what, 24), AT(ws_rec_proc, selected, 25),
	AT(ws_rec_proc, path_len, 26), AT(ws_rec_proc, comm, 32), AT(ws_rec_proc, path, 48), SIZE(ws_rec_proc, 48),
	AT(ws_rec_cgroup, id, 16), AT(ws_rec_cgroup, what, 24), AT(ws_rec_cgroup, path_len, 26),
	AT(ws_rec_cgroup, hierarchy, 28), AT(ws_rec_cgroup, path, 48), SIZE(ws_rec_cgroup, 48),
	AT(ws_rec_tie, tgid, 16), AT(ws_rec_tie, what, 20), AT(ws_rec_tie, by_tid, 24), AT(ws_rec_tie, of_tid, 28),
	AT(ws_rec_tie, by_ctx, 32), AT(ws_rec_tie, of_ctx, 40), AT(ws_rec_tie, word, 48), SIZE(ws_rec_tie, 56),
	AT(ws_rec_handed, conn, 16), AT(ws_rec_handed, cause, 24), AT(ws_rec_handed, tgid, 32), AT(ws_rec_handed, batch, 36), SIZE(ws_rec_handed, 40),
	AT(ws_rec_meta, tgid, 16), AT(ws_rec_meta, text_len, 20), AT(ws_rec_meta, text, 24), SIZE(ws_rec_meta, 24),
	AT(ws_rec_clock, wall_ns, 16), SIZE(ws_rec_clock, 24),
	AT(ws_rec_counters, value, 16), SIZE(ws_rec_counters, 16 + 8 * WS_CNT_MAX),
	AT(ws_process, selected, 0), AT(ws_process, ctx_kind, 1), AT(ws_process, goid_offset, 2),
	AT(ws_process, curg_offset, 4), AT(ws_process, handoffs, 6), AT(ws_process, stage, 7), SIZE(ws_process, 8),
	SIZE(ws_go_program, 4),
	AT(ws_budget, mode, 0), AT(ws_budget, head_bytes, 4), SIZE(ws_budget_pair, 16),
};

static void test_layout(void **state)
{
	for (size_t i = 0; i < sizeof(layout) / sizeof(*layout); i++)
		if (layout[i].is != layout[i].should)
			fail_msg("%s is %zu, should be %zu", layout[i].name, layout[i].is, layout[i].should);
}

/* The ledger is found by kind: made_X and lost_X in the order of enum ws_rec_type. */
static void test_counters_follow_types(void **state)
{
	assert_int_equal(WS_CNT_made_conn - WS_CNT_made_data, WS_REC_CONN - WS_REC_DATA);
	assert_int_equal(WS_CNT_made_close - WS_CNT_made_data, WS_REC_CLOSE - WS_REC_DATA);
	assert_int_equal(WS_CNT_made_proc - WS_CNT_made_data, WS_REC_PROC - WS_REC_DATA);
	assert_int_equal(WS_CNT_made_tie - WS_CNT_made_data, WS_REC_TIE - WS_REC_DATA);
	assert_int_equal(WS_CNT_made_handed - WS_CNT_made_data, WS_REC_HANDED - WS_REC_DATA);
	assert_int_equal(WS_CNT_lost_data - WS_CNT_made_data, WS_REC_KERNEL_MAX - WS_REC_DATA);
	assert_int_equal(WS_CNT_lost_proc - WS_CNT_lost_data, WS_REC_PROC - WS_REC_DATA);
}

/* One valid record of each type, with text where there can be some. Returns its size. */
static size_t sample(enum ws_rec_type type, void *buf)
{
	struct ws_rec_data *d = buf;
	struct ws_rec_conn *c = buf;
	struct ws_rec_proc *p = buf;
	struct ws_rec_meta *m = buf;
	struct ws_rec_tie *t = buf;
	struct ws_rec *h = buf;

	memset(buf, 0, 512);
	h->type = type;
	h->time_ns = 7;
	switch (type) {
	case WS_REC_DATA:
		d->cap_len = 24, d->wire_len = 30, d->cap = WS_CAP_BUDGET, d->dir = WS_DIR_OUT;
		memset(d->payload, 'p', 24);
		return h->size = sizeof(*d) + 24;
	case WS_REC_CONN:
		c->role = WS_ROLE_CONNECTED, c->origin = WS_ORIGIN_EXISTING, c->failed = 1;
		return h->size = sizeof(*c);
	case WS_REC_CLOSE:
		return h->size = sizeof(struct ws_rec_close);
	case WS_REC_PROC:
		p->what = WS_PROC_EXEC, p->path_len = 9;
		memcpy(p->path, "/bin/true", 9);
		return h->size = sizeof(*p) + 9;
	case WS_REC_TIE:
		t->what = WS_TIE_MADE;
		return h->size = sizeof(*t);
	case WS_REC_HANDED:
		return h->size = sizeof(struct ws_rec_handed);
	case WS_REC_META:
		m->text_len = 5;
		memcpy(m->text, "a=b", 4);
		return h->size = sizeof(*m) + 5;
	case WS_REC_CLOCK:
		return h->size = sizeof(struct ws_rec_clock);
	case WS_REC_COUNTERS:
		return h->size = sizeof(struct ws_rec_counters);
	default:
		return h->size = sizeof(*h);
	}
}

static const enum ws_rec_type types[] = {WS_REC_DATA, WS_REC_CONN, WS_REC_CLOSE, WS_REC_PROC, WS_REC_TIE, WS_REC_HANDED,
					 WS_REC_META, WS_REC_CLOCK, WS_REC_COUNTERS};
#define TYPES (sizeof(types) / sizeof(*types))

static void test_valid(void **state)
{
	uint64_t buf[64];
	struct event e;

	for (size_t i = 0; i < TYPES; i++) {
		size_t n = sample(types[i], buf);

		assert_true(record__check(buf, n, &e));
		assert_int_equal(e.type, types[i]);
		assert_ptr_equal(e.head, buf);
		assert_true(record__check(buf, n + 8, &e)); /* the ring hands over what was reserved */
	}
	sample(WS_REC_DATA, buf);
	assert_true(record__check(buf, sizeof(buf), &e));
	assert_int_equal(e.text.n, 24);
	assert_memory_equal(e.text.p, "pppppppppppppppppppppppp", 24);
	sample(WS_REC_PROC, buf);
	assert_true(record__check(buf, sizeof(buf), &e));
	assert_true(slice__eq(e.text, SLICE("/bin/true")));
}

/* Every shorter input, its end against an unmapped page; then with a size field that agrees with it. */
static void test_truncated(void **state)
{
	struct guard g = guard__new(4096);
	uint64_t buf[64];
	struct event e;

	for (size_t i = 0; i < TYPES; i++) {
		size_t n = sample(types[i], buf);

		for (size_t k = 0; k < n; k++) {
			struct slice cut = guard__put(&g, (struct slice){(char *)buf, k});

			assert_false(record__check(cut.p, cut.n, &e));
			if (k < sizeof(struct ws_rec))
				continue;
			uint32_t size = (uint32_t)k;
			memcpy((char *)cut.p + offsetof(struct ws_rec, size), &size, sizeof(size));
			/* Fewer whole counters, and a connection without its totals, are an older kernel half's. */
			if ((types[i] == WS_REC_COUNTERS && (k - sizeof(struct ws_rec)) % 8 == 0) ||
			    (types[i] == WS_REC_CONN && k == offsetof(struct ws_rec_conn, sent)))
				assert_true(record__check(cut.p, cut.n, &e));
			else
				assert_false(record__check(cut.p, cut.n, &e));
		}
	}
	guard__free(&g);
}

/* A wrong value in one field of a record that is fine otherwise. */
static void test_wrong_fields(void **state)
{
	static const struct wrong {
		enum ws_rec_type type;
		size_t at, width;
		uint64_t value;
	} wrong[] = {
		{WS_REC_DATA, offsetof(struct ws_rec, type), 2, 0},
		{WS_REC_DATA, offsetof(struct ws_rec, type), 2, WS_REC_KERNEL_MAX},
		{WS_REC_DATA, offsetof(struct ws_rec, type), 2, WS_REC_COUNTERS + 1},
		{WS_REC_DATA, offsetof(struct ws_rec, type), 2, 0xffff},
		{WS_REC_DATA, offsetof(struct ws_rec, size), 4, 0},
		{WS_REC_DATA, offsetof(struct ws_rec, size), 4, 0xffffffff},
		{WS_REC_DATA, offsetof(struct ws_rec_data, cap_len), 4, 23},
		{WS_REC_DATA, offsetof(struct ws_rec_data, cap_len), 4, 25},
		{WS_REC_DATA, offsetof(struct ws_rec_data, cap_len), 4, 0xffffffff},
		{WS_REC_DATA, offsetof(struct ws_rec_data, cap_len), 4, 0xffffffff - 95},
		{WS_REC_DATA, offsetof(struct ws_rec_data, wire_len), 4, 23},
		{WS_REC_DATA, offsetof(struct ws_rec_data, dir), 1, 2},
		{WS_REC_DATA, offsetof(struct ws_rec_data, cap), 1, WS_CAP_LOAD + 1},
		{WS_REC_CONN, offsetof(struct ws_rec_conn, role), 1, WS_ROLE_CONNECTED + 1},
		{WS_REC_CONN, offsetof(struct ws_rec_conn, origin), 1, 2},
		{WS_REC_CONN, offsetof(struct ws_rec_conn, failed), 1, 2},
		{WS_REC_CONN, offsetof(struct ws_rec, size), 4, sizeof(struct ws_rec_conn) + 8},
		{WS_REC_CLOSE, offsetof(struct ws_rec, size), 4, sizeof(struct ws_rec_close) + 1},
		{WS_REC_PROC, offsetof(struct ws_rec_proc, path_len), 2, WS_PATH_LEN + 1},
		{WS_REC_PROC, offsetof(struct ws_rec_proc, path_len), 2, 0xffff},
		{WS_REC_PROC, offsetof(struct ws_rec_proc, what), 1, 0},
		{WS_REC_PROC, offsetof(struct ws_rec_proc, what), 1, WS_PROC_CGROUP_GONE + 1},
		{WS_REC_TIE, offsetof(struct ws_rec_tie, what), 4, 0},
		{WS_REC_TIE, offsetof(struct ws_rec_tie, what), 4, WS_TIE_PROMISE + 1},
		{WS_REC_META, offsetof(struct ws_rec_meta, text_len), 4, 0xffffffff},
		{WS_REC_META, offsetof(struct ws_rec_meta, text_len), 4, 6},
		{WS_REC_COUNTERS, offsetof(struct ws_rec, size), 4, sizeof(struct ws_rec) + 12},
	};
	uint64_t buf[64];
	struct event e;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		sample(wrong[i].type, buf);
		assert_true(record__check(buf, sizeof(buf), &e));
		memcpy((char *)buf + wrong[i].at, &wrong[i].value, wrong[i].width);
		if (record__check(buf, sizeof(buf), &e))
			fail_msg("row %zu was taken for a record", i);
	}
}

/* A half that counts less, or more, than this one. */
static void test_counters(void **state)
{
	uint64_t buf[4 + WS_CNT_MAX] = {0}, value[WS_CNT_MAX];
	struct ws_rec *h = (struct ws_rec *)buf;
	struct event e;

	for (size_t n = 0; n <= WS_CNT_MAX + 2; n++) {
		*h = (struct ws_rec){.type = WS_REC_COUNTERS, .size = (uint32_t)(sizeof(*h) + 8 * n)};
		for (size_t i = 0; i < WS_CNT_MAX + 2; i++)
			buf[2 + i] = i + 1; /* what lies behind the record as well */
		assert_true(record__check(buf, sizeof(buf), &e));
		record__counters(&e, value);
		for (size_t i = 0; i < WS_CNT_MAX; i++)
			assert_true(value[i] == (i < n ? i + 1 : 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),	  cmocka_unit_test(test_counters_follow_types),
		cmocka_unit_test(test_valid),	  cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_wrong_fields),  cmocka_unit_test(test_counters),
	};
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
