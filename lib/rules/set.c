// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/vec.h"
#include "load.h"

#define NEAR_MAX 256 /* names of sets that are compared for "did you mean" */
#define PREFIXES_MAX (UINT32_C(1) << 22) /* of one set */

struct prefixes {
	struct ip_prefix *v;
	size_t n, cap;
};

/* Add the prefix in the @len bytes at @text. */
static int
add(struct prefixes *p, const char *text, size_t len, struct diag *why)
{
	char buf[64];
	struct ip_prefix *slot;

	if (len == 0)
		return diag_fail(why, -EINVAL, "expected a list without empty places");
	if (p->n >= PREFIXES_MAX)
		return diag_fail(why, -EINVAL, "expected at most %u prefixes", PREFIXES_MAX);
	(void)snprintf(
		buf, sizeof(buf), "%.*s", (int)(len < sizeof(buf) ? len : sizeof(buf)), text);
	slot = vec_push(p);
	return slot == NULL ? load_out_of_memory(why) : parse_ip_prefix(buf, slot, why);
}

static int
add_list(struct prefixes *p, const char *text, struct diag *why)
{
	const char *cursor = text;
	const char *piece;
	size_t len;
	int r = 0;

	if (text[0] == '\0')
		return 0;
	while (r == 0 && parse_next(&cursor, ',', &piece, &len))
		r = add(p, piece, len, why);
	return r;
}

/* One prefix a line; blank lines and what stands behind '#' or ';' do not count. */
static int
add_lines(struct prefixes *p, const char *text, struct diag *why)
{
	const char *cursor = text;
	const char *piece;
	size_t len;

	for (unsigned int line = 1; parse_next(&cursor, '\n', &piece, &len); line++) {
		struct diag d = {0};
		size_t n = 0;
		int r;

		while (n < len && piece[n] != '#' && piece[n] != ';')
			n++;
		while (n > 0 && strchr(" \t\r", piece[n - 1]) != NULL)
			n--;
		if (n == 0)
			continue;
		r = add(p, piece, n, &d);
		if (r == -ENOMEM)
			return load_out_of_memory(why);
		if (r < 0)
			return diag_fail(why, r, "line %u: %s", line, d.msg);
	}
	return 0;
}

static int
add_file(struct prefixes *p, const struct ini_section *s, const char *name, struct diag *why)
{
	char path[4096];
	char *text = NULL;
	struct diag d = {0};
	int r = load_file(s, name, path, sizeof(path), &text, why);

	if (r < 0)
		return r;
	r = add_lines(p, text, &d);
	mem_free(text);
	if (r == -ENOMEM)
		return load_out_of_memory(why);
	return r < 0 ? diag_fail(why, r, "%.200s: %s", path, d.msg) : 0;
}

static int
read_set(struct load *l, const struct ini_section *s, struct prefixes *p)
{
	size_t n_keys;
	const struct ini_key *keys = ruleset_keys(&n_keys);

	for (size_t i = 0; i < s->n_entries; i++) {
		const struct ini_entry *e = &s->entries[i];
		struct diag why = {0};
		int r;

		if (strcmp(e->key, "prefixes") == 0)
			r = add_list(p, e->value, &why);
		else if (strcmp(e->key, "file") == 0)
			r = add_file(p, s, e->value, &why);
		else
			return ini_fail_key(l->diag, keys, n_keys, s, e);
		if (r == -ENOMEM)
			return load_out_of_memory(l->diag);
		if (r < 0)
			return ini_fail(l->diag, r == -ERANGE ? -EINVAL : r, s, e, "%s: %s", e->key,
				why.msg);
	}
	if (s->n_entries == 2)
		return ini_fail(l->diag, -EINVAL, s, &s->entries[1],
			"expected prefixes or file in [set %s], not both", s->name);
	if (s->n_entries == 0)
		return ini_fail(l->diag, -EINVAL, s, NULL,
			"expected prefixes = PREFIX, … or file = PATH in [set %s]", s->name);
	return 0;
}

static int
load_set(struct load *l, const struct ini_section *s)
{
	struct prefixes p = {0};
	struct ip_prefix *v;
	const struct set *old;
	struct set *set;
	uint32_t number;
	bool is_new;
	int r;

	r = ini_check_name(l->diag, s);
	if (r < 0)
		return r;
	if (names_add(&l->rs->set_names, s->name, &number, &is_new) < 0)
		return load_out_of_memory(l->diag);
	if (!is_new)
		return ini_fail(l->diag, -EINVAL, s, NULL, "[set %s] is already in %s:%u", s->name,
			l->rs->sets.v[number].s->file, l->rs->sets.v[number].s->line);
	set = vec_push(&l->rs->sets);
	if (set == NULL)
		return load_out_of_memory(l->diag);
	*set = (struct set){.s = s, .store = l->rs->store};
	r = read_set(l, s, &p);
	if (r < 0)
		goto out;
	old = load_reuse_set(l, s->name, p.v, p.n);
	if (old != NULL) {
		set->v = old->v;
		set->n = old->n;
		set->store = old->store;
		if (load_use_store(l, old->store) < 0)
			r = load_out_of_memory(l->diag);
		goto out;
	}
	v = arena_zalloc(&l->rs->store->arena, (p.n + 1) * sizeof(*v));
	if (v == NULL) {
		r = load_out_of_memory(l->diag);
		goto out;
	}
	if (p.n > 0)
		memcpy(v, p.v, p.n * sizeof(*v));
	set->v = v;
	set->n = p.n;
out:
	mem_free(p.v);
	return r;
}

int
load_sets(struct load *l)
{
	for (size_t i = 0; i < l->n_sections; i++) {
		int r;

		if (strcmp(l->sections[i].kind, "set") != 0)
			continue;
		r = load_set(l, &l->sections[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

const struct set *
load_set_find(const struct load *l, const char *name, struct diag *why)
{
	const size_t n = l->rs->set_names.list.n < NEAR_MAX ? l->rs->set_names.list.n : NEAR_MAX;
	const char *near;
	uint32_t number;

	if (names_find(&l->rs->set_names, name, &number))
		return &l->rs->sets.v[number];
	near = n > 0 ? parse_nearest(name, l->rs->set_names.list.v, n) : NULL;
	if (near != NULL)
		(void)diag_fail(
			why, -EINVAL, "there is no [set %s]; did you mean '%s'?", name, near);
	else
		(void)diag_fail(why, -EINVAL, "there is no [set %s]", name);
	return NULL;
}
