/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_PLACE_LANES_H
#define MATCH_PLACE_LANES_H

/* Eight frames at once: what is in their views, and windows that start by a byte. */

#include <stddef.h>
#include <string.h>

#include "lanes8.h"

/* Words of eight views: from frame, flags, key, l3_len on. */
struct lane_views {
	__m512i frame, layers, key, len;
};

_Static_assert(sizeof(struct pkt_view) == 6 * sizeof(uint64_t) &&
		offsetof(struct pkt_view, frame) == 0 * sizeof(uint64_t) &&
		offsetof(struct pkt_view, flags) == 2 * sizeof(uint64_t) &&
		offsetof(struct pkt_view, key) == 4 * sizeof(uint64_t) &&
		offsetof(struct pkt_view, l3_len) == 5 * sizeof(uint64_t),
	"words with even numbers, three of each view, and the last odd one");
_Static_assert(offsetof(struct pkt_view, l3_off) == offsetof(struct pkt_view, flags) + 4,
	"see lane_l3_offs()");

/* Words 0, 3, 6 ... of @v, from word @first on, which is below 3. */
static inline __attribute__((always_inline)) __m512i
every_third(const __m512i v[3], int first)
{
	const __m512i three = _mm512_setr_epi64(0, 3, 6, 9, 12, 15, 18, 21);
	const __m512i at = _mm512_add_epi64(three, _mm512_set1_epi64(first));

	/* Indices count modulo 16, or 8, where there are so many words. */
	return _mm512_mask_permutexvar_epi64(
		_mm512_permutex2var_epi64(v[0], at, v[1]), first == 0 ? 0xc0 : 0xe0, at, v[2]);
}

/* The words of eight views from @v on: loads and shuffles, where gathers would take a load a word. */
static inline void
lane_views_in_row(const struct pkt_view *v, struct lane_views *ret)
{
	const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
	const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
	const uint64_t *words = (const void *)v;
	__m512i evens[3], odds[3];

	for (int i = 0; i < 3; i++) {
		const __m512i low = _mm512_loadu_si512(&words[16 * i]);
		const __m512i high = _mm512_loadu_si512(&words[16 * i + 8]);

		evens[i] = _mm512_permutex2var_epi64(low, even, high);
		odds[i] = _mm512_permutex2var_epi64(low, odd, high);
	}
	ret->frame = every_third(evens, 0);
	ret->layers = every_third(evens, 1);
	ret->key = every_third(evens, 2);
	ret->len = every_third(odds, 2);
}

/* Whether the 8 numbers from which[@k] on are @k and so on. */
static inline bool
is_in_row(const uint8_t *which, uint32_t k)
{
	uint64_t numbers;

	if (which == NULL)
		return true;
	memcpy(&numbers, &which[k], sizeof(numbers));
	return numbers == UINT64_C(0x0706050403020100) + k * UINT64_C(0x0101010101010101);
}

/* Pointers to eight views from number @k on of those in @views that @which names, NULL: all. */
static inline __m512i
lane_view_pointers(const struct pkt_view *views, const uint8_t *which, uint32_t k, __mmask8 some)
{
	const __m512i lanes = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
	const __m512i first = _mm512_set1_epi64((long long)(uintptr_t)views);
	__m512i number = _mm512_add_epi64(lanes, _mm512_set1_epi64(k));

	if (which != NULL)
		number = _mm512_cvtepu8_epi64(_mm_maskz_loadu_epi8(some, &which[k]));
	return _mm512_add_epi64(
		first, _mm512_mul_epu32(number, _mm512_set1_epi64(sizeof(struct pkt_view))));
}

/* The words at @off of the views @view; 0 but for @some. */
static inline __m512i
lane_view_words(__m512i view, size_t off, __mmask8 some)
{
	return _mm512_mask_i64gather_epi64(
		_mm512_setzero_si512(), some, view, (const void *)(uintptr_t)off, 1);
}

/* The views from number @k on of those in @views that @which names, NULL: all; 0 but for @some. */
static inline struct lane_views
lane_views(const struct pkt_view *views, const uint8_t *which, uint32_t k, __mmask8 some)
{
	struct lane_views v;
	__m512i view;

	if (some == 0xff && is_in_row(which, k)) {
		lane_views_in_row(&views[k], &v);
		return v;
	}
	view = lane_view_pointers(views, which, k, some);
	v.frame = lane_view_words(view, offsetof(struct pkt_view, frame), some);
	v.layers = lane_view_words(view, offsetof(struct pkt_view, flags), some);
	v.key = lane_view_words(view, offsetof(struct pkt_view, key), some);
	v.len = lane_view_words(view, offsetof(struct pkt_view, l3_len), some);
	return v;
}

static inline __m256i
lane_keys(const struct lane_views *v)
{
	return _mm512_cvtepi64_epi32(v->key);
}

/* l3_off, the third field of four. */
static inline __m512i
lane_l3_offs(__m512i layers)
{
	return _mm512_srli_epi64(_mm512_slli_epi64(layers, 16), 48);
}

/* Where datagrams start. */
static inline struct lane_windows
lane_starts(const struct lane_views *v)
{
	/* l3_caplen is above the key. */
	return (struct lane_windows){
		_mm512_add_epi64(v->frame, lane_l3_offs(v->layers)), _mm512_srli_epi64(v->key, 32)};
}

