// SPDX-License-Identifier: BSD-3-Clause
/* Numbered names, and slots that keep theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "names.h"
#include "rules/ruleset.h"

static void
many_names_keep_their_numbers(void **state)
{
	struct names names = {0};
	char name[32];
	uint32_t number;
	bool is_new;

	(void)state;
	assert_false(names_find(&names, "n0", &number));
	for (uint32_t i = 0; i < 30000; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(names_add(&names, name, &number, &is_new), 0);
		assert_true(is_new);
		assert_int_equal(number, i);
	}
	for (uint32_t i = 0; i < 30000; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(names_add(&names, name, &number, &is_new), 0);
		assert_false(is_new);
		assert_int_equal(number, i);
		assert_string_equal(names.list.v[i], name);
	}
	assert_false(names_find(&names, "n30000", &number));
	names_fini(&names);
}

static void
slots_are_for_life(void **state)
{
	struct rules_slots *slots = NULL;
	uint32_t a, b, again;

	(void)state;
	assert_int_equal(rules_slots_new(&slots), 0);
	assert_int_equal(rules_slots_get(slots, "a", &a), 0);
	assert_int_equal(rules_slots_get(slots, "b", &b), 0);
	assert_int_equal(rules_slots_get(slots, "a", &again), 0);
	assert_int_equal(a, again);
	assert_int_not_equal(a, b);
	assert_int_equal(rules_slots_count(slots), 2);
	assert_string_equal(rules_slots_name(slots, b), "b");
	assert_null(rules_slots_name(slots, 2));
	rules_slots_free(slots);
}

static void
slots_end_at_their_limit(void **state)
{
	struct rules_slots *slots = NULL;
	char name[32];
	uint32_t slot = 0;

	(void)state;
	assert_int_equal(rules_slots_new(&slots), 0);
	for (uint32_t i = 0; i < UINT32_C(1) << 20; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(rules_slots_get(slots, name, &slot), 0);
	}
	assert_int_equal(slot, (UINT32_C(1) << 20) - 1);
	assert_int_equal(rules_slots_get(slots, "one-more", &slot), -ENOSPC);
	assert_int_equal(rules_slots_get(slots, "n7", &slot), 0);
	assert_int_equal(slot, 7);
	rules_slots_free(slots);
}

static void
memory_may_fail_anywhere(void **state)
{
	(void)state;
	for (long n = 0;; n++) {
		struct names names = {0};
		char name[32];
		int r = 0;

		mem_fault_set(n);
		for (uint32_t i = 0; r == 0 && i < 200; i++) {
			uint32_t number;
			bool is_new;

			(void)snprintf(name, sizeof(name), "n%u", i);
			r = names_add(&names, name, &number, &is_new);
			if (r == 0)
				assert_int_equal(number, i);
		}
		mem_fault_set(-1);
		names_fini(&names);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_names_keep_their_numbers),
		cmocka_unit_test(slots_are_for_life),
		cmocka_unit_test(slots_end_at_their_limit),
		cmocka_unit_test(memory_may_fail_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
