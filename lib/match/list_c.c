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

#include "list_equal.h"
#include "list_probe.h"