/* The windows @step, which is not negative, behind @base. */
static inline struct lane_windows
lane_behind(struct lane_windows base, __m512i step)
{
	/* left less the step, and above it pos and the step. */
	const __m512i rest = _mm512_add_epi32(base.rest, _mm512_slli_epi64(step, 32));

	return (struct lane_windows){_mm512_add_epi64(base.bytes, step),
		_mm512_mask_sub_epi32(rest, 0x5555, rest, step)};
}

/* Those of @at that are @there; for the others both fields are those of a window that is not. */
static inline struct lane_windows
lane_where(struct lane_windows at, __mmask8 there)
{
	_Static_assert(PROBE_NOWHERE == (uint32_t)INT32_MIN, "of both fields");
	return (struct lane_windows){_mm512_maskz_mov_epi64(there, at.bytes),
		_mm512_mask_mov_epi64(
			_mm512_set1_epi64((long long)0x8000000080000000), there, at.rest)};
}

_Static_assert(
	offsetof(struct pkt_view, l4_off) == offsetof(struct pkt_view, flags) + 6, "see lane_l4()");

/*
 * How far behind the start of datagrams the WINDOW_L4 is, by the @layers of views and their keys.
 * *@ret_lost: those of which views do not say it: later fragments, headers that cannot be.
 */
static inline __m512i
lane_l4_steps(__m512i layers, __m256i key, __mmask8 *ret_lost)
{
	/* A bit that IPv6 has and IPv4 has not. Views look behind extension headers. */
	const __m256i six = _mm256_set1_epi32((int)PKT_KEY_FAMILY(6 & ~4));
	const __mmask8 is_6 = _mm256_test_epi32_mask(key, six);
	const __m512i l4_off = _mm512_srli_epi64(layers, 48);

	*ret_lost = _mm512_testn_epi64_mask(l4_off, l4_off) & (__mmask8)~is_6;
	return _mm512_mask_mov_epi64(_mm512_sub_epi64(l4_off, lane_l3_offs(layers)), is_6,
		_mm512_set1_epi64(WINDOW_L4_IP6));
}

/* That window, of datagrams that start at @start. */
static inline struct lane_windows
lane_l4(struct lane_windows start, __m512i layers, __m256i key, __mmask8 *ret_lost)
{
	return lane_behind(start, lane_l4_steps(layers, key, ret_lost));
}

_Static_assert(offsetof(struct pkt_view, l3_len) + sizeof(uint64_t) <= sizeof(struct pkt_view),
	"read as a word");

/* Behind the last byte of what starts at @start; the lower halves of @lens are how many it has. */
static inline struct lane_windows
lane_tails(struct lane_windows start, __m512i lens)
{
	const __m512i len = _mm512_and_si512(lens, _mm512_set1_epi64(UINT32_MAX));
	/* No datagram has 2 GiB, but a savefile may say so of one: that end is nowhere. */
	const __mmask8 there = _mm512_cmple_epi64_mask(len, _mm512_set1_epi64(INT32_MAX));

	return lane_where(lane_behind(start, len), there);
}

/* The words at @off of the windows @from of the frames @some, all of which have the byte there. */
static inline __m512i
lane_steps(struct lane_windows from, int32_t off, __mmask8 some)
{
	if (__builtin_expect(lanes_have(from.rest, 0, off + (int32_t)sizeof(uint64_t), some), 1))
		return lane_words_there(from.bytes, off, some);
	return lane_words(from, off, some);
}

/* The windows of kind @kind, counted from @base, that start by the first bytes of @words. */
static inline __attribute__((always_inline)) struct lane_windows
lane_by_words(struct lane_windows base, __m512i words, enum window_kind kind)
{
	const __mmask8 is_6 = _mm512_cmpeq_epi64_mask(
		_mm512_and_si512(words, _mm512_set1_epi64(0xf0)), _mm512_set1_epi64(0x60));
	__m512i step;

	if (kind == WINDOW_IHL || kind == WINDOW_L4)
		step = _mm512_slli_epi64(_mm512_and_si512(words, _mm512_set1_epi64(15)), 2);
	else
		step = _mm512_and_si512(words, _mm512_set1_epi64(UINT8_MAX));
	if (kind == WINDOW_L4)
		step = _mm512_mask_mov_epi64(step, is_6, _mm512_set1_epi64(WINDOW_L4_IP6));
	return lane_behind(base, step);
}

/*
 * The windows of kind @kind, which start by the byte at @from + @off, of the frames @some.
 * @base: what they are counted from. *@ret_words: lane_words() at @from + @off. Called with a
 * constant kind.
 */
static inline __attribute__((always_inline)) struct lane_windows
lane_step(struct lane_windows base, struct lane_windows from, int32_t off, enum window_kind kind,
	__mmask8 some, __m512i *ret_words)
{
	__mmask8 there;

	if (__builtin_expect(lanes_have(from.rest, 0, off + (int32_t)sizeof(uint64_t), some), 1)) {
		*ret_words = lane_words_there(from.bytes, off, some);
		return lane_by_words(base, *ret_words, kind);
	}
	/* left is the lower half. */
	there = (__mmask8)_pext_u32(
			_mm512_cmpgt_epi32_mask(from.rest, _mm512_set1_epi32(off)), 0x5555) &
		some;
	*ret_words = lane_steps(from, off, there);
	return lane_where(lane_by_words(base, *ret_words, kind), there);
}

#endif
