// SPDX-License-Identifier: BSD-3-Clause
/* The hash kernel for processors with AVX-512 (F, BW, VL). */
#include "hash.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include <immintrin.h>

#include "probe.h"

#define HASH_PROBE hash_probe_avx512
#define HASH_RUNS

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

/* Whether hash_run_holds() can say it. */
static inline bool
hash_run_fits(const struct probe_at *at, int32_t off, uint32_t run)
{
	(void)at;
	(void)off;
	(void)run;
	return true;
}

/* Whether the run of @it, whose bytes are there, is at @at + @off. */
static inline bool
hash_run_holds(const struct hash_shape *s, const struct hash_item *it, const struct probe_at *at,
	int32_t off, uint32_t run)
{
	/* Not a byte more than is asked is read. */
	if (run == 32) {
		const __m256i v = _mm256_maskz_loadu_epi8((__mmask32)s->run_bytes, at->bytes + off);
		const __m256i w = _mm256_loadu_si256((const void *)&it->val[1]);
		const __m256i m = _mm256_loadu_si256((const void *)s->run_mask);

		return _mm256_testz_si256(_mm256_xor_si256(v, w), m);
	}
	const __m512i v = _mm512_maskz_loadu_epi8(s->run_bytes, at->bytes + off);
	const __m512i w = _mm512_loadu_si512(&it->val[1]);
	const __m512i m = _mm512_loadu_si512(s->run_mask);

	return _mm512_test_epi8_mask(_mm512_xor_si512(v, w), m) == 0;
}

#include "hash_probe.h"

#endif
