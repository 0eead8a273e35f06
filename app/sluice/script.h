/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_SCRIPT_H
#define SLUICE_SCRIPT_H

/*
 * The bash scripts of "sluice iptables" and "sluice iptables-chain": what both
 * are made of. A script is appended to a struct sbuf, part by part, then written.
 */

#include <stdbool.h>

#include "base/sbuf.h"
#include "gen/gen.h"

#define SCRIPT_COMMENT_MAX 255 /* bytes; iptables cut the rest (XT_MAX_COMMENT_LEN) */
#define SCRIPT_SET_MAX 31 /* bytes of an ipset's name (IPSET_MAXNAMELEN) */

/* eBPF objects that a script loads, as its text; all zero has none. Freed by script_objects_fini(). */
struct script_objects {
	struct sbuf load, remove;
};

struct script {
	bool inet6;
	const char *file; /* what it is run as, for its comments */
	const char *set; /* the ipset's name; shell_is_name() */
	/*
	 * What tells the rule in INPUT from another one with the same set, as iptables
	 * -S print it; not looked at where there is a chain.
	 */
	const char *mark;
	const char *chain; /* of its own, shell_is_name(); NULL: a rule in INPUT is all */
	const char *command; /* shell text that made it */
	const char *const *ips; /* preset addresses, accepted by script_check_ips(); NULL ends */
	struct gen_scope scope; /* what the rule in INPUT tests besides the set */
	const struct script_objects *objects; /* NULL: programs are bytecode */
};

/* CLI_DONE, or CLI_USAGE after telling stderr which of @ips is no prefix of that family. */
int script_check_ips(const char *const *ips, bool inet6);

/*
 * gen_run() for xt_bpf: telling stderr what is wrong, also with a program that
 * is longer than it takes, unless it will be @pinned. Returns an exit status;
 * gen_out_fini() after CLI_DONE.
 */
int script_gen(const char *type, const struct gen_opts *opts, int argc, const char *const *argv,
	bool pinned, struct gen_out *ret_out);

/* Let the script load @program as the object @name. Returns an exit status, after telling stderr. */
int script_add_object(
	struct script_objects *o, const char *name, const struct gen_out *program, bool inet6);
void script_objects_fini(struct script_objects *o);

/* Append " -m bpf …" for the object @name. */
void script_add_pinned(struct sbuf *b, const char *name);

/* Append what loads and removes all objects; script_add_head() does. */
void script_add_objects(struct sbuf *b, const struct script_objects *o);

/* Append the top: what the script is for, and its settings. @assembly: the program to show, or NULL. */
void script_add_head(struct sbuf *b, const struct script *s, const char *assembly);

/* Append "rule() {…}", the rule in INPUT. @matches: words behind those of the set, or "". */
void script_add_rule(
	struct sbuf *b, const struct script *s, const char *matches, const char *target);

/* Append what applies and removes, built on rule (and on chain_create). */
void script_add_tail(struct sbuf *b, const struct script *s);

/* Append the program as xt_bpf has it, without a newline. */
void script_add_bytecode(struct sbuf *b, const struct gen_out *program);

/* Append " -m bpf …" for a program, and " -m comment …", cut where iptables would. */
void script_add_bpf(struct sbuf *b, const struct gen_out *program);
void script_add_comment(struct sbuf *b, const char *text);

/*
 * Write the script to @file, mode 0750, whole or not at all, and say so on
 * standard output; "-": to standard output alone. Returns an exit status.
 */
int script_write(const struct sbuf *b, const char *file);

#endif
