// SPDX-License-Identifier: BSD-3-Clause
/* What is the same for all kinds of eBPF programs; see lower_impl.h. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "ebpf/lower.h"
#include "lower_impl.h"
#include "plan.h"

/* What a jump or the way on brings to an instruction that may be reached in other ways too. */
static void
flow(struct lower *l, size_t to, const struct lower_state *s)
{
	struct lower_state *t = &l->states[to];

	if (!t->reached) {
		*t = *s;
		return;
	}
	t->xptr = t->xptr && s->xptr;
	t->xwin = MIN(t->xwin, s->xwin);
	t->abs = MIN(t->abs, s->abs);
	t->amax = MAX(t->amax, s->amax);
	t->xmax = MAX(t->xmax, s->xmax);
}

static uint32_t
label_of(const struct lower *l, size_t at)
{
	return l->needs[at].hopeless ? l->nomatch : l->labels + (uint32_t)at;
}

/* The comparison that holds when @op does not; JSET has none. */
static enum ebpf_jmp_op
inverse(enum ebpf_jmp_op op)
{
	return op == EBPF_JEQ ? EBPF_JNE : op == EBPF_JGT ? EBPF_JLE : EBPF_JLT;
}

static void
compare(struct lower *l, const struct cbpf_insn *i, enum ebpf_jmp_op op, bool by_x, uint32_t label)
{
	if (by_x)
		ebpf_jmp32(l->a, op, EBPF_R0, l->x, label);
	else
		ebpf_jmp32_imm(l->a, op, EBPF_R0, i->k, label);
}

static void
branch(struct lower *l, size_t at, const struct lower_state *s, enum ebpf_jmp_op op, bool by_x)
{
	const struct cbpf_insn *i = &l->insns[at];
	const size_t yes = at + 1 + i->jt, no = at + 1 + i->jf;

	flow(l, yes, s);
	flow(l, no, s);
	if (i->jt == 0 && i->jf != 0 && op != EBPF_JSET) {
		compare(l, i, inverse(op), by_x, label_of(l, no));
		return;
	}
	if (yes != no)
		compare(l, i, op, by_x, label_of(l, yes));
	ebpf_ja(l->a, label_of(l, no));
}

static void
alu_k(struct lower *l, enum ebpf_alu_op op, uint32_t k)
{
	ebpf_alu32_imm(l->a, op, EBPF_R0, k);
}

static void
alu_x(struct lower *l, enum ebpf_alu_op op)
{
	ebpf_alu32(l->a, op, EBPF_R0, l->x);
}

static void
divide_x(struct lower *l, enum ebpf_alu_op op)
{
	ebpf_jmp32_imm(l->a, EBPF_JEQ, l->x, 0, l->nomatch);
	alu_x(l, op);
}

/* eBPF takes the count modulo 32; here 32 and more give 0. */
static void
shift_x(struct lower *l, enum ebpf_alu_op op)
{
	uint32_t done = ebpf_label(l->a), small = ebpf_label(l->a);

	ebpf_jmp32_imm(l->a, EBPF_JLT, l->x, 32, small);
	alu_k(l, EBPF_MOV, 0);
	ebpf_ja(l->a, done);
	ebpf_here(l->a, small);
	alu_x(l, op);
	ebpf_here(l->a, done);
}

static uint32_t
shl_max(uint32_t x, uint32_t k)
{
	return x > UINT32_MAX >> k ? UINT32_MAX : x << k;
}

static int
mem_at(const struct lower *l, uint32_t k)
{
	return l->mem_slot + 8 * (int)k;
}

/* A or X was set to something that is at most @max. */
static void
set_a(struct lower_state *s, uint32_t max)
{
	s->amax = max;
}

/*
 * Make the verifier forget what it knows of A. Where ways meet it goes on once
 * for every different range of each number that an offset is made of, so that a
 * walk over options, three ways to the next one, would take it 3^n steps. When
 * the numbers are unknown on all ways they are one: for an unrolled walk of 1,472
 * instructions it takes 4,600 steps instead of giving up after a million.
 */
static void
forget_a(struct lower *l, struct lower_state *s)
{
	ebpf_alu32(l->a, EBPF_XOR, EBPF_R0, l->zero);
	set_a(s, UINT32_MAX);
}

