/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_SYM_IMPL_H
#define MATCH_SYM_IMPL_H

/* Nodes and facts; for the files sym*.c. */

#include "base/mem.h"
#include "match/sym.h"

struct sym_pool {
	struct arena mem;
	const struct sym_node **slots; /* by hash, chained; from the heap */
	uint32_t n_slots, n_nodes;
	struct sym_flow_kept *flows; /* of programs run before; see sym_flow.c */
	uint32_t n_flows;
	struct sym_shapes *shapes; /* what such have in common; see sym_shape.c */
	struct arena run; /* of the program that is run, or of the paths that a shape gave last */
	uint64_t steps; /* of all programs that were run */
	bool failed; /* out of memory; seen once, at the end of a run */
	struct sym_node nil; /* what every constructor returns once failed */
};

/* What a register holds: node + add modulo 2^32; node NULL: the number add. */
struct sym_val {
	const struct sym_node *node;
	uint32_t add;
};

static inline struct sym_val
sym_number(uint32_t k)
{
	return (struct sym_val){NULL, k};
}

/* A value that nothing is known of. */
struct sym_val sym_any(struct sym_pool *p);
struct sym_val sym_len(struct sym_pool *p);

/* @v as a node. */
const struct sym_node *sym_node_of(struct sym_pool *p, struct sym_val v);

/* "x alu y". False when it always divides by zero. */
bool sym_alu(struct sym_pool *p, enum cbpf_alu_op op, struct sym_val x, struct sym_val y,
	struct sym_val *ret);

/*
 * The place that a walk over labels from @start has come to after one or more
 * steps. NULL when it may be too far away. @step NULL: how it steps is not known yet.
 */
#define SYM_STEPS_MAX 255
const struct sym_node *sym_walk(
	struct sym_pool *p, struct sym_val start, const struct sym_step *step);

/*
 * The place x + k as *@ret_base + *@ret_off without wrapping. False when no
 * packet has @size bytes there.
 */
bool sym_place(struct sym_pool *p, struct sym_val x, uint32_t k, uint8_t size,
	const struct sym_node **ret_base, uint32_t *ret_off);
struct sym_val sym_load(
	struct sym_pool *p, const struct sym_node *base, uint32_t off, uint8_t size);

/* Facts of a way through a program, the last one first; ways share their beginnings. */
struct sym_fact {
	struct sym_fact *before;
	struct sym_atom atom;
	uint32_t depth; /* 1 for the first */
	/*
	 * For sym_join.c. What the other way out of the same branch knows; NULL where
	 * there is none, or where it knows nothing new and @other_fails.
	 */
	struct sym_fact *other;
	bool other_fails;
	bool covered; /* all packets of which the facts up to here hold match */
	uint32_t mark; /* so, if the ways that are joined match; a number of that try */
};

/*
 * "(v & mask) == val" in its simplest form. Returns SYM_OPEN and the atom, or
 * what it always is.
 */
enum sym_truth sym_atom_eq(struct sym_pool *p, struct sym_val v, uint32_t mask, uint32_t val,
	bool neg, struct sym_atom *ret);
/* "lo <= v && v <= hi". */
enum sym_truth sym_atom_range(
	struct sym_pool *p, struct sym_val v, uint32_t lo, uint32_t hi, struct sym_atom *ret);

/* Whether they ask the same, negated or not. */
bool sym_same_atom(const struct sym_atom *a, const struct sym_atom *b);

/*
 * What @facts say of @atom. *@ret_numbers: that hangs on numbers that differ within
 * a shape (sym_shape.c).
 */
enum sym_truth sym_decide(
	const struct sym_fact *facts, const struct sym_atom *atom, bool *ret_numbers);

#endif
