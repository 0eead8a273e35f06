/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RULES_KEYS_H
#define RULES_KEYS_H

/* The keys of [rule] and [set], and what is known of one while it is read (private to lib/rules). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ini.h"
#include "load.h"

/*
 * Every key of a rule, in the order in which they are read.
 *
 *   X(key, tier, "type", range, "default", "help")
 */
/* clang-format off */
#define RULE_KEYS(X) \
	X(match, MUST, "GENERATOR ARGUMENTS|all", NULL, "", \
	  "What to match, as a generator and its arguments (the arguments of sluice gen), split into words like a shell's.") \
	X(expr, MUST, "EXPRESSION", NULL, "", \
	  "What to match, as a tcpdump expression.") \
	X(bytecode, LEAVE, "N,CODE JT JF K,…", NULL, "", \
	  "What to match, as classic BPF for xt_bpf.") \
	X(file, LEAVE, "PATH", NULL, "", \
	  "What to match, as a file of BPF assembler or xt_bpf bytecode, relative to this file.") \
	X(action, MUST, "pass|drop|count", NULL, "", \
	  "What happens to a frame that matches; count goes on to the next rule; limit is not in this version.") \
	X(mode, MUST, "enforce|shadow", NULL, "enforce", \
	  "In shadow a rule only counts and samples what it would have done.") \
	X(when, LEAVE, "always|attack", NULL, "always", \
	  "attack: only while the destination is under attack; the daemon refuses it, as the gate is not in this version.") \
	X(link, LEAVE, "raw|ether", NULL, "raw", \
	  "What the program calls byte 0: the IP header, or the frame's first byte.") \
	X(port, LEAVE, "PORT, …", NULL, "", \
	  "Ports of the node that the rule is for; left out: all.") \
	X(family, LEAVE, "4|6|any", NULL, "any", \
	  "IP version.") \
	X(proto, LEAVE, "PROTOCOL, …|any", NULL, "", \
	  "IP protocols, by name, number or range; left out: the generator's, else any.") \
	X(sport, LEAVE, "PORT, PORT-PORT, …|any", NULL, "", \
	  "Source ports; left out: the generator's, else any.") \
	X(dport, LEAVE, "PORT, PORT-PORT, …|any", NULL, "", \
	  "Destination ports; left out: the generator's, else any.") \
	X(src, LEAVE, "SET|PREFIX, …|any", NULL, "any", \
	  "Source addresses.") \
	X(dst, MUST, "SET|PREFIX, …|any", NULL, "any", \
	  "Destination addresses.") \
	X(fragments, LEAVE, "match|only|never", NULL, "", \
	  "Fragments; left out: a later fragment matches only rules without ports and generator.") \
	X(locations, LEAVE, "LOCATION, …", NULL, "", \
	  "Locations of nodes where the rule is in force; left out: all.") \
	X(ttl, MUST, "DURATION", "1 s - 3650 d", "", \
	  "How long the rule is in force, from the first load of its text; left out: for good.") \
	X(enabled, LEAVE, "yes|no", NULL, "yes", \
	  "A rule that is not enabled is listed but not in force.") \
	X(order, LEAVE, "NUMBER", "0 - 65535", "1000", \
	  "Place among all rules, small first; equal ones in the order read.") \
	X(sample, LEAVE, "1/N", NULL, "", \
	  "Share of the rule's frames that is sampled; left out: as [sample] says.") \
	X(comment, LEAVE, "TEXT", NULL, "", \
	  "Anything.")
/* clang-format on */

#define X(key, tier, type, range, def, help) RULE_KEY_##key,
enum rule_key { RULE_KEYS(X) RULE_KEY_COUNT };
#undef X

/* One address condition while it is read. */
struct rule_addrs {
	struct match_prefixes p;
	const char *set; /* the only item is this set, or NULL */
	bool named; /* some of it comes from a set, which may change without the rule */
};

/* A rule while it is read. */
struct draft {
	struct ruleset_info info;
	struct match_rule m;
	const struct ini_section *s;
	const struct ini_entry *given[RULE_KEY_COUNT]; /* NULL: left out */
	struct rule_addrs src, dst;
	const char *text[2]; /* what the programs were made of, where it is kept */
	bool match_all; /* match = all */
	uint8_t program_family; /* of "-6"; 0: not said */
};

/* Parse one key of a rule into @d. Returns 0, or -errno with a sentence (without place) in @why. */
typedef int (*rule_key_fn)(
	struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why);
extern const rule_key_fn rule_key_fns[RULE_KEY_COUNT];

#define X(key, tier, type, range, def, help) \
	int rule_key_##key( \
		struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why);
RULE_KEYS(X)
#undef X

#endif
