/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Where items that may hold for frames are, four frames at once: included by
 * hash_probe.h for processors with AVX2. As hash_find_lanes.h, without masks.
 */

#include "hash_fan_avx2.h"
#include "hash_lanes4.h"
#include "lanes4.h"

/* The key words of the frames from @k on, under the mask of @t. */
static inline __m256i
load_keys(const struct hash_table *t, const struct probe *p, uint32_t k)
{
	uint64_t key[LANES];

	if (t->key_mask >> 32 == 0)
		return _mm256_and_si256(
			_mm256_permute4x64_epi64(
				_mm256_cvtepu32_epi64(_mm_load_si128((const void *)&p->key[k])),
				0xd8),
			_mm256_set1_epi64x((long long)t->key_mask));
	for (uint32_t lane = 0; lane < LANES; lane++) {
		const uint32_t i = k + lane_frame(lane);

		/* Lanes that are none have no view. */
		key[lane] = i < p->n ? probe_key_word(p, i) & t->key_mask : 0;
	}
	return _mm256_loadu_si256((const void *)key);
}

/*
 * What look-ups in a table take of it, for all frames of a burst: who reads them from the table
 * reads them for each four frames again.
 */
struct find_at_hand {
	const struct probe_at *first; /* of word 0 */
	struct probe_bound bound; /* where the table is together, what all words take */
	struct {
		__m256i mask, seed;
		int32_t off;
	} word[HASH_DATA_WORDS];
	__m256i buckets;
	const uint64_t *tags;
};

static inline __attribute__((always_inline)) struct find_at_hand
find_at_hand(const struct hash_table *t, const struct probe *p, struct hash_form f)
{
	struct find_at_hand h = {
		.first = p->at[t->words[0].win],
		.bound = {t->left, (uint32_t)t->before},
		.buckets = _mm256_set1_epi64x((long long)t->bucket_mask),
		.tags = t->tags,
	};

	for (uint32_t i = 0; i < f.n_words; i++) {
		h.word[i].mask = _mm256_set1_epi64x((long long)t->words[i].mask);
		h.word[i].seed = _mm256_set1_epi64x((long long)t->seed[i]);
		h.word[i].off = t->words[i].off;
	}
	return h;
}

/* The hashes of the frames from @k on, of the lanes @some. */
static inline __attribute__((always_inline)) __m256i
hash_lanes(const struct hash_table *t, const struct find_at_hand *h, const struct probe *p,
	uint32_t k, __m256i some, struct hash_form f)
{
	const struct lane_windows first = lane_windows(&h->first[k]);
	const bool there =
		f.together && __builtin_expect(lanes_within(first.rest, h->bound, some), 1);
	__m256i sum = _mm256_setzero_si256();

	for (uint32_t i = 0; i < f.n_words; i++) {
		const struct lane_windows w =
			f.together || i == 0 ? first : lane_windows(&p->at[t->words[i].win][k]);
		const __m256i v = there ? lane_words_there(w.bytes, h->word[i].off, some)
					: lane_words(w, h->word[i].off, some);

		sum = _mm256_add_epi64(
			sum, pairs_of(_mm256_and_si256(v, h->word[i].mask), h->word[i].seed));
	}
	if (f.has_key)
		sum = _mm256_add_epi64(sum, pairs(load_keys(t, p, k), t->seed[HASH_DATA_WORDS]));
	return finish(sum);
}

/*
 * The candidates of the frames from @k on to @ret. @equal: of the bytes of a lane, the
 * slot of its bucket that has the frame's tag; one at most.
 */
static inline uint32_t
put_candidates(const struct hash_table *t, uint32_t k, __m256i buckets, uint32_t equal,
	struct candidate *ret)
{
	uint64_t bucket[LANES];
	uint32_t n = 0;

	_mm256_storeu_si256((void *)bucket, buckets);
	/* Which frames have one is anybody's guess: no branch on it. */
	for (uint32_t lane = 0; lane < LANES; lane++) {
		const uint32_t slot = equal >> 8 * lane & UINT8_MAX;
		const uint32_t place =
			t->places[bucket[lane]][__builtin_ctz(slot | 1u << (HASH_SLOTS - 1))];

		ret[n] = (struct candidate){k + lane_frame(lane), place};
		__builtin_prefetch(&t->items[place]);
		n += slot != 0;
	}
	return n;
}

static inline __attribute__((always_inline)) uint32_t
find(const struct hash_table *t, const struct probe *p, uint64_t some, struct hash_form f,
	struct candidate *restrict ret)
{
	const struct find_at_hand h = find_at_hand(t, p, f);
	const uint32_t n_lanes = p->n;
	uint32_t n = 0;

	for (uint32_t k = 0; k < n_lanes; k += LANES) {
		const uint64_t on = some >> k & LANES_ALL;
		__m256i lanes, hash, bucket, found;
		uint32_t equal;

		if (on == 0)
			continue;
		lanes = lanes_of(on);
		hash = hash_lanes(t, &h, p, k, lanes, f);
		bucket = _mm256_and_si256(_mm256_srli_epi64(hash, HASH_BUCKET_SHIFT), h.buckets);
		found = _mm256_mask_i64gather_epi64(
			_mm256_setzero_si256(), (const void *)h.tags, bucket, lanes, 8);
		/* There is no tag 0. */
		equal = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(found, tags_of(hash)));
		if (equal != 0)
			n += put_candidates(t, k, bucket, equal, &ret[n]);
	}
	return n;
}

/* What the keys of @t, which is a fan, find for the frames @some: fan_find(). */
static uint32_t
find_heads(const struct hash_table *t, const struct probe *p, uint64_t some, uint32_t *ret)
{
	return fan_find(t->fan, p->at[t->fan->win], p->n, some, ret);
}
