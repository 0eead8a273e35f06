/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_FAN_AVX2_H
#define MATCH_HASH_FAN_AVX2_H

/* Fans for kernels with AVX2: a frame's keys are the lanes of one vector or two. */

#include <immintrin.h>

#define FAN_VECTOR 8 /* keys, and words of 4 bytes of a line that one permutation reaches */

/* Of keys whose pieces are further apart; names that it and vectors have. */
#define fan_find fan_find_far
#define fan_passes fan_passes_far
#include "hash_fan_c.h"
#undef fan_find
#undef fan_passes

/* Eight keys at hand. */
struct fan_at_hand {
	/* Words of 4 bytes with the lower and the upper piece, and where in them that is. */
	__m256i lower, upper, take_lower, take_upper;
	__m256i mask, mul, fine_mask, fine_mul;
	uint32_t live, fine; /* bit k: lane k is a key, has a finer one */
};

/* Of 4 bytes in a vector's lanes, as the halves of a word, piece 0 or 1, by hash_fan.piece. */
static inline __m256i
fan_take(__m256i piece, bool upper)
{
	const __m256i lane = _mm256_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12);
	const __m256i in_word = _mm256_slli_epi32(_mm256_and_si256(piece, _mm256_set1_epi32(1)), 1);
	const __m256i at = _mm256_add_epi32(lane, in_word);
	/* Numbers of two bytes; 0x80: none. */
	const __m256i both = _mm256_or_si256(
		at, _mm256_slli_epi32(_mm256_add_epi32(at, _mm256_set1_epi32(1)), 8));

	if (upper)
		return _mm256_or_si256(_mm256_slli_epi32(both, 16), _mm256_set1_epi32(0x8080));
	return _mm256_or_si256(both, _mm256_set1_epi32((int)0x80800000));
}

static inline struct fan_at_hand
fan_at_hand(const struct hash_fan *f, uint32_t first)
{
	const uint32_t n = f->n > first ? MIN(f->n - first, FAN_VECTOR) : 0;
	const __m256i pieces = _mm256_load_si256((const void *)f->piece[first]);
	const __m256i lower = _mm256_and_si256(pieces, _mm256_set1_epi32(UINT16_MAX));
	const __m256i upper = _mm256_srli_epi32(pieces, 16);

	return (struct fan_at_hand){
		.lower = _mm256_srli_epi32(lower, 1),
		.upper = _mm256_srli_epi32(upper, 1),
		.take_lower = fan_take(lower, false),
		.take_upper = fan_take(upper, true),
		.mask = _mm256_load_si256((const void *)&f->mask[first]),
		.mul = _mm256_load_si256((const void *)&f->mul[first]),
		.fine_mask = _mm256_load_si256((const void *)&f->fine_mask[first]),
		.fine_mul = _mm256_load_si256((const void *)&f->fine_mul[first]),
		.live = (1u << n) - 1,
		.fine = f->fine >> first & ((1u << n) - 1),
	};
}

/* fan_fold() of all lanes. */
static inline __m256i
fan_folds(__m256i h)
{
	return _mm256_xor_si256(h, _mm256_srli_epi32(h, FAN_FOLD));
}

/* The words of all keys of @line; @apart as of hash_fan.apart. */
static inline __attribute__((always_inline)) __m256i
fan_words(const struct fan_at_hand *f, __m256i line, bool apart)
{
	const __m256i w = _mm256_permutevar8x32_epi32(line, f->lower);

	if (!apart)
		return w;
	return _mm256_or_si256(_mm256_shuffle_epi8(w, f->take_lower),
		_mm256_shuffle_epi8(_mm256_permutevar8x32_epi32(line, f->upper), f->take_upper));
}

/* fan_hash() of all lanes. */
static inline __m256i
fan_hashes(__m256i w, __m256i mask, __m256i mul)
{
	return _mm256_mullo_epi32(_mm256_and_si256(w, mask), mul);
}

