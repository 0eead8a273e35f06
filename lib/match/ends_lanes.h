/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_ENDS_LANES_H
#define MATCH_ENDS_LANES_H

/* What is said of the ends of eight walks at once, for kernels with AVX-512. */

#include "ends.h"
#include "lanes8.h"

/* @sum and the products of the masked words at @at: a part of hash_ends_number(). */
static inline __m512i
ends_product(__m512i sum, __m512i at, __mmask8 some, uint64_t mask, uint64_t low, uint64_t high)
{
	__m512i w = _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), some, at, NULL, 1);

	w = _mm512_and_si512(w, _mm512_set1_epi64((long long)mask));
	sum = _mm512_add_epi64(sum, _mm512_mul_epu32(w, _mm512_set1_epi64((long long)low)));
	return _mm512_add_epi64(sum,
		_mm512_mul_epu32(_mm512_srli_epi64(w, 32), _mm512_set1_epi64((long long)high)));
}

/*
 * Of walks from @start that stop at @end, both addresses, those in @some: a bit for each number
 * of bytes before the end at which items of @t may start.
 */
static inline __m512i
ends_of_items(const struct hash_table *t, __m512i start, __m512i end, __mmask8 some)
{
	const __m512i first = _mm512_sub_epi64(end, _mm512_set1_epi64(ENDS_BEFORE));
	const __m512i second = _mm512_add_epi64(first, _mm512_set1_epi64(8));
	const __m512i zero = _mm512_setzero_si512();
	/* Where it starts is none of the places. */
	const __m512i beyond =
		_mm512_sllv_epi64(_mm512_set1_epi64(-1), _mm512_sub_epi64(end, start));
	__m512i h;

	h = ends_product(zero, first, some, t->ends_words[0], HASH_ENDS_LOW, HASH_ENDS_HIGH);
	h = ends_product(h, second, some, t->ends_words[1], HASH_FILTER_LOW, HASH_FILTER_HIGH);
	h = _mm512_and_si512(_mm512_srli_epi64(h, HASH_FILTER_SHIFT),
		_mm512_set1_epi64((long long)t->ends_mask));
	return _mm512_andnot_si512(
		beyond, _mm512_mask_i64gather_epi64(zero, some, h, (const void *)t->ends, 8));
}

/* The frames from @i on that walk to @end, and may have an item at @may. */
static inline void
ends_put(struct walk_ends *v, uint32_t i, __m512i end, __m512i may)
{
	_mm512_store_si512(&v->end[i], end);
	_mm512_store_si512(&v->may[i], may);
	v->some |= (uint64_t)_mm512_test_epi64_mask(may, may) << i;
}

#endif
