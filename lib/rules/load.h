/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RULES_LOAD_H
#define RULES_LOAD_H

/* What the files of lib/rules share while a ruleset is loaded, and what a ruleset is (private). */

#include <stddef.h>
#include <stdint.h>

#include "base/ini.h"
#include "base/mem.h"
#include "base/parse.h"
#include "names.h"
#include "rules/ruleset.h"

struct cbpf_insn;
struct cbpf_prog;
struct diag;
struct draft;

/*
 * Memory of rules and sets, shared by the rulesets that were loaded one after the
 * other, of which each takes over what has not changed. Who loads adds; nothing in it
 * is changed or taken away before the last ruleset goes that uses any of it.
 */
struct rules_store {
	_Atomic uint32_t refs; /* rulesets */
	size_t first_bytes; /* of the arena, when the first ruleset was loaded; 0: is being */
	struct arena arena;
	struct {
		struct cbpf_prog **v;
		size_t n, cap;
	} progs;
};

/* A rule of a loaded set. */
struct rule {
	struct ruleset_info info;
	struct match_rule m; /* slot is for the compiler to fill in */
	const char *text[2]; /* of the programs, or NULL */
	uint32_t seq; /* place in the order read */
	uint32_t was; /* the rule of ruleset.prev that is compiled to the same; or MATCH_NONE */
	struct rules_store *store; /* its memory */
	const char *keys; /* as written: key, NUL, value, NUL, key, … */
	size_t keys_len;
	bool foreign; /* there is more to it than its keys: a file, parts of sets */
};

/* One [set]. */
struct set {
	const struct ini_section *s; /* while it is loaded */
	const struct ip_prefix *v;
	size_t n;
	struct rules_store *store; /* their memory */
};

struct ruleset {
	struct {
		struct rules_store **v; /* all that are in use */
		size_t n, cap;
	} stores;
	struct rules_store *store; /* of them that for what is new */
	struct {
		struct rule *v; /* in effective order */
		size_t n, cap;
	} rules;

	/* For the next ruleset. */
	const struct ruleset *prev; /* it was loaded after this one; may be gone */
	struct names rule_names; /* in the order read */
	uint32_t *place; /* in rules.v, by the order read */
	struct names set_names;
	struct {
		struct set *v; /* by number in set_names */
		size_t n, cap;
	} sets;
	bool offline, keep_text;
	const char *location;
	const char **ports;
	size_t n_ports;
};

struct load {
	struct ruleset *rs;
	const struct ruleset_opts *opts;
	const char *location; /* "" is none */
	const struct ini_section *sections;
	size_t n_sections;
	const struct ruleset *prev; /* of which rules may be taken over; or NULL */
	struct {
		const struct ini_section **v; /* by number in rs->rule_names */
		size_t n, cap;
	} rule_sections;
	struct diag *diag;
};

int load_out_of_memory(struct diag *diag);

/*
 * Read the file that @e of @s names, relative to the folder of the file of @s,
 * into *@ret_text (mem_free() it) and its path into @path. Returns 0, -errno
 * with a sentence in @why.
 */
int load_file(const struct ini_section *s, const char *name, char *path, size_t path_size,
	char **ret_text, struct diag *why);

/* set.c: take every [set]. Returns 0, -errno with place and sentence in l->diag. */
int load_sets(struct load *l);

/* The set of @name, or NULL with a sentence in @why. */
const struct set *load_set_find(const struct load *l, const char *name, struct diag *why);

/* store.c */
int rules_store_new(struct rules_store **ret_store); /* with one reference */
void rules_store_drop(struct rules_store *store);

/* Note that l->rs uses @store. Returns 0, -ENOMEM. */
int load_use_store(struct load *l, struct rules_store *store);

/* reuse.c: whether anything can be taken over from @prev, l->prev then; the store for l->rs. */
int load_reuse_init(struct load *l, const struct ruleset *prev);

/* The rule that @s was in l->prev, if it says the same now; or NULL. */
const struct rule *load_reuse_find(const struct load *l, const struct ini_section *s);

/* Fill in what the next ruleset needs to know of @rule, which was read from @s. Returns 0, -ENOMEM. */
int load_reuse_note(struct load *l, const struct ini_section *s, struct rule *rule);

/* The memory of @n prefixes @v of set @name, where l->prev has the same; or NULL. */
const struct set *load_reuse_set(
	const struct load *l, const char *name, const struct ip_prefix *v, size_t n);

/*
 * program.c: make the programs of @d from its keys and merge the generator's
 * scope. Returns 0, -errno with place and sentence in l->diag.
 */
int draft_program(struct load *l, struct draft *d);

/* scope.c: refuse what could never match. Returns 0, -EINVAL with place and sentence. */
int draft_check(struct load *l, struct draft *d);

/* scope.c: whether no address list of the finished draft is empty. */
bool draft_armed(const struct draft *d);

/* scope.c: protocol @proto has ports. */
bool proto_has_ports(uint8_t proto);

/* Fail at the key @e of the rule, or at its section when NULL. */
#define draft_fail(l, d, e, ...) ini_fail((l)->diag, -EINVAL, (d)->s, e, __VA_ARGS__)

#endif
