// SPDX-License-Identifier: BSD-3-Clause
/* When a rule's time began: through reload and restart, anew for another text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/ini.h"
#include "base/mem.h"
#include "rules/ruleset.h"

static struct ruleset *
load(const char *text)
{
	const struct ruleset_opts opts = {0};
	struct ini_doc *doc = NULL;
	struct ruleset *rs = NULL;
	struct diag d = {0};

	assert_int_equal(ini_load_text("t.ini", text, strlen(text), &doc, &d), 0);
	assert_int_equal(ruleset_load(doc, &opts, &rs, &d), 0);
	ini_doc_free(doc);
	return rs;
}

#define RULES \
	"[rule a]\nmatch = all\naction = drop\nttl = 1 h\n" \
	"[rule b]\nmatch = all\naction = drop\n" \
	"[rule c]\nmatch = all\naction = drop\nttl = 2 h\n"
#define CHANGED \
	"[rule a]\nmatch = all\naction = pass\nttl = 1 h\n" \
	"[rule c]\nmatch = all\naction = drop\nttl = 2 h\n"
#define HOUR UINT64_C(3600000)

static void
time_goes_on_through_reload_and_restart(void **state)
{
	char path[] = "/tmp/sluice-ttl-XXXXXX";
	struct ruleset *rs = load(RULES), *changed = load(CHANGED);
	struct ruleset_ttl *first = NULL, *second = NULL, *third = NULL, *read = NULL;
	struct diag d = {0};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(ruleset_ttl_note(NULL, rs, 1000, &first), 0);
	assert_true(ruleset_ttl_end_ms(first, rs, 0) == 1000 + HOUR);
	assert_true(ruleset_ttl_end_ms(first, rs, 1) == UINT64_MAX);
	assert_true(ruleset_ttl_end_ms(first, rs, 2) == 1000 + 2 * HOUR);

	/* A reload of the same text. */
	assert_int_equal(ruleset_ttl_note(first, rs, 5000, &second), 0);
	assert_true(ruleset_ttl_end_ms(second, rs, 0) == 1000 + HOUR);

	/* A restart, and then other text for one of the rules. */
	assert_int_equal(ruleset_ttl_save(second, path, &d), 0);
	assert_int_equal(ruleset_ttl_load(path, &read, &d), 0);
	assert_int_equal(ruleset_ttl_note(read, changed, 9000, &third), 0);
	assert_true(ruleset_ttl_end_ms(third, changed, 0) == 9000 + HOUR);
	assert_true(ruleset_ttl_end_ms(third, changed, 1) == 1000 + 2 * HOUR);

	ruleset_ttl_free(first);
	ruleset_ttl_free(second);
	ruleset_ttl_free(third);
	ruleset_ttl_free(read);
	ruleset_free(rs);
	ruleset_free(changed);
	unlink(path);
}

static void
a_missing_file_is_empty(void **state)
{
	struct ruleset_ttl *ttl = NULL;
	struct diag d = {0};

	(void)state;
	assert_int_equal(ruleset_ttl_load("/nonexistent/ttl", &ttl, &d), 0);
	assert_non_null(ttl);
	assert_int_equal(ruleset_ttl_save(ttl, "/nonexistent/ttl", &d), -ENOENT);
	assert_string_equal(d.msg, "cannot write: No such file or directory");
	assert_string_equal(d.file, "/nonexistent/ttl");
	ruleset_ttl_free(ttl);
}

static const char *const bad_files[] = {
	"",
	"something else\n",
	"sluice ttl 2\n",
	"sluice ttl 1\na 0\n",
	"sluice ttl 1\na 0x0123456789abcdef 12 x\n",
	"sluice ttl 1\na 0x0123456789abcdef 12\na 0x0123456789abcdef 13\n",
	"sluice ttl 1\n1a 0x0123456789abcdef 12\n",
	"sluice ttl 1\na 0x0123456789abcdef 99999999999999999999\n",
	"sluice ttl 1\na zz 1\n",
};

static void
a_spoilt_file_is_refused(void **state)
{
	char path[] = "/tmp/sluice-ttl-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(bad_files) / sizeof(bad_files[0]); i++) {
		struct ruleset_ttl *ttl = NULL;
		struct diag d = {0};

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, bad_files[i], strlen(bad_files[i]), 0),
			(ssize_t)strlen(bad_files[i]));
		assert_int_equal(ruleset_ttl_load(path, &ttl, &d), -EINVAL);
		assert_null(ttl);
		assert_true(d.line > 0);
		assert_string_equal(d.file, path);
	}
	close(fd);
	unlink(path);
}

static void
memory_may_fail_anywhere(void **state)
{
	char path[] = "/tmp/sluice-ttl-XXXXXX";
	struct ruleset *rs = load(RULES);
	int fd = mkstemp(path);
	int r;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (long n = 0;; n++) {
		struct ruleset_ttl *ttl = NULL, *read = NULL;
		struct diag d = {0};

		mem_fault_set(n);
		r = ruleset_ttl_note(NULL, rs, 1000, &ttl);
		if (r == 0)
			r = ruleset_ttl_save(ttl, path, &d);
		if (r == 0)
			r = ruleset_ttl_load(path, &read, &d);
		mem_fault_set(-1);
		ruleset_ttl_free(ttl);
		ruleset_ttl_free(read);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
	}
	ruleset_free(rs);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_goes_on_through_reload_and_restart),
		cmocka_unit_test(a_missing_file_is_empty),
		cmocka_unit_test(a_spoilt_file_is_refused),
		cmocka_unit_test(memory_may_fail_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
