// SPDX-License-Identifier: BSD-3-Clause
/* The list kernel for processors with AVX2. */
#include "list.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "list_rows.h"

#define LIST_PROBE list_probe_avx2
#define LIST_WIDTH 32
#define LIST_VECS 4
#define LIST_AT_ONCE 2
#define LIST_HAS_CODE
#include "list_vec.h"

static inline list_vec
list_shift(list_vec v, uint32_t n)
{
	return (list_vec)_mm256_srlv_epi32((__m256i)v, _mm256_set1_epi32((int)n));
}

static inline uint32_t
bits_of(list_vec v)
{
	return (uint32_t)_mm256_movemask_ps((__m256)v);
}

static inline bool
list_some(list_vec v)
{
	return _mm256_testz_si256((__m256i)v, (__m256i)v) == 0;
}

#include "list_equal.h"
#include "list_run.h"

#include "list_probe.h"

#endif
