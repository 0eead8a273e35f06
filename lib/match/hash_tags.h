/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_TAGS_H
#define MATCH_HASH_TAGS_H

/* What the hash kernels for x86-64 look for in a bucket. */

#include <emmintrin.h>
#include <stdint.h>

#include "hash.h"

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

#endif
