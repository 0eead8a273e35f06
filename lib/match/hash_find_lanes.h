/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Where items that may hold for frames are, eight frames at once: included by
 * hash_probe.h for processors with AVX-512. Gathers take a load a lane, but nothing
 * else is done lane by lane until some tag is equal.
 */

#include "hash_fan_avx512.h"
#include "hash_lanes.h"

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

/* The same as lane_sums() where words are not together. */
static inline __m512i
sums_apart(const struct hash_table *t, const struct probe *p, uint32_t k, __mmask8 some,
	uint32_t n_words)
{
	__m512i sum = _mm512_setzero_si512();

	for (uint32_t i = 0; i < n_words; i++) {
		const struct hash_word *w = &t->words[i];
		const struct lane_windows at = lane_windows(&p->at[w->win][k]);

		sum = _mm512_add_epi64(sum, lane_adds(t, i, lane_words(at, w->off, some)));
	}
	return sum;
}

/* The hashes of the frames @some from @k on. */
static inline __attribute__((always_inline)) __m512i
hash_lanes(const struct hash_table *t, const struct probe *p, uint32_t k, __mmask8 some,
	struct hash_form f)
{
	__m512i sum;

	if (f.together)
		sum = lane_sums(t, lane_windows(&p->at[t->words[0].win][k]), some, f.n_words);
	else
		sum = sums_apart(t, p, k, some, f.n_words);
	if (f.has_key)
		sum = _mm512_add_epi64(
			sum, lane_pairs(load_keys(t, p, k, some), t->seed[HASH_DATA_WORDS]));
	return lane_hashes(sum);
}

/* Items are likely to be near if they are no more than a share of the second cache. */
#define FAR_ITEMS 16384

static __attribute__((noinline)) void
fetch_items(const struct hash_table *t, const struct candidate *c, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++)
		__builtin_prefetch(&t->items[c[k].place]);
}

/* The candidates of the frames from @k on to @ret. @equal: as of lane_tags(). */
static inline uint32_t
put_candidates(const struct hash_table *t, uint32_t k, __m512i bucket, __mmask64 equal,
	struct candidate *ret)
{
	const __m512i frames =
		_mm512_add_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), _mm512_set1_epi64(k));
	__mmask8 some;
	const __m256i place = lane_places(t, bucket, equal, &some);
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
		__m512i bucket;
		__mmask64 equal;

		if (on == 0)
			continue;
		bucket = lane_buckets(t, hash[g]);
		equal = lane_tags(t, bucket, hash[g], on);
		if (equal != 0)
			n += put_candidates(t, g * LANES, bucket, equal, &ret[n]);
	}
	if (t->n_items > FAR_ITEMS)
		fetch_items(t, ret, n);
	return n;
}

/* What the keys of @t, which is a fan, find for the frames @some: fan_find(). */
static uint32_t
find_heads(const struct hash_table *t, const struct probe *p, uint64_t some, uint32_t *ret)
{
	const struct probe_at *at = p->at[t->fan->win];
	struct burst_window from;

	for (uint32_t k = 0; k < p->n; k += LANES) {
		const struct lane_windows w = lane_windows(&at[k]);

		_mm512_store_si512(&from.bytes[k], w.bytes);
		_mm512_store_si512(&from.rest[k], w.rest);
	}
	return fan_find(t->fan, &from, p->n, some, ret);
}

/* Eight candidates of @frames and @places, those that are @some, to @ret. Returns how many. */
static inline uint32_t
put_found(__m256i frames, __m256i places, __mmask8 some, struct candidate *ret)
{
	const __m512i both = _mm512_or_si512(_mm512_cvtepu32_epi64(frames),
		_mm512_slli_epi64(_mm512_cvtepu32_epi64(places), 32));

	_mm512_storeu_si512(ret, _mm512_maskz_compress_epi64(some, both));
	return (uint32_t)__builtin_popcount(some);
}

/* The candidates that the @n_found numbers @found of the fan @t lead to, to @ret. Returns how many. */
static uint32_t
fan_candidates(const struct hash_table *t, const uint32_t *found, uint32_t n_found,
	struct candidate *restrict ret)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < n_found; k += LANES) {
		const __mmask8 on =
			n_found - k < LANES ? (__mmask8)((1u << (n_found - k)) - 1) : UINT8_MAX;
		const __m256i v = _mm256_maskz_loadu_epi32(on, &found[k]);
		const __m256i head = _mm256_and_si256(v, _mm256_set1_epi32(FAN_HEAD_MASK));
		const __m256i place = _mm256_mmask_i32gather_epi32(
			_mm256_setzero_si256(), on, head, t->fan->heads, sizeof(*t->fan->heads));

		n += put_found(_mm256_srli_epi32(v, FAN_FRAME_SHIFT), place,
			_mm256_test_epi32_mask(place, place), &ret[n]);
	}
	if (t->n_items > FAR_ITEMS)
		fetch_items(t, ret, n);
	return n;
}
