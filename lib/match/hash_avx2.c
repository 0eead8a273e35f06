// SPDX-License-Identifier: BSD-3-Clause
/* The hash kernel for processors with AVX2 and BMI2. */
#include "hash.h"

#if defined(__AVX2__)

#include <immintrin.h>

#define ENDS_AT_ONCE 8

#include "hash_tags.h"
#include "hash_walk.h"
#include "probe.h"

#define HASH_PROBE hash_probe_avx2
#define HASH_STEPS hash_steps_avx2
#define HASH_RUNS
#define HASH_LANES4

#define RUN_PIECE 32 /* bytes that are compared at once */

/*
 * Whether hash_run_holds() can say it. Near the end it reads the last bytes of the
 * frame once more, or from before the run: masks are 0 there.
 */
static inline bool
hash_run_fits(const struct probe_at *at, int32_t off, uint32_t run)
{
	(void)run;
	/* Of a window that is not there pos and left are the least there are. */
	return (int32_t)at->pos + MIN((int64_t)off, (int64_t)at->left - RUN_PIECE) >= 0;
}

/* Whether the run of @it, whose bytes are there, is at @at + @off. */
static inline bool
hash_run_holds(const struct hash_shape *s, const struct hash_item *it, const struct probe_at *at,
	int32_t off, uint32_t run)
{
	const uint8_t *val = (const uint8_t *)&it->val[1], *mask = s->run_mask;
	const int32_t last = at->left - off - RUN_PIECE;
	const uint8_t *start = at->bytes + off;
	__m256i differ = _mm256_setzero_si256();

	for (int32_t o = 0; o < (int32_t)run; o += RUN_PIECE) {
		const int32_t from = MIN(o, last);
		const __m256i v = _mm256_loadu_si256((const void *)(start + from));
		const __m256i w = _mm256_loadu_si256((const void *)(val + from));
		const __m256i m = _mm256_loadu_si256((const void *)(mask + from));

		differ = _mm256_or_si256(differ, _mm256_and_si256(_mm256_xor_si256(v, w), m));
	}
	return _mm256_testz_si256(differ, differ);
}

#define HASH_ENDS_WALK
#define ENDS_LABELS 4 /* in 8 bytes */

/* Go through the labels that start in the 8 bytes at *@place. Returns who is to go on. */
static inline __m256i
ends_step(__m256i *place, __m256i *starts, __m256i last, __m256i lo, __m256i span, __m256i behind)
{
	const __m256i byte = _mm256_set1_epi64x(UINT8_MAX), one = _mm256_set1_epi64x(1);
	const __m256i at = _mm256_blendv_epi8(*place, last, _mm256_cmpgt_epi64(*place, last));
	__m256i w = _mm256_i64gather_epi64(NULL, at, 1), on;

	/* Where nothing is left the shift is by 64 and more, which gives 0. */
	w = _mm256_srlv_epi64(w, _mm256_slli_epi64(_mm256_sub_epi64(*place, at), 3));
	/* Each byte as a step, 0 where it makes none; so are bytes that are shifted in. */
	on = _mm256_sub_epi8(w, lo);
	on = _mm256_cmpeq_epi8(_mm256_min_epu8(on, span), on);
	w = _mm256_and_si256(on, _mm256_add_epi8(w, behind));
	for (int k = 0; k < ENDS_LABELS; k++) {
		const __m256i by = _mm256_and_si256(w, byte);

		*place = _mm256_add_epi64(*place, by);
		*starts = _mm256_or_si256(_mm256_sllv_epi64(*starts, by), one);
		w = _mm256_srlv_epi64(w, _mm256_slli_epi64(by, 3));
	}
	/* Who is beyond what was loaded, and not beyond the end. */
	on = _mm256_cmpgt_epi64(*place, _mm256_add_epi64(at, _mm256_set1_epi64x(7)));
	return _mm256_and_si256(
		on, _mm256_cmpgt_epi64(_mm256_add_epi64(last, _mm256_set1_epi64x(8)), *place));
}

/* ends_walk() of hash_ends.h, 8 bytes of a name at a time. */
static inline void
ends_walk(struct ends_walker *w, const struct sym_step *step, uint32_t rounds)
{
	const __m256i lo = _mm256_set1_epi8((char)step->lo);
	const __m256i span = _mm256_set1_epi8((char)(step->hi - step->lo));
	const __m256i behind = _mm256_set1_epi8((char)step->behind);
	const __m256i eight = _mm256_set1_epi64x(8);
	__m256i *const places = (void *)w->place, *const all = (void *)w->starts;
	const __m256i *const ends = (const void *)w->end;
	__m256i a = _mm256_loadu_si256(&places[0]), b = _mm256_loadu_si256(&places[1]);
	__m256i a_last = _mm256_sub_epi64(_mm256_loadu_si256(&ends[0]), eight);
	__m256i b_last = _mm256_sub_epi64(_mm256_loadu_si256(&ends[1]), eight);
	__m256i a_starts = _mm256_setzero_si256(), b_starts = _mm256_setzero_si256(), on;

	do {
		on = ends_step(&a, &a_starts, a_last, lo, span, behind);
		on = _mm256_or_si256(on, ends_step(&b, &b_starts, b_last, lo, span, behind));
	} while (!_mm256_testz_si256(on, on) && --rounds > 0);
	_mm256_storeu_si256(&places[0], a);
	_mm256_storeu_si256(&places[1], b);
	_mm256_storeu_si256(&all[0], a_starts);
	_mm256_storeu_si256(&all[1], b_starts);
}

#include "hash_probe.h"

#endif
