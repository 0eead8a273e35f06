/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

/*
 * A token bucket without a token: the clock at which it will be full again, as
 * in ATM's virtual scheduling (ITU-T I.371, GCRA). Taking one costs a compare
 * and an add, and there is no division and nothing to refill. One thread.
 */

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t full_at; /* clock, in ticks */
	uint64_t cost; /* ticks that one frame is worth; 0: no limit */
	uint64_t depth; /* ticks that the whole bucket is worth, less one frame */
};

/* @pps: frames per second, 0: no limit; @burst: frames that a full bucket holds, >= 1. */
static inline void
bucket_init(struct bucket *b, uint64_t ticks_per_s, uint64_t pps, uint64_t burst)
{
	b->full_at = 0;
	b->cost = pps == 0 ? 0 : ticks_per_s / pps;
	if (pps != 0 && b->cost == 0)
		b->cost = 1;
	b->depth = b->cost * (burst > 0 ? burst - 1 : 0);
}

/* True when a frame at clock @now still has room. */
static inline bool
bucket_take(struct bucket *b, uint64_t now)
{
	const uint64_t full_at = b->full_at > now ? b->full_at : now;

	if (full_at - now > b->depth)
		return false;
	b->full_at = full_at + b->cost;
	return true;
}

#endif
