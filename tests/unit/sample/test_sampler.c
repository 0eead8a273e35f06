// SPDX-License-Identifier: BSD-3-Clause
/* The sampler: its rate, the distribution of its gaps, independence of burst sizes, its cost. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/util.h"
#include "sample/sampler.h"

static uint64_t
seed(void)
{
	const char *s = getenv("SLUICE_SEED");
	uint64_t v = s != NULL ? strtoull(s, NULL, 0) : 20260101;

	print_message("seed %llu\n", (unsigned long long)v);
	return v;
}

/* Samples of @frames frames in bursts of 1 to 64; none outside a burst. */
static uint64_t
count(struct sampler *s, struct rng *rng, uint64_t frames)
{
	uint64_t n = 0;

	while (frames > 0) {
		uint32_t burst = 1 + rng_below(rng, 64);
		uint64_t mask;

		if (burst > frames)
			burst = (uint32_t)frames;
		mask = sampler_burst(s, burst);
		if (burst < 64)
			assert_int_equal(mask >> burst, 0);
		n += (uint64_t)__builtin_popcountll(mask);
		frames -= burst;
	}
	return n;
}

/* Within five standard deviations of the binomial: one run in 1.7 million fails by chance. */
static void
rate(void **state)
{
	static const uint32_t rates[] = {1, 2, 3, 10, 64, 100, 1000, 10000};
	const uint64_t frames = 5000000;
	struct rng rng = {seed()};

	(void)state;
	for (size_t i = 0; i < DIM(rates); i++) {
		const double p = 1.0 / rates[i];
		const double mean = (double)frames * p;
		const double sd = sqrt((double)frames * p * (1 - p));
		struct sampler s;
		uint64_t n;

		sampler_init(&s, rates[i], rng_next(&rng));
		n = count(&s, &rng, frames);
		print_message("1/%u: %llu of %llu, expected %.0f +- %.0f\n", rates[i],
			(unsigned long long)n, (unsigned long long)frames, mean, 5 * sd);
		assert_true(fabs((double)n - mean) <= 5 * sd);
	}
}

/*
 * Gaps in 20 classes that are equally likely if they are geometric; chi-square
 * with 19 degrees of freedom is below 56 in all but one run in 50,000.
 */
static void
gaps_are_geometric(void **state)
{
	enum { CLASSES = 20, SAMPLES = 200000 };
	const uint32_t one_in = 1000;
	const double q = 1 - 1.0 / one_in;
	uint64_t seen[CLASSES] = {0}, gap = 0;
	double chi2 = 0, expected[CLASSES];
	double below[CLASSES + 1] = {0};
	struct sampler s;
	unsigned int n = 0;

	(void)state;
	/* Class k ends at the first gap whose distribution function reaches k/CLASSES. */
	for (int k = 1; k < CLASSES; k++)
		below[k] = ceil(log(1 - (double)k / CLASSES) / log(q));
	below[CLASSES] = INFINITY;
	for (int k = 0; k < CLASSES; k++)
		expected[k] = SAMPLES * (pow(q, below[k]) - pow(q, below[k + 1]));

	sampler_init(&s, one_in, seed());
	while (n < SAMPLES) {
		uint64_t mask = sampler_burst(&s, 32);

		for (unsigned int i = 0; i < 32 && n < SAMPLES; i++) {
			int k = 0;

			if ((mask >> i & 1) == 0) {
				gap++;
				continue;
			}
			while ((double)gap >= below[k + 1])
				k++;
			seen[k]++;
			gap = 0;
			n++;
		}
	}
	for (int k = 0; k < CLASSES; k++)
		chi2 += ((double)seen[k] - expected[k]) * ((double)seen[k] - expected[k]) /
			expected[k];
	print_message("chi-square %.1f\n", chi2);
	assert_true(chi2 < 56);
}

/* The same frames are chosen however they are cut into bursts. */
static void
burst_sizes(void **state)
{
	static const uint32_t sizes[] = {1, 7, 32, 64};
	enum { FRAMES = 64 * 7 * 32 };
	static uint8_t chosen[DIM(sizes)][FRAMES];

	(void)state;
	for (size_t i = 0; i < DIM(sizes); i++) {
		struct sampler s;

		sampler_init(&s, 10, 4711);
		for (uint32_t at = 0; at < FRAMES; at += sizes[i]) {
			uint64_t mask = sampler_burst(&s, sizes[i]);

			for (uint32_t k = 0; k < sizes[i]; k++)
				chosen[i][at + k] = mask >> k & 1;
		}
		assert_memory_equal(chosen[i], chosen[0], FRAMES);
	}
}

static void
every_frame_and_none(void **state)
{
	struct sampler s;

	(void)state;
	sampler_init(&s, 1, 1);
	for (uint32_t n = 1; n < 64; n++)
		assert_true(sampler_burst(&s, n) == (UINT64_C(1) << n) - 1);
	assert_true(sampler_burst(&s, 64) == UINT64_MAX);
	assert_true(sampler_burst(&s, 0) == 0);
	sampler_set(&s, 0);
	for (uint32_t n = 0; n < 100000; n++)
		assert_true(sampler_burst(&s, 64) == 0);
	sampler_set(&s, 1);
	assert_true(sampler_burst(&s, 64) == UINT64_MAX);
	/* The rarest there is, from the commonest: drawn anew, not kept. */
	sampler_set(&s, UINT32_C(1) << 31);
	assert_true(s.gap > 64);
	sampler_init(&s, 0, 1);
	assert_true(sampler_burst(&s, 64) == 0);
}

static void
same_rate_keeps_the_gap(void **state)
{
	struct sampler s;
	uint64_t gap;

	(void)state;
	sampler_init(&s, 1000, 3);
	gap = s.gap;
	sampler_set(&s, 1000);
	assert_true(s.gap == gap);
}

/* Printed, not judged: the machine may be busy. */
static void
cost(void **state)
{
	enum { BURSTS = 2000000 };
	struct timespec a, b;
	struct sampler s;
	uint64_t n = 0;
	double ns;

	(void)state;
	sampler_init(&s, 1000, 3);
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	for (unsigned int i = 0; i < BURSTS; i++)
		n += sampler_burst(&s, 32) != 0;
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	ns = (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
	print_message("%.3f ns a frame at 1/1000, %llu bursts sampled\n", ns / BURSTS / 32,
		(unsigned long long)n);
	assert_true(n > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate),
		cmocka_unit_test(gaps_are_geometric),
		cmocka_unit_test(burst_sizes),
		cmocka_unit_test(every_frame_and_none),
		cmocka_unit_test(same_rate_keeps_the_gap),
		cmocka_unit_test(cost),
	};

	return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
