// SPDX-License-Identifier: BSD-3-Clause
/*
 * Lanes as vector code against the same computations number by number: every operator, blocks of
 * every size, rows anywhere, and tests that hold for some packet and for none.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "cbpf/jit.h"
#include "cbpf/lanes.h"

#define ROWS 81
#define LANES_MAX 40
#define PACKETS_MAX 16
#define SETS 600
#define ROW_BYTES 256 /* of which 64 are the packets' */

static struct rng rng;

struct rows {
	uint8_t v[ROWS][ROW_BYTES] __attribute__((aligned(64)));
};

static uint32_t
number_at(const struct rows *rows, uint32_t row, uint32_t packet)
{
	const uint8_t *at = (const uint8_t *)rows + row + sizeof(uint32_t) * packet;
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static uint32_t
any_row(void)
{
	return rng_below(&rng, ROWS) * ROW_BYTES;
}

static uint32_t
compute(const struct cbpf_lane *l, const struct rows *rows, uint32_t packet)
{
	uint32_t r = number_at(rows, l->start, packet);

	for (uint32_t i = 0; i < l->n_ops; i++) {
		const struct cbpf_lane_op *o = &l->ops[i];

		switch (o->kind) {
		case CBPF_LANE_ADD_ROW: r += number_at(rows, o->row, packet); break;
		case CBPF_LANE_SUB_ROW: r -= number_at(rows, o->row, packet); break;
		case CBPF_LANE_XOR_ROW: r ^= number_at(rows, o->row, packet); break;
		case CBPF_LANE_ADD: r += o->k; break;
		case CBPF_LANE_MUL: r *= o->k; break;
		case CBPF_LANE_AND: r &= o->k; break;
		case CBPF_LANE_XOR: r ^= o->k; break;
		case CBPF_LANE_SHIFT: r >>= o->k; break;
		}
	}
	return r & l->mask;
}

static struct cbpf_lane
draw(const struct rows *rows)
{
	struct cbpf_lane l = {.start = any_row(), .n_ops = rng_below(&rng, CBPF_LANE_OPS_MAX + 1)};

	for (uint32_t i = 0; i < l.n_ops; i++) {
		struct cbpf_lane_op *o = &l.ops[i];

		o->kind = (enum cbpf_lane_kind)rng_below(&rng, CBPF_LANE_SHIFT + 1);
		o->row = any_row();
		o->k = o->kind == CBPF_LANE_SHIFT ? rng_below(&rng, 32) : (uint32_t)rng_next(&rng);
	}
	l.mask = rng_below(&rng, 2) == 0 ? UINT32_MAX : (uint32_t)rng_next(&rng);
	if (rng_below(&rng, 4) > 0)
		l.val = compute(&l, rows, rng_below(&rng, PACKETS_MAX));
	else
		l.val = (uint32_t)rng_next(&rng) & l.mask;
	return l;
}

static uint16_t
holds(const struct cbpf_lane *l, const struct rows *rows, uint32_t packets)
{
	uint16_t bits = 0;

	for (uint32_t i = 0; i < packets; i++)
		bits |= (uint16_t)((compute(l, rows, i) == l->val) << i);
	return bits;
}

static void
check(enum cbpf_vectors vectors)
{
	static struct cbpf_lane lanes[LANES_MAX];
	static struct rows rows;
	const uint32_t packets = CBPF_LANES_PACKETS(vectors);
	struct cbpf_arena *arena;
	uint32_t held = 0;

	for (uint32_t set = 0; set < SETS; set++) {
		const uint32_t n = 1 + rng_below(&rng, LANES_MAX);
		uint16_t got[LANES_MAX + 1];
		cbpf_lanes_fn fn;

		for (uint8_t *v = (void *)&rows; v < (uint8_t *)(&rows + 1); v++)
			*v = (uint8_t)(rng_below(&rng, 3) == 0 ? 0 : rng_next(&rng));
		for (uint32_t i = 0; i < n; i++)
			lanes[i] = draw(&rows);
		assert_int_equal(cbpf_arena_new(cbpf_lanes_room(n), &arena, NULL), 0);
		assert_int_equal(cbpf_jit_lanes(arena, lanes, n, vectors, &fn, NULL), 0);
		memset(got, 0xa5, sizeof(got));
		fn(&rows, got);
		for (uint32_t i = 0; i < n; i++) {
			if (got[i] != holds(&lanes[i], &rows, packets))
				print_error("set %" PRIu32 ", lane %" PRIu32 " of %" PRIu32 "\n",
					set, i, n);
			assert_int_equal(got[i], holds(&lanes[i], &rows, packets));
			held += got[i] != 0;
		}
		assert_int_equal(got[n], 0xa5a5);
		cbpf_arena_free(arena);
	}
	assert_true(held > SETS);
}

/* Whether this processor has @vectors. */
static bool
has(enum cbpf_vectors vectors)
{
#if defined(__x86_64__)
	if (vectors == CBPF_VECTORS_SSE2)
		return true;
	if (vectors == CBPF_VECTORS_AVX512)
		return __builtin_cpu_supports("avx512bw");
	return __builtin_cpu_supports("avx2");
#else
	(void)vectors;
	return false;
#endif
}

static void
in_16_bytes(void **state)
{
	(void)state;
	if (cbpf_jit_available() && has(CBPF_VECTORS_SSE2))
		check(CBPF_VECTORS_SSE2);
}

static void
in_32_bytes(void **state)
{
	(void)state;
	if (cbpf_jit_available() && has(CBPF_VECTORS_AVX2))
		check(CBPF_VECTORS_AVX2);
}

static void
in_64_bytes(void **state)
{
	(void)state;
	if (cbpf_jit_available() && has(CBPF_VECTORS_AVX512))
		check(CBPF_VECTORS_AVX512);
}

/* An arena that is too small says so, and one that is as large as is asked for never is. */
static void
full(void **state)
{
	static const struct rows rows;
	struct cbpf_lane lane = draw(&rows);
	struct cbpf_arena *arena;
	cbpf_lanes_fn fn = NULL;
	int r = 0;

	(void)state;
	if (!cbpf_jit_available())
		return;
	assert_int_equal(cbpf_arena_new(1, &arena, NULL), 0);
	for (uint32_t i = 0; i < 100000 && r == 0; i++)
		r = cbpf_jit_lanes(arena, &lane, 1, CBPF_VECTORS_AVX2, &fn, NULL);
	assert_int_equal(r, -ENOSPC);
	cbpf_arena_free(arena);
	lane.n_ops = CBPF_LANE_OPS_MAX;
	for (uint32_t i = 0; i < lane.n_ops; i++)
		lane.ops[i] = (struct cbpf_lane_op){.kind = CBPF_LANE_MUL, .k = 3};
	lane.mask = 7;
	for (int v = CBPF_VECTORS_SSE2; v <= CBPF_VECTORS_AVX512; v++) {
		assert_int_equal(cbpf_arena_new(1 << 20, &arena, NULL), 0);
		assert_int_equal(
			cbpf_jit_lanes(arena, &lane, 1, (enum cbpf_vectors)v, &fn, NULL), 0);
		assert_true(cbpf_arena_used(arena) <= cbpf_lanes_room(1));
		cbpf_arena_free(arena);
	}
}

int
main(void)
{
	const char *seed = getenv("SLUICE_SEED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_16_bytes),
		cmocka_unit_test(in_32_bytes),
		cmocka_unit_test(in_64_bytes),
		cmocka_unit_test(full),
	};

	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : 1;
	printf("seed %" PRIu64 "\n", rng.state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
