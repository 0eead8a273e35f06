/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_GRAPH_H
#define CBPF_GRAPH_H

/*
 * A program as a graph of instructions, for rewriting it: every instruction
 * names those that follow it, so that it can be left out or led around. Nodes
 * are numbered so that each comes before those that follow it. There is no
 * "ja"; graph_layout() puts in those that the order needs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbpf/insn.h"

struct cbpf_prog;

#define GRAPH_SKIP 0xffffu /* the code of a node that does nothing and goes on at t */

struct gnode {
	uint32_t code;
	uint32_t k;
	uint32_t t, f; /* what follows; f: when a test does not hold */
};

struct graph {
	struct gnode *v;
	size_t n;
	uint32_t entry;
};

/* A bit for each word of M[], and for the registers. */
#define LIVE_A (1u << CBPF_MEM_WORDS)
#define LIVE_X (2u << CBPF_MEM_WORDS)

static inline unsigned int
node_class(const struct gnode *n)
{
	return n->code & 7u;
}

static inline bool
node_is_skip(const struct gnode *n)
{
	return n->code == GRAPH_SKIP;
}

static inline bool
node_is_branch(const struct gnode *n)
{
	return !node_is_skip(n) && node_class(n) == 5;
}

static inline bool
node_is_ret(const struct gnode *n)
{
	return !node_is_skip(n) && node_class(n) == 6;
}

/* It reads the packet, at a fixed place, or at X + k. */
static inline bool
node_is_abs(const struct gnode *n)
{
	return !node_is_skip(n) && (n->code == CBPF_CODE_LDX_MSH || (n->code & 0xe7u) == 0x20);
}

static inline bool
node_is_ind(const struct gnode *n)
{
	return !node_is_skip(n) && (n->code & 0xe7u) == 0x40;
}

/* Bytes that a load reads. */
static inline uint32_t
node_size(const struct gnode *n)
{
	if (n->code == CBPF_CODE_LDX_MSH)
		return 1;
	return (n->code & 0x18u) == 0 ? 4 : (n->code & 0x18u) == 0x08 ? 2 : 1;
}

/* An instruction of arithmetic or a test, whose second operand is X. */
static inline bool
node_takes_x(const struct gnode *n)
{
	return !node_is_skip(n) && (node_class(n) == 4 || node_class(n) == 5) &&
		(n->code & 8u) != 0;
}

/* It ends the program with 0 when X is 0. */
static inline bool
node_divides_by_x(const struct gnode *n)
{
	return n->code == CBPF_CODE_ALU_DIV_X || n->code == CBPF_CODE_ALU_MOD_X;
}

/* What it reads and what it writes, as LIVE_ bits and words of M[]. */
uint32_t node_uses(const struct gnode *n);
uint32_t node_sets(const struct gnode *n);

/* The first node from @i on that does something. */
uint32_t graph_real(const struct graph *g, uint32_t i);

/* @prog as a graph; freed by graph_fini(). Returns 0, -ENOMEM. */
int graph_init(struct graph *g, const struct cbpf_prog *prog);
void graph_fini(struct graph *g);

/* Drop what is not reached, and number anew. Returns 0, -ENOMEM. */
int graph_sort(struct graph *g);

/*
 * The graph as instructions. Tests that reach further than 255 instructions go
 * over a "ja", or to a copy of the return, that several may share.
 *
 * Returns 0, -E2BIG: more than CBPF_MAX_INSNS, -ENOMEM.
 */
int graph_layout(const struct graph *g, struct cbpf_insn **ret_insns, size_t *ret_n);

#endif
