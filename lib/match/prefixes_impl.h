/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_PREFIXES_IMPL_H
#define MATCH_PREFIXES_IMPL_H

/*
 * The two ways in which a list of prefixes is kept. Both are made of boundaries:
 * the addresses where what the list covers begins and ends, in turn, ascending.
 * An address is in the list when the number of boundaries at or below it is odd.
 * A look-up is a fixed number of steps without an unpredictable branch, so that
 * those of many addresses can be under way at once.
 */

#include <stddef.h>
#include <stdint.h>

#include "prefixes.h"

struct arena;

/*
 * A static search tree: nodes are a cache line each, and children are found by
 * arithmetic. Keys have their top bit turned: that is what SSE2 can compare.
 */
#define TREE_LEVELS_MAX 12
struct tree {
	/* Level 0 is the root, one node; the last has the keys themselves. */
	const void *level[TREE_LEVELS_MAX];
	uint32_t n_levels; /* 0: no keys */
	uint32_t n_keys;
};

static inline int32_t
tree_key4(uint32_t x)
{
	return (int32_t)(x ^ UINT32_C(1) << 31);
}

static inline int64_t
tree_key6(uint64_t x)
{
	return (int64_t)(x ^ UINT64_C(1) << 63);
}

/* Make @t of @n ascending keys. Memory of @arena. Returns 0 or -ENOMEM. */
int tree4_new(struct tree *t, const uint32_t *v, uint32_t n, struct arena *arena);
int tree6_new(struct tree *t, const uint64_t *v, uint32_t n, struct arena *arena);

/* For each of @n <= PREFIXES_BURST_MAX keys how many of the tree are at or below it, in @ret. */
void tree4_count(const struct tree *t, const int32_t *key, uint32_t n, uint32_t *ret);
void tree6_count(const struct tree *t, const int64_t *key, uint32_t n, uint32_t *ret);

/* Key number @i of the tree. */
static inline int64_t
tree6_key_at(const struct tree *t, uint32_t i)
{
	return ((const int64_t *)t->level[t->n_levels - 1])[i];
}

/* An IPv6 address as a number. */
struct addr6 {
	uint64_t hi, lo;
};

static inline bool
addr6_below(struct addr6 a, struct addr6 b)
{
	return a.hi != b.hi ? a.hi < b.hi : a.lo < b.lo;
}

/*
 * IPv6 addresses in order: a tree over their upper 64 bits. Where some have lower
 * bits, those that share their upper half are one key and a run of lower halves.
 */
struct ends6 {
	struct tree tree;
	/* By key where its run starts, and one more; NULL: key i is address i, its lower half 0. */
	const uint32_t *run;
	const uint64_t *low;
};

/* Make @e of @n distinct, ascending addresses. Memory of @arena. Returns 0 or -ENOMEM. */
int ends6_new(struct ends6 *e, const struct addr6 *v, uint32_t n, struct arena *arena);

/* For each of @n <= PREFIXES_BURST_MAX addresses how many of @e are at or below it, in @ret. */
void ends6_count(const struct ends6 *e, const uint8_t *const *addr, uint32_t n, uint32_t *ret);

/*
 * Many IPv4 boundaries: by the upper 16 bits of the address a list of the lower
 * 16, or where such a list would be longer than 8 KiB, a bit for each address:
 * two cache lines a look-up. (The containers of Roaring bitmaps, Software:
 * Practice and Experience 46(5), 2016.)
 */
#define MAP4_MIN 4096 /* boundaries from which 256 KiB of index pay */
struct map4 {
	const uint32_t *index; /* by the upper 16 bits, and one more; NULL: no map */
	const uint16_t *v;
};

int map4_new(struct map4 *m, const uint32_t *v, uint32_t n, struct arena *arena);

/* Bit i of the result: @addr[i] is in. @n <= PREFIXES_BURST_MAX. */
uint64_t map4_have(const struct map4 *m, const uint32_t *addr, uint32_t n);

#endif
