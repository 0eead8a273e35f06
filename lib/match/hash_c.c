// SPDX-License-Identifier: BSD-3-Clause
/* The hash kernel in plain C. */
#include "hash.h"

#include <string.h>

#include "hash_run_c.h"
#include "probe.h"

#define HASH_PROBE hash_probe_c
#define HASH_STEPS hash_steps_c
#define HASH_RUNS

/* As pieces_differ(), of a half: what is in front of its mask may be the other one's. */
static inline uint64_t
half_differs(const struct probe_at *at, int32_t off, const uint8_t *val, const uint8_t *mask)
{
	uint64_t differ = 0;

	if (at->left - off >= HASH_HALF)
		return pieces_differ(at, off, val, mask, HASH_HALF);
	for (int32_t o = 0; o < HASH_HALF; o += RUN_PIECE) {
		/* Bytes behind the end: so much before its place the piece is read, and shifted. */
		const int32_t lacks = MAX(off + o + RUN_PIECE - at->left, 0);
		uint64_t v, w, m;

		memcpy(&v, at->bytes + (off + o - lacks), sizeof(v));
		memcpy(&w, val + o, sizeof(w));
		memcpy(&m, mask + o, sizeof(m));
		differ |= ((lacks < RUN_PIECE ? v >> 8 * lacks : 0) ^ w) & m;
	}
	return differ;
}

/* Whether the halves of the run of @it, whose bytes are there, are in the windows @a and @b. */
static inline bool
hash_halves_hold(const struct hash_table *t, const struct hash_shape *s, const struct hash_item *it,
	const struct probe_at *a, const struct probe_at *b)
{
	const uint8_t *val = (const uint8_t *)&it->val[1], *mask = s->run_mask;

	return (half_differs(a, t->run_at.off, val, mask) |
		       half_differs(b, t->half_at.off, val + HASH_HALF, mask + HASH_HALF)) == 0;
}

#include "hash_probe.h"
