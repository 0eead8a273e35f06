// SPDX-License-Identifier: BSD-3-Clause
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"

/*
 * Open without waiting: a pipe with a name, by mistake among the files of a
 * folder, would block here until somebody wrote to it. Reading may wait then.
 */
static int
open_now(const char *path, bool *ret_pipe)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || fcntl(fd, F_SETFL, 0) < 0) {
		const int err = -errno;

		(void)close(fd);
		return err;
	}
	*ret_pipe = S_ISFIFO(st.st_mode);
	return fd;
}

static int
read_all(int fd, size_t max, struct sbuf *out, struct diag *diag)
{
	char buf[8192];

	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return diag_fail(diag, -errno, "cannot read: %s", strerror(errno));
		if (n == 0)
			return sbuf_ok(out) ? 0 : diag_fail(diag, -ENOMEM, "out of memory");
		if (out->len + (size_t)n > max)
			return diag_fail(diag, -EFBIG, "expected a file of at most %zu bytes", max);
		sbuf_add(out, buf, (size_t)n);
	}
}

int
file_read(const char *path, size_t max, char **ret_text, size_t *ret_len, struct diag *diag)
{
	struct sbuf text = SBUF_INIT;
	char *s = NULL;
	size_t len = 0;
	bool is_stdin = strcmp(path, "-") == 0, is_pipe = false;
	int fd = is_stdin ? STDIN_FILENO : open_now(path, &is_pipe);
	int r;

	if (fd < 0)
		return diag_fail(diag, fd, "cannot open: %s", strerror(-fd));
	r = read_all(fd, max, &text, diag);
	if (r == 0 && is_pipe && text.len == 0)
		r = diag_fail(diag, -EPIPE, "expected a file, got a pipe that nobody writes to");
	if (r == 0) {
		len = text.len;
		s = sbuf_take(&text);
		if (s == NULL)
			r = diag_fail(diag, -ENOMEM, "out of memory");
	}
	sbuf_fini(&text);
	if (!is_stdin)
		(void)close(fd);
	if (r < 0)
		return r;
	*ret_text = s;
	*ret_len = len;
	return 0;
}
