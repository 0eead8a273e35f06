// SPDX-License-Identifier: BSD-3-Clause
/* Every door to the heap refuses when told to, and what was taken before survives that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/util.h"

static void *
call_alloc(void)
{
	return mem_alloc(8);
}

static void *
call_zalloc(void)
{
	return mem_zalloc(8);
}

static void *
call_calloc(void)
{
	return mem_calloc(2, 8);
}

static void *
call_realloc(void)
{
	return mem_realloc(NULL, 8);
}

static void *
call_strdup(void)
{
	return mem_strdup("text");
}

static void *
call_strndup(void)
{
	return mem_strndup("text", 2);
}

static void *
call_aligned(void)
{
	return mem_zalloc_aligned(64, 8);
}

static const struct door {
	const char *name;
	void *(*call)(void);
} doors[] = {
	{"alloc", call_alloc},
	{"zalloc", call_zalloc},
	{"calloc", call_calloc},
	{"realloc", call_realloc},
	{"strdup", call_strdup},
	{"strndup", call_strndup},
	{"zalloc_aligned", call_aligned},
};

static void
every_door_can_be_closed(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(doors); i++) {
		void *p;

		(void)mem_fault_set(0);
		assert_null(doors[i].call());
		(void)mem_fault_set(1);
		p = doors[i].call();
		assert_non_null(p);
		mem_free(p);
		assert_null(doors[i].call());
		assert_int_equal(mem_fault_set(-1), 2);
		p = doors[i].call();
		assert_non_null(p);
		mem_free(p);
		assert_int_equal(mem_fault_set(-1), 0);
	}
}

/* Three allocations with one exit: what the fault loop is for. */
static bool
three_things(void)
{
	char *a = mem_strdup("a");
	char *b = a != NULL ? mem_alloc(10) : NULL;
	char *c = b != NULL ? mem_realloc(b, 20) : NULL;
	bool ok = c != NULL;

	mem_free(ok ? c : b);
	mem_free(a);
	return ok;
}

static void
fault_loop_fails_each_allocation_once(void **state)
{
	int failed = 0;

	(void)state;
	for (long n = 0;; n++) {
		bool ok;

		(void)mem_fault_set(n);
		ok = three_things();
		if (mem_fault_set(-1) <= n) {
			assert_true(ok);
			break;
		}
		assert_false(ok);
		failed++;
	}
	assert_int_equal(failed, 3);
}

static void
realloc_to_nothing_is_no_failure(void **state)
{
	void *p = mem_alloc(10);

	(void)state;
	p = mem_realloc(p, 0);
	assert_non_null(p);
	mem_free(p);
}

static void
refused_realloc_keeps_the_block(void **state)
{
	char *p = mem_strdup("kept");

	(void)state;
	(void)mem_fault_set(0);
	assert_null(mem_realloc(p, 1000));
	(void)mem_fault_set(-1);
	assert_string_equal(p, "kept");
	mem_free(p);
}

static void
calloc_refuses_a_product_over_the_word(void **state)
{
	/* Not a constant for the compiler, which would warn of it. */
	size_t half = SIZE_MAX / 2 + (size_t)(state == NULL);

	assert_null(mem_calloc(half, 4));
}

static void
strndup_stops_at_either_end(void **state)
{
	static const char unterminated[3] = {'a', 'b', 'c'};
	char *p = mem_strndup(unterminated, 3);
	char *q = mem_strndup("ab", 10);

	(void)state;
	assert_string_equal(p, "abc");
	assert_string_equal(q, "ab");
	mem_free(p);
	mem_free(q);
}

static void
aligned_is_aligned_and_zero(void **state)
{
	(void)state;
	for (size_t align = 8; align <= 4096; align *= 2) {
		static const uint8_t zero[100];
		void *p = mem_zalloc_aligned(align, sizeof(zero));

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % align, 0);
		assert_memory_equal(p, zero, sizeof(zero));
		mem_free(p);
	}
}

