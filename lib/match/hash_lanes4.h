/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_LANES4_H
#define MATCH_HASH_LANES4_H

/* Hashes of four frames at once, for kernels with AVX2. */

#include <immintrin.h>

#include "hash.h"

/* hash_pair(), of which each lane has a seed. */
static inline __m256i
pairs_of(__m256i w, __m256i seed)
{
	w = _mm256_add_epi32(w, seed);
	return _mm256_mul_epu32(w, _mm256_srli_epi64(w, 32));
}

/* hash_pair(). */
static inline __m256i
pairs(__m256i w, uint64_t seed)
{
	return pairs_of(w, _mm256_set1_epi64x((long long)seed));
}

/* hash_finish(). */
static inline __m256i
finish(__m256i sum)
{
	return _mm256_xor_si256(sum, _mm256_shuffle_epi32(sum, 0xb1));
}

/* hash_tag(), in each byte of its lane. */
static inline __m256i
tags_of(__m256i hash)
{
	const __m256i first =
		_mm256_set_epi32(0x08080808, 0x08080808, 0, 0, 0x08080808, 0x08080808, 0, 0);

	_Static_assert(HASH_TAG_SHIFT == 0, "the first byte");
	return _mm256_max_epu8(_mm256_shuffle_epi8(hash, first), _mm256_set1_epi8(1));
}

#endif
