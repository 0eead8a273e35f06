/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_FAN_AVX512_H
#define MATCH_HASH_FAN_AVX512_H

/*
 * Fans for kernels with AVX-512: up to eight keys of two frames, or sixteen of one, are the
 * lanes of one vector.
 */

#include "ends.h"
#include "hash_fan.h"
#include "hash_lanes.h"

#define FAN_VECTOR 16
#define FAN_HALF 8 /* keys of a frame that leave room for another one's, and words of its line */

/* The keys at hand. */
struct fan_at_hand {
	__m512i low, high, low_mask, high_mask, low_mul, high_mul;
	const uint32_t *filter;
	__m128i shift, head_shift;
	__mmask16 live; /* lanes that are keys */
};

/* Words of two lines of FAN_HALF, for eight keys each. */
static inline __m512i
fan_words_twice(const uint32_t *v)
{
	const __m512i second = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 8);

	return _mm512_add_epi32(_mm512_broadcast_i64x4(_mm256_load_si256((const void *)v)), second);
}

static inline __m512i
fan_twice(const uint32_t *v)
{
	return _mm512_broadcast_i64x4(_mm256_load_si256((const void *)v));
}

static inline __attribute__((always_inline)) struct fan_at_hand
fan_at_hand(const struct hash_fan *f, bool pairs)
{
	const uint32_t live = (1u << f->n) - 1;

	return (struct fan_at_hand){
		.low = pairs ? fan_words_twice(f->low) : _mm512_load_si512(f->low),
		.high = pairs ? fan_words_twice(f->high) : _mm512_load_si512(f->high),
		.low_mask = pairs ? fan_twice(f->low_mask) : _mm512_load_si512(f->low_mask),
		.high_mask = pairs ? fan_twice(f->high_mask) : _mm512_load_si512(f->high_mask),
		.low_mul = pairs ? fan_twice(f->low_mul) : _mm512_load_si512(f->low_mul),
		.high_mul = pairs ? fan_twice(f->high_mul) : _mm512_load_si512(f->high_mul),
		.filter = f->filter,
		.shift = _mm_cvtsi32_si128((int)f->shift),
		.head_shift = _mm_cvtsi32_si128((int)f->shift - FAN_SLOT_BITS),
		.live = (__mmask16)(pairs ? live | live << FAN_HALF : live),
	};
}

/* fan_fold() of all lanes. */
static inline __m512i
fan_folds(__m512i h)
{
	return _mm512_xor_si512(h, _mm512_srli_epi32(h, FAN_FOLD));
}

/* fan_hash() of all lanes of @line. */
static inline __attribute__((always_inline)) __m512i
fan_hashes(const struct fan_at_hand *f, __m512i line, bool two)
{
	__m512i low = _mm512_and_si512(_mm512_permutexvar_epi32(f->low, line), f->low_mask);

	if (two) {
		const __m512i high =
			_mm512_and_si512(_mm512_permutexvar_epi32(f->high, line), f->high_mask);

		low = _mm512_add_epi32(low, fan_folds(_mm512_mullo_epi32(high, f->high_mul)));
	}
	return _mm512_mullo_epi32(low, f->low_mul);
}

/* Of the lanes @live whose bits are all in the filter. */
static inline __mmask16
fan_passes(const struct fan_at_hand *f, __m512i h, __mmask16 live)
{
	const __m512i one = _mm512_set1_epi32(1);
	const __m512i word = _mm512_i32gather_epi32(_mm512_srl_epi32(h, f->shift), f->filter, 4);
	const __m512i x = fan_folds(h);
	const __m512i a = _mm512_rolv_epi32(one, x);
	const __m512i b = _mm512_rolv_epi32(one, _mm512_srli_epi32(x, FAN_BIT_BITS));
	/* (a | b) & ~word */
	const __m512i lacks = _mm512_ternarylogic_epi32(a, b, word, 0x54);

	return _mm512_mask_testn_epi32_mask(live, lacks, lacks);
}

/* What was found by the lanes @pass of @h, of the frames @frames, to @ret. Returns how many. */
static inline uint32_t
fan_put(const struct fan_at_hand *f, __m512i h, __m512i frames, __mmask16 pass, uint32_t *ret)
{
	const __m512i v = _mm512_or_si512(frames, _mm512_srl_epi32(h, f->head_shift));

	_mm512_storeu_si512(ret, _mm512_maskz_compress_epi32(pass, v));
	return (uint32_t)__builtin_popcount(pass);
}

/*
 * Which of 64 bytes from f->off on there are in the windows @w of the frames @some, none of
 * others, to @ret. Returns whether all of them have as many as eight keys reach.
 */
