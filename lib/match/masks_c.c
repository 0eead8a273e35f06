// SPDX-License-Identifier: BSD-3-Clause
/* Masks of frames by what every processor can do. */
#include "masks.h"

#include <stdbool.h>

#include "search.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

void
masks_tests_c(const uint32_t *key, uint32_t n, const struct scope_test *tests, uint32_t n_tests,
	uint64_t *ret)
{
	for (uint32_t k = 0; k < n_tests; k++)
		ret[k] = search_keys_test(key, n, tests[k]);
}

/* The numbers i with v[i] == @x, or v[i] > @x. Called with constants. */
static inline uint64_t
compare_all(const uint32_t *v, uint32_t n, uint32_t x, bool above)
{
	uint64_t hold = 0;

	for (uint32_t i = 0; i < n; i += 16) {
#ifdef __SSE2__
		/* There is no comparison of unsigned numbers: with the sign flipped. */
		const __m128i flip = _mm_set1_epi32(above ? INT32_MIN : 0);
		const __m128i than = _mm_xor_si128(_mm_set1_epi32((int)x), flip);
		const __m128i *k = (const __m128i *)(const void *)&v[i];
		__m128i c[4];

		for (int j = 0; j < 4; j++) {
			const __m128i is = _mm_xor_si128(_mm_load_si128(k + j), flip);

			c[j] = above ? _mm_cmpgt_epi32(is, than) : _mm_cmpeq_epi32(is, than);
		}
		c[0] = _mm_packs_epi16(_mm_packs_epi32(c[0], c[1]), _mm_packs_epi32(c[2], c[3]));
		hold |= (uint64_t)(uint32_t)_mm_movemask_epi8(c[0]) << i;
#else
		for (uint32_t j = i; j < i + 16; j++)
			hold |= (uint64_t)(above ? v[j] > x : v[j] == x) << j;
#endif
	}
	return hold;
}

uint64_t
masks_equal_c(const uint32_t *v, uint32_t n, uint32_t x)
{
	return compare_all(v, n, x, false);
}

uint64_t
masks_above_c(const uint32_t *v, uint32_t n, uint32_t x)
{
	return compare_all(v, n, x, true);
}
