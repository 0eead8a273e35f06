// SPDX-License-Identifier: BSD-3-Clause
/*
 * Walks to their ends for processors with AVX2, eight frames at once, in two vectors, by 8 bytes,
 * in which there are up to four labels.
 */
#include "ends.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "lanes4.h"

#define ENDS_VECTORS 2
#define ENDS_LABELS (8 / ENDS_STEP_MIN) /* in 8 bytes */

struct ends_lanes {
	__m256i start, place, last; /* the last place from which 8 bytes can be loaded */
	__m256i starts; /* bit b: the walk came by b bytes before its place */
	__m256i some;
};

/* Four frames from @i on, of which @some. Returns those that are too short. */
static inline uint64_t
ends_begin(struct ends_lanes *l, const struct burst_window *from, uint32_t i, int32_t off,
	uint64_t some)
{
	const __m256i zero = _mm256_setzero_si256(), eight = _mm256_set1_epi64x(8);
	const __m256i bytes = _mm256_load_si256((const void *)&from->bytes[i]);
	const __m256i rest = _mm256_load_si256((const void *)&from->rest[i]);
	/* left is the lower half, and no less than 0 where there is a byte at @off. */
	const __m256i left = _mm256_blend_epi32(rest, zero, 0xaa);
	const __m256i more = _mm256_cmpgt_epi32(rest, _mm256_set1_epi32(off));
	const __m256i there =
		_mm256_and_si256(_mm256_shuffle_epi32(more, 0xa0), lanes_in_row_of(some));
	/* What is loaded before any place is in the frame. */
	const __m256i before = _mm256_cmpgt_epi32(rest, _mm256_set1_epi32(ENDS_BEFORE - 1 - off));

	l->some = _mm256_and_si256(_mm256_shuffle_epi32(before, 0xf5), there);
	l->start = l->place = _mm256_add_epi64(bytes, _mm256_set1_epi64x(off));
	l->last = _mm256_sub_epi64(_mm256_add_epi64(bytes, left), eight);
	l->starts = zero;
	return lanes_set(_mm256_andnot_si256(l->some, there));
}

/* Go through the labels that start in the 8 bytes at l->place. Returns who is to go on. */
static inline __m256i
ends_step(struct ends_lanes *l, __m256i lo, __m256i span, __m256i behind)
{
	const __m256i byte = _mm256_set1_epi64x(UINT8_MAX), one = _mm256_set1_epi64x(1);
	const __m256i at =
		_mm256_blendv_epi8(l->place, l->last, _mm256_cmpgt_epi64(l->place, l->last));
	__m256i w = lane_words_there(at, 0, l->some), on;

	/* Where nothing is left the shift is by 64 and more, which gives 0. */
	w = _mm256_srlv_epi64(w, _mm256_slli_epi64(_mm256_sub_epi64(l->place, at), 3));
	/* Each byte as a step, 0 where it makes none; so are bytes that are shifted in. */
	on = _mm256_sub_epi8(w, lo);
	on = _mm256_cmpeq_epi8(_mm256_min_epu8(on, span), on);
	w = _mm256_and_si256(on, _mm256_add_epi8(w, behind));
	for (int k = 0; k < ENDS_LABELS; k++) {
		const __m256i by = _mm256_and_si256(w, byte);

		l->place = _mm256_add_epi64(l->place, by);
		l->starts = _mm256_or_si256(_mm256_sllv_epi64(l->starts, by), one);
		w = _mm256_srlv_epi64(w, _mm256_slli_epi64(by, 3));
	}
	/* Who is beyond what was loaded, and not beyond the end. */
	on = _mm256_cmpgt_epi64(l->place, _mm256_add_epi64(at, _mm256_set1_epi64x(7)));
	on = _mm256_and_si256(
		on, _mm256_cmpgt_epi64(_mm256_add_epi64(l->last, _mm256_set1_epi64x(8)), l->place));
	return _mm256_and_si256(on, l->some);
}

