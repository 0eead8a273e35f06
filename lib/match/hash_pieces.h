/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Part of the kernels that compare runs by pieces of RUN_PIECE bytes, and halves near the
 * end of a frame by words: which of them can be read. Before it: RUN_PIECE.
 */

#include "probe.h"

#define HASH_HALVES

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

/* Whether a half can be read. */
static inline bool
half_fits(const struct probe_at *at, int32_t off)
{
	return (int64_t)at->pos + at->left >= (int64_t)sizeof(uint64_t) &&
		(int32_t)at->pos + off >= 0;
}

/* Whether hash_halves_hold() can say it. */
static inline bool
hash_halves_fit(const struct hash_table *t, const struct probe_at *a, const struct probe_at *b)
{
	return half_fits(a, t->run_at.off) && half_fits(b, t->half_at.off);
}
