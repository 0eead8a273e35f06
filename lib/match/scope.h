/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_SCOPE_H
#define MATCH_SCOPE_H

/*
 * Scopes, compiled. What a frame is stands in a key of 32 bits, so that nearly
 * every scope is one AND and one comparison, of four frames at a time; source
 * ports, lists and prefixes are looked at only where that held.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "match/rule.h"
#include "pkt/view.h"

struct arena;
struct prefixes;
struct scope_sets;

/* A bit of the key that 4 and 6 have and 0 has not. */
#define KEY_IP PKT_KEY_FAMILY(4)

/* One comparison: (key & mask) == val. */
struct scope_test {
	uint32_t mask, val;
};

static inline bool
scope_test_equal(const struct scope_test *a, const struct scope_test *b)
{
	return a->mask == b->mask && a->val == b->val;
}

/* Whether there are keys for which both may hold: they demand different values of no bit. */
static inline bool
scope_tests_meet(struct scope_test a, struct scope_test b)
{
	return ((a.val ^ b.val) & a.mask & b.mask) == 0;
}

static inline bool
scope_test(const struct scope_test *t, uint32_t key)
{
	return (key & t->mask) == t->val;
}

/* What one comparison cannot say. */
struct scope_more {
	/*
	 * later fragments of rules with fragments = match or only: neither ports
	 * nor program are asked of them. Never true elsewhere, with mask 0.
	 */
	struct scope_test late;
	bool has_proto;
	uint64_t proto[4]; /* bit p: protocol p */
	struct match_ranges sport, dport; /* sorted, disjoint; n == 0: any */
	const struct prefixes *src, *dst; /* NULL: any */
};

struct scope {
	struct scope_test test; /* not for what scope_more.late is for */
	const struct scope_more *more; /* NULL: the comparison says all */
};

/*
 * Compile the scope of @rule, with all that its program and link ask of a frame.
 *
 * @sets:	prefix lists compiled so far, for those used by several rules
 *
 * Returns 0 or -ENOMEM.
 */
int scope_new(const struct match_rule *rule, struct arena *arena, struct scope_sets *sets,
	struct scope *ret_scope);

/* Lists and prefixes for a frame whose comparison held; @late: it was more->late. */
bool scope_more_holds(const struct scope_more *more, const struct pkt_view *v, bool late);

/* The same for @n <= MATCH_BURST frames at once. Bit i of the result: it holds for @v[i]. */
uint64_t scope_more_hold(
	const struct scope_more *more, const struct pkt_view *const *v, uint32_t n, bool late);

/* Its parts: protocols and ports of a frame that has them; prefixes. */
bool scope_ports_hold(const struct scope_more *more, const struct pkt_view *v);
bool scope_lists_hold(const struct scope_more *more, const struct pkt_view *v);

/* Prefix lists by address and length of the list. Memory of @arena. */
struct scope_sets {
	struct scope_set {
		const struct ip_prefix *v;
		size_t n;
		const struct prefixes *set;
	} * slots; /* open addressing */
	size_t n_slots; /* a power of two, at least twice the lists */
};

/* Room for @n lists. Returns 0 or -ENOMEM. */
int scope_sets_init(struct scope_sets *sets, size_t n, struct arena *arena);

#endif
