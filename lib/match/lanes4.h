/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_LANES4_H
#define MATCH_LANES4_H

/*
 * Windows of four frames at once, and words in them, for kernels with AVX2. Where windows are
 * from struct probe_at lanes are frames 0, 2, 1, 3: as unpacking the fields leaves them.
 */

#include <immintrin.h>

#include "probe.h"

#define LANES 4
#define LANES_ALL ((1u << LANES) - 1)

/* A window of four frames: the fields of struct probe_at. */
struct lane_windows {
	__m256i bytes, rest; /* left and above it pos */
};

/* Which of four frames lane @lane is. */
static inline uint32_t
lane_frame(uint32_t lane)
{
	return lane >> 1 | (lane & 1) << 1;
}

/* Of lanes @some, bits, four by four, the frames. */
static inline uint64_t
lane_frames(uint64_t some)
{
	const uint64_t fours = UINT64_C(0x1111111111111111);

	return (some & 9 * fours) | (some & 2 * fours) << 1 | (some & 4 * fours) >> 1;
}

/* Of the frames @some, bits, as lanes of all ones. */
static inline __m256i
lanes_of(uint64_t some)
{
	/* A byte a lane, read in one instruction. */
	static const uint32_t lanes[1 << LANES]
		__attribute__((aligned(64))) = {0x00000000, 0x000000ff, 0x00ff0000, 0x00ff00ff,
			0x0000ff00, 0x0000ffff, 0x00ffff00, 0x00ffffff, 0xff000000, 0xff0000ff,
			0xffff0000, 0xffff00ff, 0xff00ff00, 0xff00ffff, 0xffffff00, 0xffffffff};

	return _mm256_cvtepi8_epi64(_mm_cvtsi32_si128((int)lanes[some & LANES_ALL]));
}

/* The same where lanes are in the order of frames. */
static inline __m256i
lanes_in_row_of(uint64_t some)
{
	const __m256i bit = _mm256_setr_epi64x(1, 2, 4, 8);
	const __m256i all = _mm256_set1_epi64x((long long)some);

	return _mm256_cmpeq_epi64(_mm256_and_si256(all, bit), bit);
}

/* Which lanes are all ones, as bits. */
static inline uint32_t
lanes_set(__m256i lanes)
{
	return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(lanes));
}

/* The fields of four of @at. */
static inline __m256i
lane_bytes(const struct probe_at *at)
{
	return _mm256_unpacklo_epi64(
		_mm256_loadu_si256((const void *)&at[0]), _mm256_loadu_si256((const void *)&at[2]));
}

/* left and, above it, pos. */
static inline __m256i
lane_rest(const struct probe_at *at)
{
	return _mm256_unpackhi_epi64(
		_mm256_loadu_si256((const void *)&at[0]), _mm256_loadu_si256((const void *)&at[2]));
}

static inline struct lane_windows
lane_windows(const struct probe_at *at)
{
	return (struct lane_windows){lane_bytes(at), lane_rest(at)};
}

/* @w, whose lanes are in the order that lane_windows() leaves, to four of @at. */
static inline void
lane_windows_store(struct probe_at *at, struct lane_windows w)
{
	_mm256_storeu_si256((void *)&at[0], _mm256_unpacklo_epi64(w.bytes, w.rest));
	_mm256_storeu_si256((void *)&at[2], _mm256_unpackhi_epi64(w.bytes, w.rest));
}

/* probe_within() of all lanes @some. */
static inline bool
lanes_within(__m256i rest, struct probe_bound bound, __m256i some)
{
	/* Of a window that is not there both fields are less than any bound. */
	const uint64_t below = (uint32_t)(bound.left - 1) | (uint64_t)(bound.pos - 1) << 32;
	const __m256i in = _mm256_cmpgt_epi32(rest, _mm256_set1_epi64x((long long)below));

	return _mm256_testc_si256(in, some) != 0;
}

