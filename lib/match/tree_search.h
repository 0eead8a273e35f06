/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_TREE_SEARCH_H
#define MATCH_TREE_SEARCH_H

/* The look-up in the trees of prefixes_impl.h, inline: compiled with what its user may use. */

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "base/util.h"
#include "prefixes_impl.h"

#define TREE_KEYS4 16
#define TREE_KEYS6 8

/* How many of the 16 keys at @k, which need not be aligned, are at or below @key. */
static inline uint32_t
tree_node4(const int32_t *k, int32_t key)
{
#if defined(__AVX512F__)
	const __m512i node = _mm512_loadu_si512(k);

	return (uint32_t)__builtin_popcount(_mm512_cmple_epi32_mask(node, _mm512_set1_epi32(key)));
#elif defined(__AVX2__)
	const __m256i *v = (const __m256i *)(const void *)k, x = _mm256_set1_epi32(key);
	const __m256i lo = _mm256_cmpgt_epi32(_mm256_loadu_si256(v), x);
	const __m256i hi = _mm256_cmpgt_epi32(_mm256_loadu_si256(v + 1), x);
	const __m256i above = _mm256_packs_epi32(lo, hi);

	/* Two bits of a byte mask for each key that is above. */
	return TREE_KEYS4 - (uint32_t)__builtin_popcount((uint32_t)_mm256_movemask_epi8(above)) / 2;
#else
	uint32_t n = 0;

	for (size_t i = 0; i < TREE_KEYS4; i++)
		n += k[i] <= key;
	return n;
#endif
}

static inline uint32_t
tree_node6(const int64_t *k, int64_t key)
{
#if defined(__AVX512F__)
	const __m512i node = _mm512_load_si512(k);

	return (uint32_t)__builtin_popcount(_mm512_cmple_epi64_mask(node, _mm512_set1_epi64(key)));
#else
	uint32_t n = 0;

	for (size_t i = 0; i < TREE_KEYS6; i++)
		n += k[i] <= key;
	return n;
#endif
}

/*
 * As tree4_count(), for a tree that has keys: a level for all of them at a time, so
 * that their cache misses overlap. Keys that only pad are the greatest there is; to
 * be led to no node of padding, the greatest address goes the way of the one below
 * it, and has all keys at or below it.
 */
static inline void
tree4_search(const struct tree *t, const int32_t *key, uint32_t n, uint32_t *ret)
{
	const uint32_t last = t->n_levels - 1;
	const int32_t *leaf = t->level[last];

	for (uint32_t i = 0; i < n; i++)
		ret[i] = 0;
	for (uint32_t l = 0; l < last; l++) {
		const int32_t *level = t->level[l], *next = t->level[l + 1];

		for (uint32_t i = 0; i < n; i++) {
			ret[i] = ret[i] * (TREE_KEYS4 + 1) +
				tree_node4(level + ret[i] * TREE_KEYS4, MIN(key[i], INT32_MAX - 1));
			__builtin_prefetch(next + ret[i] * TREE_KEYS4);
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t at = ret[i] * TREE_KEYS4;
		const uint32_t n_below = at + tree_node4(leaf + at, MIN(key[i], INT32_MAX - 1));

		ret[i] = key[i] == INT32_MAX ? t->n_keys : n_below;
	}
}

static inline void
tree6_search(const struct tree *t, const int64_t *key, uint32_t n, uint32_t *ret)
{
	const uint32_t last = t->n_levels - 1;
	const int64_t *leaf = t->level[last];

	for (uint32_t i = 0; i < n; i++)
		ret[i] = 0;
	for (uint32_t l = 0; l < last; l++) {
		const int64_t *level = t->level[l], *next = t->level[l + 1];

		for (uint32_t i = 0; i < n; i++) {
			ret[i] = ret[i] * (TREE_KEYS6 + 1) +
				tree_node6(level + ret[i] * TREE_KEYS6, MIN(key[i], INT64_MAX - 1));
			__builtin_prefetch(next + ret[i] * TREE_KEYS6);
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t at = ret[i] * TREE_KEYS6;
		const uint32_t n_below = at + tree_node6(leaf + at, MIN(key[i], INT64_MAX - 1));

		ret[i] = key[i] == INT64_MAX ? t->n_keys : n_below;
	}
}

#endif
