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
	uint64_t whole; /* those that have all columns, bits by new numbers */
	bool in_order; /* all of the burst's */
	uint32_t n, room; /* from @n to @room are numbers of some frame */
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

/* Columns of @place for the frame at @at, the @to-th, of which some end before. */
static inline void
list_put_near(const struct list *l, const struct list_place *place, const struct probe_at *at,
	struct list_frames *f, uint32_t to)
{
	for (uint32_t r = place->row; r < (uint32_t)place->row + place->n; r++) {
		const int32_t off = l->column[r];
		const bool there = off >= 0 && at->left >= off + 4;

		f->rows[r][to] = there ? load_be32(at->bytes + off) : list_edge(at, off);
	}
}

/*
 * Where the window of each frame is, in @bytes. Returns, as bits, the frames that end before some
 * column does: for these another one stands there.
 */
static inline uint64_t
list_place_bytes(const struct list_place *place, const struct probe_at *at,
	const struct list_frames *f, const uint8_t **bytes)
{
	const int32_t end = place->end;
	const int64_t begin = place->begin;
	const uint8_t *other = NULL;
	uint64_t near = 0;

	for (uint32_t i = 0; i < f->room; i++) {
		const struct probe_at *from = &at[f->frame[i]];
		const bool is_near = from->left < end || (int64_t)from->pos + begin < 0;

		bytes[i] = from->bytes;
		near |= (uint64_t)is_near << i;
		other = is_near ? other : from->bytes;
	}
	for (uint64_t m = near; m != 0; m &= m - 1)
		bytes[__builtin_ctzll(m)] = other;
	return near & search_mask(f->n);
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
