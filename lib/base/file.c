// SPDX-License-Identifier: BSD-3-Clause
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"

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
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return diag_fail(diag, -errno, "cannot open: %s", strerror(errno));
	r = read_all(fd, max, &text, diag);
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
