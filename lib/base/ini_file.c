// SPDX-License-Identifier: BSD-3-Clause
#include "ini_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/vec.h"

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
