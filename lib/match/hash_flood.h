/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Candidates of which most are one item, as in a flood: what is asked of it is read once, and
 * frames are compared eight at once, in fewer instructions; one by one only where some of eight
 * differ. Included by hash_probe.h for processors with AVX-512.
 */

#include "flood8.h"

/* So many candidates with one item take less together than one by one. */
#define ALIKE_MIN 8

/* What two of three of the @n candidates @c are, three at least; or 0. */
static inline uint32_t
place_of_most(const struct candidate *c, uint32_t n)
{
	const uint32_t first = c[0].place, middle = c[n / 2].place, last = c[n - 1].place;

	return first == middle || first == last ? first : middle == last ? last : 0;
}

/*
 * Whether @it, of shape @s, is in force and asks no more than its run, the key and ranges, and all
 * frames are asked for the first time.
 */
static inline bool
is_flood_plain(const struct hash_shape *s, const struct hash_item *it, const struct probe *p)
{
	const uint8_t slow = p->ask_flags & ITEM_GENERATED;
	const uint8_t state = atomic_load_explicit(&p->im->state[it->rule], memory_order_relaxed);

	return !p->again && s->key_mask <= UINT32_MAX &&
		((it->flags ^ p->flip) & (ITEM_PLAIN | slow)) == ITEM_PLAIN &&
		(state & MATCH_STATE_ENABLED) != 0;
}

/* The lanes of eight of the @n candidates from @k on. */
static inline __mmask8
flood_lanes(uint32_t k, uint32_t n)
{
	return n - k < LANES ? (__mmask8)((1u << (n - k)) - 1) : UINT8_MAX;
}

/* The frames of those of the @n candidates @c that are the item at @place. */
static inline uint64_t
flood_candidates(const struct candidate *c, uint32_t n, uint32_t place)
{
	const __m512i one = _mm512_set1_epi64(1), frame = _mm512_set1_epi64(UINT32_MAX);
	__m512i frames = _mm512_setzero_si512();

	for (uint32_t k = 0; k < n; k += LANES) {
		const __m512i v = _mm512_maskz_loadu_epi64(flood_lanes(k, n), &c[k]);
		const __mmask8 same =
			_mm512_cmpeq_epi64_mask(_mm512_srli_epi64(v, 32), _mm512_set1_epi64(place));

		frames = _mm512_or_si512(
			frames, _mm512_maskz_sllv_epi64(same, one, _mm512_and_si512(v, frame)));
	}
	return (uint64_t)_mm512_reduce_or_epi64(frames);
}

/* Those of the frames @some that have no earlier rule, the key and the bytes that @it asks for. */
static inline uint64_t
flood_may(const struct hash_table *t, const struct hash_shape *s, const struct hash_item *it,
	const struct probe *p, uint64_t some)
{
	const __m256i rule = _mm256_set1_epi32((int)it->rule);
	const __m256i key_mask = _mm256_set1_epi32(t->ask_key ? (int)s->key_mask : 0);
	const __m256i key = _mm256_set1_epi32(t->ask_key ? (int)it->val[0] : 0);
	const __m512i run_asked = asked_by(&it->needs[0], t->run_at_tail);
	const __m512i half_asked = asked_by(&it->needs[1], false);
	uint64_t may = 0;

	for (uint32_t i = 0; i < p->n; i += LANES) {
		const __m256i best = _mm256_load_si256((const void *)&p->best[i]);
		const __m256i has = _mm256_load_si256((const void *)&p->key[i]);
		__mmask8 on = (__mmask8)(some >> i);

		on = _mm256_mask_cmpgt_epu32_mask(on, best, rule);
		on = _mm256_mask_cmpeq_epi32_mask(on, _mm256_and_si256(has, key_mask), key);
		on &= lanes_reach(lane_windows(&p->at[t->run_at.win][i]).rest, run_asked);
		if (t->halves)
			on &= lanes_reach(lane_windows(&p->at[t->half_at.win][i]).rest, half_asked);
		may |= (uint64_t)on << i;
	}
	return may;
}

/* Where the runs of items of a table, or their halves, are in frames. */
struct flood_places {
	const struct probe_at *run, *half;
	int32_t run_off, half_off;
};

/* Those @bytes of its run that frame @i has. Called with a constant @halves. */
static inline __attribute__((always_inline)) __m512i
flood_run(const struct flood_places *w, uint32_t i, __mmask64 bytes, bool halves)
{
	const uint8_t *start = w->run[i].bytes + w->run_off;
	__m256i low, high;

	if (!halves)
		return _mm512_maskz_loadu_epi8(bytes, start);
	low = _mm256_maskz_loadu_epi8((__mmask32)bytes, start);
	high = _mm256_maskz_loadu_epi8(
		(__mmask32)(bytes >> HASH_HALF), w->half[i].bytes + w->half_off);
	return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* Those of the frames @some that have the run of @it, whose bytes they have. */
static inline __attribute__((always_inline)) uint64_t
flood_equal(const struct flood_places *w, const struct hash_shape *s, const struct hash_item *it,
	uint64_t some, bool halves)
{
	const __mmask64 bytes = s->run_bytes;
	const __m512i mask = _mm512_load_si512(s->run_mask);
	const __m512i val = _mm512_maskz_loadu_epi8(bytes, &it->val[1]);
	__m512i differ = _mm512_setzero_si512();
	uint64_t equal = 0;

	/* differ | (run ^ val) */
	for (uint64_t m = some; m != 0; m &= m - 1)
		differ = _mm512_ternarylogic_epi64(differ,
			flood_run(w, (uint32_t)__builtin_ctzll(m), bytes, halves), val, 0xf6);
	if (_mm512_test_epi8_mask(differ, mask) == 0)
		return some;
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		differ = _mm512_xor_si512(flood_run(w, i, bytes, halves), val);
		equal |= (uint64_t)(_mm512_test_epi8_mask(differ, mask) == 0) << i;
	}
	return equal;
}

