// SPDX-License-Identifier: BSD-3-Clause
#include "sample/sampler.h"

#include <math.h>

/*
 * Frames that go by before the next sample: failures before the first success
 * of probability 1/N, by inversion, floor(ln u / ln(1 - 1/N)). One logarithm a
 * sample, of some 20 ns: 0.02 ns a frame at 1/1000.
 */
static void
draw(struct sampler *s)
{
	/* (0, 1]: the logarithm of 0 does not exist. */
	double u = (double)((rng_next(&s->rng) >> 11) + 1) * 0x1p-53;

	s->gap = s->one_in == 0 ? UINT64_MAX : (uint64_t)(log(u) * s->scale);
}

void
sampler_init(struct sampler *s, uint32_t one_in, uint64_t seed)
{
	*s = (struct sampler){.gap = UINT64_MAX, .rng = {seed}};
	sampler_set(s, one_in);
}

void
sampler_set(struct sampler *s, uint32_t one_in)
{
	if (s->one_in == one_in)
		return;
	s->one_in = one_in;
	/* 1/ln(1 - p); for N = 1 that is -0, and every gap 0. */
	s->scale = one_in == 0 ? 0 : 1 / log1p(-1.0 / one_in);
	draw(s);
}

uint64_t
sampler_burst_sample(struct sampler *s, uint32_t n)
{
	uint64_t mask = 0;
	uint64_t at = s->gap;

	while (at < n) {
		mask |= UINT64_C(1) << at;
		draw(s);
		at += 1 + s->gap;
	}
	s->gap = at - n;
	return mask;
}
