// SPDX-License-Identifier: BSD-3-Clause
/*
 * Walks to their ends for processors with AVX-512 (F, BW, VL): sixteen frames at once, in
 * two vectors, of which one computes while the other one loads. 8 bytes of a name are
 * loaded at a time, in which there are up to four short labels: who sends names of 120
 * of these does not make it load 120 times.
 */
#include "ends.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include <immintrin.h>

#include "ends_lanes.h"

#define ENDS_VECTORS 2
#define ENDS_LABELS 4 /* in 8 bytes */

struct ends_lanes {
	__m512i start, place, last; /* the last place from which 8 bytes can be loaded */
	__m512i starts; /* bit b: the walk came by b bytes before its place */
	__mmask8 some;
};

/* Eight frames, of which @some. Returns those that are too short. */
static inline __mmask8
ends_begin(struct ends_lanes *l, const struct burst_window *from, uint32_t i, int32_t off,
	__mmask8 some)
{
	const __m512i bytes = _mm512_load_si512(&from->bytes[i]);
	const __m512i both = _mm512_load_si512(&from->rest[i]);
	const __m512i left = _mm512_srai_epi64(_mm512_slli_epi64(both, 32), 32);
	const __m512i pos = _mm512_srli_epi64(both, 32);
	const __m512i offs = _mm512_set1_epi64(off);
	const __mmask8 there = _mm512_mask_cmpgt_epi64_mask(some, left, offs);

	/* What is loaded before any place is in the frame. */
	l->some = _mm512_mask_cmpge_epi64_mask(
		there, pos, _mm512_set1_epi64(ENDS_BEFORE - (int64_t)off));
	l->start = l->place = _mm512_add_epi64(bytes, offs);
	l->last = _mm512_add_epi64(bytes, _mm512_sub_epi64(left, _mm512_set1_epi64(8)));
	l->starts = _mm512_setzero_si512();
	return there & (__mmask8)~l->some;
}

/* Go through the labels that start in the 8 bytes at l->place. Returns who is to go on. */
static inline __mmask8
ends_step(struct ends_lanes *l, __m512i lo, __m512i span, __m512i behind)
{
	const __m512i byte = _mm512_set1_epi64(UINT8_MAX), one = _mm512_set1_epi64(1);
	const __m512i at = _mm512_min_epi64(l->place, l->last);
	__m512i w = _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), l->some, at, NULL, 1);
	__mmask64 on;

	/* Where nothing is left the shift is by 64 and more, which gives 0. */
	w = _mm512_srlv_epi64(w, _mm512_slli_epi64(_mm512_sub_epi64(l->place, at), 3));
	/* Each byte as a step, 0 where it makes none; so are bytes that are shifted in. */
	on = _mm512_cmple_epu8_mask(_mm512_sub_epi8(w, lo), span);
	w = _mm512_maskz_add_epi8(on, w, behind);
	for (int k = 0; k < ENDS_LABELS; k++) {
		const __m512i by = _mm512_and_si512(w, byte);

		l->place = _mm512_add_epi64(l->place, by);
		l->starts = _mm512_or_si512(_mm512_sllv_epi64(l->starts, by), one);
		w = _mm512_srlv_epi64(w, _mm512_slli_epi64(by, 3));
	}
	/* Who is beyond what was loaded, and not beyond the end. */
	on = _mm512_mask_cmpge_epi64_mask(
		l->some, l->place, _mm512_add_epi64(at, _mm512_set1_epi64(8)));
	return _mm512_mask_cmplt_epi64_mask(
		(__mmask8)on, l->place, _mm512_add_epi64(l->last, _mm512_set1_epi64(8)));
}

/* Note which of the frames from @i on may have items at their ends. */
static inline void
ends_note(struct walk_ends *v, const struct hash_table *t, const struct ends_lanes *l, uint32_t i)
{
	const __m512i end = _mm512_add_epi64(l->last, _mm512_set1_epi64(8));
	const __mmask8 in = _mm512_mask_cmplt_epi64_mask(l->some, l->place, end);

	ends_put(v, i, l->place,
		_mm512_and_si512(ends_of_items(t, l->start, l->place, in), l->starts));
}

void
ends_avx512(struct walk_ends *v, const struct hash_table *t, const struct sym_step *step,
	const struct burst_window *from, int32_t off, uint64_t some)
{
	const __m512i lo = _mm512_set1_epi8((char)step->lo);
	const __m512i span = _mm512_set1_epi8((char)(step->hi - step->lo));
	const __m512i behind = _mm512_set1_epi8((char)step->behind);

	v->some = 0;
	v->odd = 0;
	for (uint32_t i = 0; i < MATCH_BURST && some >> i != 0; i += 8 * ENDS_VECTORS) {
		struct ends_lanes a, b;
		uint32_t rounds = t->steps_max + ENDS_BITS;
		__mmask8 on;

		v->odd |= (uint64_t)ends_begin(&a, from, i, off, (__mmask8)(some >> i)) << i;
		v->odd |= (uint64_t)ends_begin(&b, from, i + 8, off, (__mmask8)(some >> i >> 8))
			<< i << 8;
		if ((a.some | b.some) == 0)
			continue;
		do {
			on = ends_step(&a, lo, span, behind);
			on |= ends_step(&b, lo, span, behind);
		} while (on != 0 && --rounds > 0);
		ends_note(v, t, &a, i);
		ends_note(v, t, &b, i + 8);
	}
}

#endif
