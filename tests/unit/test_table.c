// SPDX-License-Identifier: Apache-2.0
/* test_table.c - the hash table against a model that can't be wrong: an array indexed by key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "util/list.h"
#include "util/table.h"

#define KEYS 4096
#define STEPS 400000

static uint64_t state = 0x123456789abcdef0ull;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Small numbers, numbers that differ in their high bits only, 0 and the largest. */
static uint64_t key_of(unsigned i)
{
	return i == 0 ? 0 : i == 1 ? UINT64_MAX : i % 2 ? (uint64_t)i << 48 : i;
}

static void count(void *ctx, uint64_t key, void *value)
{
	++*(unsigned *)ctx;
	assert_non_null(value);
}

static void check_all(const struct table *t, void *const *model, size_t n)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < KEYS; i++)
		if (table__get(t, key_of(i)) != model[i])
			fail_msg("key %u: %p, not %p", i, table__get(t, key_of(i)), model[i]);
	assert_int_equal(t->n, n);
	table__each(t, count, &seen);
	assert_int_equal(seen, n);
}

/* Sets and removes at random; now one is more likely, now the other, so that runs grow and shrink. */
static void test_model(void **unused)
{
	static void *model[KEYS];
	static char values[KEYS];
	struct table t = {0};
	size_t n = 0;

	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)(next_random() % KEYS), odds = step / 20000 % 2 ? 30 : 70;

		if (next_random() % 100 < odds) {
			void *value = &values[next_random() % KEYS];

			assert_ptr_equal(table__set(&t, key_of(i), value), model[i]);
			n += !model[i];
			model[i] = value;
		} else {
			assert_ptr_equal(table__remove(&t, key_of(i)), model[i]);
			n -= !!model[i];
			model[i] = NULL;
		}
		if (step % 10000 == 9999)
			check_all(&t, model, n);
	}
	for (unsigned i = 0; i < KEYS; i++) {
		assert_ptr_equal(table__remove(&t, key_of(i)), model[i]);
		model[i] = NULL;
	}
	check_all(&t, model, 0);
	table__free(&t);
}

static void test_empty(void **unused)
{
	struct table t = {0};
	unsigned seen = 0;

	assert_null(table__get(&t, 0));
	assert_null(table__remove(&t, 0));
	table__each(&t, count, &seen);
	assert_int_equal(seen, 0);
	table__free(&t);
}

/* Many keys whose home is the same slot or the last one: runs that wrap around the end. */
static void test_collisions(void **unused)
{
	static char values[40];
	uint64_t keys[40];
	struct table t = {0};
	unsigned n = 0;

	for (uint64_t k = 1; n < 40; k++)
		if ((hash__mix(k) & 63) >= 61)
			keys[n++] = k;
	for (unsigned i = 0; i < n; i++)
		assert_null(table__set(&t, keys[i], &values[i]));
	assert_int_equal(t.size, 64);
	/* From the last and from the first by turns: [from, to) is what is left. */
	for (unsigned from = 0, to = n; from < to;) {
		unsigned at = (from + to) % 2 ? from++ : --to;

		assert_ptr_equal(table__remove(&t, keys[at]), &values[at]);
		for (unsigned i = 0; i < n; i++)
			assert_ptr_equal(table__get(&t, keys[i]), i >= from && i < to ? &values[i] : NULL);
	}
	assert_int_equal(t.n, 0);
	table__free(&t);
}

struct element {
	int n;
	struct list in;
};

static void check_list(const struct list *head, const char *expected)
{
	char got[16] = "";
	size_t n = 0;

	for (const struct list *l = head->next; l != head; l = l->next) {
		assert_ptr_equal(l->next->prev, l);
		got[n++] = (char)('0' + LIST_ENTRY(l, struct element, in)->n);
	}
	assert_string_equal(got, expected);
}

static void test_list(void **unused)
{
	struct element e[3] = {{.n = 1}, {.n = 2}, {.n = 3}};
	struct list head, other;

	list__init(&head);
	list__init(&other);
	assert_true(list__empty(&head));
	list__remove(&e[0].in);
	for (int i = 0; i < 3; i++)
		list__append(&head, &e[i].in);
	check_list(&head, "123");
	list__append(&head, &e[0].in);
	check_list(&head, "231");
	list__append(&head, &e[0].in);
	check_list(&head, "231");
	list__append(&other, &e[2].in);
	check_list(&head, "21");
	check_list(&other, "3");
	list__remove(&e[1].in);
	list__remove(&e[1].in);
	assert_false(list__in_one(&e[1].in));
	list__remove(&e[0].in);
	assert_true(list__empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_list),
	};
	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
