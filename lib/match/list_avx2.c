// SPDX-License-Identifier: BSD-3-Clause
/* The list kernel for processors with AVX2. */
#include "list.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "lanes4.h"
#include "list_rows.h"

#define LIST_PROBE list_probe_avx2
#define LIST_WIDTH 32
#define LIST_VECS 4
#define LIST_AT_ONCE 2
#define LIST_PACKETS CBPF_LANES_PACKETS(CBPF_VECTORS_AVX2)
#define LIST_HAS_CODE
#include "list_vec.h"

static inline list_vec
list_shift(list_vec v, uint32_t n)
{
	return (list_vec)_mm256_srlv_epi32((__m256i)v, _mm256_set1_epi32((int)n));
}

static inline list_vec
list_shift_left(list_vec v, uint32_t n)
{
	return (list_vec)_mm256_sllv_epi32((__m256i)v, _mm256_set1_epi32((int)n));
}

static inline uint32_t
bits_of(list_vec v)
{
	return (uint32_t)_mm256_movemask_ps((__m256)v);
}

static inline __m128i
line_at(const uint8_t *bytes, int32_t off)
{
	return _mm_loadu_si128((const __m128i *)(const void *)(bytes + off));
}

static inline list_vec
list_lines(const uint8_t *const *bytes, uint32_t step, int32_t off)
{
	return (list_vec)_mm256_inserti128_si256(
		_mm256_castsi128_si256(line_at(bytes[0], off)), line_at(bytes[4 * step], off), 1);
}

static inline list_vec
list_swap(list_vec v)
{
	const __m128i order = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);

	return (list_vec)_mm256_shuffle_epi8((__m256i)v, _mm256_broadcastsi128_si256(order));
}

static inline bool
list_all_whole(const struct probe_at *at, uint32_t n, int32_t begin, int32_t end)
{
	const __m256i all = _mm256_set1_epi64x(-1);
	const struct probe_bound bound = {end, begin < 0 ? (uint32_t)-begin : 0};
	bool whole = true;

	for (uint32_t i = 0; i < n; i += LANES)
		whole = whole && lanes_within(lane_rest(&at[i]), bound, all);
	return whole;
}

static inline list_vec
lower_to(list_vec best, uint32_t some, uint32_t rule)
{
	const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
	const __m256i all = _mm256_set1_epi32((int)some), v = (__m256i)best;
	const __m256i off = _mm256_cmpeq_epi32(_mm256_and_si256(all, bit), _mm256_setzero_si256());

	/* MATCH_NONE is above all rules. */
	return (list_vec)_mm256_min_epu32(v, _mm256_or_si256(_mm256_set1_epi32((int)rule), off));
}

#define LOW32(a, b) ((list_vec)_mm256_unpacklo_epi32((__m256i)(a), (__m256i)(b)))
#define HIGH32(a, b) ((list_vec)_mm256_unpackhi_epi32((__m256i)(a), (__m256i)(b)))
#define LOW64(a, b) ((list_vec)_mm256_unpacklo_epi64((__m256i)(a), (__m256i)(b)))
#define HIGH64(a, b) ((list_vec)_mm256_unpackhi_epi64((__m256i)(a), (__m256i)(b)))

static inline uint32_t
list_some(list_vec v)
{
	const __m256i none = _mm256_cmpeq_epi16((__m256i)v, _mm256_setzero_si256());

	return _pext_u32(~(uint32_t)_mm256_movemask_epi8(none), 0x55555555);
}

#include "list_equal.h"
#include "list_lower.h"
#include "list_run.h"
#include "list_square.h"

#include "list_probe.h"

#endif
