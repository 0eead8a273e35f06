/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_RUN_AVX2_H
#define MATCH_HASH_RUN_AVX2_H

/* How items are compared with frames by kernels with AVX2. */

#include <immintrin.h>

#include "hash_tags.h"
#include "probe.h"

#define RUN_PIECE 32 /* bytes that are compared at once */

#include "hash_pieces.h"

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

#endif