static void
set_x(struct lower_state *s, uint32_t max)
{
	s->xmax = max;
	s->xptr = false;
	s->xwin = 0;
}

/* One instruction; its state becomes that behind it. Returns false where nothing follows. */
static bool
statement(struct lower *l, size_t at, struct lower_state *s)
{
	const struct cbpf_insn *i = &l->insns[at];
	const struct plan_need *need = &l->needs[at];
	const uint32_t k = i->k;
	struct ebpf_asm *a = l->a;

	switch (cbpf_op_of(i->code)) {
	case CBPF_OP_LD_W_ABS: l->kind->abs(l, s, need, k, EBPF_W); return true;
	case CBPF_OP_LD_H_ABS: l->kind->abs(l, s, need, k, EBPF_H); return true;
	case CBPF_OP_LD_B_ABS: l->kind->abs(l, s, need, k, EBPF_B); return true;
	case CBPF_OP_LD_W_IND: l->kind->ind(l, s, need, k, EBPF_W); return true;
	case CBPF_OP_LD_H_IND: l->kind->ind(l, s, need, k, EBPF_H); return true;
	case CBPF_OP_LD_B_IND: l->kind->ind(l, s, need, k, EBPF_B); return true;
	case CBPF_OP_LDX_MSH:
		l->kind->msh(l, s, need, k);
		set_x(s, 60);
		return true;
	case CBPF_OP_LD_IMM:
		alu_k(l, EBPF_MOV, k);
		set_a(s, k);
		return true;
	case CBPF_OP_LD_MEM:
		ebpf_ld(a, EBPF_DW, EBPF_R0, EBPF_FP, mem_at(l, k));
		set_a(s, UINT32_MAX);
		return true;
	case CBPF_OP_LD_LEN:
		l->kind->len(l, EBPF_R0);
		set_a(s, UINT32_MAX);
		return true;
	case CBPF_OP_LDX_IMM:
		ebpf_alu32_imm(a, EBPF_MOV, l->x, k);
		set_x(s, k);
		return true;
	case CBPF_OP_LDX_MEM:
		ebpf_ld(a, EBPF_DW, l->x, EBPF_FP, mem_at(l, k));
		set_x(s, UINT32_MAX);
		return true;
	case CBPF_OP_LDX_LEN:
		l->kind->len(l, l->x);
		set_x(s, UINT32_MAX);
		return true;
	case CBPF_OP_ST:
		forget_a(l, s);
		ebpf_st(a, EBPF_DW, EBPF_FP, mem_at(l, k), EBPF_R0);
		return true;
	case CBPF_OP_STX: ebpf_st(a, EBPF_DW, EBPF_FP, mem_at(l, k), l->x); return true;
	case CBPF_OP_ALU_ADD_K: alu_k(l, EBPF_ADD, k); break;
	case CBPF_OP_ALU_AND_K:
		alu_k(l, EBPF_AND, k);
		set_a(s, MIN(s->amax, k));
		return true;
	case CBPF_OP_ALU_AND_X:
		alu_x(l, EBPF_AND);
		set_a(s, MIN(s->amax, s->xmax));
		return true;
	case CBPF_OP_ALU_LSH_K:
		alu_k(l, EBPF_LSH, k);
		set_a(s, shl_max(s->amax, k));
		return true;
	case CBPF_OP_ALU_RSH_K:
		alu_k(l, EBPF_RSH, k);
		set_a(s, s->amax >> k);
		return true;
	case CBPF_OP_ALU_ADD_X: alu_x(l, EBPF_ADD); break;
	case CBPF_OP_ALU_SUB_K: alu_k(l, EBPF_SUB, k); break;
	case CBPF_OP_ALU_SUB_X: alu_x(l, EBPF_SUB); break;
	case CBPF_OP_ALU_MUL_K: alu_k(l, EBPF_MUL, k); break;
	case CBPF_OP_ALU_MUL_X: alu_x(l, EBPF_MUL); break;
	case CBPF_OP_ALU_DIV_K: alu_k(l, EBPF_DIV, k); break;
	case CBPF_OP_ALU_DIV_X: divide_x(l, EBPF_DIV); break;
	case CBPF_OP_ALU_MOD_K: alu_k(l, EBPF_MOD, k); break;
	case CBPF_OP_ALU_MOD_X: divide_x(l, EBPF_MOD); break;
	case CBPF_OP_ALU_OR_K: alu_k(l, EBPF_OR, k); break;
	case CBPF_OP_ALU_OR_X: alu_x(l, EBPF_OR); break;
	case CBPF_OP_ALU_XOR_K: alu_k(l, EBPF_XOR, k); break;
	case CBPF_OP_ALU_XOR_X: alu_x(l, EBPF_XOR); break;
	case CBPF_OP_ALU_LSH_X: shift_x(l, EBPF_LSH); break;
	case CBPF_OP_ALU_RSH_X: shift_x(l, EBPF_RSH); break;
	case CBPF_OP_ALU_NEG: alu_k(l, EBPF_NEG, 0); break;
	case CBPF_OP_JA:
		flow(l, at + 1 + k, s);
		ebpf_ja(a, label_of(l, at + 1 + k));
		return false;
	case CBPF_OP_JEQ_K: branch(l, at, s, EBPF_JEQ, false); return false;
	case CBPF_OP_JEQ_X: branch(l, at, s, EBPF_JEQ, true); return false;
	case CBPF_OP_JGT_K: branch(l, at, s, EBPF_JGT, false); return false;
	case CBPF_OP_JGT_X: branch(l, at, s, EBPF_JGT, true); return false;
	case CBPF_OP_JGE_K: branch(l, at, s, EBPF_JGE, false); return false;
	case CBPF_OP_JGE_X: branch(l, at, s, EBPF_JGE, true); return false;
	case CBPF_OP_JSET_K: branch(l, at, s, EBPF_JSET, false); return false;
	case CBPF_OP_JSET_X: branch(l, at, s, EBPF_JSET, true); return false;
	case CBPF_OP_RET_K: l->kind->ret_k(l, k); return false;
	case CBPF_OP_RET_A: l->kind->ret_a(l); return false;
	case CBPF_OP_TAX:
		ebpf_alu32(a, EBPF_MOV, l->x, EBPF_R0);
		set_x(s, s->amax);
		return true;
	case CBPF_OP_TXA:
		ebpf_alu32(a, EBPF_MOV, EBPF_R0, l->x);
		set_a(s, s->xmax);
		return true;
	case CBPF_OP_COUNT: return false;
	}
	forget_a(l, s);
	return true;
}

