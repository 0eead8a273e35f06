/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef XDP_PLAN_H
#define XDP_PLAN_H

/*
 * A ruleset resolved into what a program has to ask of a frame, the same for
 * both writers: one comparison of the frame's key, lists as tables, programs,
 * and which rules go into which program of the chain.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "match/rule.h"
#include "xdp/xdp.h"

/* A frame's key; the skeleton has the same numbers. */
#define KEY_DPORT(p) ((uint32_t)(p))
#define KEY_PROTO(p) ((uint32_t)(p) << 16)
enum {
	KEY_IP = 1 << 24,
	KEY_V6 = 1 << 25,
	KEY_FRAGMENT = 1 << 26,
	KEY_LATER = 1 << 27,
	KEY_PORTS = 1 << 28,
	KEY_EXTS = 1 << 29,
};

#define PLAN_INLINE_MAX 4 /* ranges that are compared one by one; more are a table */
#define PLAN_SEEN_MAX 16 /* transparent matches, as lib/match has it */

struct plan_range4 {
	uint32_t lo, hi;
};

struct plan_range6 {
	uint64_t lo[2], hi[2]; /* the more significant half first */
};

/* Sorted, disjoint ranges, filled up to a power of two with copies of the last. */
struct plan_table {
	bool wide; /* of struct plan_range6, else plan_range4 */
	uint32_t n, size; /* n >= 1 */
	const void *v;
};

/* A list of numbers; n == 0: any. */
struct plan_list {
	const struct plan_range4 *v;
	uint32_t n;
	uint32_t table; /* where n > PLAN_INLINE_MAX */
};

/* Addresses. */
struct plan_set {
	bool any;
	bool has4, has6; /* else none of that family is in it */
	uint32_t table4, table6;
};

struct plan_test {
	uint32_t mask, val;
};

struct plan_rule {
	const struct xdp_rule *r;
	bool never; /* its demands contradict each other */
	struct plan_test test;
	bool has_late; /* later fragments that fulfil late are asked for neither ports nor program */
	struct plan_test late;
	struct plan_list proto, sport, dport;
	struct plan_set src, dst;
	bool deciding; /* pass or drop, not in shadow */
	bool is_shadow, would_drop; /* of transparent ones */
};

struct xdp_plan {
	struct arena arena;
	struct xdp_opts opts; /* what it points to is the caller's */
	struct plan_rule *rules;
	size_t n;
	struct {
		struct plan_table *v;
		size_t n, cap;
	} tables;
	struct plan_known {
		struct plan_known *next;
		const struct ip_prefix *v;
		size_t n;
		struct plan_set set;
	} * known; /* sets compiled so far */
	struct {
		size_t *v; /* the rule that each program begins with; the first is 0 */
		size_t n, cap;
	} chunks;
	bool any_generated6; /* some program is shown IPv6 without extension headers */
	bool any_addrs;
	size_t locations_bytes; /* of the longest list, with the NUL; at least 1 */
	const char *hook_name; /* NULL: none */
	bool hook_by_name; /* loaders pin it by that */
};

/* ranges.c: a table of @list (not empty). Returns 0, -ENOMEM. */
int plan_list_make(struct xdp_plan *plan, const struct match_ranges *list, struct plan_list *ret);
int plan_set_make(struct xdp_plan *plan, const struct match_prefixes *list, struct plan_set *ret);

/* The rule's program for link ether, IPv4 or IPv6, or NULL. */
const struct cbpf_prog *plan_prog(const struct plan_rule *p, int family);

/* How many instructions that has; 0 without one. */
size_t plan_prog_len(const struct plan_rule *p, int family);

/* The rule behind the last one of program @chunk. */
size_t plan_chunk_end(const struct xdp_plan *plan, size_t chunk);

/* What a random number must not exceed for a frame to be sampled. */
uint32_t plan_sample_max(uint32_t one_in);

/* GCRA of a vital class: what a frame is worth, and how far a full bucket may be ahead, in ns. */
void plan_vital(const struct xdp_plan *plan, uint64_t *ret_cost_ns, uint64_t *ret_depth_ns);

#endif
