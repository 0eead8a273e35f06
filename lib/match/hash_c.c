// SPDX-License-Identifier: BSD-3-Clause
/* The hash kernel in plain C. */
#include "hash.h"

#include <string.h>

#include "probe.h"

#define HASH_PROBE hash_probe_c
#define HASH_STEPS hash_steps_c
#define HASH_RUNS

#define RUN_PIECE 8 /* bytes that are compared at once */

/*
 * Whether hash_run_holds() can say it. Near the end it reads the last bytes of the
 * frame once more, or from before the run: masks are 0 there.
 */
static inline bool
hash_run_fits(const struct probe_at *at, int32_t off, uint32_t run)
{
	(void)run;
	/* Of a window that is not there pos and left are the least there are. */
	return (int32_t)at->pos + MIN((int64_t)off, (int64_t)at->left - RUN_PIECE) >= 0;
}

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

/* Whether the run of @it, whose bytes are there, is at @at + @off. */
static inline bool
hash_run_holds(const struct hash_shape *s, const struct hash_item *it, const struct probe_at *at,
	int32_t off, uint32_t run)
{
	const uint8_t *val = (const uint8_t *)&it->val[1], *mask = s->run_mask;
	const int32_t last = at->left - off - RUN_PIECE, end = (int32_t)run;
	const uint8_t *start = at->bytes + off;
	uint64_t differ = 0;

	/* Nothing to choose for compilers that make vectors of it. */
	if (last >= end - RUN_PIECE) {
		for (int32_t o = 0; o < end; o += RUN_PIECE)
			differ |= piece_differs(start + o, val + o, mask + o);
		return differ == 0;
	}
	for (int32_t o = 0; o < end; o += RUN_PIECE) {
		const int32_t from = MIN(o, last);

		differ |= piece_differs(start + from, val + from, mask + from);
	}
	return differ == 0;
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

#include "hash_probe.h"
