/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BASE_INI_FILE_H
#define BASE_INI_FILE_H

/* The files of an INI document (private to lib/base). */

#include <stddef.h>

struct diag;

struct ini_names {
	char **v; /* paths, by name in byte order */
	size_t n, cap;
};

/* Add every "*.ini" in @dir that is not hidden; a missing @dir has none. Returns 0, -errno. */
int ini_file_list(const char *dir, struct ini_names *names, struct diag *diag);
void ini_file_names_fini(struct ini_names *names);

#endif
