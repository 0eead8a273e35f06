// SPDX-License-Identifier: BSD-3-Clause
/* Byte order at odd addresses, and that the generator's numbers stay in their range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"

static void
loads_are_big_endian_at_any_alignment(void **state)
{
	uint8_t b[16];

	(void)state;
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(i + 0xf0);
	assert_int_equal(load_be16(b + 1), 0xf1f2);
	assert_int_equal(load_be32(b + 3), 0xf3f4f5f6);
	assert_true(load_be64(b + 5) == UINT64_C(0xf5f6f7f8f9fafbfc));
}

static void
stores_are_what_loads_read(void **state)
{
	uint8_t b[8] = {0};
	static const uint8_t want[8] = {0, 0x12, 0x34, 0, 0xde, 0xad, 0xbe, 0xef};

	(void)state;
	store_be16(b + 1, 0x1234);
	store_be32(b + 4, 0xdeadbeef);
	assert_memory_equal(b, want, sizeof(b));
}

static void
below_stays_below_and_reaches_all(void **state)
{
	static const uint32_t limits[] = {1, 2, 3, 7, 1000, UINT32_C(1) << 31, UINT32_MAX};
	struct rng r = {42};
	unsigned int seen[7] = {0};

	(void)state;
	for (size_t i = 0; i < DIM(limits); i++)
		for (int j = 0; j < 1000; j++)
			assert_true(rng_below(&r, limits[i]) < limits[i]);
	for (int j = 0; j < 7000; j++)
		seen[rng_below(&r, 7)]++;
	for (size_t i = 0; i < 7; i++)
		assert_in_range(seen[i], 800, 1200);
}

static void
the_seed_makes_the_sequence(void **state)
{
	struct rng a = {7}, b = {7}, c = {8};

	(void)state;
	/* First output of splitmix64 for the state 0, from its authors' code. */
	assert_true(rng_next(&(struct rng){0}) == UINT64_C(0xe220a8397b1dcdaf));
	assert_true(rng_next(&a) == rng_next(&b));
	assert_true(rng_next(&a) != rng_next(&c));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loads_are_big_endian_at_any_alignment),
		cmocka_unit_test(stores_are_what_loads_read),
		cmocka_unit_test(below_stays_below_and_reaches_all),
		cmocka_unit_test(the_seed_makes_the_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
