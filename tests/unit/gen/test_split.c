// SPDX-License-Identifier: BSD-3-Clause
/* Words as a shell splits them, and the column of what it would refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "gen/gen.h"

static void
words_are_a_shells(void **state)
{
	static const struct {
		const char *text;
		const char *words[5];
	} cases[] = {
		{"", {NULL}},
		{" \t\n ", {NULL}},
		{"dns -i *.www.example.uk", {"dns", "-i", "*.www.example.uk", NULL}},
		{"  a  b ", {"a", "b", NULL}},
		{"a b c d", {"a", "b", "c", "d", NULL}},
		{"'a b' c", {"a b", "c", NULL}},
		{"\"a b\"", {"a b", NULL}},
		{"a'b c'd", {"ab cd", NULL}},
		{"''", {"", NULL}},
		{"'' \"\"", {"", "", NULL}},
		{"a\\ b", {"a b", NULL}},
		{"\\'a\\\"", {"'a\"", NULL}},
		{"'a\\b'", {"a\\b", NULL}},
		{"\"a\\b\\\"\\\\\"", {"a\\b\"\\", NULL}},
		{"$HOME ~ `x` *", {"$HOME", "~", "`x`", "*", NULL}},
	};

	(void)state;
	for (size_t i = 0; i < DIM(cases); i++) {
		char **argv = NULL;
		int n = gen_split(cases[i].text, &argv, NULL);
		int want = 0;

		while (cases[i].words[want] != NULL)
			want++;
		assert_int_equal(n, want);
		for (int j = 0; j < n; j++)
			assert_string_equal(argv[j], cases[i].words[j]);
		assert_null(argv[n]);
		mem_free(argv);
	}
}

static void
open_ends_are_refused_with_their_column(void **state)
{
	static const struct {
		const char *text;
		unsigned int col;
	} cases[] = {
		{"'", 1},
		{"a 'b", 3},
		{"a \"b' c", 3},
		{"a b\\", 4},
		{"\"a\\\"", 1},
	};

	(void)state;
	for (size_t i = 0; i < DIM(cases); i++) {
		struct diag diag = {.line = 7};
		char **argv = NULL;

		assert_int_equal(gen_split(cases[i].text, &argv, &diag), -EINVAL);
		assert_null(argv);
		assert_int_equal(diag.line, 7);
		assert_int_equal(diag.col, cases[i].col);
		assert_int_equal(gen_split(cases[i].text, &argv, NULL), -EINVAL);
	}
}

static void
every_allocation_may_fail(void **state)
{
	char **argv = NULL;

	(void)state;
	for (long n = 0;; n++) {
		int r;

		mem_fault_set(n);
		r = gen_split("a b 'c d'", &argv, NULL);
		if (mem_fault_set(-1) <= n) {
			assert_int_equal(r, 3);
			break;
		}
		assert_int_equal(r, -ENOMEM);
	}
	mem_free(argv);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_a_shells),
		cmocka_unit_test(open_ends_are_refused_with_their_column),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
