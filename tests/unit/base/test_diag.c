// SPDX-License-Identifier: BSD-3-Clause
/* What a refused input says, and where: every combination of the parts that may be known. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/util.h"

static const struct place_row {
	const char *want;
	const char *file;
	unsigned int line, col;
} places[] = {
	{"m", "", 0, 0},
	{"column 7: m", "", 0, 7},
	{"line 3: m", "", 3, 0},
	{"line 3:7: m", "", 3, 7},
	{"f.ini: m", "f.ini", 0, 0},
	{"f.ini: column 7: m", "f.ini", 0, 7},
	{"f.ini:3: m", "f.ini", 3, 0},
	{"f.ini:3:7: m", "f.ini", 3, 7},
};

static void
format_says_what_is_known(void **state)
{
	for (size_t i = 0; i < DIM(places); i++) {
		struct diag d = {0};
		char buf[64];

		diag_set_file(&d, places[i].file);
		assert_int_equal(
			diag_fail_at(&d, -EINVAL, places[i].line, places[i].col, "%c", 'm'),
			-EINVAL);
		assert_string_equal(diag_format(&d, buf, sizeof(buf)), places[i].want);
	}
	(void)state;
}

static void
null_stores_nothing(void **state)
{
	(void)state;
	assert_int_equal(diag_fail(NULL, -ENOMEM, "x"), -ENOMEM);
	assert_int_equal(diag_fail_at(NULL, -ERANGE, 1, 2, "x"), -ERANGE);
	diag_set_file(NULL, "f");
}

static void
fail_leaves_the_place(void **state)
{
	struct diag d = {0};

	(void)state;
	(void)diag_fail_at(&d, -EINVAL, 4, 5, "first");
	(void)diag_fail(&d, -EINVAL, "second");
	assert_int_equal(d.line, 4);
	assert_int_equal(d.col, 5);
	assert_string_equal(d.msg, "second");
}

/* Callers wrap what a parser said: the message is an argument of its successor. */
static void
message_can_be_wrapped(void **state)
{
	struct diag d = {0};

	(void)state;
	(void)diag_fail(&d, -EINVAL, "expected a number, got 'x'");
	(void)diag_fail(&d, -EINVAL, "rule r1: dport: %s", d.msg);
	assert_string_equal(d.msg, "rule r1: dport: expected a number, got 'x'");
}

static void
first_file_stays_and_long_ones_are_cut(void **state)
{
	struct diag d = {0};
	char path[1024];

	(void)state;
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	diag_set_file(&d, path);
	assert_int_equal(strlen(d.file), sizeof(d.file) - 1);
	diag_set_file(&d, "other");
	assert_int_equal(d.file[0], 'p');
	(void)diag_fail(&d, -EINVAL, "%s", path);
	assert_int_equal(strlen(d.msg), sizeof(d.msg) - 1);
}

static void
format_respects_the_size(void **state)
{
	struct diag d = {.file = "file", .line = 1, .msg = "message"};
	char buf[8] = "XXXXXXX";

	(void)state;
	assert_string_equal(diag_format(&d, buf, 5), "file");
	assert_int_equal(buf[5], 'X');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(format_says_what_is_known),
		cmocka_unit_test(null_stores_nothing),
		cmocka_unit_test(fail_leaves_the_place),
		cmocka_unit_test(message_can_be_wrapped),
		cmocka_unit_test(first_file_stays_and_long_ones_are_cut),
		cmocka_unit_test(format_respects_the_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
