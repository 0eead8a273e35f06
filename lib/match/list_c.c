// SPDX-License-Identifier: BSD-3-Clause
/* The list kernel for any processor. */
#include "list_scalar.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LIST_PROBE list_probe_c
#define list_values list_values_each

#define LIST_WIDTH 16
#include "list_vec.h"

static inline list_vec
list_shift(list_vec r, const struct list_step *t, uint32_t k)
{
#ifdef __SSE2__
	const list_vec high =
		(list_vec)_mm_mulhi_epu16((__m128i)r, (__m128i)LIST_LOAD(t->scale, k));

	return high | (r & LIST_LOAD(t->keep, k));
#else
	return r >> LIST_LOAD(t->shift, k);
#endif
}

static inline list_vec
list_pick(const uint16_t *values, const uint16_t *numbers)
{
	list_vec r = {0};

	for (uint32_t i = 0; i < LIST_WIDTH / 2; i++)
		r[i] = values[numbers[i]];
	return r;
}

/* All bits of each lane of part @k whose test holds. */
static inline list_vec
equal_lanes(const list_vec *r, const struct list_block *b, uint32_t k)
{
	return (list_vec)((r[k] & LIST_LOAD(b->mask, k)) == LIST_LOAD(b->val, k));
}

static inline uint32_t
list_equal(const list_vec *r, const struct list_block *b)
{
	uint32_t hits = 0;

	for (uint32_t k = 0; k < LIST_PARTS; k += 2) {
		const list_vec low = equal_lanes(r, b, k), high = equal_lanes(r, b, k + 1);

#ifdef __SSE2__
		hits |= (uint32_t)_mm_movemask_epi8(_mm_packs_epi16((__m128i)low, (__m128i)high))
			<< 8 * k;
#else
		for (uint32_t i = 0; i < 8; i++)
			hits |= (low[i] & UINT32_C(1)) << (8 * k + i) |
				(high[i] & UINT32_C(1)) << (8 * k + 8 + i);
#endif
	}
	return hits;
}

#include "list_probe.h"
