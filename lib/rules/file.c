// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/file.h"
#include "load.h"

#define FILE_MAX ((size_t)256 << 20) /* bytes; four million prefixes and their comments */

int
load_file(const struct ini_section *s, const char *name, char *path, size_t path_size,
	char **ret_text, struct diag *why)
{
	const char *slash = strrchr(s->file, '/');
	const int dir_len = name[0] != '/' && slash != NULL ? (int)(slash - s->file + 1) : 0;
	struct diag d = {0};
	char *text = NULL;
	size_t len = 0;
	int n, r;

	if (name[0] == '\0' || strcmp(name, "-") == 0)
		return diag_fail(why, -EINVAL, "expected a path");
	n = snprintf(path, path_size, "%.*s%s", dir_len, s->file, name);
	if (n < 0 || (size_t)n >= path_size)
		return diag_fail(why, -ENAMETOOLONG, "expected a shorter path");
	r = file_read(path, FILE_MAX, &text, &len, &d);
	if (r == -ENOMEM)
		return load_out_of_memory(why);
	if (r < 0)
		return diag_fail(why, r, "%.200s: %s", path, d.msg);
	if (memchr(text, '\0', len) != NULL) {
		mem_free(text);
		return diag_fail(why, -EINVAL, "%.200s: expected text, got a NUL byte", path);
	}
	*ret_text = text;
	return 0;
}
