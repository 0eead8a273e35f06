// SPDX-License-Identifier: BSD-3-Clause
/* Sieves for processors with AVX-512 (F, BW, VL): all lanes of a frame at once. */
#include "sieve.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include <immintrin.h>

#include "probe.h"

void
sieve_probe_avx512(const struct sieve *s, const struct probe *p, uint64_t some,
	uint64_t ret_pass[SIEVE_TABLES])
{
	const struct probe_at *at = p->at[s->win];
	const __m512i word = _mm512_load_si512(s->word), mask = _mm512_load_si512(s->mask);
	const __m512i base = _mm512_load_si512(s->base), bits = _mm512_load_si512(s->bits);
	const __m512i shift = _mm512_load_si512(s->shift), lowest = _mm512_load_si512(s->low);
	const __m512i seed = _mm512_set1_epi64((long long)s->seed);
	const __m512i low = _mm512_set1_epi64((long long)HASH_FILTER_LOW);
	const __m512i high = _mm512_set1_epi64((long long)HASH_FILTER_HIGH);
	const __m512i one = _mm512_set1_epi64(1), low6 = _mm512_set1_epi64(63);
	uint8_t lanes[MATCH_BURST] __attribute__((aligned(64)));
	const int32_t off = s->off;
	__m512i all;

	_mm512_store_si512(lanes, _mm512_setzero_si512());
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		/* Of a window that is not there nothing is left, and it is a number that nobody follows. */
		const int64_t left = MAX((int64_t)at[i].left - off, 0);
		const uint64_t there = _bzhi_u64(UINT64_MAX, (uint32_t)MIN(left, 64));
		const uintptr_t from = (uintptr_t)at[i].bytes + (uintptr_t)(intptr_t)off;
		__m512i v = _mm512_maskz_loadu_epi8(there, (const void *)from), bit, least;

		/* hash_filter_bit() of each lane's word. */
		v = _mm512_permutexvar_epi64(word, v);
		least = _mm512_and_si512(_mm512_srlv_epi64(v, shift), lowest);
		v = _mm512_xor_si512(_mm512_and_si512(v, mask), seed);
		v = _mm512_add_epi64(
			_mm512_mul_epu32(v, low), _mm512_mul_epu32(_mm512_srli_epi64(v, 32), high));
		bit = _mm512_and_si512(_mm512_srli_epi64(v, HASH_FILTER_SHIFT), bits);
		bit = _mm512_add_epi64(_mm512_or_si512(bit, least), base);
		v = _mm512_i64gather_epi64(
			_mm512_srli_epi64(bit, 6), (const void *)s->filter, sizeof(uint64_t));
		v = _mm512_srlv_epi64(v, _mm512_and_si512(bit, low6));
		lanes[i] = _mm512_test_epi64_mask(v, one);
	}
	all = _mm512_load_si512(lanes);
	for (uint32_t k = 0; k < SIEVE_TABLES; k++)
		ret_pass[k] = _mm512_test_epi8_mask(all, _mm512_set1_epi8((char)(1 << k)));
}

#endif
