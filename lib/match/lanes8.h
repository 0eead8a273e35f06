/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_LANES8_H
#define MATCH_LANES8_H

/*
 * Windows of eight frames at once, and words in them, for kernels with AVX-512.
 * Gathers take a load a lane, but nothing else is done lane by lane.
 */

#include <immintrin.h>

#include "probe.h"

#define LANES 8

/* Those of group @g in @some frames. */
static inline __mmask8
lanes_of(uint64_t some, uint32_t g)
{
	return (__mmask8)(some >> g * LANES);
}

/* A window of eight frames: the fields of struct probe_at. */
struct lane_windows {
	__m512i bytes, rest; /* left and above it pos */
};

static inline struct lane_windows
lane_windows(const struct probe_at *at)
{
	const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
	const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
	const __m512i lo = _mm512_loadu_si512(&at[0]), hi = _mm512_loadu_si512(&at[4]);

	return (struct lane_windows){
		_mm512_permutex2var_epi64(lo, even, hi), _mm512_permutex2var_epi64(lo, odd, hi)};
}

/*
 * Whether all frames @some, whose windows have @rest, have @left bytes from these on and
 * @before in front of them. Then words among these are read without more ado: half of
 * what lane_words() takes.
 */
static inline bool
lanes_have(__m512i rest, int32_t before, int32_t left, __mmask8 some)
{
	const __mmask16 both = (__mmask16)(3 * _pdep_u32(some, 0x5555)); /* left and pos */
	const uint64_t asked = (uint64_t)(uint32_t)before << 32 | (uint32_t)left;

	/* Of a window that is nowhere both are the least there are. */
	return _mm512_mask_cmplt_epi32_mask(both, rest, _mm512_set1_epi64((long long)asked)) == 0;
}

/* lane_words() where lanes_have() the bytes. */
static inline __m512i
lane_words_there(__m512i bytes, int32_t off, __mmask8 some)
{
	return _mm512_mask_i64gather_epi64(
		_mm512_setzero_si512(), some, bytes, (const void *)(intptr_t)off, 1);
}

/* The windows @w to @at, of the frames @some. */
static inline void
lane_windows_store(struct probe_at *at, struct lane_windows w, __mmask8 some)
{
	const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
	const __m512i high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
	const __m512i lo = _mm512_permutex2var_epi64(w.bytes, low, w.rest);
	const __m512i hi = _mm512_permutex2var_epi64(w.bytes, high, w.rest);
	const uint32_t twice = 3 * _pdep_u32(some, 0x5555); /* two words a frame */

	_mm512_mask_storeu_epi64(&at[0], (__mmask8)twice, lo);
	_mm512_mask_storeu_epi64(&at[4], (__mmask8)(twice >> 8), hi);
}

/* Set the lanes @some of @v as probe_load() does in the windows of @bytes and @rest. */
static __attribute__((noinline)) __m512i
lane_words_of_edges(__m512i v, __m512i bytes, __m512i rest, int32_t off, uint32_t some)
{
	struct probe_at at[LANES];
	uint64_t word[LANES];

	_mm512_storeu_si512(word, v);
	lane_windows_store(at, (struct lane_windows){bytes, rest}, 0xff);
	for (uint32_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctz(m);

		word[i] = probe_load(&at[i], off);
	}
	return _mm512_loadu_si512(word);
}

/* probe_load() at @off of the windows @w of the frames @some; 0 in other lanes. */
static inline __m512i
lane_words(struct lane_windows w, int32_t off, __mmask8 some)
{
	const __m512i zero = _mm512_setzero_si512(), offs = _mm512_set1_epi64(off);
	const __m512i word = _mm512_set1_epi64(sizeof(uint64_t));
	const __m512i left = _mm512_srai_epi64(_mm512_slli_epi64(w.rest, 32), 32);
	const __m512i pos = _mm512_srli_epi64(w.rest, 32);
	/* Bytes behind the end: so much before its place the word is read, and shifted. */
	const __m512i lacks =
		_mm512_max_epi64(_mm512_sub_epi64(_mm512_add_epi64(word, offs), left), zero);
	const __m512i place = _mm512_sub_epi64(_mm512_add_epi64(w.bytes, offs), lacks);
	/* 8 bytes can be read that end where the frame does. */
	const __mmask8 whole =
		_mm512_mask_cmpge_epi64_mask(some, _mm512_add_epi64(left, pos), word);
	const __mmask8 near =
		_mm512_mask_cmpge_epi64_mask(whole, pos, _mm512_sub_epi64(zero, offs));
	__m512i v = _mm512_mask_i64gather_epi64(zero, near, place, NULL, 1);

	/* Where nothing is left the shift is by 64 and more, which gives 0. */
	v = _mm512_srlv_epi64(v, _mm512_slli_epi64(lacks, 3));
	if (__builtin_expect(near != some, 0))
		v = lane_words_of_edges(v, w.bytes, w.rest, off, (uint32_t)(some & ~near));
	return v;
}

#endif
