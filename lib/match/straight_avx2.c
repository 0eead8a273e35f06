// SPDX-License-Identifier: BSD-3-Clause
/* The straight way for processors with AVX2 and BMI2. */
#include "straight.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "hash_lanes4.h"
#include "hash_run_avx2.h"

#define STRAIGHT straight_avx2

#include "lanes4.h"
#include "straight_frames.h"

/* Four words, at @off of the windows @at. Loads: gathers would take as many and more. */
static inline __m256i
words_there(const struct probe_at *at, int64_t off)
{
	__m128i low, high;
	uint64_t v[LANES];

	for (uint32_t i = 0; i < LANES; i++)
		memcpy(&v[i], at[i].bytes + off, sizeof(v[i]));
	low = _mm_set_epi64x((long long)v[1], (long long)v[0]);
	high = _mm_set_epi64x((long long)v[3], (long long)v[2]);
	return _mm256_set_m128i(high, low);
}

/* The sums of frames of which some end before. */
static __attribute__((noinline)) __m256i
sums_at_edge(const struct hash_table *t, const struct probe_at *at)
{
	const __m256i all = _mm256_set1_epi64x(-1);
	__m256i sum = _mm256_setzero_si256();

	for (uint32_t i = 0; i < t->n_words; i++) {
		const struct hash_word *w = &t->words[i];
		const __m256i mask = _mm256_set1_epi64x((long long)w->mask);

		sum = _mm256_add_epi64(sum,
			pairs(_mm256_and_si256(lane_words(at, w->off, all), mask), t->seed[i]));
	}
	/* From lanes, see lanes4.h, to frames. */
	return _mm256_permute4x64_epi64(sum, 0xd8);
}

/* The slots that are @equal, of the buckets @bucket of four frames from @k on, to @it. */
static inline uint64_t
put_places(const struct hash_table *t, __m256i bucket, uint32_t equal, uint32_t *ret)
{
	uint64_t b[LANES], found = 0;

	_mm256_storeu_si256((void *)b, bucket);
	for (uint32_t m = equal; m != 0; m &= m - 1) {
		const uint32_t slot = (uint32_t)__builtin_ctz(m), lane = slot / HASH_SLOTS;
		const uint32_t place = t->places[b[lane]][slot % HASH_SLOTS];

		ret[lane] = place;
		__builtin_prefetch(&t->items[place]);
		found |= UINT64_C(1) << lane;
	}
	return found;
}

/*
 * probe_within() of four frames, one by one: their fields were stored one by one, too, just now,
 * and a load of many waits until all stores are through.
 */
static inline bool
are_within(const struct probe_at *at, struct probe_bound all)
{
	return probe_within(&at[0], all) && probe_within(&at[1], all) &&
		probe_within(&at[2], all) && probe_within(&at[3], all);
}

/* The sums of four frames with the windows @at. */
static inline __attribute__((always_inline)) __m256i
sums(const struct hash_table *t, const struct probe_at *at, uint32_t n_words)
{
	const struct probe_bound all = {t->left, (uint32_t)t->before};
	__m256i sum = _mm256_setzero_si256();

	if (__builtin_expect(!are_within(at, all), 0))
		return sums_at_edge(t, at);
	for (uint32_t i = 0; i < n_words; i++) {
		const struct hash_word *w = &t->words[i];
		const __m256i mask = _mm256_set1_epi64x((long long)w->mask);

		sum = _mm256_add_epi64(
			sum, pairs(_mm256_and_si256(words_there(at, w->off), mask), t->seed[i]));
	}
	return sum;
}

/* Called with constants: as many loads, and no loop around them. */
static inline __attribute__((always_inline)) uint64_t
look_up_all(const struct straight *s, const struct hash_table *t, uint64_t some,
	struct straight_items *ret, uint32_t n_words)
{
	const __m256i mask = _mm256_set1_epi64x((long long)t->bucket_mask);
	const struct probe_at *at = s->at[t->run_at.win];
	__m256i hash[MATCH_BURST / LANES];
	uint64_t found = 0;

	/* All are hashed before one is looked up: in one loop a flood took a fifth longer. */
	for (uint32_t k = 0; k < s->n; k += LANES)
		if ((some >> k & LANES_ALL) != 0)
			hash[k / LANES] = finish(sums(t, &at[k], n_words));
	for (uint32_t k = 0; k < s->n; k += LANES) {
		__m256i bucket, tags;
		uint32_t equal;

		if ((some >> k & LANES_ALL) == 0)
			continue;
		bucket = _mm256_and_si256(
			_mm256_srli_epi64(hash[k / LANES], HASH_BUCKET_SHIFT), mask);
		tags = _mm256_i64gather_epi64((const void *)t->tags, bucket, 8);
		/* There is no tag 0. */
		equal = (uint32_t)_mm256_movemask_epi8(
			_mm256_cmpeq_epi8(tags, tags_of(hash[k / LANES])));
		if (equal != 0)
			found |= put_places(t, bucket, equal, &ret->place[k]) << k;
	}
	return found & some;
}

#endif
