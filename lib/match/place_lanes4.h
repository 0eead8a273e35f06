/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_PLACE_LANES4_H
#define MATCH_PLACE_LANES4_H

/* Four frames at once: what is in their views, and windows that start by a byte. */

#include <stddef.h>

#include "item.h"
#include "lanes4.h"
#include "pkt/view.h"

/* Words of four views: from frame, flags, key, l3_len on. In the order of these. */
struct lane_views {
	__m256i frame, layers, key, len;
};

_Static_assert(offsetof(struct pkt_view, l3_len) == offsetof(struct pkt_view, key) + 8 &&
		sizeof(struct pkt_view) == offsetof(struct pkt_view, key) + 16,
	"two words that are read as one");

/* The words at @off of four views, and the next ones. */
static inline void
lane_view_words(
	const struct pkt_view *const view[LANES], size_t off, __m256i *ret_words, __m256i *ret_next)
{
	__m128i v[LANES];
	__m256i even, odd;

	for (uint32_t i = 0; i < LANES; i++)
		v[i] = _mm_loadu_si128((const void *)((const uint8_t *)view[i] + off));
	even = _mm256_set_m128i(v[2], v[0]);
	odd = _mm256_set_m128i(v[3], v[1]);
	*ret_words = _mm256_unpacklo_epi64(even, odd);
	*ret_next = _mm256_unpackhi_epi64(even, odd);
}

static inline struct lane_views
lane_views(const struct pkt_view *const view[LANES])
{
	struct lane_views v;
	__m256i unused;

	lane_view_words(view, offsetof(struct pkt_view, frame), &v.frame, &unused);
	lane_view_words(view, offsetof(struct pkt_view, flags), &v.layers, &unused);
	lane_view_words(view, offsetof(struct pkt_view, key), &v.key, &v.len);
	return v;
}

/* The lower halves. */
static inline __m128i
lane_lows(__m256i v)
{
	return _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(_mm256_castsi256_si128(v)),
		_mm_castsi128_ps(_mm256_extracti128_si256(v, 1)), 0x88));
}

_Static_assert(offsetof(struct pkt_view, l3_off) == offsetof(struct pkt_view, flags) + 4 &&
		offsetof(struct pkt_view, l4_off) == offsetof(struct pkt_view, flags) + 6,
	"the upper two fields of four");

static inline __m256i
lane_l3_offs(__m256i layers)
{
	return _mm256_srli_epi64(_mm256_slli_epi64(layers, 16), 48);
}

/* Where datagrams start. */
static inline struct lane_windows
lane_starts(const struct lane_views *v)
{
	/* l3_caplen is above the key. */
	return (struct lane_windows){
		_mm256_add_epi64(v->frame, lane_l3_offs(v->layers)), _mm256_srli_epi64(v->key, 32)};
}

/* The windows @step, which is not negative, behind @base. */
static inline struct lane_windows
lane_behind(struct lane_windows base, __m256i step)
{
	/* left less the step, and above it pos and the step. */
	const __m256i rest = _mm256_add_epi32(base.rest, _mm256_slli_epi64(step, 32));

	return (struct lane_windows){
		_mm256_add_epi64(base.bytes, step), _mm256_sub_epi32(rest, step)};
}

/*
 * The WINDOW_L4 of frames whose datagrams start at @start, by the @layers of their views and their
 * keys. *@ret_lost: those of which views do not say it: later fragments, headers that cannot be.
 */
static inline struct lane_windows
lane_l4(struct lane_windows start, __m256i layers, __m128i key, __m256i *ret_lost)
{
	/* A bit that IPv6 has and IPv4 has not. Views look behind extension headers. */
	const __m256i six = _mm256_set1_epi64x(PKT_KEY_FAMILY(6 & ~4));
	const __m256i is_6 =
		_mm256_cmpeq_epi64(_mm256_and_si256(_mm256_cvtepu32_epi64(key), six), six);
	const __m256i l4_off = _mm256_srli_epi64(layers, 48);
	const __m256i step = _mm256_blendv_epi8(_mm256_sub_epi64(l4_off, lane_l3_offs(layers)),
		_mm256_set1_epi64x(WINDOW_L4_IP6), is_6);
	const __m256i none = _mm256_cmpeq_epi64(l4_off, _mm256_setzero_si256());

	*ret_lost = _mm256_andnot_si256(is_6, none);
	return lane_behind(start, step);
}

/* Those of @at that are @there; for the others both fields are those of a window that is not. */
static inline struct lane_windows
lane_where(struct lane_windows at, __m256i there)
{
	_Static_assert(PROBE_NOWHERE == (uint32_t)INT32_MIN, "of both fields");
	return (struct lane_windows){_mm256_and_si256(at.bytes, there),
		_mm256_blendv_epi8(_mm256_set1_epi32(INT32_MIN), at.rest, there)};
}

/* Behind the last byte of the datagrams, which start at @start and have @len bytes. */
static inline struct lane_windows
lane_tails(struct lane_windows start, __m128i len)
{
	/* No datagram has 2 GiB, but a savefile may say so of one: that end is nowhere. */
	const __m256i there = _mm256_cvtepi32_epi64(_mm_cmpgt_epi32(len, _mm_set1_epi32(-1)));

	return lane_where(lane_behind(start, _mm256_cvtepu32_epi64(len)), there);
}

/*
 * The windows of kind @kind, which start by the byte at @from + @off, of the lanes @some.
 * @base: what they are counted from. Called with a constant kind.
 */
static inline __attribute__((always_inline)) struct lane_windows
lane_step(struct lane_windows base, struct lane_windows from, int32_t off, enum window_kind kind,
	__m256i some)
{
	/* left is the lower half. */
	const __m256i there = _mm256_and_si256(
		_mm256_shuffle_epi32(_mm256_cmpgt_epi32(from.rest, _mm256_set1_epi32(off)), 0xa0),
		some);
	const __m256i word = lane_words(from, off, there);
	__m256i step, is_6;

	if (kind != WINDOW_IHL && kind != WINDOW_L4) {
		step = _mm256_and_si256(word, _mm256_set1_epi64x(UINT8_MAX));
		return lane_where(lane_behind(base, step), there);
	}
	is_6 = _mm256_cmpeq_epi64(
		_mm256_and_si256(word, _mm256_set1_epi64x(0xf0)), _mm256_set1_epi64x(0x60));
	step = _mm256_slli_epi64(_mm256_and_si256(word, _mm256_set1_epi64x(15)), 2);
	if (kind == WINDOW_L4)
		step = _mm256_blendv_epi8(step, _mm256_set1_epi64x(WINDOW_L4_IP6), is_6);
	return lane_where(lane_behind(base, step), there);
}

#endif
