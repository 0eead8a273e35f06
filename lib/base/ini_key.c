// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/ini.h"
#include "base/parse.h"

#define NAMES_MAX 128 /* keys of one kind of section that are compared for "did you mean" */

const struct ini_key *
ini_key_find(const struct ini_key *keys, size_t n, const char *kind, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(keys[i].section, kind) == 0 && strcmp(keys[i].key, key) == 0)
			return &keys[i];
	return NULL;
}

int
ini_fail_key(struct diag *diag, const struct ini_key *keys, size_t n, const struct ini_section *s,
	const struct ini_entry *e)
{
	const char *names[NAMES_MAX] = {0};
	const char *elsewhere = NULL, *near;
	size_t n_names = 0;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(keys[i].section, s->kind) == 0 && n_names < NAMES_MAX)
			names[n_names++] = keys[i].key;
		else if (strcmp(keys[i].key, e->key) == 0)
			elsewhere = keys[i].section;
	}
	near = parse_nearest(e->key, names, n_names);
	if (near != NULL)
		return ini_fail(diag, -EINVAL, s, e,
			"unknown key '%.48s' in [%s]; did you mean '%s'?", e->key, s->kind, near);
	if (elsewhere != NULL)
		return ini_fail(diag, -EINVAL, s, e,
			"unknown key '%.48s' in [%s]; it belongs into [%s]", e->key, s->kind,
			elsewhere);
	return ini_fail(diag, -EINVAL, s, e, "unknown key '%.48s' in [%s]", e->key, s->kind);
}

int
ini_fail_section(
	struct diag *diag, const char *const *kinds, size_t n_kinds, const struct ini_section *s)
{
	const char *near = parse_nearest(s->kind, kinds, n_kinds);

	if (near != NULL)
		return ini_fail(diag, -EINVAL, s, NULL, "unknown section [%s]; did you mean [%s]?",
			s->kind, near);
	return ini_fail(diag, -EINVAL, s, NULL, "unknown section [%s]", s->kind);
}

bool
ini_name_ok(const char *name)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789._-";
	const size_t len = strlen(name);

	return len >= 1 && len <= INI_NAME_MAX && strspn(name, first) >= 1 &&
		strspn(name, rest) == len;
}

int
ini_check_name(struct diag *diag, const struct ini_section *s)
{
	if (ini_name_ok(s->name))
		return 0;
	if (s->name[0] == '\0')
		return ini_fail(
			diag, -EINVAL, s, NULL, "expected [%s NAME], got [%s]", s->kind, s->kind);
	return ini_fail(diag, -EINVAL, s, NULL,
		"expected a name of a letter, then letters, digits, '.', '_' or '-', at most %d bytes, got '%s'",
		INI_NAME_MAX, s->name);
}
