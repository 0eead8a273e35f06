// SPDX-License-Identifier: BSD-3-Clause
/* The list kernel for processors with AVX2. */
#include "list.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "list_scalar.h"

#define LIST_PROBE list_probe_avx2
#define list_values list_values_each

#define LIST_WIDTH 32
#include "list_vec.h"

/* There is no shift of 16 bits by a count each. */
static inline list_vec
list_shift(list_vec r, const struct list_step *t, uint32_t k)
{
	const list_vec high =
		(list_vec)_mm256_mulhi_epu16((__m256i)r, (__m256i)LIST_LOAD(t->scale, k));

	return high | (r & LIST_LOAD(t->keep, k));
}

/*
 * pshufb looks up in 16 bytes: each of the four quarters of the values gives its
 * own, and 0 for others'.
 */
static inline list_vec
list_pick(const uint16_t *values, const uint16_t *numbers)
{
	const __m256i n = _mm256_load_si256((const __m256i *)(const void *)numbers);
	/* Number n is the bytes 2n and 2n + 1. */
	const __m256i low = _mm256_add_epi16(n, n);
	__m256i at = _mm256_add_epi16(
		_mm256_or_si256(low, _mm256_slli_epi16(low, 8)), _mm256_set1_epi16(0x0100));
	__m256i r = _mm256_setzero_si256();

	for (int q = 0; q < 4; q++) {
		const __m256i quarter = _mm256_broadcastsi128_si256(
			_mm_load_si128((const __m128i *)(const void *)&values[8 * q]));
		/* The highest bit, which makes 0, is set for what is below 0 or above 15. */
		const __m256i in = _mm256_adds_epu8(at, _mm256_set1_epi8(0x70));

		r = _mm256_or_si256(r, _mm256_shuffle_epi8(quarter, in));
		at = _mm256_sub_epi8(at, _mm256_set1_epi8(16));
	}
	return (list_vec)r;
}

/* All bits of each lane of half @k whose test holds. */
static inline __m256i
equal_lanes(const list_vec *r, const struct list_block *b, uint32_t k)
{
	return (__m256i)((r[k] & LIST_LOAD(b->mask, k)) == LIST_LOAD(b->val, k));
}

static inline uint32_t
list_equal(const list_vec *r, const struct list_block *b)
{
	const __m256i both = _mm256_packs_epi16(equal_lanes(r, b, 0), equal_lanes(r, b, 1));

	/* Packed are halves of 128 bits: lanes 0 to 7, 16 to 23, 8 to 15, 24 to 31. */
	return (uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(both, 0xd8));
}

#include "list_probe.h"

#endif
