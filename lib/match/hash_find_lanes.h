/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Where items that may hold for frames are, eight frames at once: included by
 * hash_probe.h for processors with AVX-512. Gathers take a load a lane, but nothing
 * else is done lane by lane until some tag is equal.
 */

#include "lanes8.h"

/* The word @hw of the frames @some, whose windows are @w, of @at. 0 in other lanes. */
static inline __m512i
masked_words(const struct hash_word *hw, const struct lane_windows *w, const struct probe_at *at,
	__mmask8 some)
{
	return _mm512_and_si512(
		lane_words(w, at, hw->off, some), _mm512_set1_epi64((long long)hw->mask));
}

/* The key words of the frames @some from @k on, under the mask of @t. */
static inline __m512i
load_keys(const struct hash_table *t, const struct probe *p, uint32_t k, __mmask8 some)
{
	__m512i v = _mm512_cvtepu32_epi64(_mm256_load_si256((const void *)&p->key[k]));

	if (t->key_mask >> 32 != 0) {
		/* probe_key_word(): the source port is above the key. */
		const __m512i views = _mm512_loadu_si512(&p->view[k]);
		const __m512i what = _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), some,
			views, (const void *)offsetof(struct pkt_view, family), 1);

		v = _mm512_or_si512(v, _mm512_slli_epi64(_mm512_srli_epi64(what, 32), 32));
	}
	return _mm512_and_si512(v, _mm512_set1_epi64((long long)t->key_mask));
}

/* hash_pair(). */
static inline __m512i
pairs(__m512i w, uint64_t seed)
{
	w = _mm512_add_epi32(w, _mm512_set1_epi64((long long)seed));
	return _mm512_mul_epu32(w, _mm512_srli_epi64(w, 32));
}

/* The sum of the words of the frames @some from @k on, which have all of them. */
static inline __m512i
sum_there(const struct hash_table *t, __m512i bytes, __mmask8 some, uint32_t n_words)
{
	__m512i sum = _mm512_setzero_si512();

	for (uint32_t i = 0; i < n_words; i++) {
		const struct hash_word *w = &t->words[i];
		const __m512i v = lane_words_there(bytes, w->off, some);
		const __m512i mask = _mm512_set1_epi64((long long)w->mask);

		sum = _mm512_add_epi64(sum, pairs(_mm512_and_si512(v, mask), t->seed[i]));
	}
	return sum;
}

/* The same of frames that may end before. */
static inline __m512i
sum_anywhere(const struct hash_table *t, const struct probe *p, uint32_t k, __mmask8 some,
	struct hash_form f)
{
	const struct probe_at *at = NULL;
	struct lane_windows w;
	__m512i sum = _mm512_setzero_si512();

	for (uint32_t i = 0; i < f.n_words; i++) {
		if (i == 0 || !f.together) {
			at = &p->at[t->words[i].win][k];
			w = lane_windows(at);
		}
		sum = _mm512_add_epi64(
			sum, pairs(masked_words(&t->words[i], &w, at, some), t->seed[i]));
	}
	return sum;
}

/* The hashes of the frames @some from @k on. */
static inline __attribute__((always_inline)) __m512i
hash_lanes(const struct hash_table *t, const struct probe *p, uint32_t k, __mmask8 some,
	struct hash_form f)
{
	const struct probe_at *at = &p->at[t->words[0].win][k];
	__m512i sum;

	if (f.together && __builtin_expect(lanes_have(lane_rest(at), t->left, some), 1))
		sum = sum_there(t, lane_bytes(at), some, f.n_words);
	else
		sum = sum_anywhere(t, p, k, some, f);
	if (f.has_key)
		sum = _mm512_add_epi64(
			sum, pairs(load_keys(t, p, k, some), t->seed[HASH_DATA_WORDS]));
	return _mm512_add_epi64(_mm512_mul_epu32(sum, _mm512_set1_epi64((long long)HASH_LOW)),
		_mm512_mul_epu32(
			_mm512_srli_epi64(sum, 32), _mm512_set1_epi64((long long)HASH_HIGH)));
}

