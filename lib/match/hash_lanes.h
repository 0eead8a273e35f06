/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_LANES_H
#define MATCH_HASH_LANES_H

/* Hashes of eight frames at once, and what is in their buckets, for kernels with AVX-512. */

#include "hash.h"
#include "lanes8.h"

/* hash_pair(). */
static inline __m512i
lane_pairs(__m512i w, uint64_t seed)
{
	w = _mm512_add_epi32(w, _mm512_set1_epi64((long long)seed));
	return _mm512_mul_epu32(w, _mm512_srli_epi64(w, 32));
}

/* What word @i of @t, which is @v before it is masked, adds to the sum that is hashed. */
static inline __m512i
lane_adds(const struct hash_table *t, uint32_t i, __m512i v)
{
	const __m512i mask = _mm512_set1_epi64((long long)t->words[i].mask);

	return lane_pairs(_mm512_and_si512(v, mask), t->seed[i]);
}

/*
 * What words @first to @n_words - 1 of @t, which is together, in the windows @w of the frames
 * @some add to @sum.
 */
static inline __attribute__((always_inline)) __m512i
lane_sums_from(const struct hash_table *t, __m512i sum, uint32_t first, struct lane_windows w,
	__mmask8 some, uint32_t n_words)
{
	if (__builtin_expect(lanes_have(w.rest, t->before, t->left, some), 1)) {
		for (uint32_t i = first; i < n_words; i++)
			sum = _mm512_add_epi64(sum,
				lane_adds(t, i, lane_words_there(w.bytes, t->words[i].off, some)));
		return sum;
	}
	for (uint32_t i = first; i < n_words; i++)
		sum = _mm512_add_epi64(sum, lane_adds(t, i, lane_words(w, t->words[i].off, some)));
	return sum;
}

/* The sum of all @n_words words. */
static inline __attribute__((always_inline)) __m512i
lane_sums(const struct hash_table *t, struct lane_windows w, __mmask8 some, uint32_t n_words)
{
	return lane_sums_from(t, _mm512_setzero_si512(), 0, w, some, n_words);
}

/* hash_finish(). */
static inline __m512i
lane_hashes(__m512i sum)
{
	return _mm512_xor_si512(sum, _mm512_ror_epi64(sum, 32));
}

static inline __m512i
lane_buckets(const struct hash_table *t, __m512i hash)
{
	return _mm512_and_si512(_mm512_srli_epi64(hash, HASH_BUCKET_SHIFT),
		_mm512_set1_epi64((long long)t->bucket_mask));
}

/* Which bytes of @tags, those of a bucket each, are the tags of @hash, one at most of each. */
static inline __mmask64
lane_tags_equal(__m512i tags, __m512i hash)
{
	const __m512i first = _mm512_set4_epi32(0x08080808, 0x08080808, 0, 0);

	_Static_assert(HASH_TAG_SHIFT == 0, "the first byte");
	return _mm512_cmpeq_epi8_mask(
		tags, _mm512_max_epu8(_mm512_shuffle_epi8(hash, first), _mm512_set1_epi8(1)));
}

/* The same of the buckets @bucket of @t. */
static inline __mmask64
lane_tags(const struct hash_table *t, __m512i bucket, __m512i hash, __mmask8 some)
{
	return lane_tags_equal(_mm512_mask_i64gather_epi64(_mm512_setzero_si512(), some, bucket,
				       (const void *)t->tags, sizeof(*t->tags)),
		hash);
}

/* The places of items of slots @equal, as of lane_tags(); *@ret_some: of which frames. */
static inline __m256i
lane_places(const struct hash_table *t, __m512i bucket, __mmask64 equal, __mmask8 *ret_some)
{
	const __m512i slots = _mm512_movm_epi8(equal);
	/* Byte s is all there is: 8 * (7 - s) bits are 0 above it. */
	const __m512i above = _mm512_srli_epi64(_mm512_lzcnt_epi64(slots), 3);
	const __m512i at = _mm512_sub_epi64(
		_mm512_add_epi64(_mm512_slli_epi64(bucket, 3), _mm512_set1_epi64(HASH_SLOTS - 1)),
		above);

	_Static_assert(HASH_SLOTS == 8, "a byte each");
	*ret_some = _mm512_test_epi64_mask(slots, slots);
	return _mm512_mask_i64gather_epi32(_mm256_setzero_si256(), *ret_some, at,
		(const void *)t->places[0], sizeof(t->places[0][0]));
}

/* Whether the run of @it, of shape @s and of at most @run bytes, which are there, is at @start. */
static inline bool
hash_run_equal(
	const struct hash_shape *s, const struct hash_item *it, const uint8_t *start, uint32_t run)
{
	/* Not a byte more than is asked is read. Of a shape one line is, and lines are what counts. */
	if (run == 32) {
		const __m256i m = _mm256_load_si256((const void *)s->run_mask);
		const __m256i v = _mm256_maskz_loadu_epi8(_mm256_test_epi8_mask(m, m), start);
		const __m256i w = _mm256_loadu_si256((const void *)&it->val[1]);

		return _mm256_testz_si256(_mm256_xor_si256(v, w), m);
	}
	const __m512i m = _mm512_load_si512(s->run_mask);
	const __m512i v = _mm512_maskz_loadu_epi8(_mm512_test_epi8_mask(m, m), start);
	const __m512i w = _mm512_loadu_si512(&it->val[1]);

	return _mm512_test_epi8_mask(_mm512_xor_si512(v, w), m) == 0;
}

#endif
