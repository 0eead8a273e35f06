/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_LANE_H
#define MATCH_LANE_H

/*
 * What the list kernel asks of a frame for one item: a computation over values of
 * 16 bits of the frame, and a test. It holds for every frame that the item
 * matches, and for few others: sums, products and shifts to the left have low bits that
 * depend on low bits alone, so that 16 of 32 bits can be had without the rest.
 *
 *	(([l4 + 8] + 77) * 5 ^ [l4 + 18]) >> 3 == 4711
 *
 * is of the values a = [l4 + 10 : 2] and b = [l4 + 20 : 2] one step, and its 13
 * lowest bits are tested.
 */

#include <stdbool.h>
#include <stdint.h>

#include "item.h"

struct sym_atom;

/* A big-endian number of 2 bytes, or one byte, at window + off. */
struct lane_value {
	uint8_t win, size;
	int16_t off;
};

/*
 * r becomes (((r * mul + v * v_mul + add) & and) ^ xor ^ (x & x_mask)) >> shift,
 * modulo 2^16. That leaves the way from one operator to the next free as long as they come in
 * this order; v and x are of no meaning with a factor or mask 0.
 */
struct lane_step {
	struct lane_value v, x;
	uint16_t mul, v_mul, add, and, xor, x_mask;
	uint16_t shift; /* 0..15 */
};

#define LANE_STEPS_MAX 8

static inline bool
lane_value_equal(const struct lane_value *a, const struct lane_value *b)
{
	return a->win == b->win && a->size == b->size && a->off == b->off;
}

struct lane {
	struct lane_value start; /* r at first */
	struct lane_step steps[LANE_STEPS_MAX];
	uint32_t n_steps;
	uint16_t mask, val; /* the test: (r & mask) == val */
	uint8_t bits; /* it holds for one of 2^bits random frames; 0: there is no test */
};

/* A step that changes nothing. */
#define LANE_STEP_NONE ((struct lane_step){.mul = 1, .and = UINT16_MAX})

/* The lane of @atom of a program for @sight. False when it has none. */
bool lane_of_atom(
	struct items *items, struct sight sight, const struct sym_atom *atom, struct lane *ret);

/* The same for 16 of the bits of @word, number @which of 0..3, and what nearly no frame has. */
bool lane_of_word(
	const struct items *items, const struct item_word *word, uint32_t which, struct lane *ret);

/* Whether @it can have a lane. */
bool lane_possible(const struct items *items, const struct item *it);

#endif
