// SPDX-License-Identifier: BSD-3-Clause
/* Classic programs only jump forward: one pass from the last instruction sees all ways. */
#include "plan.h"

#include "base/util.h"
#include "cbpf/insn.h"

static const struct plan_need no_match = {.hopeless = true};
static const struct plan_need nothing = {.hopeless = false};

/* What both branches need is needed here; one that cannot match has no say. */
static struct plan_need
either(const struct plan_need *x, const struct plan_need *y)
{
	if (x->hopeless || y->hopeless)
		return x->hopeless ? *y : *x;
	return (struct plan_need){
		.abs = MIN(x->abs, y->abs),
		.ind = MIN(x->ind, y->ind),
	};
}

/* @next after a load of @size bytes at @k. */
static struct plan_need
with_abs(struct plan_need next, uint32_t k, uint32_t size, uint32_t max)
{
	if (next.hopeless || k > max - size)
		return no_match;
	next.abs = MAX(next.abs, k + size);
	return next;
}

static struct plan_need
with_ind(struct plan_need next, uint32_t k, uint32_t size, uint32_t max)
{
	if (next.hopeless || k > max - size)
		return no_match;
	next.ind = MAX(next.ind, k + size);
	return next;
}

/* @next after X was changed: what it needs from X on is about another X. */
static struct plan_need
with_x(struct plan_need next)
{
	next.ind = 0;
	return next;
}

static struct plan_need
need_of(const struct cbpf_insn *i, uint32_t max, const struct plan_need *here)
{
	const struct plan_need *next = here + 1;

	switch (cbpf_op_of(i->code)) {
	case CBPF_OP_LD_W_ABS: return with_abs(*next, i->k, 4, max);
	case CBPF_OP_LD_H_ABS: return with_abs(*next, i->k, 2, max);
	case CBPF_OP_LD_B_ABS: return with_abs(*next, i->k, 1, max);
	case CBPF_OP_LD_W_IND: return with_ind(*next, i->k, 4, max);
	case CBPF_OP_LD_H_IND: return with_ind(*next, i->k, 2, max);
	case CBPF_OP_LD_B_IND: return with_ind(*next, i->k, 1, max);
	case CBPF_OP_LDX_MSH: return with_abs(with_x(*next), i->k, 1, max);
	case CBPF_OP_LDX_IMM:
	case CBPF_OP_LDX_MEM:
	case CBPF_OP_LDX_LEN:
	case CBPF_OP_TAX: return with_x(*next);
	case CBPF_OP_JA: return next[i->k];
	case CBPF_OP_JEQ_K:
	case CBPF_OP_JEQ_X:
	case CBPF_OP_JGT_K:
	case CBPF_OP_JGT_X:
	case CBPF_OP_JGE_K:
	case CBPF_OP_JGE_X:
	case CBPF_OP_JSET_K:
	case CBPF_OP_JSET_X: return either(&next[i->jt], &next[i->jf]);
	case CBPF_OP_RET_K: return i->k == 0 ? no_match : nothing;
	case CBPF_OP_RET_A: return nothing;
	case CBPF_OP_LD_IMM:
	case CBPF_OP_LD_MEM:
	case CBPF_OP_LD_LEN:
	case CBPF_OP_ST:
	case CBPF_OP_STX:
	case CBPF_OP_ALU_ADD_K:
	case CBPF_OP_ALU_ADD_X:
	case CBPF_OP_ALU_SUB_K:
	case CBPF_OP_ALU_SUB_X:
	case CBPF_OP_ALU_MUL_K:
	case CBPF_OP_ALU_MUL_X:
	case CBPF_OP_ALU_DIV_K:
	case CBPF_OP_ALU_DIV_X:
	case CBPF_OP_ALU_OR_K:
	case CBPF_OP_ALU_OR_X:
	case CBPF_OP_ALU_AND_K:
	case CBPF_OP_ALU_AND_X:
	case CBPF_OP_ALU_LSH_K:
	case CBPF_OP_ALU_LSH_X:
	case CBPF_OP_ALU_RSH_K:
	case CBPF_OP_ALU_RSH_X:
	case CBPF_OP_ALU_NEG:
	case CBPF_OP_ALU_MOD_K:
	case CBPF_OP_ALU_MOD_X:
	case CBPF_OP_ALU_XOR_K:
	case CBPF_OP_ALU_XOR_X:
	case CBPF_OP_TXA: return *next;
	case CBPF_OP_COUNT: break;
	}
	return no_match;
}

void
plan_needs(const struct cbpf_insn *insns, size_t n, uint32_t max, struct plan_need *needs)
{
	for (size_t i = n; i-- > 0;)
		needs[i] = need_of(&insns[i], max, &needs[i]);
}
