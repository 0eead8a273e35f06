// SPDX-License-Identifier: BSD-3-Clause
/* The list kernel for processors with AVX2. */
#include "list.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "list_scalar.h"

#define LIST_PROBE list_probe_avx2
#define list_values list_values_each

static inline __m256i
load(const uint16_t *v, uint32_t half)
{
	return _mm256_load_si256((const __m256i *)(const void *)&v[16 * half]);
}

/*
 * The values whose numbers are in @v. pshufb looks up in 16 bytes: each of the
 * four quarters of the values gives its own, and 0 for others'.
 */
static inline __m256i
pick(const uint16_t *v, uint32_t half, const __m256i quarters[4])
{
	const __m256i n = load(v, half);
	/* Number n is the bytes 2n and 2n + 1. */
	const __m256i low = _mm256_add_epi16(n, n);
	__m256i at = _mm256_add_epi16(
		_mm256_or_si256(low, _mm256_slli_epi16(low, 8)), _mm256_set1_epi16(0x0100));
	__m256i r = _mm256_setzero_si256();

	for (int q = 0; q < 4; q++) {
		/* The highest bit, which makes 0, is set for what is below 0 or above 15. */
		const __m256i in = _mm256_adds_epu8(at, _mm256_set1_epi8(0x70));

		r = _mm256_or_si256(r, _mm256_shuffle_epi8(quarters[q], in));
		at = _mm256_sub_epi8(at, _mm256_set1_epi8(16));
	}
	return r;
}

/* @r >> @shift, by the upper half of a product; a shift by 0 is another matter. */
static inline __m256i
shift_right(__m256i r, const uint16_t *shift, uint32_t half)
{
	const __m256i n = load(shift, half);
	const __m256i none = _mm256_cmpeq_epi16(n, _mm256_setzero_si256());
	/* 1 << (16 - n): of a byte's two halves by a table each. */
	const __m256i lows = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, -128, 64, 32, 16, 8, 4, 2,
		0, 0, 0, 0, 0, 0, 0, 0, 0, -128, 64, 32, 16, 8, 4, 2);
	const __m256i highs = _mm256_setr_epi8(0, -128, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0,
		0, -128, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0);
	const __m256i low = _mm256_and_si256(_mm256_shuffle_epi8(lows, n), _mm256_set1_epi16(0xff));
	const __m256i high = _mm256_slli_epi16(_mm256_shuffle_epi8(highs, n), 8);
	const __m256i shifted = _mm256_mulhi_epu16(r, _mm256_or_si256(low, high));

	return _mm256_blendv_epi8(shifted, r, none);
}

/* Bit k: the test of lane k of half @half holds. */
static inline uint32_t
half_hits(const struct list_block *b, const struct list_step *steps, uint32_t n_steps,
	const __m256i quarters[4], uint32_t half)
{
	__m256i r = pick(b->start, half, quarters);

	for (uint32_t s = 0; s < n_steps; s++) {
		const struct list_step *t = &steps[s];
		const __m256i v = pick(t->v, half, quarters), x = pick(t->x, half, quarters);

		r = _mm256_add_epi16(_mm256_mullo_epi16(r, load(t->mul, half)), load(t->add, half));
		r = _mm256_add_epi16(r, _mm256_mullo_epi16(v, load(t->v_mul, half)));
		r = _mm256_xor_si256(_mm256_and_si256(r, load(t->and, half)), load(t->xor, half));
		r = _mm256_xor_si256(r, _mm256_and_si256(x, load(t->x_mask, half)));
		r = shift_right(r, t->shift, half);
	}
	r = _mm256_and_si256(r, load(b->mask, half));
	r = _mm256_add_epi16(r, load(b->add, half));
	/* Unsigned r <= span. */
	r = _mm256_cmpeq_epi16(_mm256_subs_epu16(r, load(b->span, half)), _mm256_setzero_si256());
	return (uint32_t)_mm_movemask_epi8(
		_mm_packs_epi16(_mm256_castsi256_si128(r), _mm256_extracti128_si256(r, 1)));
}

static inline uint32_t
list_hits(const struct list_block *b, const struct list_step *steps, uint32_t n_steps,
	const uint16_t *values)
{
	__m256i quarters[4];

	for (int q = 0; q < 4; q++)
		quarters[q] = _mm256_broadcastsi128_si256(
			_mm_load_si128((const __m128i *)(const void *)&values[8 * q]));
	return half_hits(b, steps, n_steps, quarters, 0) |
		half_hits(b, steps, n_steps, quarters, 1) << 16;
}

#include "list_probe.h"

#endif
