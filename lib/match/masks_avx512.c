// SPDX-License-Identifier: BSD-3-Clause
/* Masks of frames, sixteen frames at once: of processors with AVX-512 (F, BW, VL). */
#include "masks.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include <immintrin.h>

void
masks_tests_avx512(const uint32_t *key, uint32_t n, const struct scope_test *tests,
	uint32_t n_tests, uint64_t *ret)
{
	for (uint32_t k = 0; k < n_tests; k++) {
		const __m512i mask = _mm512_set1_epi32((int)tests[k].mask);
		const __m512i val = _mm512_set1_epi32((int)tests[k].val);
		uint64_t hold = 0;

		for (uint32_t i = 0; i < n; i += 16)
			hold |= (uint64_t)_mm512_cmpeq_epi32_mask(
					_mm512_and_si512(_mm512_load_si512(&key[i]), mask), val)
				<< i;
		ret[k] = hold;
	}
}

uint64_t
masks_above_avx512(const uint32_t *v, uint32_t n, uint32_t x)
{
	const __m512i than = _mm512_set1_epi32((int)x);
	uint64_t above = 0;

	for (uint32_t i = 0; i < n; i += 16)
		above |= (uint64_t)_mm512_cmpgt_epu32_mask(_mm512_load_si512(&v[i]), than) << i;
	return above;
}

#endif
