/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_TAGS_H
#define MATCH_HASH_TAGS_H

/* What the hash kernels for x86-64 look for in a bucket. */

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "hash.h"

#ifdef __AVX2__
/*
 * Whether the near ranges of an item of shape @s, which are @range, hold in the
 * window that starts at @bytes; all four at once, those that are not there unseen.
 */
static inline bool
hash_near_hold(const struct hash_shape *s, const uint64_t *range, const uint8_t *bytes)
{
	const __m128i swap = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
	const __m128 r01 = _mm_loadu_ps((const float *)(const void *)&range[0]);
	const __m128 r23 = _mm_loadu_ps((const float *)(const void *)&range[2]);
	const __m128i lo = _mm_castps_si128(_mm_shuffle_ps(r01, r23, 0x88));
	const __m128i span = _mm_castps_si128(_mm_shuffle_ps(r01, r23, 0xdd));
	const __m128i mask = _mm_loadu_si128((const void *)s->near_mask);
	uint32_t v[ITEM_RANGES_MAX], hold;
	__m128i x;

	for (uint32_t i = 0; i < ITEM_RANGES_MAX; i++)
		memcpy(&v[i], bytes + s->near_off[i], sizeof(v[i]));
	x = _mm_setr_epi32((int)v[0], (int)v[1], (int)v[2], (int)v[3]);
	x = _mm_sub_epi32(_mm_and_si128(_mm_shuffle_epi8(x, swap), mask), lo);
	/* There is no comparison of unsigned numbers: x <= span if the larger one is span. */
	x = _mm_cmpeq_epi32(_mm_max_epu32(x, span), span);
	hold = (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(x));
	return (hold & s->near) == s->near;
}
#endif

#endif
