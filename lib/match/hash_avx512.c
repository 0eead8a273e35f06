// SPDX-License-Identifier: BSD-3-Clause
/* The hash kernel for processors with AVX-512 (F, BW, VL). */
#include "hash.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include <immintrin.h>

#include "ends.h"
#include "hash_lanes.h"
#include "hash_tags.h"
#include "hash_walk.h"
#include "probe.h"

#define HASH_PROBE hash_probe_avx512
#define HASH_STEPS hash_steps_avx512
#define HASH_RUNS
#define HASH_LANES
#define HASH_FLOOD

/* Whether hash_run_holds() can say it. */
static inline bool
hash_run_fits(const struct probe_at *at, int32_t off, uint32_t run)
{
	(void)at;
	(void)off;
	(void)run;
	return true;
}

/* Whether the run of @it, whose bytes are there, is at @at + @off. */
static inline bool
hash_run_holds(const struct hash_shape *s, const struct hash_item *it, const struct probe_at *at,
	int32_t off, uint32_t run)
{
	return hash_run_equal(s, it, at->bytes + off, run);
}

#define HASH_HALVES

/* Whether hash_halves_hold() can say it. */
static inline bool
hash_halves_fit(const struct hash_table *t, const struct probe_at *a, const struct probe_at *b)
{
	(void)t;
	(void)a;
	(void)b;
	return true;
}

/* Whether the halves of the run of @it, whose bytes are there, are in the windows @a and @b. */
static inline bool
hash_halves_hold(const struct hash_table *t, const struct hash_shape *s, const struct hash_item *it,
	const struct probe_at *a, const struct probe_at *b)
{
	const __m256i low =
		_mm256_maskz_loadu_epi8((__mmask32)s->run_bytes, a->bytes + t->run_at.off);
	const __m256i high = _mm256_maskz_loadu_epi8(
		(__mmask32)(s->run_bytes >> HASH_HALF), b->bytes + t->half_at.off);
	const __m512i v = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
	const __m512i w = _mm512_loadu_si512(&it->val[1]);
	const __m512i m = _mm512_load_si512(s->run_mask);

	return _mm512_test_epi8_mask(_mm512_xor_si512(v, w), m) == 0;
}

#define HASH_WALK

/*
 * walk_on() of hash_steps.h, eight frames at once: two gathers, which take a load a
 * lane, but nothing else is done lane by lane.
 */
static __attribute__((noinline)) void
walk_on(struct walkers *v, const struct hash_table *t, const struct sym_step *step)
{
	const __m512i mask = _mm512_set1_epi64((long long)t->filter_word);
	const __m512i bits = _mm512_set1_epi64((long long)t->filter_mask);
	const __m512i low = _mm512_set1_epi64((long long)HASH_FILTER_LOW);
	const __m512i high = _mm512_set1_epi64((long long)HASH_FILTER_HIGH);
	const __m512i lo = _mm512_set1_epi64(step->lo);
	const __m512i span = _mm512_set1_epi64(step->hi - step->lo);
	const __m512i behind = _mm512_set1_epi64(step->behind);
	const __m512i zero = _mm512_setzero_si512(), eight = _mm512_set1_epi64(8);
	const uint32_t n = v->n;
	uint32_t on = 0, stopped = 0;

	for (uint32_t k = 0; k < n; k += 8) {
		const __mmask8 all = n - k < 8 ? (__mmask8)((1u << (n - k)) - 1) : 0xff;
		const __m512i place = _mm512_maskz_loadu_epi64(all, &v->place[k]);
		const __m512i end = _mm512_maskz_loadu_epi64(all, &v->end[k]);
		const __m512i frame = _mm512_maskz_loadu_epi64(all, &v->frame[k]);
		const __m512i left = _mm512_sub_epi64(end, place);
		const __m512i lacks = _mm512_max_epi64(_mm512_sub_epi64(eight, left), zero);
		__m512i w = _mm512_mask_i64gather_epi64(
			zero, all, _mm512_sub_epi64(place, lacks), NULL, 1);
		__m512i at, h, length;
		__mmask8 stop, go;

		/* Where nothing is left the shift is by 64 and more, which gives 0. */
		w = _mm512_srlv_epi64(w, _mm512_slli_epi64(lacks, 3));
		length = _mm512_and_si512(w, _mm512_set1_epi64(UINT8_MAX));
		w = _mm512_and_si512(w, mask);
		h = _mm512_add_epi64(
			_mm512_mul_epu32(w, low), _mm512_mul_epu32(_mm512_srli_epi64(w, 32), high));
		at = _mm512_and_si512(_mm512_srli_epi64(h, HASH_FILTER_SHIFT), bits);
		h = _mm512_mask_i64gather_epi64(
			zero, all, _mm512_srli_epi64(at, 6), (const void *)t->filter, 8);
		at = _mm512_and_si512(at, _mm512_set1_epi64(63));
		stop = _mm512_mask_test_epi64_mask(
			all, _mm512_srlv_epi64(h, at), _mm512_set1_epi64(1));
		go = _mm512_mask_cmple_epu64_mask(all, _mm512_sub_epi64(length, lo), span);
		go = _mm512_mask_cmpgt_epi64_mask(go, left, zero);
		_mm512_storeu_si512(&v->stop[stopped], _mm512_maskz_compress_epi64(stop, place));
		_mm512_storeu_si512(&v->stopped[stopped], _mm512_maskz_compress_epi64(stop, frame));
		stopped += (uint32_t)__builtin_popcount(stop);
		_mm512_storeu_si512(&v->place[on],
			_mm512_maskz_compress_epi64(
				go, _mm512_add_epi64(_mm512_add_epi64(place, behind), length)));
		_mm512_storeu_si512(&v->end[on], _mm512_maskz_compress_epi64(go, end));
		_mm512_storeu_si512(&v->frame[on], _mm512_maskz_compress_epi64(go, frame));
		on += (uint32_t)__builtin_popcount(go);
	}
	v->n = on;
	v->n_stopped = stopped;
}

#include "hash_probe.h"

#endif