/* @sum and the products of the masked words at @at: a part of hash_ends_number(). */
static inline __m256i
ends_product(__m256i sum, __m256i at, __m256i some, uint64_t mask, uint64_t low, uint64_t high)
{
	const __m256i w = _mm256_and_si256(
		lane_words_there(at, 0, some), _mm256_set1_epi64x((long long)mask));

	sum = _mm256_add_epi64(sum, _mm256_mul_epu32(w, _mm256_set1_epi64x((long long)low)));
	return _mm256_add_epi64(sum,
		_mm256_mul_epu32(_mm256_srli_epi64(w, 32), _mm256_set1_epi64x((long long)high)));
}

/* Note which of the four frames from @i on may have items at their ends. */
static inline void
ends_note(struct walk_ends *v, const struct hash_table *t, const struct ends_lanes *l, uint32_t i)
{
	const __m256i end = _mm256_add_epi64(l->last, _mm256_set1_epi64x(8));
	const __m256i in = _mm256_and_si256(_mm256_cmpgt_epi64(end, l->place), l->some);
	const __m256i beyond =
		_mm256_sllv_epi64(_mm256_set1_epi64x(-1), _mm256_sub_epi64(l->place, l->start));
	const __m256i first = _mm256_sub_epi64(l->place, _mm256_set1_epi64x(ENDS_BEFORE));
	const __m256i second = _mm256_add_epi64(first, _mm256_set1_epi64x(8));
	__m256i h, may;

	h = ends_product(
		_mm256_setzero_si256(), first, in, t->ends_words[0], HASH_ENDS_LOW, HASH_ENDS_HIGH);
	h = ends_product(h, second, in, t->ends_words[1], HASH_FILTER_LOW, HASH_FILTER_HIGH);
	h = _mm256_and_si256(_mm256_srli_epi64(h, HASH_FILTER_SHIFT),
		_mm256_set1_epi64x((long long)t->ends_mask));
	may = _mm256_mask_i64gather_epi64(
		_mm256_setzero_si256(), (const void *)t->ends, h, in, sizeof(uint64_t));
	/* Where it starts is none of the places. */
	may = _mm256_andnot_si256(beyond, _mm256_and_si256(may, l->starts));
	_mm256_store_si256((void *)&v->may[i], may);
	_mm256_store_si256((void *)&v->end[i], l->place);
	v->some |=
		(uint64_t)(lanes_set(_mm256_cmpeq_epi64(may, _mm256_setzero_si256())) ^ LANES_ALL)
		<< i;
}

void
ends_avx2(struct walk_ends *v, const struct hash_table *t, const struct sym_step *step,
	const struct burst_window *from, int32_t off, uint64_t some)
{
	const __m256i lo = _mm256_set1_epi8((char)step->lo);
	const __m256i span = _mm256_set1_epi8((char)(step->hi - step->lo));
	const __m256i behind = _mm256_set1_epi8((char)step->behind);

	v->some = 0;
	v->odd = 0;
	for (uint32_t i = 0; i < MATCH_BURST && some >> i != 0; i += LANES * ENDS_VECTORS) {
		const uint32_t second = i + LANES;
		uint32_t rounds = t->steps_max + ENDS_BITS;
		struct ends_lanes a, b;
		__m256i on;

		v->odd |= ends_begin(&a, from, i, off, some >> i) << i;
		v->odd |= ends_begin(&b, from, second, off, some >> second) << second;
		on = _mm256_or_si256(a.some, b.some);
		if (_mm256_testz_si256(on, on) != 0)
			continue;
		do {
			on = ends_step(&a, lo, span, behind);
			on = _mm256_or_si256(on, ends_step(&b, lo, span, behind));
		} while (_mm256_testz_si256(on, on) == 0 && --rounds > 0);
		ends_note(v, t, &a, i);
		ends_note(v, t, &b, second);
	}
}

#endif
