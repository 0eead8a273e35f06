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

/* A rule of a loaded set; its memory is the ruleset's. */
struct rule {
	struct ruleset_info info;
	struct match_rule m; /* slot is for the compiler to fill in */
	const char *text[2]; /* of the programs, or NULL */
	size_t seq; /* place in the order read */
};

struct ruleset {
	struct arena arena;
	struct {
		struct rule *v; /* in effective order */
		size_t n, cap;
	} rules;
	struct {
		struct cbpf_prog **v; /* of all rules */
		size_t n, cap;
	} progs;
};

/* One [set]. */
struct set {
	const struct ini_section *s;
	const struct ip_prefix *v; /* in the ruleset's arena */
	size_t n;
};

struct load {
	struct ruleset *rs;
	const struct ruleset_opts *opts;
	const char *location; /* "" is none */
	const struct ini_section *sections;
	size_t n_sections;
	struct names set_names;
	struct {
		struct set *v; /* by number in set_names */
		size_t n, cap;
	} sets;
	struct names rule_names;
	struct {
		const struct ini_section **v; /* by number in rule_names */
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
void load_sets_fini(struct load *l);

/* The set of @name, or NULL with a sentence in @why. */
const struct set *load_set_find(const struct load *l, const char *name, struct diag *why);

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
