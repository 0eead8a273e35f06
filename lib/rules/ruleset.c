// SPDX-License-Identifier: BSD-3-Clause
#include "rules/ruleset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "base/vec.h"
#include "cbpf/prog.h"
#include "keys.h"

/* The [node] section's location where the options name none; "" is none. */
static const char *
node_location(const struct load *l)
{
	if (l->opts->location != NULL && l->opts->location[0] != '\0')
		return l->opts->location;
	for (size_t i = 0; i < l->n_sections; i++) {
		const struct ini_section *s = &l->sections[i];

		for (size_t j = 0; strcmp(s->kind, "node") == 0 && j < s->n_entries; j++)
			if (strcmp(s->entries[j].key, "location") == 0)
				return s->entries[j].value;
	}
	return "";
}

/* Place of key @name in enum rule_key, or RULE_KEY_COUNT. */
static size_t
key_number(const char *name)
{
#define X(key, tier, type, range, def, help) #key,
	static const char *const names[] = {RULE_KEYS(X)};
#undef X

	for (size_t i = 0; i < DIM(names); i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return RULE_KEY_COUNT;
}

static int
find_keys(struct load *l, struct draft *d)
{
	size_t n;
	const struct ini_key *keys = ruleset_keys(&n);

	for (size_t i = 0; i < d->s->n_entries; i++) {
		size_t k = key_number(d->s->entries[i].key);

		if (k == RULE_KEY_COUNT)
			return ini_fail_key(l->diag, keys, n, d->s, &d->s->entries[i]);
		d->given[k] = &d->s->entries[i];
	}
	if (d->given[RULE_KEY_action] == NULL)
		return draft_fail(
			l, d, NULL, "expected action = pass|drop|count in [rule %s]", d->s->name);
	return 0;
}

/* Values in the order of the file, so that its first mistake is the one that is told. */
static int
read_keys(struct load *l, struct draft *d)
{
	for (size_t i = 0; i < d->s->n_entries; i++) {
		const struct ini_entry *e = &d->s->entries[i];
		struct diag why = {0};
		int r = rule_key_fns[key_number(e->key)](l, d, e, &why);

		if (r == -ENOMEM)
			return load_out_of_memory(l->diag);
		/* A sentence that already begins with the key needs no other beginning. */
		if (r < 0 && strncmp(why.msg, e->key, strlen(e->key)) == 0)
			return draft_fail(l, d, e, "%s", why.msg);
		if (r < 0)
			return draft_fail(l, d, e, "%s: %s", e->key, why.msg);
	}
	return 0;
}

/* What makes the text the same or another one: keys and values as they stand. */
static uint64_t
text_hash(const struct ini_section *s)
{
	uint64_t h = NAMES_HASH_START;

	for (size_t i = 0; i < s->n_entries; i++) {
		/* With the NUL, so that "a" + "bc" and "ab" + "c" differ. */
		h = names_hash(h, s->entries[i].key, strlen(s->entries[i].key) + 1);
		h = names_hash(h, s->entries[i].value, strlen(s->entries[i].value) + 1);
	}
	return h;
}

static int
draft_init(struct load *l, struct draft *d, const struct ini_section *s)
{
	struct arena *a = &l->rs->store->arena;

	*d = (struct draft){
		.s = s,
		.info =
			{
				.name = arena_strndup(a, s->name, strlen(s->name)),
				.comment = "",
				.locations = "",
				.file = arena_strndup(a, s->file, strlen(s->file)),
				.line = s->line,
				.order = 1000,
				.enabled = true,
				.here = true,
				.text_hash = text_hash(s),
			},
		.m.link = MATCH_LINK_RAW,
		.m.scope.ports = UINT64_MAX,
		.src.p.any = true,
		.dst.p.any = true,
	};
	return d->info.name != NULL && d->info.file != NULL ? 0 : load_out_of_memory(l->diag);
}

static int
keep_rule(struct load *l, struct draft *d)
{
	struct ruleset *rs = l->rs;
	struct rule *rule;

	d->info.armed = draft_armed(d);
	d->m.name = d->info.name;
	d->m.action = d->info.action;
	d->m.shadow = d->info.shadow;
	d->m.enabled = d->info.enabled && d->info.here && d->info.armed;
	d->m.lasting = d->info.ttl_ms == 0 && d->info.locations[0] == '\0' &&
		(d->given[RULE_KEY_when] == NULL ||
			strcmp(d->given[RULE_KEY_when]->value, "always") == 0);
	d->m.scope.src = d->src.p;
	d->m.scope.dst = d->dst.p;
	d->info.src_set = d->src.set;
	d->info.dst_set = d->dst.set;
	if (rs->rules.n >= MATCH_RULES_MAX)
		return draft_fail(l, d, NULL, "expected at most %d rules", MATCH_RULES_MAX);
	rule = vec_push(&rs->rules);
	if (rule == NULL)
		return load_out_of_memory(l->diag);
	*rule = (struct rule){
		.info = d->info,
		.m = d->m,
		.seq = (uint32_t)rs->rules.n - 1,
		.text = {d->text[0], d->text[1]},
		.foreign = d->given[RULE_KEY_file] != NULL ||
			(d->src.named && d->src.set == NULL) ||
			(d->dst.named && d->dst.set == NULL),
	};
	return load_reuse_note(l, d->s, rule) < 0 ? load_out_of_memory(l->diag) : 0;
}

/* The rule is as it was in the last ruleset; only where it stands may be new. */
static int
take_over(struct load *l, const struct ini_section *s, const struct rule *old)
{
	struct ruleset *rs = l->rs;
	struct rule *rule;

	if (rs->rules.n >= MATCH_RULES_MAX)
		return ini_fail(
			l->diag, -EINVAL, s, NULL, "expected at most %d rules", MATCH_RULES_MAX);
	rule = vec_push(&rs->rules);
	if (rule == NULL || load_use_store(l, old->store) < 0)
		return load_out_of_memory(l->diag);
	*rule = *old;
	rule->seq = (uint32_t)rs->rules.n - 1;
	rule->was = (uint32_t)(old - l->prev->rules.v);
	rule->info.line = s->line;
	if (strcmp(rule->info.file, s->file) == 0)
		return 0;
	rule->info.file = arena_strndup(&rs->store->arena, s->file, strlen(s->file));
	return rule->info.file != NULL ? 0 : load_out_of_memory(l->diag);
}

static int
check_name(struct load *l, const struct ini_section *s)
{
	const struct ini_section **slot;
	uint32_t number;
	bool is_new;
	int r = ini_check_name(l->diag, s);

	if (r < 0)
		return r;
	if (names_add(&l->rs->rule_names, s->name, &number, &is_new) < 0)
		return load_out_of_memory(l->diag);
	if (!is_new)
		return ini_fail(l->diag, -EINVAL, s, NULL, "[rule %s] is already in %s:%u", s->name,
			l->rule_sections.v[number]->file, l->rule_sections.v[number]->line);
	slot = vec_push(&l->rule_sections);
	if (slot == NULL)
		return load_out_of_memory(l->diag);
	*slot = s;
	return 0;
}

static int
load_rule(struct load *l, const struct ini_section *s)
{
	static int (*const steps[])(struct load * l, struct draft * d) = {
		find_keys,
		read_keys,
		draft_program,
		draft_check,
		keep_rule,
	};
	const struct rule *old;
	struct draft d;
	int r = check_name(l, s);

	if (r < 0)
		return r;
	old = load_reuse_find(l, s);
	if (old != NULL)
		return take_over(l, s, old);
	r = draft_init(l, &d, s);
	for (size_t i = 0; r == 0 && i < DIM(steps); i++)
		r = steps[i](l, &d);
	return r;
}

static int
load_rules(struct load *l)
{
	for (size_t i = 0; i < l->n_sections; i++) {
		int r;

		if (strcmp(l->sections[i].kind, "rule") != 0)
			continue;
		r = load_rule(l, &l->sections[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* By order, then as read; no two are equal, so that any sort is stable. */
static int
by_order(const void *a, const void *b)
{
	const struct rule *ra = a, *rb = b;

	if (ra->info.order != rb->info.order)
		return ra->info.order < rb->info.order ? -1 : 1;
	return ra->seq < rb->seq ? -1 : 1;
}

/* Into effective order. */
static int
sort_rules(struct load *l)
{
	struct ruleset *rs = l->rs;

	rs->place = mem_calloc(rs->rules.n + 1, sizeof(*rs->place));
	if (rs->place == NULL)
		return load_out_of_memory(l->diag);
	if (rs->rules.n > 1)
		qsort(rs->rules.v, rs->rules.n, sizeof(*rs->rules.v), by_order);
	for (uint32_t i = 0; i < rs->rules.n; i++)
		rs->place[rs->rules.v[i].seq] = i;
	if (rs->store->first_bytes == 0)
		rs->store->first_bytes = rs->store->arena.bytes;
	return 0;
}

int
ruleset_load(const struct ini_doc *doc, const struct ruleset_opts *opts, struct ruleset **ret_rs,
	struct diag *diag)
{
	struct load l = {.opts = opts, .diag = diag};
	int r;

	l.sections = ini_doc_sections(doc, &l.n_sections);
	l.location = node_location(&l);
	l.rs = mem_zalloc(sizeof(*l.rs));
	if (l.rs == NULL || load_reuse_init(&l, opts->prev) < 0) {
		ruleset_free(l.rs);
		return load_out_of_memory(diag);
	}
	r = load_sets(&l);
	if (r == 0)
		r = load_rules(&l);
	if (r == 0)
		r = sort_rules(&l);
	if (r == 0) {
		*ret_rs = l.rs;
		l.rs = NULL;
	}
	ruleset_free(l.rs);
	mem_free(l.rule_sections.v);
	return r;
}

void
ruleset_free(struct ruleset *rs)
{
	if (rs == NULL)
		return;
	for (size_t i = 0; i < rs->stores.n; i++)
		rules_store_drop(rs->stores.v[i]);
	mem_free(rs->stores.v);
	mem_free(rs->rules.v);
	mem_free(rs->place);
	mem_free(rs->sets.v);
	names_fini(&rs->rule_names);
	names_fini(&rs->set_names);
	mem_free(rs);
}

size_t
ruleset_count(const struct ruleset *rs)
{
	return rs->rules.n;
}

const struct ruleset_info *
ruleset_info(const struct ruleset *rs, size_t i)
{
	return &rs->rules.v[i].info;
}

const struct match_rule *
ruleset_rule(const struct ruleset *rs, size_t i)
{
	return &rs->rules.v[i].m;
}

const char *
ruleset_text(const struct ruleset *rs, size_t i, unsigned int number)
{
	return rs->rules.v[i].text[number];
}
