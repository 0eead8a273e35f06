// SPDX-License-Identifier: BSD-3-Clause
/* Masks of frames, 32 frames at once: of processors with AVX2. */
#include "masks.h"

#if defined(__AVX2__)

#include <immintrin.h>

#define VECTOR 8 /* numbers of one */
#define VECTORS 4 /* at once */

/* Of 32 comparisons @c, in the order of frames, a bit each. */
static inline uint32_t
bits_of(const __m256i c[VECTORS])
{
	/* Packing goes by halves of vectors: fours of frames are left as 0, 2, 4, 6, 1, 3, 5, 7. */
	const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
	const __m256i bytes =
		_mm256_packs_epi16(_mm256_packs_epi32(c[0], c[1]), _mm256_packs_epi32(c[2], c[3]));

	return (uint32_t)_mm256_movemask_epi8(_mm256_permutevar8x32_epi32(bytes, order));
}

/* The numbers i of the 32 from @v on for which v[i] & @mask is @val. */
static inline uint32_t
equal_bits(const uint32_t *v, __m256i mask, __m256i val)
{
	__m256i c[VECTORS];

	for (uint32_t j = 0; j < VECTORS; j++) {
		const __m256i is = _mm256_load_si256((const void *)&v[j * VECTOR]);

		c[j] = _mm256_cmpeq_epi32(_mm256_and_si256(is, mask), val);
	}
	return bits_of(c);
}

void
masks_tests_avx2(const uint32_t *key, uint32_t n, const struct scope_test *tests, uint32_t n_tests,
	uint64_t *ret)
{
	for (uint32_t k = 0; k < n_tests; k++) {
		const __m256i mask = _mm256_set1_epi32((int)tests[k].mask);
		const __m256i val = _mm256_set1_epi32((int)tests[k].val);
		uint64_t hold = 0;

		for (uint32_t i = 0; i < n; i += VECTORS * VECTOR)
			hold |= (uint64_t)equal_bits(&key[i], mask, val) << i;
		ret[k] = hold;
	}
}

uint64_t
masks_above_avx2(const uint32_t *v, uint32_t n, uint32_t x)
{
	/* There is no comparison of unsigned numbers: with the sign flipped. */
	const __m256i flip = _mm256_set1_epi32(INT32_MIN);
	const __m256i than = _mm256_xor_si256(_mm256_set1_epi32((int)x), flip);
	uint64_t above = 0;

	for (uint32_t i = 0; i < n; i += VECTORS * VECTOR) {
		__m256i c[VECTORS];

		for (uint32_t j = 0; j < VECTORS; j++) {
			const __m256i is = _mm256_load_si256((const void *)&v[i + j * VECTOR]);

			c[j] = _mm256_cmpgt_epi32(_mm256_xor_si256(is, flip), than);
		}
		above |= (uint64_t)bits_of(c) << i;
	}
	return above;
}

#endif
