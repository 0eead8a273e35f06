// SPDX-License-Identifier: BSD-3-Clause
/*
 * Random rulesets on random frames in the kernel: the verifier accepts the
 * program, and it gives the reference's verdict and counters, frame by frame.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/parse.h"
#include "base/util.h"
#include "judge.h"

static const struct ip_addr peers[] = {
	{4, {10, 1, 1, 1}},
	{4, {10, 2, 3, 1}},
	{6, {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1}},
};

/* Ways to make a program that must not change what it does. */
static struct xdp_opts ways[] = {
	{0},
	{.vital = true, .peers = peers, .n_peers = DIM(peers)},
	{.vital = true,
		.peers = peers,
		.n_peers = 2,
		.gtsm = true,
		.sampling = true,
		.sample_one_in = 3,
		.snaplen = 100},
	{.chunk = 2000, .sampling = true, .hook = judge_hook},
	{.vital = true, .vital_pps = 1000000000, .chunk = 500},
};

/* As many random frames as @ctx counts. */
static bool
next_random(void *ctx, struct world_frame *ret)
{
	int *left = ctx;

	if ((*left)-- <= 0)
		return false;
	*ret = world_frame_make();
	return true;
}

static long
run_set(size_t writer, size_t n_rules, const struct xdp_opts *how, bool wrong)
{
	int frames = 1000;

	return judge_set(&judge_writers[writer], n_rules, how, next_random, &frames, wrong);
}

/* How many sets of which size; clang takes its time. */
static const struct tier {
	size_t writer, rules;
	int sets, long_sets;
} tiers[] = {
	{JUDGE_OBJECT, 0, 2, 5},
	{JUDGE_OBJECT, 1, 10, 500},
	{JUDGE_OBJECT, 4, 10, 500},
	{JUDGE_OBJECT, 30, 15, 500},
	{JUDGE_OBJECT, 200, 3, 100},
	{JUDGE_C, 1, 2, 50},
	{JUDGE_C, 12, 3, 50},
};

static void
every_writer_gives_the_references_verdicts(void **state)
{
	const bool is_long = getenv("SLUICE_LONG") != NULL;
	size_t n = 0;

	(void)state;
	for (size_t t = 0; t < DIM(tiers); t++)
		for (int i = 0; i < (is_long ? tiers[t].long_sets : tiers[t].sets); i++)
			(void)run_set(
				tiers[t].writer, tiers[t].rules, &ways[n++ % DIM(ways)], false);
}

static void
another_program_is_noticed(void **state)
{
	int noticed = 0;

	(void)state;
	for (int i = 0; i < 10; i++)
		noticed += run_set(JUDGE_OBJECT, 20, &ways[0], true) != 0;
	print_message("noticed in %d of 10 sets\n", noticed);
	assert_true(noticed > 5);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_writer_gives_the_references_verdicts),
		cmocka_unit_test(another_program_is_noticed),
	};
	int r;

	if (!judge_init())
		return 77;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	judge_fini();
	return r;
}
