/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_COVER_H
#define MATCH_COVER_H

/*
 * Rules that can never decide because an earlier one takes all their frames, and
 * rules that can never match. What is said is right; saying nothing is always
 * allowed. For index.c and report.c.
 */

#include <stdbool.h>
#include <stdint.h>

#include "match/report.h"

struct arena;
struct item;
struct items;
struct match_image;
struct match_rule;
struct scope;

/* What was found, by rule; v from the heap. */
struct cover_found {
	struct match_finding *v;
	uint32_t n;
	bool cut; /* there was too much to look at; some may have been missed */
};

/*
 * The pass: look for both in what canon() made of @rules, of which @im has entries
 * and states. Scratch memory of @arena. Returns 0 or -ENOMEM.
 */
int cover_find(const struct match_image *im, const struct match_rule *rules,
	const struct items *items, struct arena *arena, struct cover_found *ret_found);
void cover_found_fini(struct cover_found *found);

/*
 * Whether every frame that the scope of @b allows is one that the scope of @a
 * allows, for rules whose programs are the same. *@cost grows by what was looked at.
 */
bool cover_scope(const struct match_rule *a, const struct match_rule *b, uint32_t *cost);

/*
 * The same for what the words of item @y do not say (ITEM_RANGES, ITEM_LISTS), and
 * the frames that meet item @x of another rule.
 */
bool cover_rest(const struct match_image *im, const struct match_rule *rules, const struct item *y,
	const struct item *x, uint32_t *cost);

/*
 * Whether item @y of one rule is asked of the same bytes as item @x of another one.
 * Generated rules see a datagram of IPv6 without its extension headers, others with
 * them: the same of both are the key and the header but for the length and the next
 * header's number.
 */
bool cover_sees_same(const struct item *y, const struct item *x);

/*
 * Whether @rule, whose compiled scope is @s, never matches. @no_items: that is what
 * canon() says of its words.
 */
bool cover_is_never(const struct match_rule *rule, const struct scope *s, bool no_items);

/* Why not. @ask_program: it may be looked at, which takes a while. Returns 0 or -ENOMEM. */
int cover_why_never(const struct match_rule *rule, bool ask_program, enum match_why_never *ret);

#endif