/* True when the program may come to forget_a(): it computes or stores. */
static bool
computes(const struct cbpf_insn *insns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((insns[i].code & 7) == (CBPF_CODE_ALU_ADD_K & 7) ||
			insns[i].code == CBPF_CODE_ST)
			return true;
	return false;
}

static void
walk(struct lower *l, size_t n)
{
	for (size_t at = 0; at < n; at++) {
		struct lower_state s = l->states[at];

		if (!s.reached)
			continue;
		ebpf_here(l->a, l->labels + (uint32_t)at);
		if (l->needs[at].hopeless)
			ebpf_ja(l->a, l->nomatch);
		else if (statement(l, at, &s))
			flow(l, at + 1, &s);
	}
}

void
lower_prog(struct lower *l, const struct cbpf_prog *prog)
{
	struct lower_state *states;
	struct plan_need *needs;
	size_t n;

	l->insns = cbpf_prog_insns(prog, &n);
	states = mem_calloc(n, sizeof(*states));
	needs = mem_calloc(n, sizeof(*needs));
	if (states != NULL && needs != NULL) {
		plan_needs(l->insns, n, l->max, needs);
		l->states = states;
		l->needs = needs;
		l->labels = ebpf_label(l->a);
		for (size_t i = 1; i < n; i++)
			(void)ebpf_label(l->a);
		states[0].reached = true;
		if (l->pkt != NULL)
			states[0].abs = l->pkt->checked;
		alu_k(l, EBPF_MOV, 0);
		ebpf_alu32_imm(l->a, EBPF_MOV, l->x, 0);
		if (computes(l->insns, n))
			l->kind->set_zero(l);
		walk(l, n);
	} else {
		ebpf_asm_fail(l->a, -ENOMEM);
	}
	mem_free(states);
	mem_free(needs);
}
