// SPDX-License-Identifier: BSD-3-Clause
/* The command line: every option, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"

#include "options.h"

static const struct row {
	const char *argv[4];
	int want;
	enum options_action action;
	const char *file; /* NULL: not asked */
	const char *says; /* part of the message when refused */
} rows[] = {
	{{"-t"}, 0, OPTIONS_CHECK, NULL, NULL},
	{{"--check"}, 0, OPTIONS_CHECK, NULL, NULL},
	{{"-V"}, 0, OPTIONS_VERSION, NULL, NULL},
	{{"--print-config"}, 0, OPTIONS_PRINT_CONFIG, NULL, NULL},
	{{"-h"}, 0, OPTIONS_HELP, NULL, NULL},
	{{"-c", "x.ini"}, 0, OPTIONS_RUN, "x.ini", NULL},
	{{"-tc", "x.ini"}, 0, OPTIONS_CHECK, "x.ini", NULL},
	{{"--config=y.ini", "-v"}, 0, OPTIONS_RUN, "y.ini", NULL},
	{{"-x"}, -EINVAL, 0, NULL, "'-x'"},
	{{"--frob"}, -EINVAL, 0, NULL, "'--frob'"},
	{{"-c"}, -EINVAL, 0, NULL, "needs an argument"},
	{{"word"}, -EINVAL, 0, NULL, "'word'"},
	{{"-t", "--", "word"}, -EINVAL, 0, NULL, "'word'"},
};

static void
one_row(const struct row *row)
{
	const char *argv[6] = {"sluiced"};
	int argc = 1;
	struct options o = {.conf_file = "untouched"};
	struct diag d = {0};

	for (size_t i = 0; i < DIM(row->argv) && row->argv[i] != NULL; i++)
		argv[argc++] = row->argv[i];
	optind = 0; /* getopt starts anew */
	assert_int_equal(options_parse(argc, (char **)argv, &o, &d), row->want);
	if (row->want < 0) {
		assert_non_null(strstr(d.msg, row->says));
		assert_string_equal(o.conf_file, "untouched");
		return;
	}
	assert_int_equal(o.action, row->action);
	if (row->file != NULL)
		assert_string_equal(o.conf_file, row->file);
	else
		assert_non_null(strstr(o.conf_file, "sluiced.ini"));
}

static void
all_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(rows); i++)
		one_row(&rows[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
