/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_IR_H
#define CBPF_IR_H

/*
 * What the compiler works on: a program as a graph of values. cBPF only jumps
 * forward, so that one pass in program order builds SSA form. Nothing in a
 * packet program has an effect: every value may be computed anywhere its
 * operands are known and its guards have passed, or not at all. What must
 * happen is the control flow: guards, tests, returns.
 *
 * All memory is in one arena. Running out of it is sticky (ir.failed) and seen
 * once, at the end of each stage. One thread per object.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "cbpf/alu.h"
#include "cbpf/insn.h"

struct cbpf_known;
struct cbpf_prog;

enum ir_op {
	IR_CONST, /* k */
	IR_LEN, /* the length on the wire */
	IR_ARG, /* what a chain's function is asked with: enum ir_arg k */
	IR_LOAD, /* big-endian number of size bytes at a + k; a may be NULL */
	IR_RAW, /* the same bytes as the machine reads them; size may be 8 */
	IR_ALU, /* a alu b */
	IR_PHI, /* args[i] when the block was entered from preds[i] */
};

/* Of chains, see cbpf_chain_fn. */
enum ir_arg { IR_ARG_KEY, IR_ARG_ALLOWED, IR_ARG_SPORT };

struct ir_block;

struct ir_val {
	enum ir_op op;
	enum cbpf_alu_op alu;
	uint8_t size; /* bytes, of loads */
	uint32_t id; /* larger than that of every operand */
	uint32_t k;
	uint32_t umax; /* never above this; meaningless for 8-byte IR_RAW */
	struct ir_val *a, *b;
	struct ir_val **args;
	struct ir_block *block; /* where it was made; its guards dominate this block's end */
	struct ir_val *hash_next;

	/* Of a link's program, while it becomes part of a chain. */
	uint32_t expr; /* equal numbers, equal values */
	struct ir_val *copy; /* the last in the chain's graph, or NULL */

	/* Code generation. */
	struct ir_block *place; /* where it is computed; NULL when nobody needs it */
	uint32_t uses;
	uint32_t start, end; /* first and last position that needs its register */
	int8_t reg; /* -1 while in slot */
	int16_t slot; /* 8 bytes each on the stack; -1 when none */
	bool outside; /* needed in a block other than place */
	struct ir_val *place_next; /* the next in place->placed */
	bool inline_; /* an operand of its only user, never in a register */
	uint32_t last_guard; /* the last block with a guard of a length behind it */
};

enum ir_test_kind {
	IR_EQ,
	IR_GT,
	IR_GE,
	IR_SET,
	IR_MEM, /* (size bytes at base a + off, as the machine reads them, & mask) == want */
	IR_RAWEQ, /* (a & mask) == want */
	IR_THERE, /* the guard's question; only where many programs are one graph, see ir_chain.h */
};

struct ir_test {
	struct ir_test *next;
	enum ir_test_kind kind;
	bool neg; /* holds when the comparison does not */
	bool widened; /* opt_windows() is done with it */
	uint8_t size;
	uint32_t off;
	uint32_t order; /* within the block, as the program asked */
	struct ir_val *a, *b;
	uint64_t mask, want;
	const struct ir_guard *guard; /* of IR_THERE, which has neither a nor b */
};

/* Must hold or the program ends with 0: v + end <= caplen, or v != 0 where end is 0. */
struct ir_guard {
	struct ir_guard *next;
	struct ir_val *v; /* NULL is 0 */
	uint64_t end; /* at most UINT32_MAX */
};

enum ir_term {
	IR_GOTO, /* yes */
	IR_BRANCH, /* yes when all tests hold, else no */
	IR_RET, /* ret */
};

#define IR_SLOTS (2 + CBPF_MEM_WORDS) /* A, X, M[] */
#define IR_A 0
#define IR_X 1
#define IR_M 2

