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

static inline list_vec
equal_lanes(list_vec v, uint32_t mask, uint32_t val)
{
	return (list_vec)((v & mask) == val);
}

static inline uint64_t
list_equal(const list_vec *r, uint32_t vecs, uint32_t mask, uint32_t val)
{
	uint64_t hits = 0;

	for (uint32_t k = 0; k < vecs; k++)
		hits |= (uint64_t)bits_of(equal_lanes(r[k], mask, val)) << LIST_LANES * k;
	return hits;
}

static inline __attribute__((always_inline)) bool
list_any(const list_vec *r, uint32_t vecs, const uint32_t *mask, const uint32_t *val)
{
	list_vec any = {0};

	for (uint32_t i = 0; i < LIST_AT_ONCE * vecs; i++)
		any |= equal_lanes(r[i], mask[i / vecs], val[i / vecs]);
	return bits_of(any) != 0;
}

#include "list_probe.h"

#endif
