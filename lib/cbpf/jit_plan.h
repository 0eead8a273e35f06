/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_JIT_PLAN_H
#define CBPF_JIT_PLAN_H

/*
 * The graph put in a line: which value is computed where, in which register,
 * and what is done in which order. What remains is to spell it in machine code.
 */

#include "ir.h"
#include "jit_x86.h"

enum plan_kind {
	PLAN_BLOCK, /* the block begins here */
	PLAN_VAL, /* compute val */
	PLAN_GUARD,
	PLAN_TEST, /* not the last of its block: go on when it holds, else to block->no */
	PLAN_LAST_TEST, /* the last: to block->yes or block->no */
	PLAN_MOVE, /* val is a phi; it becomes arg */
	PLAN_GOTO,
	PLAN_RET,
};

struct plan_step {
	enum plan_kind kind;
	struct ir_block *block;
	struct ir_val *val, *arg;
	const struct ir_guard *guard;
	const struct ir_test *test;
};

struct plan_list {
	struct ir *ir;
	struct plan_step *v;
	uint32_t n, cap;
	uint32_t nslots; /* 8 bytes of stack each */
	uint32_t saved; /* callee-saved registers in use, as bits */
	bool has_div; /* edx is not free */
	bool has_len, has_sport; /* somebody asks for it */
	bool wide_guard; /* some guard is computed in 64 bits */
};

/*
 * Returns 0 or -ENOMEM. Steps live in @ir's arena.
 *
 * @taken:	registers, as bits, in which there is something that must stay
 */
int plan_make(struct ir *ir, uint32_t taken, struct plan_list *ret_plan);

/*
 * @v as index << scale where an address takes the shift for free, else @v and 0.
 * The shift never drops bits.
 */
static inline struct ir_val *
plan_shifted(struct ir_val *v, uint8_t *ret_scale)
{
	*ret_scale = 0;
	if (v->op != IR_ALU || v->alu != CBPF_ALU_LSH || v->b->op != IR_CONST || v->b->k > 3 ||
		(uint64_t)v->a->umax << v->b->k > UINT32_MAX)
		return v;
	*ret_scale = (uint8_t)v->b->k;
	return v->a;
}

/*
 * What the address of the load @v adds to the packet's start: plan_shifted() of its base, and
 * *@ret_disp. Of a base "len - n" that is the length: where a byte behind the base is there
 * it is below 2^31 in a chain, so that the subtraction did not wrap.
 */
static inline struct ir_val *
plan_index(const struct ir *ir, const struct ir_val *v, uint8_t *ret_scale, int64_t *ret_disp)
{
	struct ir_val *base = v->a;

	*ret_disp = v->k;
	if (!ir->is_chain || v->k > INT32_MAX || base->op != IR_ALU || base->alu != CBPF_ALU_ADD ||
		base->a->op != IR_LEN || base->b->op != IR_CONST || base->b->k <= INT32_MAX)
		return plan_shifted(base, ret_scale);
	*ret_scale = 0;
	*ret_disp += (int32_t)base->b->k;
	return base->a;
}

/* True when @v + @end, computed in 32 bits, cannot wrap. */
static inline bool
plan_guard_is_narrow(const struct ir_guard *g)
{
	return g->v == NULL || (uint64_t)g->v->umax + g->end <= UINT32_MAX;
}

#endif
