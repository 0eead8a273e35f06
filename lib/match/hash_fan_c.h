/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_FAN_C_H
#define MATCH_HASH_FAN_C_H

/*
 * Fans in plain C: key by key, so that what a key is stays in registers. Before it, if windows
 * of frames are not in an array of their own: FAN_WINDOWS, what has them, and fan_window_at().
 */

#include "hash_fan.h"
#include "probe.h"

#ifndef FAN_WINDOWS
#define FAN_WINDOWS struct probe_at

static inline struct probe_at
fan_window_at(const struct probe_at *w, uint32_t i)
{
	return w[i];
}
#endif

/* The frames that are looked up: where word 0 of keys is. */
struct fan_lines {
	const uint8_t *line[MATCH_BURST];
	uint32_t frame[MATCH_BURST]; /* << FAN_FRAME_SHIFT */
	uint32_t n;
	uint8_t edge[MATCH_BURST][FAN_LINE]; /* of frames that end before the last word */
};

static inline void
fan_take_lines(const struct hash_fan *f, const FAN_WINDOWS *w, uint32_t n, uint64_t some,
	struct fan_lines *ret)
{
	const int32_t off = f->off, end = off + (int32_t)(f->reach * sizeof(uint32_t));
	uint32_t m = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct probe_at at;

		if ((some >> i & 1) == 0)
			continue;
		at = fan_window_at(w, i);
		if (__builtin_expect(at.left >= end, 1)) {
			ret->line[m] = at.bytes + off;
		} else {
			fan_line_at_edge(at.bytes, at.left, off, ret->edge[m]);
			ret->line[m] = ret->edge[m];
		}
		ret->frame[m++] = i << FAN_FRAME_SHIFT;
	}
	ret->n = m;
}

static inline uint32_t
fan_word(const uint8_t *line, uint32_t number)
{
	uint32_t v;

	memcpy(&v, line + sizeof(v) * number, sizeof(v));
	return v;
}

/* Look up by key @k. Called with a constant @two: whether it has a second word. */
static inline __attribute__((always_inline)) uint32_t
fan_find_by(const struct hash_fan *f, uint32_t k, const struct fan_lines *lines, bool two,
	uint32_t *ret)
{
	const uint32_t low = f->low[k], high = f->high[k], n_lines = lines->n;
	const uint32_t low_mask = f->low_mask[k], high_mask = f->high_mask[k];
	const uint32_t low_mul = f->low_mul[k], high_mul = f->high_mul[k];
	const uint32_t *filter = f->filter, shift = f->shift;
	const uint64_t n_buckets = f->n_buckets;
	uint32_t n = 0;

	for (uint32_t j = 0; j < n_lines; j++) {
		/* fan_hash() */
		uint32_t h = fan_word(lines->line[j], low) & low_mask, word;

		if (two)
			h += fan_fold((fan_word(lines->line[j], high) & high_mask) * high_mul);
		h *= low_mul;
		/* fan_bucket(): a product takes less than a shift by a number that is not known. */
		word = filter[h * n_buckets >> 32];
		/* One bit says it mostly, in an instruction; no branch on the other one. */
		if (__builtin_expect(word >> (fan_fold(h) & 31) & 1, 0)) {
			ret[n] = lines->frame[j] | fan_head(h, shift);
			n += (word & fan_filter_bits(h)) == fan_filter_bits(h);
		}
	}
	return n;
}

static __attribute__((noinline)) uint32_t
fan_find(const struct hash_fan *f, const FAN_WINDOWS *w, uint32_t n, uint64_t some, uint32_t *ret)
{
	struct fan_lines lines;
	uint32_t found = 0;

	fan_take_lines(f, w, n, some, &lines);
	for (uint32_t k = 0; k < f->n; k++)
		found += f->high_mask[k] != 0 ? fan_find_by(f, k, &lines, true, &ret[found])
					      : fan_find_by(f, k, &lines, false, &ret[found]);
	return found;
}

#endif
