/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_CHAINS_H
#define MATCH_CHAINS_H

/*
 * Rules that no table takes, as functions of machine code of up to 32 rules each
 * (chain.h): 0.9 ns a rule and frame, where a program one by one takes 2 to 5.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbpf/jit.h"

struct match_image;
struct match_rule;
struct probe;

struct chains {
	struct chains_part {
		cbpf_chain_fn fn;
		uint32_t n;
		uint32_t rule[CBPF_CHAIN_NUMBERS]; /* by number, in order */
	} * v;
	uint32_t n, n_rules;
	struct cbpf_arena *code;
	size_t bytes; /* of memory */
};

/* Whether rule @i of @im can be in a chain, and is not better asked alone. */
bool chains_can(const struct match_image *im, const struct match_rule *rules, uint32_t i);

/*
 * Compile those of the rules with @residual[] that can be, and clear it for them;
 * none where there is no machine code. @fault: leave the last rule of each chain
 * out, to see that tests notice. Returns 0 or -ENOMEM; chains_fini() in any case.
 */
int chains_init(struct chains *c, const struct match_image *im, const struct match_rule *rules,
	bool *residual, bool fault);
void chains_fini(struct chains *c);

/* Lower @p->best for the frames in @alive, which are not search_is_odd(). */
void chains_probe(const struct chains *c, struct probe *p, uint64_t alive);

/* The same for one frame that is, rule by rule. */
void chains_probe_odd(const struct chains *c, struct probe *p);

#endif
