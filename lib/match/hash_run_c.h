/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_RUN_C_H
#define MATCH_HASH_RUN_C_H

/* How items are compared with frames in plain C. */

#include <string.h>

#include "hash.h"
#include "probe.h"

#define RUN_PIECE 8 /* bytes that are compared at once */

#include "hash_pieces.h"

/* The bits of 8 bytes at @bytes that @mask asks and that are not those of @val. */
static inline uint64_t
piece_differs(const uint8_t *bytes, const uint8_t *val, const uint8_t *mask)
{
	uint64_t v, w, m;

	memcpy(&v, bytes, sizeof(v));
	memcpy(&w, val, sizeof(w));
	memcpy(&m, mask, sizeof(m));
	return (v ^ w) & m;
}

/* The bits of @n bytes at @at + @off, of which those that are asked are there, that differ. */
static inline uint64_t
pieces_differ(
	const struct probe_at *at, int32_t off, const uint8_t *val, const uint8_t *mask, int32_t n)
{
	const int32_t last = at->left - off - RUN_PIECE;
	const uint8_t *start = at->bytes + off;
	uint64_t differ = 0;

	/* Nothing to choose for compilers that make vectors of it. */
	if (last >= n - RUN_PIECE) {
		for (int32_t o = 0; o < n; o += RUN_PIECE)
			differ |= piece_differs(start + o, val + o, mask + o);
		return differ;
	}
	for (int32_t o = 0; o < n; o += RUN_PIECE) {
		const int32_t from = MIN(o, last);

		differ |= piece_differs(start + from, val + from, mask + from);
	}
	return differ;
}

/* Whether the run of @it, whose bytes are there, is at @at + @off. */
static inline bool
hash_run_holds(const struct hash_shape *s, const struct hash_item *it, const struct probe_at *at,
	int32_t off, uint32_t run)
{
	return pieces_differ(at, off, (const uint8_t *)&it->val[1], s->run_mask, (int32_t)run) == 0;
}

/* As of hash_tags.h. */
static inline bool
hash_near_hold(const struct hash_shape *s, const uint64_t *range, const uint8_t *bytes)
{
	uint32_t hold = 0;

	for (uint32_t i = 0; i < ITEM_RANGES_MAX; i++) {
		uint32_t x;

		memcpy(&x, bytes + s->near_off[i], sizeof(x));
		x = __builtin_bswap32(x) & s->near_mask[i];
		hold |= (uint32_t)(x - (uint32_t)range[i] <= (uint32_t)(range[i] >> 32)) << i;
	}
	return (hold & s->near) == s->near;
}

#endif