/* The words at @off of windows at @bytes, of the lanes @some, where they are. 0 in other lanes. */
static inline __m256i
lane_words_there(__m256i bytes, int32_t off, __m256i some)
{
	return _mm256_mask_i64gather_epi64(
		_mm256_setzero_si256(), (const void *)(intptr_t)off, bytes, some, 1);
}

/* Set the lanes @some of @v as probe_load() does in the windows @w. */
static inline __m256i
lane_words_of_edges(__m256i v, struct lane_windows w, int32_t off, __m256i some)
{
	uint64_t word[LANES], bytes[LANES], rest[LANES];

	_mm256_storeu_si256((void *)word, v);
	_mm256_storeu_si256((void *)bytes, w.bytes);
	_mm256_storeu_si256((void *)rest, w.rest);
	for (uint32_t m = lanes_set(some); m != 0; m &= m - 1) {
		const uint32_t lane = (uint32_t)__builtin_ctz(m);
		const struct probe_at at = {(const void *)(uintptr_t)bytes[lane],
			(int32_t)(uint32_t)rest[lane], (uint32_t)(rest[lane] >> 32)};

		word[lane] = probe_load(&at, off);
	}
	return _mm256_loadu_si256((const void *)word);
}

/*
 * Which of the lanes have 8 bytes from their frame's start on, and @before in front of their
 * window: so many are enough for lane_words_near(). All ones in both halves.
 */
static inline __m256i
lanes_near(__m256i rest, int32_t before)
{
	/* A frame's bytes, and above them pos. */
	const __m256i has = _mm256_add_epi32(rest, _mm256_srli_epi64(rest, 32));
	const uint64_t least = 7 | (uint64_t)(before - 1) << 32;

	return _mm256_cmpgt_epi32(has, _mm256_set1_epi64x((long long)least));
}

/* probe_load() at @off of windows for whose lanes @some lanes_near() is so; 0 in others. */
static inline __m256i
lane_words_near(__m256i bytes, __m256i rest, int32_t off, __m256i some)
{
	const __m256i zero = _mm256_setzero_si256();
	const __m256i left = _mm256_blend_epi32(rest, zero, 0xaa);
	const __m256i end = _mm256_set1_epi64x((uint32_t)(off + 8));
	/* Bytes behind the end: so much before its place the word is read, and shifted. */
	const __m256i lacks = _mm256_max_epi32(_mm256_sub_epi32(end, left), zero);
	const __m256i v = lane_words_there(_mm256_sub_epi64(bytes, lacks), off, some);

	/* Where nothing is left the shift is by 64 and more, which gives 0. */
	return _mm256_srlv_epi64(v, _mm256_slli_epi64(lacks, 3));
}

/*
 * lane_words() of frames of which some end before. A call, to keep loops free of it; with the
 * fields in registers, where a struct would be stored.
 */
static __attribute__((noinline)) __m256i
lane_words_near_end(__m256i bytes, __m256i rest, int32_t off, __m256i some)
{
	const __m256i in = lanes_near(rest, -off);
	const __m256i near = _mm256_and_si256(_mm256_cmpeq_epi64(in, _mm256_set1_epi64x(-1)), some);
	const __m256i nowhere = _mm256_cmpeq_epi64(rest, _mm256_set1_epi32(INT32_MIN));
	const __m256i edge = _mm256_andnot_si256(_mm256_or_si256(near, nowhere), some);
	const __m256i v = lane_words_near(bytes, rest, off, near);

	return _mm256_testz_si256(edge, edge) != 0
		? v
		: lane_words_of_edges(v, (struct lane_windows){bytes, rest}, off, edge);
}

/* probe_load() at @off of the windows @w of the lanes @some. 0 in other lanes. */
static inline __m256i
lane_words(struct lane_windows w, int32_t off, __m256i some)
{
	if (__builtin_expect(lanes_within(w.rest, probe_bound(off), some), 1))
		return lane_words_there(w.bytes, off, some);
	return lane_words_near_end(w.bytes, w.rest, off, some);
}

#endif
