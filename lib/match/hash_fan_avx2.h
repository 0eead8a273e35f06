/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_FAN_AVX2_H
#define MATCH_HASH_FAN_AVX2_H

/* Fans for kernels with AVX2: a frame's keys are the lanes of one vector or two. */

#include <immintrin.h>

#define FAN_VECTOR 8 /* keys, and words of a line that one permutation reaches */

/* Of keys whose words are further apart. */
#define fan_find fan_find_far
#include "hash_fan_c.h"
#undef fan_find

/* Eight keys at hand. */
struct fan_at_hand {
	__m256i low, high, low_mask, high_mask, low_mul, high_mul;
	uint32_t live; /* bit k: lane k is a key */
};

static inline struct fan_at_hand
fan_at_hand(const struct hash_fan *f, uint32_t first)
{
	const uint32_t n = f->n > first ? MIN(f->n - first, FAN_VECTOR) : 0;

	return (struct fan_at_hand){
		.low = _mm256_load_si256((const void *)&f->low[first]),
		.high = _mm256_load_si256((const void *)&f->high[first]),
		.low_mask = _mm256_load_si256((const void *)&f->low_mask[first]),
		.high_mask = _mm256_load_si256((const void *)&f->high_mask[first]),
		.low_mul = _mm256_load_si256((const void *)&f->low_mul[first]),
		.high_mul = _mm256_load_si256((const void *)&f->high_mul[first]),
		.live = (1u << n) - 1,
	};
}

/* fan_fold() of all lanes. */
static inline __m256i
fan_folds(__m256i h)
{
	return _mm256_xor_si256(h, _mm256_srli_epi32(h, FAN_FOLD));
}

/* fan_hash() of all lanes. */
static inline __attribute__((always_inline)) __m256i
fan_hashes(const struct fan_at_hand *f, __m256i line, bool two)
{
	__m256i low = _mm256_and_si256(_mm256_permutevar8x32_epi32(line, f->low), f->low_mask);

	if (two) {
		const __m256i high =
			_mm256_and_si256(_mm256_permutevar8x32_epi32(line, f->high), f->high_mask);

		low = _mm256_add_epi32(low, fan_folds(_mm256_mullo_epi32(high, f->high_mul)));
	}
	return _mm256_mullo_epi32(low, f->low_mul);
}

/* Whose bits are all in the filter, a bit a lane. */
static inline uint32_t
fan_passes(const struct fan_at_hand *f, __m256i h, const uint32_t *filter, __m128i shift)
{
	const __m256i one = _mm256_set1_epi32(1), mod = _mm256_set1_epi32(31);
	const __m256i word =
		_mm256_i32gather_epi32((const void *)filter, _mm256_srl_epi32(h, shift), 4);
	const __m256i x = fan_folds(h);
	const __m256i a = _mm256_sllv_epi32(one, _mm256_and_si256(x, mod));
	const __m256i b =
		_mm256_sllv_epi32(one, _mm256_and_si256(_mm256_srli_epi32(x, FAN_BIT_BITS), mod));
	const __m256i lacks = _mm256_andnot_si256(word, _mm256_or_si256(a, b));
	const __m256i all = _mm256_cmpeq_epi32(lacks, _mm256_setzero_si256());

	return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(all)) & f->live;
}

/* fan_head() of the lanes @pass of frame @i to @ret. Returns how many. */
static inline uint32_t
fan_put(uint32_t i, __m256i h, uint32_t pass, __m128i shift, uint32_t *ret)
{
	const __m256i frame = _mm256_set1_epi32((int)(i << FAN_FRAME_SHIFT));
	uint32_t v[FAN_VECTOR], n = 0;

	_mm256_storeu_si256((void *)v, _mm256_or_si256(frame, _mm256_srl_epi32(h, shift)));
	do
		ret[n++] = v[__builtin_ctz(pass)];
	while ((pass &= pass - 1) != 0);
	return n;
}

/* The first 32 bytes of the window @at from @off on. */
static inline __m256i
fan_line(struct probe_at at, int32_t off)
{
	uint8_t edge[FAN_LINE];

	if (__builtin_expect(at.left >= off + (int32_t)sizeof(__m256i), 1))
		return _mm256_loadu_si256((const void *)(at.bytes + off));
	fan_line_at_edge(at.bytes, at.left, off, edge);
	return _mm256_loadu_si256((const void *)edge);
}

/* Called with constants: whether keys have two words, and are more than one vector. */
static inline __attribute__((always_inline)) uint32_t
fan_find_near(const struct hash_fan *f, const FAN_WINDOWS *w, uint32_t n, uint64_t some, bool two,
	bool more, uint32_t *ret)
{
	const struct fan_at_hand k0 = fan_at_hand(f, 0), k1 = fan_at_hand(f, FAN_VECTOR);
	const __m128i shift = _mm_cvtsi32_si128((int)f->shift);
	const __m128i head = _mm_cvtsi32_si128((int)f->shift - FAN_SLOT_BITS);
	const uint32_t *filter = f->filter;
	const int32_t off = f->off;
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i++) {
		__m256i line, h0, h1;
		uint32_t p0, p1;

		if ((some >> i & 1) == 0)
			continue;
		line = fan_line(fan_window_at(w, i), off);
		h0 = fan_hashes(&k0, line, two);
		p0 = fan_passes(&k0, h0, filter, shift);
		if (more) {
			h1 = fan_hashes(&k1, line, two);
			p1 = fan_passes(&k1, h1, filter, shift);
			if (p1 != 0)
				found += fan_put(i, h1, p1, head, &ret[found]);
		}
		if (p0 != 0)
			found += fan_put(i, h0, p0, head, &ret[found]);
	}
	return found;
}

static __attribute__((noinline)) uint32_t
fan_find(const struct hash_fan *f, const FAN_WINDOWS *w, uint32_t n, uint64_t some, uint32_t *ret)
{
	if (f->reach > FAN_VECTOR)
		return fan_find_far(f, w, n, some, ret);
	if (f->n > FAN_VECTOR)
		return fan_find_near(f, w, n, some, true, true, ret);
	if (f->two)
		return fan_find_near(f, w, n, some, true, false, ret);
	return fan_find_near(f, w, n, some, false, false, ret);
}

#endif
