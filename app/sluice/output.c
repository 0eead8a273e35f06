// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sbuf.h"
#include "cli.h"
#include "output.h"

#define TEMP_NAME ".sluice.XXXXXX" /* beside the file; short, whatever that is called */

static int
write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Make @temp (a mkstemp() template) the file @path with this content. */
static int
replace(char *temp, const char *path, const struct sbuf *b, mode_t mode)
{
	int fd = mkstemp(temp);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, sbuf_str(b), b->len);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temp, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(temp);
	return r;
}

/* What a new file may not have. */
static mode_t
get_umask(void)
{
	const mode_t mask = umask(077);

	(void)umask(mask);
	return mask;
}

/*
 * What is to be replaced: the file behind a link, not the link; never a device or
 * folder. A file that is there stays as private as it is, but a script can be run.
 */
static int
find_target(const char *file, char path[PATH_MAX], mode_t *mode)
{
	struct stat st;

	if (stat(file, &st) < 0 && errno == ENOENT) {
		*mode &= ~get_umask();
		if ((size_t)snprintf(path, PATH_MAX, "%s", file) >= PATH_MAX)
			return cli_fail(CLI_USAGE, "the name of the file is too long");
		return CLI_DONE;
	}
	if (realpath(file, path) == NULL || stat(path, &st) < 0)
		return cli_fail(CLI_FAILED, "cannot write '%s': %s", file, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return cli_fail(
			CLI_USAGE, "'%s' is no regular file; -w - writes to standard output", file);
	*mode &= st.st_mode | 0111;
	return CLI_DONE;
}

static int
write_file(const struct sbuf *b, const char *file, mode_t mode)
{
	char path[PATH_MAX], temp[PATH_MAX + sizeof(TEMP_NAME)];
	const char *slash;
	int r = find_target(file, path, &mode);

	if (r != CLI_DONE)
		return r;
	slash = strrchr(path, '/');
	(void)snprintf(temp, sizeof(temp), "%.*s" TEMP_NAME,
		slash != NULL ? (int)(slash + 1 - path) : 0, path);
	r = replace(temp, path, b, mode);
	if (r < 0)
		return cli_fail(CLI_FAILED, "cannot write '%s': %s", file, strerror(-r));
	return CLI_DONE;
}

int
output_write(const struct sbuf *b, const char *file, mode_t mode)
{
	if (!sbuf_ok(b))
		return cli_fail(CLI_FAILED, "out of memory");
	if (strcmp(file, "-") != 0)
		return write_file(b, file, mode);
	(void)fwrite(sbuf_str(b), 1, b->len, stdout);
	return CLI_DONE;
}
