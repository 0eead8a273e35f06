// SPDX-License-Identifier: BSD-3-Clause
/*
 * Walks to their ends for processors with AVX-512 (F, BW, VL), eight frames a vector. First
 * as many steps as names of hosts take, a label each: a gather and little else, all frames of
 * a burst, so that vectors compute while others load. The few names that are left, of which
 * an adversary sends many, are gone through by 8 bytes, in which there are up to four labels.
 */
#include "ends.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include <immintrin.h>

#include "ends_lanes.h"

/* ---- few labels ---- */

#define FEW_STEPS 8
#define FEW_VECTORS 4

struct walks {
	__m512i start, place, last;
	__m512i starts; /* bit b: the walk came by b bytes before its place */
	__mmask8 on, all; /* those that have not come to their end; that have a start */
};

/* Make a step. */
static inline void
walks_on(struct walks *w, __m512i lo, __m512i span, __m512i behind)
{
	/* The byte at a place as the last one of eight: all of them are in the frame. */
	const __m512i words = _mm512_mask_i64gather_epi64(
		_mm512_setzero_si512(), w->on, w->place, (const void *)(intptr_t)-7, 1);
	const __m512i length = _mm512_srli_epi64(words, 56);
	__m512i by;

	w->on = _mm512_mask_cmple_epu64_mask(w->on, _mm512_sub_epi64(length, lo), span);
	by = _mm512_maskz_add_epi64(w->on, length, behind);
	w->place = _mm512_add_epi64(w->place, by);
	w->starts = _mm512_or_si512(_mm512_sllv_epi64(w->starts, by), _mm512_set1_epi64(1));
	w->on = _mm512_mask_cmplt_epi64_mask(w->on, w->place, w->last);
}

/* Note which of the frames from @i on may have items at their ends, and where others are. */
static inline void
walks_note(struct walk_ends *v, const struct hash_table *t, const struct walks *w, uint32_t i)
{
	const __mmask8 in =
		_mm512_mask_cmplt_epi64_mask(w->all & (__mmask8)~w->on, w->place, w->last);
	const __m512i may = _mm512_and_si512(ends_of_items(t, w->start, w->place, in), w->starts);

	ends_put(v, i, (__mmask8)~w->on, w->place, may);
	_mm512_mask_store_epi64(&v->end[i], w->on, w->place);
	_mm512_mask_store_epi64(&v->may[i], w->on, w->starts);
}

uint64_t
ends_few_avx512(struct walk_ends *v, const struct hash_table *t, const struct sym_step *step,
	const struct burst_window *from, int32_t off, uint64_t some)
{
	const __m512i lo = _mm512_set1_epi64(step->lo);
	const __m512i span = _mm512_set1_epi64(step->hi - step->lo);
	const __m512i behind = _mm512_set1_epi64(step->behind);
	uint64_t many = 0;

	v->some = 0;
	v->odd = 0;
	for (uint32_t i = 0; i < MATCH_BURST && some >> i != 0; i += LANES * FEW_VECTORS) {
		struct walks w[FEW_VECTORS];
		uint32_t rounds = FEW_STEPS, on;

		for (uint32_t k = 0; k < FEW_VECTORS; k++) {
			const struct ends_lanes l = ends_lanes(
				from, off, i + LANES * k, (__mmask8)(some >> i >> LANES * k));

			w[k] = (struct walks){.start = l.start,
				.place = l.start,
				.last = l.last,
				.on = l.on,
				.all = l.on};
			v->odd |= (uint64_t)(l.there & (__mmask8)~l.on) << i << LANES * k;
		}
		do {
			on = 0;
			for (uint32_t k = 0; k < FEW_VECTORS; k++) {
				walks_on(&w[k], lo, span, behind);
				on |= w[k].on;
			}
		} while (on != 0 && --rounds > 0);
		for (uint32_t k = 0; k < FEW_VECTORS; k++) {
			walks_note(v, t, &w[k], i + LANES * k);
			many |= (uint64_t)w[k].on << i << LANES * k;
		}
	}
	return many;
}

/* ---- many labels ---- */

#define ENDS_VECTORS 2
#define ENDS_LABELS (8 / ENDS_STEP_MIN) /* in 8 bytes */

struct many {
	__m512i start, place, last; /* the last place from which 8 bytes can be loaded */
	__m512i starts; /* as of struct walks */
	__mmask8 some;
};

/* Go through the labels that start in the 8 bytes at l->place. Returns who is to go on. */
static inline __mmask8
ends_step(struct many *l, __m512i lo, __m512i span, __m512i behind)
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
ends_note(struct walk_ends *v, const struct hash_table *t, const struct many *l, uint32_t i)
{
	const __m512i end = _mm512_add_epi64(l->last, _mm512_set1_epi64(8));
	const __mmask8 in = _mm512_mask_cmplt_epi64_mask(l->some, l->place, end);

	ends_put(v, i, l->some, l->place,
		_mm512_and_si512(ends_of_items(t, l->start, l->place, in), l->starts));
}

/* Eight frames from where few steps led them. */
static inline struct many
many_of(const struct walk_ends *v, const struct burst_window *from, uint32_t i, int32_t off,
	uint64_t some)
{
	const struct ends_lanes l = ends_lanes(from, off, i, (__mmask8)(some >> i));

	return (struct many){.start = l.start,
		.place = _mm512_load_si512(&v->end[i]),
		.last = _mm512_sub_epi64(l.last, _mm512_set1_epi64(8)),
		.starts = _mm512_load_si512(&v->may[i]),
		.some = l.on};
}

__attribute__((noinline)) void
ends_many_avx512(struct walk_ends *v, const struct hash_table *t, const struct sym_step *step,
	const struct burst_window *from, int32_t off, uint64_t some)
{
	const __m512i lo = _mm512_set1_epi8((char)step->lo);
	const __m512i span = _mm512_set1_epi8((char)(step->hi - step->lo));
	const __m512i behind = _mm512_set1_epi8((char)step->behind);

	for (uint32_t i = 0; i < MATCH_BURST && some >> i != 0; i += LANES * ENDS_VECTORS) {
		struct many a = many_of(v, from, i, off, some);
		struct many b = many_of(v, from, i + LANES, off, some);
		uint32_t rounds = t->steps_max + ENDS_BITS;
		__mmask8 on;

		if ((a.some | b.some) == 0)
			continue;
		do {
			on = ends_step(&a, lo, span, behind);
			on |= ends_step(&b, lo, span, behind);
		} while (on != 0 && --rounds > 0);
		ends_note(v, t, &a, i);
		ends_note(v, t, &b, i + LANES);
	}
}

void
ends_avx512(struct walk_ends *v, const struct hash_table *t, const struct sym_step *step,
	const struct burst_window *from, int32_t off, uint64_t some)
{
	some = ends_few_avx512(v, t, step, from, off, some);
	if (some != 0)
		ends_many_avx512(v, t, step, from, off, some);
}

#endif
