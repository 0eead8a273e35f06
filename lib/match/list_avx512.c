// SPDX-License-Identifier: BSD-3-Clause
/* The list kernel for processors with AVX-512 (F, BW, VL). */
#include "list.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include <immintrin.h>

#include "lanes8.h"
#include "list_rows.h"

#define LIST_PROBE list_probe_avx512
#define LIST_WIDTH 64
#define LIST_VECS 2
#define LIST_AT_ONCE 4
#define LIST_PACKETS CBPF_LANES_PACKETS(CBPF_VECTORS_AVX512)
#define LIST_HAS_CODE
#include "list_vec.h"

static inline list_vec
list_shift(list_vec v, uint32_t n)
{
	return (list_vec)_mm512_srlv_epi32((__m512i)v, _mm512_set1_epi32((int)n));
}

static inline list_vec
list_shift_left(list_vec v, uint32_t n)
{
	return (list_vec)_mm512_sllv_epi32((__m512i)v, _mm512_set1_epi32((int)n));
}

/* 0 where the test (@v & @mask) == @val holds. */
static inline __m512i
differs(list_vec v, uint32_t mask, uint32_t val)
{
	return _mm512_and_si512(_mm512_xor_si512((__m512i)v, _mm512_set1_epi32((int)val)),
		_mm512_set1_epi32((int)mask));
}

static inline uint64_t
list_equal(const list_vec *r, uint32_t vecs, uint32_t mask, uint32_t val)
{
	uint64_t hits = 0;

	for (uint32_t k = 0; k < vecs; k++) {
		const __m512i d = differs(r[k], mask, val);

		hits |= (uint64_t)_mm512_testn_epi32_mask(d, d) << LIST_LANES * k;
	}
	return hits;
}

static inline __attribute__((always_inline)) bool
list_any(const list_vec *r, uint32_t vecs, const uint32_t *mask, const uint32_t *val)
{
	__m512i least = _mm512_set1_epi32(-1);

	for (uint32_t i = 0; i < LIST_AT_ONCE * vecs; i++)
		least = _mm512_min_epu32(least, differs(r[i], mask[i / vecs], val[i / vecs]));
	return _mm512_testn_epi32_mask(least, least) != 0;
}

static inline __m128i
line_at(const uint8_t *bytes, int32_t off)
{
	return _mm_loadu_si128((const __m128i *)(const void *)(bytes + off));
}

static inline list_vec
list_lines(const uint8_t *const *bytes, uint32_t step, int32_t off)
{
	__m512i v = _mm512_castsi128_si512(line_at(bytes[0], off));

	v = _mm512_inserti32x4(v, line_at(bytes[4 * step], off), 1);
	v = _mm512_inserti32x4(v, line_at(bytes[8 * step], off), 2);
	return (list_vec)_mm512_inserti32x4(v, line_at(bytes[12 * step], off), 3);
}

static inline list_vec
list_swap(list_vec v)
{
	const __m128i order = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);

	return (list_vec)_mm512_shuffle_epi8((__m512i)v, _mm512_broadcast_i32x4(order));
}

static inline bool
list_all_whole(const struct probe_at *at, uint32_t n, int32_t begin, int32_t end)
{
	const int32_t before = begin < 0 ? -begin : 0;
	bool whole = true;

	for (uint32_t i = 0; i < n; i += LANES)
		whole = whole && lanes_have(lane_windows(&at[i]).rest, before, end, 0xff);
	return whole;
}

static inline list_vec
lower_to(list_vec best, uint32_t some, uint32_t rule)
{
	const __m512i v = (__m512i)best;

	return (list_vec)_mm512_mask_min_epu32(v, (__mmask16)some, v, _mm512_set1_epi32((int)rule));
}

#define LOW32(a, b) ((list_vec)_mm512_unpacklo_epi32((__m512i)(a), (__m512i)(b)))
#define HIGH32(a, b) ((list_vec)_mm512_unpackhi_epi32((__m512i)(a), (__m512i)(b)))
#define LOW64(a, b) ((list_vec)_mm512_unpacklo_epi64((__m512i)(a), (__m512i)(b)))
#define HIGH64(a, b) ((list_vec)_mm512_unpackhi_epi64((__m512i)(a), (__m512i)(b)))

static inline uint32_t
list_some(list_vec v)
{
	return _mm512_test_epi16_mask((__m512i)v, (__m512i)v);
}

#include "list_lower.h"
#include "list_run.h"
#include "list_square.h"

#include "list_probe.h"

#endif