struct ir_block {
	uint32_t index; /* in topological order */
	bool reached;
	struct ir_block *idom, *skip; /* dominator tree; skip makes climbing logarithmic */
	uint32_t depth;
	struct ir_block **preds;
	uint32_t npreds;
	struct ir_val *phis; /* chained by hash_next */
	struct ir_guard *guards;
	enum ir_term term;
	struct ir_test *tests;
	struct ir_block *yes, *no;
	struct ir_val *ret;
	struct ir_val **env; /* A, X, M[] at its end; only while building */
	struct ir_block *into; /* the block that swallowed this one, or NULL */
	uint32_t link; /* of a chain: which one it is of */
	uint32_t
		section; /* blocks of one stand together in the code, cold ones behind the others */
	bool cold; /* seldom entered, and not from blocks that are not: it goes to the end */

	/* Analysis of guards, for one base at a time. */
	uint64_t need, have;
	bool doomed; /* all paths from here end with 0 */
	struct ir_val *placed; /* values computed here, by number */
	uint32_t start; /* its position in the line */
	uint32_t jumped_to; /* the last position from which one comes back to it, or 0 */
};

struct ir {
	struct arena mem;
	const struct cbpf_known *known; /* of the packets that it is for, or NULL */
	bool failed; /* out of memory */
	struct ir_block **blocks; /* in topological order, reached ones only */
	uint32_t nblocks, cap_blocks;
	struct ir_val **vals; /* by id */
	uint32_t nvals, cap_vals;
	struct ir_val *nil; /* what every constructor returns once failed */
	bool is_chain; /* of no packet 2^31 bytes are captured */
	struct ir_val *hash[256];
};

/* Build @ir, which is zeroed but for what is known, from @prog. Returns 0 or -ENOMEM; ir_fini() in any case. */
int ir_build(struct ir *ir, const struct cbpf_prog *prog);

/* Run the passes over it. Returns 0 or -ENOMEM. */
int ir_optimise(struct ir *ir);

void ir_fini(struct ir *ir);

/* A pass in a file of its own: tests of neighbouring bytes as wide compares. */
void opt_windows(struct ir *ir);

/* Values, found again if a dominating block already has them. */
struct ir_val *ir_const(struct ir *ir, struct ir_block *b, uint32_t k);
struct ir_val *ir_len(struct ir *ir, struct ir_block *b);
struct ir_val *ir_arg(struct ir *ir, struct ir_block *b, enum ir_arg arg);
struct ir_val *ir_load(
	struct ir *ir, struct ir_block *b, struct ir_val *base, uint32_t k, uint8_t size);
struct ir_val *ir_raw(
	struct ir *ir, struct ir_block *b, struct ir_val *base, uint32_t k, uint8_t size);
struct ir_val *ir_alu(
	struct ir *ir, struct ir_block *b, enum cbpf_alu_op op, struct ir_val *x, struct ir_val *y);
/* The same without simplification, for ir_alu() itself. */
struct ir_val *ir_alu_plain(
	struct ir *ir, struct ir_block *b, enum cbpf_alu_op op, struct ir_val *x, struct ir_val *y);
struct ir_val *ir_phi(struct ir *ir, struct ir_block *b);

void ir_guard_add(struct ir *ir, struct ir_block *b, struct ir_val *v, uint64_t end);
struct ir_test *ir_test_new(struct ir *ir);

/* Dominators: enter @b, whose preds are known, into the tree; ask it. */
void ir_dom_enter(struct ir_block *b);
struct ir_block *ir_dom_common(struct ir_block *a, struct ir_block *b);
bool ir_dominates(const struct ir_block *a, struct ir_block *b);

static inline bool
ir_is_const(const struct ir_val *v, uint32_t k)
{
	return v->op == IR_CONST && v->k == k;
}

/* True when @b does nothing but return the constant 0. */
static inline bool
ir_is_drop(const struct ir_block *b)
{
	return b->term == IR_RET && b->guards == NULL && ir_is_const(b->ret, 0);
}

#endif
