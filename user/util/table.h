/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - hash table from a 64-bit key to a pointer. Open addressing, grows by doubling; aborts
 * when out of memory (its users bound what they put in).
 */
#ifndef UTIL_TABLE_H
#define UTIL_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_slot {
	uint64_t key;
	void *value; /* NULL: free */
};

struct table {
	struct table_slot *slots;
	size_t n, size; /* size: 0 or a power of two */
};

/* All zero is an empty table. Values are not freed. */
void table__free(struct table *t);
void *table__get(const struct table *t, uint64_t key);
/* value must not be NULL. The value that was there before, or NULL. */
void *table__set(struct table *t, uint64_t key, void *value);
void *table__remove(struct table *t, uint64_t key);
/* Calls fn for every entry; fn may not change the table. */
void table__each(const struct table *t, void (*fn)(void *ctx, uint64_t key, void *value), void *ctx);

/* A good mix of the bits of x (the finaliser of splitmix64). */
static inline uint64_t hash__mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static inline uint64_t hash__bytes(uint64_t seed, const void *p, size_t n)
{
	const unsigned char *b = p;
	uint64_t h = seed ^ n * 0x9e3779b97f4a7c15ull;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ull;
	return hash__mix(h);
}

#endif
