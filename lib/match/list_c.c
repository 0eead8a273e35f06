// SPDX-License-Identifier: BSD-3-Clause
/* The list kernel in plain C. */
#include "list.h"
#include "list_scalar.h"

#define LIST_PROBE list_probe_c
#define list_values list_values_each

/* Bit k: the test of lane k holds. */
static inline uint32_t
list_hits(const struct list_block *b, const struct list_step *steps, uint32_t n_steps,
	const uint16_t *values)
{
	uint32_t hits = 0;

	for (uint32_t k = 0; k < LIST_LANES; k++) {
		uint32_t r = values[b->start[k]];

		for (uint32_t s = 0; s < n_steps; s++) {
			const struct list_step *t = &steps[s];

			r = r * t->mul[k] + (uint32_t)values[t->v[k]] * t->v_mul[k] + t->add[k];
			r = (r & t->and[k]) ^ (values[t->x[k]] & t->x_mask[k]) ^ t->xor [k];
			r >>= t->shift[k];
		}
		r = (r & b->mask[k]) + b->add[k];
		hits |= (uint32_t)((uint16_t)r <= b->span[k]) << k;
	}
	return hits;
}

#include "list_probe.h"