static inline bool
fan_there(const struct hash_fan *f, const struct burst_window *w, uint32_t n, uint64_t some,
	uint64_t ret[MATCH_BURST])
{
	const __m512i all = _mm512_set1_epi64(FAN_LINE), off = _mm512_set1_epi64(f->off);
	const __m512i near = _mm512_set1_epi64(FAN_HALF * sizeof(uint32_t));
	bool full = true;

	for (uint32_t i = 0; i < n; i += LANES) {
		const __m512i rest = _mm512_load_si512(&w->rest[i]);
		const __mmask8 on = (__mmask8)(some >> i);
		__m512i left = _mm512_srai_epi64(_mm512_slli_epi64(rest, 32), 32);

		left = _mm512_sub_epi64(left, off);
		full &= _mm512_mask_cmpge_epi64_mask(on, left, near) == UINT8_MAX;
		left = _mm512_min_epi64(_mm512_max_epi64(left, _mm512_setzero_si512()), all);
		_mm512_store_si512(&ret[i],
			_mm512_maskz_srlv_epi64(
				on, _mm512_set1_epi64(-1), _mm512_sub_epi64(all, left)));
	}
	return full;
}

/* The first half of the line of a frame whose window starts at @bytes. */
static inline __attribute__((always_inline)) __m256i
fan_half(uint64_t bytes, uint64_t there, bool full)
{
	if (full)
		return _mm256_loadu_si256((const void *)(uintptr_t)bytes);
	return _mm256_maskz_loadu_epi8((__mmask32)there, (const void *)(uintptr_t)bytes);
}

/* Two frames at once. Called with constants: whether keys have two words, and all frames bytes. */
static inline __attribute__((always_inline)) uint32_t
fan_find_pairs(const struct hash_fan *f, const struct burst_window *w, uint32_t n, uint64_t some,
	const uint64_t *there, bool two, bool full, uint32_t *ret)
{
	const struct fan_at_hand k = fan_at_hand(f, true);
	const __m512i step = _mm512_set1_epi32(2 << FAN_FRAME_SHIFT);
	__m512i frames = _mm512_inserti64x4(
		_mm512_setzero_si512(), _mm256_set1_epi32(1 << FAN_FRAME_SHIFT), 1);
	const uint64_t off = (uint64_t)f->off;
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i += 2) {
		const __m256i a = fan_half(w->bytes[i] + off, there[i], full);
		const __m256i b = fan_half(w->bytes[i + 1] + off, there[i + 1], full);
		const __m512i line = _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
		const __m512i h = fan_hashes(&k, line, two);
		__mmask16 live = k.live, pass;

		if (!full) {
			live &= (some >> i & 1) != 0 ? 0xffff : 0xff00;
			live &= (some >> i & 2) != 0 ? 0xffff : 0x00ff;
		}
		pass = fan_passes(&k, h, live);
		if (pass != 0)
			found += fan_put(&k, h, frames, pass, &ret[found]);
		frames = _mm512_add_epi32(frames, step);
	}
	return found;
}

/* One frame at a time. */
static inline uint32_t
fan_find_singly(const struct hash_fan *f, const struct burst_window *w, uint64_t some,
	const uint64_t *there, uint32_t *ret)
{
	const struct fan_at_hand k = fan_at_hand(f, false);
	const uint64_t off = (uint64_t)f->off;
	uint32_t found = 0;

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const __m512i line = _mm512_maskz_loadu_epi8(
			there[i], (const void *)(uintptr_t)(w->bytes[i] + off));
		const __m512i h = fan_hashes(&k, line, true);
		const __mmask16 pass = fan_passes(&k, h, k.live);

		if (pass != 0)
			found += fan_put(&k, h, _mm512_set1_epi32((int)(i << FAN_FRAME_SHIFT)),
				pass, &ret[found]);
	}
	return found;
}

static __attribute__((noinline)) uint32_t
fan_find(const struct hash_fan *f, const struct burst_window *w, uint32_t n, uint64_t some,
	uint32_t *ret)
{
	uint64_t there[MATCH_BURST] __attribute__((aligned(64)));
	const bool full = fan_there(f, w, n, some, there);

	if (f->n > FAN_HALF || f->reach > FAN_HALF)
		return fan_find_singly(f, w, some, there, ret);
	if (!full)
		return fan_find_pairs(f, w, n, some, there, true, false, ret);
	if (f->two)
		return fan_find_pairs(f, w, n, some, there, true, true, ret);
	return fan_find_pairs(f, w, n, some, there, false, true, ret);
}

#endif