/* hash_tag(), in each byte of its lane. */
static inline __m512i
tags_of(__m512i hash)
{
	const __m512i top = _mm512_set4_epi32(0x0e0e0e0e, 0x0e0e0e0e, 0x06060606, 0x06060606);

	_Static_assert(HASH_TAG_SHIFT == 48, "byte 6");
	return _mm512_max_epu8(_mm512_shuffle_epi8(hash, top), _mm512_set1_epi8(1));
}

/* Items are likely to be near if they are no more than a share of the second cache. */
#define FAR_ITEMS 16384

static __attribute__((noinline)) void
fetch_items(const struct hash_table *t, const struct candidate *c, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++)
		__builtin_prefetch(&t->items[c[k].place]);
}

/*
 * The candidates of the frames from @k on to @ret. @equal: of the bytes of a lane, the
 * slot of its bucket that has the frame's tag; one at most.
 */
static inline uint32_t
put_candidates(
	const uint32_t *places, uint32_t k, __m512i bucket, __mmask64 equal, struct candidate *ret)
{
	const __m512i frames =
		_mm512_add_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), _mm512_set1_epi64(k));
	const __m512i slots = _mm512_movm_epi8(equal);
	const __mmask8 some = _mm512_test_epi64_mask(slots, slots);
	/* Byte s is all there is: 8 * (7 - s) bits are 0 above it. */
	const __m512i above = _mm512_srli_epi64(_mm512_lzcnt_epi64(slots), 3);
	const __m512i at = _mm512_sub_epi64(
		_mm512_add_epi64(_mm512_slli_epi64(bucket, 3), _mm512_set1_epi64(HASH_SLOTS - 1)),
		above);
	const __m256i place = _mm512_mask_i64gather_epi32(
		_mm256_setzero_si256(), some, at, (const void *)places, sizeof(*places));
	const __m512i both =
		_mm512_or_si512(frames, _mm512_slli_epi64(_mm512_cvtepu32_epi64(place), 32));

	_Static_assert(
		sizeof(struct candidate) == 8 && offsetof(struct candidate, place) == 4, "a lane");
	_mm512_storeu_si512(ret, _mm512_maskz_compress_epi64(some, both));
	return (uint32_t)__builtin_popcount(some);
}

/*
 * All are hashed before one is looked up: a frame's way is gather behind gather, and the
 * less a turn does the more turns the processor has on their way.
 */
static inline __attribute__((always_inline)) uint32_t
find(const struct hash_table *t, const struct probe *p, uint64_t some, struct hash_form f,
	struct candidate *restrict ret)
{
	const __m512i mask = _mm512_set1_epi64((long long)t->bucket_mask);
	const uint64_t *const tags = t->tags;
	const uint32_t *const places = t->places[0];
	const uint32_t groups = (p->n + LANES - 1) / LANES;
	__m512i hash[MATCH_BURST / LANES];
	uint32_t n = 0;

	for (uint32_t g = 0; g < groups; g++) {
		const __mmask8 on = (__mmask8)(some >> g * LANES);

		if (on != 0)
			hash[g] = hash_lanes(t, p, g * LANES, on, f);
	}
	for (uint32_t g = 0; g < groups; g++) {
		const __mmask8 on = (__mmask8)(some >> g * LANES);
		__m512i bucket, found;
		__mmask64 equal;

		if (on == 0)
			continue;
		bucket = _mm512_and_si512(_mm512_srli_epi64(hash[g], HASH_BUCKET_SHIFT), mask);
		found = _mm512_mask_i64gather_epi64(
			_mm512_setzero_si512(), on, bucket, (const void *)tags, 8);
		equal = _mm512_cmpeq_epi8_mask(found, tags_of(hash[g]));
		if (equal != 0)
			n += put_candidates(places, g * LANES, bucket, equal, &ret[n]);
	}
	if (t->n_items > FAR_ITEMS)
		fetch_items(t, ret, n);
	return n;
}
