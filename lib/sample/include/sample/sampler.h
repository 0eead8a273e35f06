/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SAMPLE_SAMPLER_H
#define SAMPLE_SAMPLER_H

/*
 * Which frames are sampled: 1 in N, decided before the verdict by drawing the
 * gap to the next sample from the geometric distribution, so that the cost per
 * packet is a countdown and no traffic can be in step with it. One per worker,
 * used by that worker only.
 */

#include <stdint.h>

#include "base/util.h"

struct sampler {
	uint64_t gap; /* frames to let go by before the next sample */
	uint32_t one_in; /* 0: off */
	double scale; /* frames per natural logarithm, for drawing a gap */
	struct rng rng;
};

/* @one_in: N of 1-in-N, 0: off. */
void sampler_init(struct sampler *s, uint32_t one_in, uint64_t seed);

/* Change N; the running gap is drawn anew. No effect when N is the same. */
void sampler_set(struct sampler *s, uint32_t one_in);

/* Behind sampler_burst(), for a burst that has a sample; not for direct use. */
uint64_t sampler_burst_sample(struct sampler *s, uint32_t n);

/*
 * Count @n frames (at most 64) and return a bit mask of those to sample. Inline,
 * since nearly every burst has none: then it is a compare and a subtraction.
 */
static inline uint64_t
sampler_burst(struct sampler *s, uint32_t n)
{
	if (s->gap < n)
		return sampler_burst_sample(s, n);
	s->gap -= n;
	return 0;
}

#endif
