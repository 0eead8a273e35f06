// SPDX-License-Identifier: BSD-3-Clause
#include "ini_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/vec.h"

static int
read_all(int fd, struct sbuf *out, struct diag *diag)
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
		if (out->len + (size_t)n > INI_FILE_MAX)
			return diag_fail(
				diag, -EFBIG, "expected a file of at most %u bytes", INI_FILE_MAX);
		sbuf_add(out, buf, (size_t)n);
	}
}

int
ini_file_read(const char *path, char **ret_text, size_t *ret_len, struct diag *diag)
{
	struct sbuf text = SBUF_INIT;
	char *s = NULL;
	size_t len = 0;
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return diag_fail(diag, -errno, "cannot open: %s", strerror(errno));
	r = read_all(fd, &text, diag);
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

static bool
is_ini(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && name[0] != '.' && strcmp(name + n - 4, ".ini") == 0;
}

static int
add_name(struct ini_names *names, const char *dir, const char *name)
{
	struct sbuf path = SBUF_INIT;
	char **slot;

	sbuf_addf(&path, "%s/%s", dir, name);
	slot = vec_push(names);
	if (slot != NULL)
		*slot = sbuf_take(&path);
	sbuf_fini(&path);
	return slot != NULL && *slot != NULL ? 0 : -ENOMEM;
}

/* Byte order: strcmp() compares as unsigned char, whatever the locale. */
static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
ini_file_list(const char *dir, struct ini_names *names, struct diag *diag)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int r = 0;

	if (d == NULL && errno == ENOENT)
		return 0;
	if (d == NULL) {
		diag_set_file(diag, dir);
		return diag_fail(diag, -errno, "cannot open: %s", strerror(errno));
	}
	while (r == 0 && (e = readdir(d)) != NULL)
		if (is_ini(e->d_name))
			r = add_name(names, dir, e->d_name);
	(void)closedir(d);
	if (r < 0)
		return diag_fail(diag, r, "out of memory");
	if (names->n > 1)
		qsort(names->v, names->n, sizeof(*names->v), by_bytes);
	return 0;
}

void
ini_file_names_fini(struct ini_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		mem_free(names->v[i]);
	mem_free(names->v);
	*names = (struct ini_names){0};
}
