// SPDX-License-Identifier: BSD-3-Clause
/* The hash kernel for processors with AVX2 and BMI2. */
#include "hash.h"

#if defined(__AVX2__)

#include <immintrin.h>

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

#include "hash_ends_avx2.h"
#include "hash_probe.h"

#endif
