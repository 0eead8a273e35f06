// SPDX-License-Identifier: BSD-3-Clause
/* The hash kernel for processors with AVX2 and BMI2. */
#include "hash.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "hash_run_avx2.h"
#include "hash_walk.h"
#include "probe.h"

#define HASH_PROBE hash_probe_avx2
#define HASH_STEPS hash_steps_avx2
#define HASH_RUNS
#define HASH_LANES4

/* HASH_HALF bytes at @at + @off; 0 behind the end. */
static inline __m256i
half_bytes(const struct probe_at *at, int32_t off)
{
	const __m128i ends = _mm_setr_epi32(8, 16, 24, 32);
	__m256i lacks, v;

	if (at->left - off >= HASH_HALF)
		return _mm256_loadu_si256((const void *)(at->bytes + off));
	/* Bytes behind the end: so much before its place a word is read, and shifted. */
	lacks = _mm256_cvtepi32_epi64(_mm_max_epi32(
		_mm_sub_epi32(ends, _mm_set1_epi32(at->left - off)), _mm_setzero_si128()));
	v = _mm256_i64gather_epi64((const void *)((uintptr_t)at->bytes + (uintptr_t)(intptr_t)off),
		_mm256_sub_epi64(_mm256_setr_epi64x(0, 8, 16, 24), lacks), 1);
	/* Where nothing is left the shift is by 64 and more, which gives 0. */
	return _mm256_srlv_epi64(v, _mm256_slli_epi64(lacks, 3));
}

/* Whether the halves of the run of @it, whose bytes are there, are in the windows @a and @b. */
static inline bool
hash_halves_hold(const struct hash_table *t, const struct hash_shape *s, const struct hash_item *it,
	const struct probe_at *a, const struct probe_at *b)
{
	const __m256i *val = (const __m256i *)(const void *)&it->val[1];
	const __m256i *mask = (const __m256i *)(const void *)s->run_mask;
	const __m256i low =
		_mm256_xor_si256(half_bytes(a, t->run_at.off), _mm256_loadu_si256(&val[0]));
	const __m256i high =
		_mm256_xor_si256(half_bytes(b, t->half_at.off), _mm256_loadu_si256(&val[1]));

	return _mm256_testz_si256(_mm256_or_si256(_mm256_and_si256(low, mask[0]),
					  _mm256_and_si256(high, mask[1])),
		       _mm256_set1_epi8(-1)) != 0;
}

#include "hash_probe.h"

#endif
