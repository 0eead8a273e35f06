/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_FLOOD8_H
#define MATCH_FLOOD8_H

/* One item and the many frames of a burst that have it, eight at once, for kernels with AVX-512. */

#include "ends.h"
#include "hash.h"
#include "lanes8.h"

/* Where the run of an item that many frames have is. */
struct flood_runs {
	uint64_t there; /* frames in which its bytes are */
	uint64_t start[MATCH_BURST] __attribute__((aligned(64)));
};

/* Which of the frames @some have @it: of items[], addresses. */
static inline uint64_t
flood_frames(const uint64_t items[MATCH_BURST], uint32_t n_groups, const struct hash_item *it,
	uint64_t some)
{
	const __m512i one = _mm512_set1_epi64((long long)(uintptr_t)it);
	uint64_t same = 0;

	for (uint32_t g = 0; g < n_groups; g++) {
		const __m512i v = _mm512_load_si512(&items[g * LANES]);

		same |= (uint64_t)_mm512_cmpeq_epi64_mask(one, v) << g * LANES;
	}
	return same & some;
}

/* What windows must have that the bytes of @need are there: left, and above it pos. */
static inline __m512i
asked_by(const struct item_need *need, bool at_tail)
{
	const int32_t left = at_tail ? -(int32_t)need->b : need->a;
	const int32_t pos = at_tail ? need->a : INT32_MIN;

	return _mm512_set1_epi64((long long)((uint64_t)(uint32_t)pos << 32 | (uint32_t)left));
}

/* Which windows with @rest have what is @asked. */
static inline __mmask8
lanes_reach(__m512i rest, __m512i asked)
{
	const __m512i lacks = _mm512_maskz_set1_epi32(_mm512_cmplt_epi32_mask(rest, asked), -1);

	return _mm512_testn_epi64_mask(lacks, lacks);
}

/* Find where the run of @it, of @t, is in the frames @some, whose window is @w. */
static inline void
find_runs(const struct burst_window *w, uint32_t n_groups, const struct hash_table *t,
	const struct hash_item *it, uint64_t some, struct flood_runs *ret)
{
	const __m512i asked = asked_by(&it->needs[0], t->run_at_tail);
	const __m512i off = _mm512_set1_epi64(t->run_at.off);
	uint64_t there = 0;

	for (uint32_t g = 0; g < n_groups; g++) {
		const uint64_t *bytes = &w->bytes[g * LANES];
		const __m512i rest = _mm512_load_si512(&w->rest[g * LANES]);
		const __mmask8 on = lanes_of(some, g) & lanes_reach(rest, asked);
		/* For frames that are not asked about one that is. */
		const __m512i one = _mm512_set1_epi64((long long)bytes[__builtin_ctz(on | 0x80u)]);
		const __m512i start = _mm512_mask_loadu_epi64(one, on, bytes);

		there |= (uint64_t)on << g * LANES;
		_mm512_store_si512(&ret->start[g * LANES], _mm512_add_epi64(start, off));
	}
	ret->there = there;
}

/* What the runs of @run bytes at the eight places @start have that is not as in @val, of bytes @asked. */
static inline __attribute__((always_inline)) __m512i
runs_differ(const uint64_t start[LANES], __m512i val, __mmask64 asked, uint32_t run)
{
	__m512i differ = _mm512_setzero_si512();
	__m256i differ_32 = _mm256_setzero_si256();

	for (uint32_t i = 0; i < LANES; i++) {
		const void *at = (const void *)(uintptr_t)start[i];

		/* differ | (bytes ^ val) */
		if (run == 32)
			differ_32 = _mm256_ternarylogic_epi64(differ_32,
				_mm256_maskz_loadu_epi8((__mmask32)asked, at),
				_mm512_castsi512_si256(val), 0xf6);
		else
			differ = _mm512_ternarylogic_epi64(
				differ, _mm512_maskz_loadu_epi8(asked, at), val, 0xf6);
	}
	return run == 32 ? _mm512_zextsi256_si512(differ_32) : differ;
}

/* The ones of the frames @some that have the run of @it. Groups in which one has not are left out. */
static inline __attribute__((always_inline)) uint64_t
flood_equal_runs(const struct burst_window *w, uint32_t n_groups, const struct hash_table *t,
	const struct hash_item *it, uint64_t some, uint32_t run)
{
	const __m512i mask = _mm512_load_si512(t->shapes[it->shape].run_mask);
	const __m512i val = _mm512_loadu_si512(&it->val[1]);
	const __mmask64 asked = _mm512_test_epi8_mask(mask, mask);
	struct flood_runs f;
	uint64_t equal = 0;

	find_runs(w, n_groups, t, it, some, &f);
	for (uint32_t g = 0; g < n_groups; g++) {
		const __mmask8 on = lanes_of(f.there, g);

		if (on != 0 &&
			_mm512_test_epi8_mask(
				runs_differ(&f.start[g * LANES], val, asked, run), mask) == 0)
			equal |= (uint64_t)on << g * LANES;
	}
	return equal;
}

/* Let @rule be in best[] of the frames @some that have no earlier one. */
static inline void
flood_set_rule(uint32_t best[MATCH_BURST], uint32_t n_groups, uint32_t rule, uint64_t some)
{
	const __m256i one = _mm256_set1_epi32((int)rule);

	for (uint32_t g = 0; g < n_groups; g++) {
		void *of = &best[g * LANES];

		_mm256_mask_store_epi32(
			of, lanes_of(some, g), _mm256_min_epu32(one, _mm256_load_si256(of)));
	}
}

#endif
