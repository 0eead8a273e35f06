/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_LANE_H
#define MATCH_LANE_H

/*
 * What the list kernel asks of a frame for one item: a computation over numbers of
 * the frame, and a test. It holds for every frame that the item matches, and
 * for few others.
 *
 *	(([l4 + 8] + 77) * 5 ^ [l4 + 18]) >> 3 == 4711
 *
 * is r = [l4 + 8], then ADD 77, MUL 5, XOR_VALUE [l4 + 18], and, as what ends a computation is
 * undone in its test, (r & 0xfffffff8) == 4711 << 3.
 */

#include <stdbool.h>
#include <stdint.h>

#include "item.h"

struct sym_atom;

/* A big-endian number of 1, 2 or 4 bytes at window + off. */
struct lane_value {
	uint8_t win, size;
	int16_t off;
};

static inline bool
lane_value_equal(const struct lane_value *a, const struct lane_value *b)
{
	return a->win == b->win && a->size == b->size && a->off == b->off;
}

/* What becomes of r, modulo 2^32. */
enum lane_op_kind {
	LANE_ADD_VALUE, /* r + v */
	LANE_SUB_VALUE,
	LANE_XOR_VALUE,
	LANE_ADD, /* r + k */
	LANE_MUL,
	LANE_AND,
	LANE_XOR,
	LANE_SHIFT, /* r >> k, k < 32 */
	LANE_KINDS,
};

struct lane_op {
	uint8_t kind; /* enum lane_op_kind */
	struct lane_value v;
	uint32_t k;
};

#define LANE_OPS_MAX 16

static inline bool
lane_has_value(const struct lane_op *o)
{
	return o->kind <= LANE_XOR_VALUE;
}

struct lane {
	struct lane_value start; /* r at first */
	struct lane_op ops[LANE_OPS_MAX];
	uint32_t n_ops;
	uint32_t mask, val; /* the test: (r & mask) == val */
	uint8_t bits; /* it holds for one of 2^bits random frames; 0: there is no test */
};

/* The lane of @atom of a program for @sight. False when it has none. */
bool lane_of_atom(
	struct items *items, struct sight sight, const struct sym_atom *atom, struct lane *ret);

/* The same for 16 of the bits of @word, number @which of 0..3, and what nearly no frame has. */
bool lane_of_word(
	const struct items *items, const struct item_word *word, uint32_t which, struct lane *ret);

/* Whether @it can have a lane. */
bool lane_possible(const struct items *items, const struct item *it);

#endif
