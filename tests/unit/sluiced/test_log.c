// SPDX-License-Identifier: BSD-3-Clause
/* Log lines: their form where it is no terminal, and that one stays one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/diag.h"

#include "log.h"

/* What @fn(@arg) writes to standard error, in @buf. */
static void
capture(void (*fn)(void *arg), void *arg, char *buf, size_t size)
{
	int pipe_fd[2], saved;
	ssize_t n;

	assert_int_equal(pipe(pipe_fd), 0);
	saved = dup(STDERR_FILENO);
	assert_true(saved >= 0);
	assert_true(dup2(pipe_fd[1], STDERR_FILENO) >= 0);
	fn(arg);
	close(pipe_fd[1]);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	n = read(pipe_fd[0], buf, size - 1);
	assert_true(n >= 0);
	buf[n] = '\0';
	close(pipe_fd[0]);
}

static void
write_some(void *arg)
{
	log_init(*(const bool *)arg, false);
	log_line(LOG_LEVEL_ERROR, "%s %d", "first", 1);
	log_line(LOG_LEVEL_DEBUG, "not without verbose");
	log_line(LOG_LEVEL_NOTICE, "two\nlines");
}

static void
lines_carry_their_level(void **state)
{
	bool plain = false;
	char buf[256];

	(void)state;
	capture(write_some, &plain, buf, sizeof(buf));
	assert_string_equal(buf, "<3>first 1\n<5>two lines\n");
	plain = true;
	capture(write_some, &plain, buf, sizeof(buf));
	assert_string_equal(buf, "sluiced: first 1\nsluiced: two lines\n");
}

static void
write_diag(void *arg)
{
	log_init(false, true);
	log_diag(LOG_LEVEL_WARNING, "kept: ", arg);
}

static void
a_diag_has_its_place(void **state)
{
	struct diag d = {.file = "a.ini", .line = 7, .msg = "expected yes or no"};
	char buf[256];

	(void)state;
	capture(write_diag, &d, buf, sizeof(buf));
	assert_string_equal(buf, "<4>kept: a.ini:7: expected yes or no\n");
}

static void
write_long(void *arg)
{
	log_init(false, false);
	log_line(LOG_LEVEL_INFO, "%s", (const char *)arg);
}

static void
a_long_line_is_cut_and_ends(void **state)
{
	char text[4000], buf[5000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	capture(write_long, text, buf, sizeof(buf));
	assert_true(strlen(buf) > 500 && strlen(buf) <= 1024);
	assert_int_equal(buf[strlen(buf) - 1], '\n');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_carry_their_level),
		cmocka_unit_test(a_diag_has_its_place),
		cmocka_unit_test(a_long_line_is_cut_and_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