/* The same for number @k of the ranges of @s, which is @range and near. */
static inline uint64_t
flood_range(const struct flood_places *w, const struct hash_shape *s, uint32_t k, uint64_t range,
	uint32_t n, uint64_t some)
{
	const struct probe_at *at = (s->near_half >> k & 1) != 0 ? w->half : w->run;
	const void *off = (const void *)(uintptr_t)s->near_off[k];
	const __m256i swap = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
	const __m256i mask = _mm256_set1_epi32((int)s->near_mask[k]);
	const __m256i lo = _mm256_set1_epi32((int)range);
	const __m256i span = _mm256_set1_epi32((int)(range >> 32));
	uint64_t hold = 0;

	for (uint32_t i = 0; i < n; i += LANES) {
		const __mmask8 on = (__mmask8)(some >> i);
		__m256i v = _mm512_mask_i64gather_epi32(
			_mm256_setzero_si256(), on, lane_windows(&at[i]).bytes, off, 1);

		v = _mm256_and_si256(_mm256_shuffle_epi8(v, swap), mask);
		hold |= (uint64_t)_mm256_mask_cmple_epu32_mask(on, _mm256_sub_epi32(v, lo), span)
			<< i;
	}
	return hold;
}

/* Those of the frames @some for which the ranges of @it hold. */
static inline uint64_t
flood_ranges(const struct flood_places *w, const struct hash_shape *s, const struct hash_item *it,
	const struct probe *p, uint64_t some)
{
	const uint64_t *range = &it->val[1 + s->n_words];
	uint64_t hold = 0;

	if (s->n_ranges == 0)
		return some;
	if (s->near != 0) {
		for (uint32_t k = 0; k < s->n_ranges; k++)
			some = flood_range(w, s, k, range[k], p->n, some);
		return some;
	}
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		hold |= (uint64_t)ranges_hold_call(s, it, p, i) << i;
	}
	return hold;
}

/* Leave those of the @n candidates @c that are not the item at @place of frames @gone. */
static inline uint32_t
flood_leave(struct candidate *c, uint32_t n, uint32_t place, uint64_t gone)
{
	const __m512i frames = _mm512_set1_epi64((long long)gone);
	const __m512i one = _mm512_set1_epi64(1), frame = _mm512_set1_epi64(UINT32_MAX);
	uint32_t left = 0;

	for (uint32_t k = 0; k < n; k += LANES) {
		const __mmask8 on = flood_lanes(k, n);
		const __m512i v = _mm512_maskz_loadu_epi64(on, &c[k]);
		const __mmask8 same =
			_mm512_cmpeq_epi64_mask(_mm512_srli_epi64(v, 32), _mm512_set1_epi64(place));
		const __mmask8 is_gone = _mm512_mask_test_epi64_mask(
			same, _mm512_srlv_epi64(frames, _mm512_and_si512(v, frame)), one);
		const __mmask8 stay = on & (__mmask8)~is_gone;

		_mm512_storeu_si512(&c[left], _mm512_maskz_compress_epi64(stay, v));
		left += (uint32_t)__builtin_popcount(stay);
	}
	return left;
}

/*
 * Ask the item at @place, with which a chain may begin, of those of the @n candidates that are
 * it. Leaves the others in @c, and those that are not; returns how many.
 */
static __attribute__((noinline)) uint32_t
try_one(const struct hash_table *t, struct probe *p, uint32_t place, struct candidate *c,
	uint32_t n)
{
	const struct hash_item *it = (const void *)&t->items[place];
	const struct hash_shape *s = &t->shapes[it->shape];
	const struct flood_places w = {
		p->at[t->run_at.win], p->at[t->half_at.win], t->run_at.off, t->half_at.off};
	uint64_t some;

	if (!is_flood_plain(s, it, p))
		return n;
	some = flood_may(t, s, it, p, flood_candidates(c, n, place));
	some = t->halves ? flood_equal(&w, s, it, some, true) : flood_equal(&w, s, it, some, false);
	some = flood_ranges(&w, s, it, p, some);
	flood_set_rule(p->best, (p->n + LANES - 1) / LANES, it->rule, some);
	return flood_leave(c, n, place, some);
}

/* Ask the item that most of the @n candidates are, if there is one. As try_one(). */
static inline uint32_t
try_flood(const struct hash_table *t, struct probe *p, struct candidate *c, uint32_t n)
{
	const uint32_t place = n >= ALIKE_MIN ? place_of_most(c, n) : 0;

	return place != 0 ? try_one(t, p, place, c, n) : n;
}
