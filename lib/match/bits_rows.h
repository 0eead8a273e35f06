/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_BITS_ROWS_H
#define MATCH_BITS_ROWS_H

/*
 * What struct bits is made with: its rows, equal lines and equal rows kept once, and
 * the starts of its addresses.
 */

#include "bits.h"

struct bits_rows {
	struct {
		struct bits_line *v;
		size_t n, cap;
	} lines;
	struct {
		uint32_t *v;
		size_t n, cap;
	} words; /* of all rows, see struct bits */
	uint32_t n_rows;
	/* Open addressing: a number + 1; 0 is free. */
	uint32_t *line_slots, *row_slots;
	uint32_t n_line_slots, n_row_slots;

	/* The row at hand; its lines that changed since it was last interned. */
	struct bits_line now[BITS_LINES_MAX];
	uint32_t now_ids[BITS_LINES_MAX];
	uint32_t n_lines, changed, has;
};

/* Rows of @n_lines lines. Returns 0 or -ENOMEM; bits_rows_fini() in any case. */
int bits_rows_init(struct bits_rows *r, uint32_t n_lines);
void bits_rows_fini(struct bits_rows *r);

/* Begin a row without a bit. */
void bits_rows_clear(struct bits_rows *r);

static inline void
bits_rows_set(struct bits_rows *r, uint32_t bit, bool on)
{
	uint64_t *w = &r->now[bit / BITS_OF_LINE].w[bit % BITS_OF_LINE / 64];
	const uint64_t mask = UINT64_C(1) << bit % 64;

	*w = on ? *w | mask : *w & ~mask;
	r->changed |= UINT32_C(1) << bit / BITS_OF_LINE;
}

/* Where the row at hand starts, in @ret. Returns 0, -ENOMEM, or -E2BIG: too much memory. */
int bits_rows_intern(struct bits_rows *r, uint32_t *ret);

/* Let the row at hand be what rows @a and @b have in common. */
void bits_rows_cross(struct bits_rows *r, uint32_t a, uint32_t b);

/*
 * Fill @a->start, pages and ends4 for the @n ascending ends @v, behind v4 and row4.
 * Memory of @arena. Returns 0 or -ENOMEM.
 */
int bits_start_new(struct bits_address *a, const uint32_t *v, uint32_t n, struct arena *arena);

#endif