/* Of the lanes @live with the hashes @h those whose bits are all in the filter's @word, a bit a lane. */
static inline uint32_t
fan_passes(__m256i h, __m256i word, uint32_t live)
{
	const __m256i one = _mm256_set1_epi32(1), mod = _mm256_set1_epi32(31);
	const __m256i x = fan_folds(h);
	const __m256i a = _mm256_sllv_epi32(one, _mm256_and_si256(x, mod));
	const __m256i b =
		_mm256_sllv_epi32(one, _mm256_and_si256(_mm256_srli_epi32(x, FAN_BIT_BITS), mod));
	const __m256i lacks = _mm256_andnot_si256(word, _mm256_or_si256(a, b));
	const __m256i all = _mm256_cmpeq_epi32(lacks, _mm256_setzero_si256());

	return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(all)) & live;
}

/* What has the heads @at, of frame @i, of the lanes @pass, to @ret. Returns how many. */
static inline uint32_t
fan_put(uint32_t i, __m256i at, uint32_t pass, uint32_t *ret)
{
	const __m256i frame = _mm256_set1_epi32((int)(i << FAN_FRAME_SHIFT));
	uint32_t v[FAN_VECTOR], n = 0;

	_mm256_storeu_si256((void *)v, _mm256_or_si256(frame, at));
	do
		ret[n++] = v[__builtin_ctz(pass)];
	while ((pass &= pass - 1) != 0);
	return n;
}

/* fan_fine_head() of all lanes. */
static inline __m256i
fan_fine_heads(__m256i bucket, __m256i fine)
{
	return _mm256_or_si256(_mm256_slli_epi32(bucket, FAN_SLOT_BITS),
		_mm256_srli_epi32(fine, 32 - FAN_SLOT_BITS));
}

/* Look frame @i up by the keys @k. Constants as of fan_find_near(). */
static inline __attribute__((always_inline)) uint32_t
fan_find_line(const struct hash_fan *f, const struct fan_at_hand *k, uint32_t i, __m256i line,
	bool apart, bool twice, uint32_t *ret)
{
	const __m128i shift = _mm_cvtsi32_si128((int)f->shift);
	const __m128i head = _mm_cvtsi32_si128((int)f->shift - FAN_SLOT_BITS);
	const __m256i w = fan_words(k, line, apart);
	const __m256i h = fan_hashes(w, k->mask, k->mul);
	const __m256i bucket = _mm256_srl_epi32(h, shift);
	const __m256i word = _mm256_i32gather_epi32((const void *)f->filter, bucket, 4);
	const uint32_t pass = fan_passes(h, word, k->live);
	uint32_t n = 0;

	if (twice) {
		const __m256i fine = fan_hashes(w, k->fine_mask, k->fine_mul);
		const uint32_t fine_pass = fan_passes(fine, word, k->fine);

		if (fine_pass != 0)
			n = fan_put(i, fan_fine_heads(bucket, fine), fine_pass, ret);
	}
	if (pass != 0)
		n += fan_put(i, _mm256_srl_epi32(h, head), pass, &ret[n]);
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

/* Called with constants: whether keys are apart, and have finer ones, and are more than one vector. */
static inline __attribute__((always_inline)) uint32_t
fan_find_near(const struct hash_fan *f, const FAN_WINDOWS *w, uint32_t n, uint64_t some, bool apart,
	bool twice, bool more, uint32_t *ret)
{
	const struct fan_at_hand k0 = fan_at_hand(f, 0), k1 = fan_at_hand(f, FAN_VECTOR);
	const int32_t off = f->off;
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i++) {
		__m256i line;

		if ((some >> i & 1) == 0)
			continue;
		line = fan_line(fan_window_at(w, i), off);
		found += fan_find_line(f, &k0, i, line, apart, twice, &ret[found]);
		if (more)
			found += fan_find_line(f, &k1, i, line, apart, twice, &ret[found]);
	}
	return found;
}

static __attribute__((noinline)) uint32_t
fan_find(const struct hash_fan *f, const FAN_WINDOWS *w, uint32_t n, uint64_t some, uint32_t *ret)
{
	if (f->reach > sizeof(__m256i))
		return fan_find_far(f, w, n, some, ret);
	if (f->n > FAN_VECTOR)
		return fan_find_near(f, w, n, some, true, true, true, ret);
	if (f->apart)
		return fan_find_near(f, w, n, some, true, true, false, ret);
	if (f->fine != 0)
		return fan_find_near(f, w, n, some, false, true, false, ret);
	return fan_find_near(f, w, n, some, false, false, false, ret);
}

#endif
