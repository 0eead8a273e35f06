/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_LIST_ROWS_H
#define MATCH_LIST_ROWS_H

/* The columns of a list for the frames of a burst, as no kind of processor knows better. */

#include "base/util.h"
#include "list.h"
#include "probe.h"

/* Frames side by side, and of each what lanes compute with. */
struct list_frames {
	uint32_t rows[LIST_ROWS][MATCH_BURST] __attribute__((aligned(64)));
	uint8_t frame[MATCH_BURST]; /* in the burst */
	uint32_t n, room; /* numbers from @n to @room are 0 */
};

/* 4 bytes, of which those that are not there are 0: the rule itself will say so. */
static inline uint32_t
list_edge(const struct probe_at *at, int32_t off)
{
	uint32_t r = 0;

	for (int32_t k = off; k < off + 4; k++)
		r = r << 8 | (k < at->left && (int64_t)at->pos + k >= 0 ? at->bytes[k] : 0);
	return r;
}

/* Columns of @place for frame number @i, which is the @to-th. */
static inline void
list_put_columns(const struct list *l, const struct list_place *place, const struct probe_at *at,
	struct list_frames *f, uint32_t to)
{
	const int32_t *off = &l->column[place->row];
	uint32_t(*rows)[MATCH_BURST] = &f->rows[place->row];

	if (at->left >= place->end && (place->begin >= 0 || (int64_t)at->pos + place->begin >= 0)) {
		for (uint32_t c = 0; c < place->n; c++)
			rows[c][to] = load_be32(at->bytes + off[c]);
		return;
	}
	for (uint32_t c = 0; c < place->n; c++) {
		const bool there = off[c] >= 0 && at->left >= off[c] + 4;

		rows[c][to] = there ? load_be32(at->bytes + off[c]) : list_edge(at, off[c]);
	}
}

/* Take the frames in @some; @lanes are in a vector, @group go at once where one is not enough. */
static inline void
list_take(const struct list *l, const struct probe *p, uint64_t some, uint32_t lanes,
	uint32_t group, struct list_frames *f)
{
	uint32_t n = 0;

	for (uint64_t m = some; m != 0; m &= m - 1)
		f->frame[n++] = (uint8_t)__builtin_ctzll(m);
	f->n = n;
	f->room = n <= lanes ? lanes : (n + group - 1) / group * group;
	for (uint32_t k = 0; k < l->n_places; k++) {
		const struct list_place place = l->places[k];
		const struct probe_at *at = p->at[place.win];

		for (uint32_t i = 0; i < n; i++)
			list_put_columns(l, &place, &at[f->frame[i]], f, i);
	}
	memset(f->rows[LIST_ZERO], 0, f->room * sizeof(f->rows[0][0]));
	for (uint32_t r = 0; r < l->n_columns; r++)
		for (uint32_t i = f->n; i < f->room; i++)
			f->rows[r][i] = 0;
}

/* Of @some, frames of the burst, those taken, by their new numbers. */
static inline uint64_t
list_taken(const struct list_frames *f, uint64_t some)
{
	uint64_t r = 0;

	for (uint32_t i = 0; i < f->n; i++)
		r |= (some >> f->frame[i] & 1) << i;
	return r;
}

#endif
