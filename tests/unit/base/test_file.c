// SPDX-License-Identifier: BSD-3-Clause
/* Whole files: what comes back, what is refused, and that opening never waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/util.h"

static char folder[] = "/tmp/sluice-file-XXXXXX";
static char path[64];

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/f", folder);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void
fails(int err, size_t max, const char *says)
{
	struct diag d = {0};
	char *text = NULL;
	size_t len;

	assert_int_equal(file_read(path, max, &text, &len, &d), err);
	assert_null(text);
	assert_non_null(strstr(d.msg, says));
}

static void
bytes_come_back_whole(void **state)
{
	static const char bytes[] = "a\0b\n";
	struct diag d = {0};
	char *text;
	size_t len;
	FILE *f = fopen(path, "w");

	(void)state;
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, 4, f), 4);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(file_read(path, 4, &text, &len, &d), 0);
	assert_int_equal(len, 4);
	assert_memory_equal(text, bytes, 5);
	mem_free(text);
	fails(-EFBIG, 3, "at most 3 bytes");
}

static void
a_pipe_without_a_writer_is_refused_at_once(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)alarm(10); /* instead of waiting for ever */
	fails(-EPIPE, 100, "nobody writes");
	(void)alarm(0);
}

/* As "<(command)" of a shell is one. */
static void
a_pipe_with_a_writer_is_read_to_its_end(void **state)
{
	char dev_fd[32];
	struct diag d = {0};
	int fds[2];
	char *text;
	size_t len;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "text", 4), 4);
	close(fds[1]);
	(void)snprintf(dev_fd, sizeof(dev_fd), "/dev/fd/%d", fds[0]);
	assert_int_equal(file_read(dev_fd, 100, &text, &len, &d), 0);
	assert_string_equal(text, "text");
	mem_free(text);
	close(fds[0]);
}

static void
what_cannot_be_opened_is_told(void **state)
{
	(void)state;
	fails(-ENOENT, 100, "cannot open");
	assert_int_equal(mkdir(path, 0700), 0);
	fails(-EISDIR, 100, "cannot read");
	assert_int_equal(rmdir(path), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(bytes_come_back_whole, remove_file),
		cmocka_unit_test_teardown(a_pipe_without_a_writer_is_refused_at_once, remove_file),
		cmocka_unit_test(a_pipe_with_a_writer_is_read_to_its_end),
		cmocka_unit_test(what_cannot_be_opened_is_told),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
