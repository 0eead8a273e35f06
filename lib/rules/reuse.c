// SPDX-License-Identifier: BSD-3-Clause
/*
 * What has not changed since the last ruleset is taken over from it: rules by name and
 * text, so that a reload of 10,000 rules of which one is new generates one program. A
 * rule that had to be generated all the same, but came out as it was, is compiled as
 * little.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "base/vec.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "keys.h"
#include "load.h"

/* A store that has grown by as much, and this, has too much in it that is gone. */
#define STORE_SLACK ((size_t)4 << 20) /* bytes */

static bool
same_ports(const struct ruleset *rs, const struct ruleset_opts *opts)
{
	if (rs->n_ports != opts->n_ports)
		return false;
	for (size_t i = 0; i < rs->n_ports; i++)
		if (strcmp(rs->ports[i], opts->ports[i]) != 0)
			return false;
	return true;
}

/* Keep what rules depend on besides their text. */
static int
note_opts(struct load *l)
{
	const struct ruleset_opts *o = l->opts;
	struct ruleset *rs = l->rs;
	struct arena *a = &rs->store->arena;

	rs->offline = o->offline;
	rs->keep_text = o->keep_text;
	rs->location = arena_strndup(a, l->location, strlen(l->location));
	rs->ports = arena_zalloc(a, (o->n_ports + 1) * sizeof(*rs->ports));
	if (rs->location == NULL || rs->ports == NULL)
		return -ENOMEM;
	for (; rs->n_ports < o->n_ports; rs->n_ports++) {
		const char *port = o->ports[rs->n_ports];

		rs->ports[rs->n_ports] = arena_strndup(a, port, strlen(port));
		if (rs->ports[rs->n_ports] == NULL)
			return -ENOMEM;
	}
	return 0;
}

int
load_reuse_init(struct load *l, const struct ruleset *prev)
{
	const struct ruleset_opts *o = l->opts;
	struct rules_store *store = prev != NULL ? prev->store : NULL;
	int r;

	if (store != NULL && store->arena.bytes < 2 * store->first_bytes + STORE_SLACK) {
		r = load_use_store(l, store);
	} else {
		r = rules_store_new(&store);
		if (r < 0)
			return r;
		r = load_use_store(l, store);
		rules_store_drop(store);
	}
	if (r < 0)
		return r;
	l->rs->store = store;
	r = note_opts(l);
	if (r == 0 && prev != NULL && prev->offline == o->offline &&
		prev->keep_text == o->keep_text && strcmp(prev->location, l->location) == 0 &&
		same_ports(prev, o))
		l->prev = l->rs->prev = prev;
	return r;
}

/* The rule of l->prev with this name, or NULL. */
static const struct rule *
find_name(const struct load *l, const char *name)
{
	uint32_t number;

	if (l->prev == NULL || !names_find(&l->prev->rule_names, name, &number))
		return NULL;
	return &l->prev->rules.v[l->prev->place[number]];
}

static bool
same_keys(const struct rule *old, const struct ini_section *s)
{
	const char *p = old->keys;
	size_t left = old->keys_len;

	for (size_t i = 0; i < s->n_entries; i++) {
		const char *parts[] = {s->entries[i].key, s->entries[i].value};

		for (size_t k = 0; k < DIM(parts); k++) {
			const size_t len = strlen(parts[k]) + 1;

			if (len > left || memcmp(p, parts[k], len) != 0)
				return false;
			p += len;
			left -= len;
		}
	}
	return left == 0;
}

/* Whether @list, which is set @name where that is not NULL, is what the set has now. */
static bool
same_set(const struct load *l, const char *name, const struct match_prefixes *list)
{
	uint32_t number;

	if (name == NULL)
		return true;
	return names_find(&l->rs->set_names, name, &number) && l->rs->sets.v[number].v == list->v &&
		l->rs->sets.v[number].n == list->n;
}

const struct rule *
load_reuse_find(const struct load *l, const struct ini_section *s)
{
	const struct rule *old = find_name(l, s->name);

	if (old == NULL || old->foreign || !same_keys(old, s) ||
		!same_set(l, old->info.src_set, &old->m.scope.src) ||
		!same_set(l, old->info.dst_set, &old->m.scope.dst))
		return NULL;
	return old;
}

const struct set *
load_reuse_set(const struct load *l, const char *name, const struct ip_prefix *v, size_t n)
{
	const struct set *old;
	uint32_t number;

	if (l->prev == NULL || !names_find(&l->prev->set_names, name, &number))
		return NULL;
	old = &l->prev->sets.v[number];
	return old->n == n && (n == 0 || memcmp(old->v, v, n * sizeof(*v)) == 0) ? old : NULL;
}

/* ---- what came out the same ---- */

static bool
same_ranges(const struct match_ranges *a, const struct match_ranges *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0);
}

static bool
same_prefixes(const struct match_prefixes *a, const struct match_prefixes *b)
{
	if (a->any || b->any)
		return a->any && b->any;
	return a->n == b->n &&
		(a->n == 0 || a->v == b->v || memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0);
}

static bool
same_prog(const struct cbpf_prog *a, const struct cbpf_prog *b)
{
	const struct cbpf_insn *ia, *ib;
	size_t na, nb;

	if (a == b || a == NULL || b == NULL)
		return a == b;
	ia = cbpf_prog_insns(a, &na);
	ib = cbpf_prog_insns(b, &nb);
	return na == nb && memcmp(ia, ib, na * sizeof(*ia)) == 0;
}

/* Whether the engine makes the same of both. */
static bool
same_rule(const struct match_rule *a, const struct match_rule *b)
{
	const struct match_scope *s = &a->scope, *t = &b->scope;

	return a->link == b->link && a->scope_only == b->scope_only &&
		a->generated == b->generated && same_prog(a->prog[0], b->prog[0]) &&
		same_prog(a->prog[1], b->prog[1]) && s->family == t->family &&
		s->fragments == t->fragments && s->ports == t->ports &&
		same_ranges(&s->proto, &t->proto) && same_ranges(&s->sport, &t->sport) &&
		same_ranges(&s->dport, &t->dport) && same_prefixes(&s->src, &t->src) &&
		same_prefixes(&s->dst, &t->dst);
}

int
load_reuse_note(struct load *l, const struct ini_section *s, struct rule *rule)
{
	const struct rule *old = find_name(l, s->name);
	size_t len = 0;
	char *p;

	for (size_t i = 0; i < s->n_entries; i++)
		len += strlen(s->entries[i].key) + strlen(s->entries[i].value) + 2;
	p = arena_zalloc(&l->rs->store->arena, len + 1);
	if (p == NULL)
		return -ENOMEM;
	rule->keys = p;
	rule->keys_len = len;
	for (size_t i = 0; i < s->n_entries; i++) {
		const char *parts[] = {s->entries[i].key, s->entries[i].value};

		for (size_t k = 0; k < DIM(parts); k++) {
			const size_t n = strlen(parts[k]) + 1;

			memcpy(p, parts[k], n);
			p += n;
		}
	}
	rule->store = l->rs->store;
	rule->was = MATCH_NONE;
	if (old != NULL && same_rule(&old->m, &rule->m))
		rule->was = (uint32_t)(old - l->prev->rules.v);
	return 0;
}
