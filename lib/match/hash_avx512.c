// SPDX-License-Identifier: BSD-3-Clause
/* The hash kernel for processors with AVX-512 (F, BW, VL). */
#include "hash.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include <immintrin.h>

#define HASH_PROBE hash_probe_avx512

/*
 * Bit s: slot s has @tag. Not by _mm_cmpeq_epi16_mask(): gcc 12 keeps its eight
 * bits on the stack as a byte and loads four.
 */
static inline uint32_t
hash_tags(const struct hash_bucket *b, uint16_t tag)
{
	const __m128i tags = _mm_load_si128((const __m128i *)(const void *)b->tags);
	const __m128i eq = _mm_cmpeq_epi16(tags, _mm_set1_epi16((short)tag));

	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(eq, _mm_setzero_si128()));
}

#include "hash_probe.h"

#endif
