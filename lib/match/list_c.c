// SPDX-License-Identifier: BSD-3-Clause
/* The list kernel for any processor. */
#include "list_rows.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LIST_PROBE list_probe_c
#define LIST_WIDTH 16
#define LIST_VECS 4
#define LIST_AT_ONCE 2
#include "list_vec.h"

static inline list_vec
list_shift(list_vec v, uint32_t n)
{
	return v >> n;
}

/* Bit i: number i of @v is not 0, but has all bits. */
static inline uint32_t
bits_of(list_vec v)
{
#ifdef __SSE2__
	return (uint32_t)_mm_movemask_ps((__m128)v);
#else
	return (v[0] & 1) | (v[1] & 2) | (v[2] & 4) | (v[3] & 8);
#endif
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
