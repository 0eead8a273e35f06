// SPDX-License-Identifier: BSD-3-Clause
/*
 * What is known of an instruction from those behind it. That hangs on operations
 * and jumps, not on what is compared with, so that thousands of rules of one
 * kind share it.
 */
#include "base/util.h"
#include "cbpf/prog.h"
#include "sym_run.h"

#define KEPT_MAX 64 /* programs of which the flow is kept */
#define KEPT_LEN 64 /* instructions; shorter ones are as soon analysed */

/* The flow of a program, and what others must be like to have it, too. */
struct sym_flow_kept {
	const struct flow *flow;
	uint64_t *mask, *val; /* of each instruction */
	size_t n;
};

#define BIT(reg) (1u << (reg))
/* How the language's codes are made up. */
#define CODE_CLASS 7u
#define CODE_X 8u /* of a jump: compares with X */

/* What @in, which is no jump and no return, reads and writes. */
static void
regs_of(const struct cbpf_insn *in, uint32_t *ret_reads, uint32_t *ret_writes)
{
	uint32_t reads = 0, writes = BIT(REG_A);

	switch (cbpf_op_of(in->code)) {
	case CBPF_OP_LD_W_IND:
	case CBPF_OP_LD_H_IND:
	case CBPF_OP_LD_B_IND:
	case CBPF_OP_TXA: reads = BIT(REG_X); break;
	case CBPF_OP_LDX_MSH:
	case CBPF_OP_LDX_IMM:
	case CBPF_OP_LDX_LEN: writes = BIT(REG_X); break;
	case CBPF_OP_LDX_MEM:
		reads = BIT(REG_M + in->k);
		writes = BIT(REG_X);
		break;
	case CBPF_OP_LD_MEM: reads = BIT(REG_M + in->k); break;
	case CBPF_OP_ST:
		reads = BIT(REG_A);
		writes = BIT(REG_M + in->k);
		break;
	case CBPF_OP_STX:
		reads = BIT(REG_X);
		writes = BIT(REG_M + in->k);
		break;
	case CBPF_OP_TAX:
		reads = BIT(REG_A);
		writes = BIT(REG_X);
		break;
	case CBPF_OP_ALU_NEG:
	case CBPF_OP_ALU_ADD_K:
	case CBPF_OP_ALU_SUB_K:
	case CBPF_OP_ALU_MUL_K:
	case CBPF_OP_ALU_DIV_K:
	case CBPF_OP_ALU_MOD_K:
	case CBPF_OP_ALU_AND_K:
	case CBPF_OP_ALU_OR_K:
	case CBPF_OP_ALU_XOR_K:
	case CBPF_OP_ALU_LSH_K:
	case CBPF_OP_ALU_RSH_K: reads = BIT(REG_A); break;
	case CBPF_OP_ALU_ADD_X:
	case CBPF_OP_ALU_SUB_X:
	case CBPF_OP_ALU_MUL_X:
	case CBPF_OP_ALU_DIV_X:
	case CBPF_OP_ALU_MOD_X:
	case CBPF_OP_ALU_AND_X:
	case CBPF_OP_ALU_OR_X:
	case CBPF_OP_ALU_XOR_X:
	case CBPF_OP_ALU_LSH_X:
	case CBPF_OP_ALU_RSH_X: reads = BIT(REG_A) | BIT(REG_X); break;
	case CBPF_OP_LD_W_ABS:
	case CBPF_OP_LD_H_ABS:
	case CBPF_OP_LD_B_ABS:
	case CBPF_OP_LD_IMM:
	case CBPF_OP_LD_LEN: break;
	case CBPF_OP_JA:
	case CBPF_OP_JEQ_K:
	case CBPF_OP_JEQ_X:
	case CBPF_OP_JGT_K:
	case CBPF_OP_JGT_X:
	case CBPF_OP_JGE_K:
	case CBPF_OP_JGE_X:
	case CBPF_OP_JSET_K:
	case CBPF_OP_JSET_X:
	case CBPF_OP_RET_K:
	case CBPF_OP_RET_A:
	case CBPF_OP_COUNT: writes = 0; break;
	}
	*ret_reads = reads;
	*ret_writes = writes;
}

uint32_t
sym_writes(const struct cbpf_insn *in)
{
	uint32_t reads, writes;

	regs_of(in, &reads, &writes);
	return writes;
}

