/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_ENDS_H
#define MATCH_ENDS_H

/*
 * Walks to the byte that stops them, for tables whose items all end there. What is in
 * front of that byte says how far before it items may start. One for each kind of
 * processor, which the straight way calls, too.
 */

#include <stdbool.h>
#include <stdint.h>

#include "hash.h"
#include "match/image.h"

/* A window of each frame of a burst: the fields of struct probe_at. */
struct burst_window {
	uint64_t bytes[MATCH_BURST], rest[MATCH_BURST]; /* rest: left, above it pos */
} __attribute__((aligned(64)));

/* Walks that ended where items may. */
struct walk_ends {
	uint64_t end[MATCH_BURST] __attribute__((aligned(64))); /* of those in some: an address */
	/* Bit b: the walk came by b bytes before the end, and an item may start there. */
	uint64_t may[MATCH_BURST] __attribute__((aligned(64)));
	uint64_t some; /* frames */
	uint64_t odd; /* frames that are too short for it */
};

/* Walk the frames @some of @t by @step from @off behind @from on. */
typedef void (*ends_fn)(struct walk_ends *v, const struct hash_table *t,
	const struct sym_step *step, const struct burst_window *from, int32_t off, uint64_t some);
void ends_c(struct walk_ends *v, const struct hash_table *t, const struct sym_step *step,
	const struct burst_window *from, int32_t off, uint64_t some);
void ends_avx2(struct walk_ends *v, const struct hash_table *t, const struct sym_step *step,
	const struct burst_window *from, int32_t off, uint64_t some);
void ends_avx512(struct walk_ends *v, const struct hash_table *t, const struct sym_step *step,
	const struct burst_window *from, int32_t off, uint64_t some);
void ends_vbmi(struct walk_ends *v, const struct hash_table *t, const struct sym_step *step,
	const struct burst_window *from, int32_t off, uint64_t some);

/* How many steps from @start @place is, 1 for few enough for all items. False: too many for any. */
static inline bool
ends_steps(const struct hash_table *t, const struct sym_step *step, const uint8_t *start,
	const uint8_t *place, uint8_t *ret_steps)
{
	uint32_t steps = 1;

	/* So near that it cannot be too many, however many. */
	if (__builtin_expect(place - start > (ptrdiff_t)t->ends_near, 0)) {
		for (start += step->behind + *start; start < place; steps++)
			start += step->behind + *start;
		if (steps > t->steps_max)
			return false;
	}
	*ret_steps = (uint8_t)steps;
	return true;
}

#endif
