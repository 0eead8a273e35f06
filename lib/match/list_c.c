// SPDX-License-Identifier: BSD-3-Clause
/* The list kernel for any processor. */
#include "list_rows.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LIST_PROBE list_probe_c
#define LIST_WIDTH 16
#define LIST_VECS 4
#define LIST_AT_ONCE 2
#define LIST_PACKETS CBPF_LANES_PACKETS(CBPF_VECTORS_SSE2)
#ifdef __SSE2__
#define LIST_HAS_CODE
#endif
#include "list_vec.h"

static inline list_vec
list_shift(list_vec v, uint32_t n)
{
	return v >> n;
}

static inline list_vec
list_shift_left(list_vec v, uint32_t n)
{
	return v << n;
}

/* Bit i: number i of @v is not 0, but has all bits. */
static inline uint32_t
bits_of(list_vec v)
{
#ifdef __SSE2__
	return (uint32_t)_mm_movemask_ps((__m128)v);
#else
	return (v[0] & 1) | (v[1] & 2) | (v[2] & 4) | (v[3] & 8);
#endif
}

static inline list_vec
list_lines(const uint8_t *const *bytes, uint32_t step, int32_t off)
{
	list_vec v;

	(void)step; /* there is no other one */
	memcpy(&v, bytes[0] + off, sizeof(v));
	return v;
}

static inline list_vec
list_swap(list_vec v)
{
	return v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24;
}

static inline bool
list_all_whole(const struct probe_at *at, uint32_t n, int32_t begin, int32_t end)
{
	int32_t left = INT32_MAX, pos = INT32_MAX; /* nowhere is less than any */

	for (uint32_t i = 0; i < n; i++) {
		left = MIN(left, at[i].left);
		pos = MIN(pos, (int32_t)at[i].pos);
	}
	return left >= end && pos >= 0 && (int64_t)pos + begin >= 0;
}

#define LOW32(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH32(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define LOW64(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define HIGH64(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)

#include "list_equal.h"

#ifdef LIST_HAS_CODE

static inline uint32_t
list_some(list_vec v)
{
	const __m128i none = _mm_cmpeq_epi16((__m128i)v, _mm_setzero_si128());

	return ~(uint32_t)_mm_movemask_epi8(_mm_packs_epi16(none, none)) & 0xff;
}

/* What lanes decide, frame by frame: of vectors of four there are too many. */
static inline void
list_lower(uint32_t *best, const struct list_sure *s)
{
	for (uint32_t m = s->some; m != 0; m &= m - 1) {
		const uint32_t lane = (uint32_t)__builtin_ctz(m), rule = s->rules[lane];
		uint64_t frames = list_holds_for(s->holds, s->first + lane, s->times) & s->frames;

		for (; frames != 0; frames &= frames - 1) {
			const uint32_t i = (uint32_t)__builtin_ctzll(frames);

			best[i] = MIN(best[i], rule);
		}
	}
}

#include "list_run.h"

#endif

#include "list_square.h"

#include "list_probe.h"
