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

/* Eight frames: where walks start, and where the bytes of their frames end. */
struct ends_lanes {
	__m512i start, last;
	__mmask8 there,
		on; /* of the frames asked for: those that have a start; none is too short */
};

static inline struct ends_lanes
ends_lanes(const struct burst_window *from, int32_t off, uint32_t i, __mmask8 some)
{
	const __m512i bytes = _mm512_load_si512(&from->bytes[i]);
	const __m512i rest = _mm512_load_si512(&from->rest[i]);
	const __m512i left = _mm512_srai_epi64(_mm512_slli_epi64(rest, 32), 32);
	const __m512i pos = _mm512_srli_epi64(rest, 32), offs = _mm512_set1_epi64(off);
	const __mmask8 there = _mm512_mask_cmpgt_epi64_mask(some, left, offs);

	return (struct ends_lanes){
		.start = _mm512_add_epi64(bytes, offs),
		.last = _mm512_add_epi64(bytes, left),
		.there = there,
		/* What is loaded before any place is in the frame. */
		.on = _mm512_mask_cmpge_epi64_mask(
			there, pos, _mm512_set1_epi64(ENDS_BEFORE - (int64_t)off)),
	};
}

/* Those of the frames from @i on that are in @some walk to @end, and may have an item at @may. */
static inline void
ends_put(struct walk_ends *v, uint32_t i, __mmask8 some, __m512i end, __m512i may)
{
	_mm512_mask_store_epi64(&v->end[i], some, end);
	_mm512_mask_store_epi64(&v->may[i], some, may);
	v->some |= (uint64_t)_mm512_mask_test_epi64_mask(some, may, may) << i;
}

/*
 * Set @v for those of @some, as ends_fn does, that have few labels. Returns the others: end[] is
 * where they are, and may[] where they came by, a bit for each number of bytes before that.
 */
uint64_t ends_few_avx512(struct walk_ends *v, const struct hash_table *t,
	const struct sym_step *step, const struct burst_window *from, int32_t off, uint64_t some);

/* Go on with those of @some, which ends_few_avx512() returned. */
void ends_many_avx512(struct walk_ends *v, const struct hash_table *t, const struct sym_step *step,
	const struct burst_window *from, int32_t off, uint64_t some);

#endif
