// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/util.h"
#include "prefixes_impl.h"

/* The distinct upper halves of the @n boundaries @b in @hi, the lower ones as runs. */
static int
split_runs(struct ends6 *e, const struct addr6 *b, uint32_t n, uint64_t *hi, uint32_t *ret_n,
	struct arena *arena)
{
	uint64_t *low = arena_zalloc(arena, (size_t)n * sizeof(*low));
	uint32_t *run = arena_zalloc(arena, ((size_t)n + 1) * sizeof(*run));
	uint32_t kept = 0;

	if (low == NULL || run == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		low[i] = b[i].lo;
		if (i > 0 && b[i - 1].hi == b[i].hi)
			continue;
		run[kept] = i;
		hi[kept++] = b[i].hi;
	}
	run[kept] = n;
	e->low = low;
	e->run = run;
	*ret_n = kept;
	return 0;
}

/* Keys of the tree for the @n boundaries @b, in @hi. */
static int
keys6(struct ends6 *e, const struct addr6 *b, uint32_t n, uint64_t *hi, uint32_t *ret_n,
	struct arena *arena)
{
	uint64_t lows = 0;

	for (uint32_t i = 0; i < n; i++) {
		hi[i] = b[i].hi;
		lows |= b[i].lo;
	}
	*ret_n = n;
	return lows != 0 ? split_runs(e, b, n, hi, ret_n, arena) : 0;
}

int
ends6_new(struct ends6 *e, const struct addr6 *v, uint32_t n, struct arena *arena)
{
	uint64_t *hi = mem_calloc((size_t)n + 1, sizeof(*hi));
	uint32_t n_keys = n;
	int r = -ENOMEM;

	if (hi != NULL)
		r = keys6(e, v, n, hi, &n_keys, arena);
	if (r == 0)
		r = tree6_new(&e->tree, hi, n_keys, arena);
	mem_free(hi);
	return r;
}

/* How many of the @n lower halves at @v are at or below @lo. */
static inline uint32_t
count_low(const uint64_t *v, uint32_t n, uint64_t lo)
{
	uint32_t first = 0;

	if (n == 0)
		return 0;
	while (n > 1) {
		const uint32_t half = n / 2;

		first += v[first + half] <= lo ? half : 0;
		n -= half;
	}
	return first + (v[first] <= lo);
}

/*
 * From keys at or below @addr, in @at, to boundaries at or below it: all runs
 * before the key that has its upper half, and of that run what is not above.
 */
static void
count_runs(const struct ends6 *e, const uint8_t *const *addr, const int64_t *key, uint32_t n,
	uint32_t *at)
{
	uint32_t first[PREFIXES_BURST_MAX], len[PREFIXES_BURST_MAX];

	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(&e->run[at[i] - (at[i] > 0)]);
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t last = at[i] - (at[i] > 0);
		const bool same = (at[i] > 0) & (tree6_key_at(&e->tree, last) == key[i]);

		/* A run of its own, or none behind all those before. */
		first[i] = e->run[same ? last : at[i]];
		len[i] = same ? e->run[at[i]] - first[i] : 0;
		__builtin_prefetch(&e->low[first[i]]);
	}
	for (uint32_t i = 0; i < n; i++)
		at[i] = first[i] + count_low(e->low + first[i], len[i], load_be64(addr[i] + 8));
}

void
ends6_count(const struct ends6 *e, const uint8_t *const *addr, uint32_t n, uint32_t *ret)
{
	int64_t key[PREFIXES_BURST_MAX];

	for (uint32_t i = 0; i < n; i++)
		ret[i] = 0;
	if (e->tree.n_keys == 0 || n == 0)
		return;
	for (uint32_t i = 0; i < n; i++)
		key[i] = tree_key6(load_be64(addr[i]));
	tree6_count(&e->tree, key, n, ret);
	if (e->run != NULL)
		count_runs(e, addr, key, n, ret);
}
