/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_SYM_H
#define MATCH_SYM_H

/*
 * What a program asks of a packet. cBPF only jumps forward, so that one pass
 * over a program with symbols instead of numbers in A, X and M[] gives all ways
 * to a return that is not 0: paths, each a list of conditions ("atoms") on
 * values and of lengths that the packet must have.
 *
 *	ldb [9]			(load 1 at 9) == 17
 *	jneq #17, no		(load 2 at 6 & 0x1fff) == 0
 *	ldh [6]		->	(load 2 at ihl + 2) == 53
 *	jset #0x1fff, no
 *	ldxb 4*([0]&0xf)	with ihl = (load 1 at 0 & 15) << 2
 *	ldh [x + 2]		needs: 10 bytes from 0, 4 from ihl
 *	jeq #53, yes, no
 *
 * A packet matches only if all of some path holds; where the path is exact, all
 * of it holding is a match, too. Work and memory are bounded: of ways that are
 * too many what they have in common is kept, which is weaker and not exact.
 *
 * Nodes are unique within a pool: the same value in two programs is the same
 * pointer. Everything lives as long as the pool. One thread per pool.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbpf/alu.h"

struct cbpf_prog;
struct sbuf;
struct sym_pool;

enum sym_op {
	SYM_CONST, /* k; only as an operand */
	SYM_LEN, /* the length on the wire */
	SYM_LOAD, /* big-endian number of size bytes at a + k; a == NULL: at k */
	SYM_SUM, /* a + k modulo 2^32, where that may wrap */
	SYM_ALU, /* a alu b */
	SYM_ANY, /* not known: ways with different values met */
	SYM_WALK, /* where some number of steps over labels leads from a + k; see struct sym_path */
};

/*
 * A step of a walk: from x to x + behind + the byte at x + at, which is lo..hi.
 * Loops are written one round behind the other in cBPF; that all rounds are
 * alike is seen by their instructions.
 */
struct sym_step {
	uint8_t lo, hi, at, behind;
};

struct sym_node {
	uint8_t op; /* enum sym_op */
	uint8_t alu; /* enum cbpf_alu_op */
	uint8_t size; /* bytes of a load: 1, 2, 4 */
	uint32_t id; /* larger than that of every operand */
	uint32_t k;
	uint32_t umax; /* never above this */
	const struct sym_node *a, *b;
	const struct sym_node *hash_next;
};

enum sym_atom_kind {
	SYM_EQ, /* (node & mask) == val */
	SYM_RANGE, /* node + mask <= val, modulo 2^32; never negated */
	SYM_REL_EQ, /* node == b */
	SYM_REL_GT, /* node > b */
	SYM_REL_GE, /* node >= b */
	SYM_REL_SET, /* (node & b) != 0 */
};

struct sym_atom {
	uint8_t kind; /* enum sym_atom_kind */
	bool neg; /* holds when the comparison does not */
	uint16_t of_shape; /* what sym_shape.c knows it by; 0: nothing */
	uint32_t mask, val;
	const struct sym_node *node, *b;
};

/* base + end <= length of the packet, without wrapping. */
struct sym_need {
	const struct sym_node *base; /* NULL: 0 */
	uint32_t end;
};

#define SYM_ATOMS_MAX 96 /* of a path; more are left out */
#define SYM_NEEDS_MAX 8
#define SYM_PATHS_MAX 64

struct sym_path {
	const struct sym_atom *atoms; /* in the order asked; none follows from those before it */
	uint32_t n_atoms, n_needs;
	const struct sym_need *needs;
	bool exact; /* that all holds is a match */
	/* With a SYM_WALK: that it has made, the same number of steps everywhere, is 1..steps. */
	uint8_t steps;
};

/* No path: no packet matches. A path without atoms and needs that is not exact: nothing is known. */
struct sym_result {
	const struct sym_path *paths;
	uint32_t n_paths;
};

/* Returns 0 or -ENOMEM. */
int sym_pool_new(struct sym_pool **ret_pool);
void sym_pool_free(struct sym_pool *pool);

/* Bytes that @pool has taken. */
size_t sym_pool_bytes(const struct sym_pool *pool);

/* Run @prog. No packet holds two exact paths. Returns 0 or -ENOMEM. */
int sym_run(struct sym_pool *pool, const struct cbpf_prog *prog, struct sym_result *ret_result);

/*
 * The same with paths that may overlap, which are fewer and more often exact,
 * and walks over labels in one path. They live until the next program is run in @pool.
 * Of the last of very many programs nothing is known: all together take about a second.
 * Returns 0 or -ENOMEM.
 */
int sym_cover(struct sym_pool *pool, const struct cbpf_prog *prog, struct sym_result *ret_result);

/* The step of @walk, a SYM_WALK. */
struct sym_step sym_walk_step(const struct sym_node *walk);

/* Whether something holds: never, always, or it depends. */
enum sym_truth { SYM_NEVER, SYM_ALWAYS, SYM_OPEN };

/*
 * Atom number @i of @path, but of quotients and remainders as a condition on what
 * is divided, where all atoms of the path together say that. SYM_ALWAYS: the
 * others, or what they become, say it. SYM_NEVER: they contradict it.
 */
enum sym_truth sym_atom_of_value(const struct sym_path *path, uint32_t i, struct sym_atom *ret);

/*
 * The only path of @r where that is exact and consists of nothing but masked
 * comparisons, (node & mask) == val, of loads; else NULL.
 */
const struct sym_path *sym_conjunction(const struct sym_result *r);

/* Whether all of @path holds for a packet; parameters as cbpf_run(). Slow. SYM_ANY holds always. */
bool sym_path_holds(
	const struct sym_path *path, const uint8_t *data, uint32_t caplen, uint32_t wirelen);

/* Append @path as text, a condition a line, each with @indent before it. */
void sym_path_text(const struct sym_path *path, const char *indent, struct sbuf *out);

#endif
