/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_ENDS_TAILS_H
#define MATCH_ENDS_TAILS_H

/*
 * What a long name must have before it is worth a walk: an adversary sends a hundred labels, and
 * each is a step. Items end with bytes that are known, so somewhere behind where few steps led there
 * must be those bytes, whatever leads there. That is looked for without a branch, since
 * where names end is anybody's guess. For processors with AVX-512.
 */

#include <immintrin.h>

#include "base/util.h"
#include "ends_lanes.h"

#define TAILS_BLOCK 64 /* bytes */
#define TAILS_BLOCKS 5 /* a name takes 255 bytes, and what is behind it */

/* Where walks may end, of frames in which there is one such place. */
struct tails {
	uint64_t end[MATCH_BURST] __attribute__((aligned(64)));
	uint64_t one,
		many; /* frames; those in many have several, or are not looked at to their ends */
};

/*
 * The places of the first @left bytes of @block, at most all, at which items of @t may end. *@before:
 * whether the byte in front may be in front of an end; of the last one then.
 */
static inline uint64_t
tails_in(const struct hash_table *t, const uint8_t *block, uint64_t left, uint64_t *before)
{
	const __mmask64 some = _cvtu64_mask64(_bzhi_u64(UINT64_MAX, (uint32_t)left));
	const __m512i bytes = _mm512_maskz_loadu_epi8(some, block);
	const __m512i known = _mm512_set1_epi8((char)t->ends_before);
	const uint64_t stop = _cvtmask64_u64(
		_mm512_mask_cmpeq_epi8_mask(some, bytes, _mm512_set1_epi8((char)t->ends_stop)));
	const uint64_t may =
		_cvtmask64_u64(_mm512_cmpeq_epi8_mask(_mm512_and_si512(bytes, known), known));
	const uint64_t places = stop & (may << 1 | *before);

	*before = may >> 63;
	return places;
}

/* Note those of frame @i in the bytes from @place to @last, some 300 at most. */
static inline void
tails_note(struct tails *s, const struct hash_table *t, uint32_t i, const uint8_t *place,
	const uint8_t *last)
{
	const uint64_t all = (uint64_t)(last - place);
	uint64_t first = 0, n = 0, before = 1;

	for (uint64_t at = 0; at < TAILS_BLOCKS * TAILS_BLOCK; at += TAILS_BLOCK) {
		/* Where nothing is left nothing is read, but what is not there takes long. */
		const uint64_t on = at < all ? at : 0, left = at < all ? all - at : 0;
		const uint64_t m = tails_in(t, place + on, MIN(left, TAILS_BLOCK), &before);

		first += m != 0 ? at + (uint64_t)__builtin_ctzll(m) : 0;
		n += (uint64_t)__builtin_popcountll(m);
	}
	s->end[i] = (uintptr_t)place + first;
	s->one |= (uint64_t)(n == 1) << i;
	s->many |= (uint64_t)(n > 1 || all > TAILS_BLOCKS * TAILS_BLOCK) << i;
}

/* Those of the frames @some, of which walks are at v->end[], that are to be walked on with. */
static inline uint64_t
ends_tails_on(const struct walk_ends *v, const struct hash_table *t,
	const struct burst_window *from, uint64_t some)
{
	struct tails s;
	uint64_t may = 0;

	s.one = s.many = 0;
	if (!t->ends_alike)
		return some;
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		tails_note(&s, t, i, (const uint8_t *)(uintptr_t)v->end[i],
			(const uint8_t *)(uintptr_t)from->bytes[i] +
				(int32_t)(uint32_t)from->rest[i]);
	}
	for (uint32_t i = 0; i < MATCH_BURST && s.one >> i != 0; i += LANES) {
		const __m512i end = _mm512_load_si512(&s.end[i]);
		const __m512i far = _mm512_sub_epi64(end, _mm512_set1_epi64(ENDS_BITS));
		const __mmask8 one = (__mmask8)(s.one >> i);
		const __m512i items = ends_of_items(t, far, end, one);

		may |= (uint64_t)_mm512_mask_test_epi64_mask(one, items, items) << i;
	}
	return may | s.many;
}

/* The same of walks that have not begun; with those that are too short. */
static inline uint64_t
ends_tails_first(struct walk_ends *v, const struct hash_table *t, const struct burst_window *from,
	int32_t off, uint64_t some)
{
	uint64_t on = 0;

	for (uint32_t i = 0; i < MATCH_BURST && some >> i != 0; i += LANES) {
		const struct ends_lanes l = ends_lanes(from, off, i, (__mmask8)(some >> i));

		_mm512_store_si512(&v->end[i], l.start);
		on |= (uint64_t)l.on << i;
	}
	return (some & ~on) | ends_tails_on(v, t, from, on);
}

/*
 * First steps with those of @some that are worth it. Returns who is to be walked on with, of those
 * with many labels.
 */
static inline uint64_t
ends_tails(struct walk_ends *v, const struct hash_table *t, const struct sym_step *step,
	const struct burst_window *from, int32_t off, uint64_t some)
{
	if (v->long_names) {
		some = ends_tails_first(v, t, from, off, some);
		return ends_few_avx512(v, t, step, from, off, some);
	}
	some = ends_few_avx512(v, t, step, from, off, some);
	return some == 0 ? 0 : ends_tails_on(v, t, from, some);
}

#endif