/* Blocks of the arena are zero, aligned, apart from each other, and stay as they were filled. */
static void
arena_blocks_do_not_overlap(void **state)
{
	static const size_t sizes[] = {1, 15, 16, 17, 100, 5000, 16384, 16385, 70000, 3};
	unsigned char *blocks[200];
	struct arena a = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < DIM(blocks); i++) {
		size_t size = sizes[i % DIM(sizes)];

		blocks[i] = arena_zalloc(&a, size);
		assert_non_null(blocks[i]);
		assert_int_equal((uintptr_t)blocks[i] % 16, 0);
		for (size_t j = 0; j < size; j++)
			assert_int_equal(blocks[i][j], 0);
		memset(blocks[i], (int)(i + 1), size);
	}
	for (size_t i = 0; i < DIM(blocks); i++)
		for (size_t j = 0; j < sizes[i % DIM(sizes)]; j++)
			assert_int_equal(blocks[i][j], (unsigned char)(i + 1));
	assert_true(a.bytes > 20 * (16384 + 16385 + 70000));
	arena_fini(&a);
	assert_int_equal(a.bytes, 0);
	assert_string_equal(arena_strndup(&a, "again", 2), "ag");
	arena_fini(&a);
}

static void
arena_goes_on_in_its_chunk_after_a_large_block(void **state)
{
	struct arena a = ARENA_INIT;
	size_t bytes;

	(void)state;
	assert_non_null(arena_zalloc(&a, 16));
	assert_non_null(arena_zalloc(&a, 100000));
	bytes = a.bytes;
	assert_non_null(arena_zalloc(&a, 16));
	assert_int_equal(a.bytes, bytes);
	arena_fini(&a);
}

/* What is handed out again is zero, and of chunks only one is kept. */
static void
arena_starts_again(void **state)
{
	struct arena a = ARENA_INIT;
	unsigned char *p;

	(void)state;
	arena_reset(&a);
	assert_int_equal(a.bytes, 0);
	for (int round = 0; round < 3; round++) {
		for (size_t size = 1; size < 60000; size *= 3) {
			p = arena_zalloc(&a, size);
			assert_non_null(p);
			for (size_t i = 0; i < size; i++)
				assert_int_equal(p[i], 0);
			memset(p, 0xff, size);
		}
		arena_reset(&a);
		assert_in_range(a.bytes, 16384, 17000);
	}
	arena_fini(&a);
	assert_int_equal(a.bytes, 0);
}

static void
arena_refuses_cleanly(void **state)
{
	struct arena a = ARENA_INIT;

	(void)state;
	assert_non_null(arena_zalloc(&a, 100));
	assert_null(arena_zalloc(&a, SIZE_MAX));
	assert_null(arena_zalloc(&a, SIZE_MAX - 16));
	assert_null(arena_zalloc(&a, SIZE_MAX - 40));
	(void)mem_fault_set(0);
	assert_non_null(arena_zalloc(&a, 100)); /* still room in the chunk */
	assert_null(arena_zalloc(&a, 20000));
	assert_null(arena_strndup(&(struct arena)ARENA_INIT, "x", 1));
	(void)mem_fault_set(-1);
	assert_non_null(arena_zalloc(&a, 20000));
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_door_can_be_closed),
		cmocka_unit_test(fault_loop_fails_each_allocation_once),
		cmocka_unit_test(realloc_to_nothing_is_no_failure),
		cmocka_unit_test(refused_realloc_keeps_the_block),
		cmocka_unit_test(calloc_refuses_a_product_over_the_word),
		cmocka_unit_test(strndup_stops_at_either_end),
		cmocka_unit_test(aligned_is_aligned_and_zero),
		cmocka_unit_test(arena_blocks_do_not_overlap),
		cmocka_unit_test(arena_goes_on_in_its_chunk_after_a_large_block),
		cmocka_unit_test(arena_starts_again),
		cmocka_unit_test(arena_refuses_cleanly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
