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

/* The frames that are looked up: where piece 0 of keys is. */
struct fan_lines {
	const uint8_t *line[MATCH_BURST];
	uint32_t frame[MATCH_BURST]; /* << FAN_FRAME_SHIFT */
	uint32_t n;
	uint8_t edge[MATCH_BURST][FAN_LINE]; /* of frames that end before the last piece */
};

static inline void
fan_take_lines(const struct hash_fan *f, const FAN_WINDOWS *w, uint32_t n, uint64_t some,
	struct fan_lines *ret)
{
	const int32_t off = f->off, end = off + (int32_t)f->reach;
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

/* The word that pieces at @a and @b are; @together: as of hash_fan.apart, false. */
static inline uint32_t
fan_word(const uint8_t *line, uint32_t a, uint32_t b, bool together)
{
	uint16_t low, high;
	uint32_t v;

	if (together) {
		memcpy(&v, line + a, sizeof(v));
		return v;
	}
	memcpy(&low, line + a, sizeof(low));
	memcpy(&high, line + b, sizeof(high));
	return low | (uint32_t)high << 16;
}

/* Whether an item may have the hash @h and the bits @word. */
static inline bool
fan_passes(uint32_t h, uint32_t word)
{
	/* One bit says it mostly, in an instruction; no branch on the other one. */
	return __builtin_expect(word >> (fan_fold(h) & 31) & 1, 0);
}

static inline bool
fan_has_bits(uint32_t h, uint32_t word)
{
	return (word & fan_filter_bits(h)) == fan_filter_bits(h);
}

/* Look up by key @k. Called with constants: @together as of fan_word(); whether it has a finer one. */
static inline __attribute__((always_inline)) uint32_t
fan_find_by(const struct hash_fan *f, uint32_t k, const struct fan_lines *lines, bool together,
	bool twice, uint32_t *ret)
{
	const uint32_t a = 2u * f->piece[k][0], b = 2u * f->piece[k][1], n_lines = lines->n;
	const uint32_t mask = f->mask[k], mul = f->mul[k];
	const uint32_t fine_mask = f->fine_mask[k], fine_mul = f->fine_mul[k];
	const uint32_t *filter = f->filter, shift = f->shift;
	const uint64_t n_buckets = f->n_buckets;
	uint32_t n = 0;

	for (uint32_t j = 0; j < n_lines; j++) {
		const uint32_t w = fan_word(lines->line[j], a, b, together);
		const uint32_t h = fan_hash(w, mask, mul);
		/* fan_bucket(): a product takes less than a shift by a number that is not known. */
		const uint32_t word = filter[h * n_buckets >> 32];

		if (fan_passes(h, word)) {
			ret[n] = lines->frame[j] | fan_head(h, shift);
			n += fan_has_bits(h, word);
		}
		if (twice) {
			const uint32_t g = fan_hash(w, fine_mask, fine_mul);

			if (fan_passes(g, word)) {
				ret[n] = lines->frame[j] | fan_fine_head(h, g, shift);
				n += fan_has_bits(g, word);
			}
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
	for (uint32_t k = 0; k < f->n; k++) {
		const bool together = f->piece[k][1] == f->piece[k][0] + 1;
		uint32_t *to = &ret[found];

		if ((f->fine >> k & 1) != 0)
			found += together ? fan_find_by(f, k, &lines, true, true, to)
					  : fan_find_by(f, k, &lines, false, true, to);
		else
			found += together ? fan_find_by(f, k, &lines, true, false, to)
					  : fan_find_by(f, k, &lines, false, false, to);
	}
	return found;
}

#endif