static void
flow_of_jump(struct flow *flow, size_t pc, const struct cbpf_insn *in)
{
	struct flow *f = &flow[pc], *yes = &flow[pc + 1 + in->jt], *no = &flow[pc + 1 + in->jf];

	if (cbpf_op_of(in->code) == CBPF_OP_JA)
		yes = no = &flow[pc + 1 + in->k];
	yes->target = no->target = true;
	f->hopeless = yes->hopeless && no->hopeless;
	f->live = (yes->hopeless ? 0 : yes->live) | (no->hopeless ? 0 : no->live);
	if (yes == no)
		return;
	f->live |= BIT(REG_A);
	if ((in->code & CODE_X) != 0)
		f->live |= BIT(REG_X);
}

static struct flow *
analyse(struct arena *mem, const struct cbpf_insn *insns, size_t n)
{
	struct flow *flow = arena_zalloc(mem, (n + 1) * sizeof(*flow));

	if (flow == NULL)
		return NULL;
	flow[n].hopeless = true;
	for (size_t pc = n; pc-- > 0;) {
		const struct cbpf_insn *in = &insns[pc];
		const uint32_t class = in->code & CODE_CLASS;
		uint32_t reads, writes;

		if (class == (CBPF_CODE_JA & CODE_CLASS)) {
			flow_of_jump(flow, pc, in);
		} else if (class == (CBPF_CODE_RET_K & CODE_CLASS)) {
			const bool a = cbpf_op_of(in->code) == CBPF_OP_RET_A;

			flow[pc].hopeless = !a && in->k == 0;
			flow[pc].live = a ? BIT(REG_A) : 0;
		} else {
			regs_of(in, &reads, &writes);
			flow[pc].hopeless = flow[pc + 1].hopeless;
			flow[pc].live = (flow[pc + 1].live & ~writes) | reads;
		}
	}
	return flow;
}

/* What of @in matters: its number only where it is a place. */
static uint64_t
mask_of(const struct cbpf_insn *in)
{
	const struct cbpf_insn no_k = {UINT16_MAX, UINT8_MAX, UINT8_MAX, 0};

	switch ((int)cbpf_op_of(in->code)) {
	case CBPF_OP_LD_MEM:
	case CBPF_OP_LDX_MEM:
	case CBPF_OP_ST:
	case CBPF_OP_STX:
	case CBPF_OP_JA:
	case CBPF_OP_RET_K: return UINT64_MAX;
	}
	return sym_insn_bits(&no_k);
}

static bool
is_like(const struct sym_flow_kept *k, const struct cbpf_insn *insns)
{
	uint64_t differ = 0;

	/* Most that differ do so soon. */
	for (size_t i = 0; i < k->n && differ == 0; i += KEPT_LEN)
		for (size_t j = i; j < MIN(i + KEPT_LEN, k->n); j++)
			differ |= (sym_insn_bits(&insns[j]) & k->mask[j]) ^ k->val[j];
	return differ == 0;
}

static void
keep(struct sym_pool *p, const struct flow *flow, const struct cbpf_insn *insns, size_t n)
{
	struct sym_flow_kept *k;

	if (p->flows == NULL)
		p->flows = arena_zalloc(&p->mem, KEPT_MAX * sizeof(*p->flows));
	if (p->flows == NULL || p->n_flows == KEPT_MAX)
		return;
	k = &p->flows[p->n_flows];
	k->mask = arena_zalloc(&p->mem, 2 * n * sizeof(*k->mask));
	/* Without memory for it, it is made again. */
	if (k->mask == NULL)
		return;
	k->val = k->mask + n;
	for (size_t i = 0; i < n; i++) {
		k->mask[i] = mask_of(&insns[i]);
		k->val[i] = sym_insn_bits(&insns[i]) & k->mask[i];
	}
	k->flow = flow;
	k->n = n;
	p->n_flows++;
}

const struct flow *
sym_flow(struct run *r)
{
	const bool keeps = r->n >= KEPT_LEN;
	const struct flow *flow;

	for (uint32_t i = 0; i < r->pool->n_flows && keeps; i++)
		if (r->pool->flows[i].n == r->n && is_like(&r->pool->flows[i], r->insns))
			return r->pool->flows[i].flow;
	flow = analyse(
		keeps && r->pool->n_flows < KEPT_MAX ? &r->pool->mem : r->mem, r->insns, r->n);
	if (flow != NULL && keeps)
		keep(r->pool, flow, r->insns, r->n);
	return flow;
}
