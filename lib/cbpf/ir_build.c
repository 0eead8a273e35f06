// SPDX-License-Identifier: BSD-3-Clause
/*
 * From cBPF to SSA form in one pass. Blocks are visited in program order, in
 * which every predecessor comes first; an edge exists once its source has
 * decided that it can be taken, so that code behind a constant test is never
 * built.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "ir.h"
#include "ir_facts.h"
#include "ir_known.h"
#include "prog_impl.h"

#define FACTS_MAX 64 /* dominating tests looked at; bounds the work for long chains */

struct builder {
	struct ir *ir;
	const struct prog_step *steps;
	uint32_t n;
	uint32_t *live; /* per instruction the slots that are read before they are written */
	uint32_t *target; /* per instruction where a jump to it really leads */
	struct ir_block **at; /* per instruction the block that starts there, or NULL */
	struct ir_val *zero; /* of the first block, so known in all */
};

/* What an instruction reads and writes, as bits of slots. */
struct effect {
	uint32_t reads, writes;
};

#define BIT_A (1u << IR_A)
#define BIT_X (1u << IR_X)

static struct effect
effect_of(const struct prog_step *s)
{
	switch ((enum cbpf_op)s->op) {
	case CBPF_OP_LD_W_ABS:
	case CBPF_OP_LD_H_ABS:
	case CBPF_OP_LD_B_ABS:
	case CBPF_OP_LD_IMM:
	case CBPF_OP_LD_LEN: return (struct effect){0, BIT_A};
	case CBPF_OP_LD_W_IND:
	case CBPF_OP_LD_H_IND:
	case CBPF_OP_LD_B_IND:
	case CBPF_OP_TXA: return (struct effect){BIT_X, BIT_A};
	case CBPF_OP_LD_MEM: return (struct effect){1u << (IR_M + s->k), BIT_A};
	case CBPF_OP_LDX_IMM:
	case CBPF_OP_LDX_LEN:
	case CBPF_OP_LDX_MSH: return (struct effect){0, BIT_X};
	case CBPF_OP_LDX_MEM: return (struct effect){1u << (IR_M + s->k), BIT_X};
	case CBPF_OP_TAX: return (struct effect){BIT_A, BIT_X};
	case CBPF_OP_ST: return (struct effect){BIT_A, 1u << (IR_M + s->k)};
	case CBPF_OP_STX: return (struct effect){BIT_X, 1u << (IR_M + s->k)};
	case CBPF_OP_ALU_ADD_K:
	case CBPF_OP_ALU_SUB_K:
	case CBPF_OP_ALU_MUL_K:
	case CBPF_OP_ALU_DIV_K:
	case CBPF_OP_ALU_OR_K:
	case CBPF_OP_ALU_AND_K:
	case CBPF_OP_ALU_LSH_K:
	case CBPF_OP_ALU_RSH_K:
	case CBPF_OP_ALU_NEG:
	case CBPF_OP_ALU_MOD_K:
	case CBPF_OP_ALU_XOR_K: return (struct effect){BIT_A, BIT_A};
	case CBPF_OP_ALU_ADD_X:
	case CBPF_OP_ALU_SUB_X:
	case CBPF_OP_ALU_MUL_X:
	case CBPF_OP_ALU_DIV_X:
	case CBPF_OP_ALU_OR_X:
	case CBPF_OP_ALU_AND_X:
	case CBPF_OP_ALU_LSH_X:
	case CBPF_OP_ALU_RSH_X:
	case CBPF_OP_ALU_MOD_X:
	case CBPF_OP_ALU_XOR_X: return (struct effect){BIT_A | BIT_X, BIT_A};
	case CBPF_OP_JEQ_K:
	case CBPF_OP_JGT_K:
	case CBPF_OP_JGE_K:
	case CBPF_OP_JSET_K: return (struct effect){BIT_A, 0};
	case CBPF_OP_JEQ_X:
	case CBPF_OP_JGT_X:
	case CBPF_OP_JGE_X:
	case CBPF_OP_JSET_X: return (struct effect){BIT_A | BIT_X, 0};
	case CBPF_OP_RET_A: return (struct effect){BIT_A, 0};
	case CBPF_OP_RET_K:
	case CBPF_OP_JA:
	case CBPF_OP_COUNT: break;
	}
	return (struct effect){0, 0};
}

static bool
is_cond(const struct prog_step *s)
{
	return op_rows[s->op].form == FORM_JMPK || op_rows[s->op].form == FORM_JMPX;
}

static bool
is_ret(const struct prog_step *s)
{
	return s->op == CBPF_OP_RET_K || s->op == CBPF_OP_RET_A;
}

/* The slots alive before @i, given those after it. */
static uint32_t
live_before(const struct builder *b, uint32_t i)
{
	const struct prog_step *s = &b->steps[i];
	struct effect e = effect_of(s);
	uint32_t after = 0;

	if (is_cond(s))
		after = b->live[i + 1 + s->jt] | b->live[i + 1 + s->jf];
	else if (s->op == CBPF_OP_JA)
		after = b->live[i + 1 + s->k];
	else if (!is_ret(s))
		after = b->live[i + 1];
	return e.reads | (after & ~e.writes);
}

/*
 * Backwards over the program: liveness, and where jumps lead: through "ja", and
 * of all "ret #k" with one k to the last one, so that tests that end alike
 * share their end.
 */
static void
prepare(struct builder *b)
{
	uint32_t drop = UINT32_MAX;

	for (uint32_t i = b->n; i-- > 0;) {
		const struct prog_step *s = &b->steps[i];

		b->live[i] = live_before(b, i);
		b->target[i] = i;
		if (s->op == CBPF_OP_JA) {
			b->target[i] = b->target[i + 1 + s->k];
		} else if (s->op == CBPF_OP_RET_K && s->k == 0) {
			if (drop == UINT32_MAX)
				drop = i;
			b->target[i] = drop;
		}
	}
}

/* Make a block for every place that a jump leads to. */
static void
mark_blocks(struct builder *b, uint32_t *preds)
{
	preds[b->target[0]]++;
	for (uint32_t i = 0; i < b->n; i++) {
		const struct prog_step *s = &b->steps[i];

		if (is_cond(s)) {
			preds[b->target[i + 1 + s->jt]]++;
			preds[b->target[i + 1 + s->jf]]++;
		} else if (s->op == CBPF_OP_JA) {
			preds[b->target[i + 1 + s->k]]++;
		}
	}
	/* What falls through into such a place is one more. */
	for (uint32_t i = 1; i < b->n; i++)
		preds[b->target[i]] += b->target[i] != i || preds[i] > 0;
}

static int
make_blocks(struct builder *b)
{
	struct ir *ir = b->ir;
	uint32_t *preds = arena_zalloc(&ir->mem, b->n * sizeof(*preds));
	uint32_t count = 0;

	if (preds == NULL)
		return -ENOMEM;
	mark_blocks(b, preds);
	for (uint32_t i = 0; i < b->n; i++) {
		if (preds[i] == 0)
			continue;
		b->at[i] = arena_zalloc(&ir->mem, sizeof(*b->at[i]));
		if (b->at[i] == NULL)
			return -ENOMEM;
		b->at[i]->preds = arena_zalloc(&ir->mem, preds[i] * sizeof(struct ir_block *));
		if (b->at[i]->preds == NULL)
			return -ENOMEM;
		count++;
	}
	/* Every edge may need a block of its own for the moves of phis. */
	ir->cap_blocks = count * 3 + 1;
	ir->blocks = arena_zalloc(&ir->mem, ir->cap_blocks * sizeof(*ir->blocks));
	return ir->blocks != NULL ? 0 : -ENOMEM;
}

static void
add_edge(struct ir_block *from, struct ir_block *to)
{
	to->preds[to->npreds++] = from;
	to->reached = true;
}

static void
end_goto(struct ir_block *blk, struct ir_block *to)
{
	blk->term = IR_GOTO;
	blk->yes = to;
	add_edge(blk, to);
}

static void
end_ret(struct ir_block *blk, struct ir_val *v)
{
	blk->term = IR_RET;
	blk->ret = v;
}

/*
 * jeq #5, L1		jeq #5, L1
 * ...		->	...
 * jgt #9, L2		ja L3, where the path came by the first test's false branch
 *
 * The tests on the way from the entry to @blk decide this one: 1, 0, or -1.
 */
static int
decide(const struct ir *ir, struct ir_block *blk, enum ir_test_kind kind, const struct ir_val *a,
	const struct ir_val *b)
{
	struct ir_range k = {0, a->umax};
	struct ir_block *s = blk;
	const int known = b->op == IR_CONST ? ir_known_decide(ir, kind, a, b->k) : -1;

	if (known >= 0)
		return known;
	if (a->op == IR_CONST)
		k.lo = a->k;
	for (int n = 0; s->idom != NULL && n < FACTS_MAX; s = s->idom, n++) {
		const struct ir_block *d = s->idom;
		bool holds = d->yes == s;

		if (s->npreds != 1 || d->term != IR_BRANCH || d->tests->a != a)
			continue;
		if (d->tests->kind == kind && d->tests->b == b)
			return holds;
		if (d->tests->b->op == IR_CONST)
			ir_range_learn(&k, d->tests->kind, holds, d->tests->b->k);
	}
	return b->op == IR_CONST ? ir_range_decide(&k, kind, b->k) : -1;
}

static void
end_branch(struct builder *b, struct ir_block *blk, enum ir_test_kind kind, struct ir_val *x,
	struct ir_block *yes, struct ir_block *no)
{
	struct ir_val *a = blk->env[IR_A];
	struct ir_test *t;
	int known;

	if (yes == no) {
		end_goto(blk, yes);
		return;
	}
	known = decide(b->ir, blk, kind, a, x);
	if (known >= 0) {
		end_goto(blk, known ? yes : no);
		return;
	}
	t = ir_test_new(b->ir);
	if (t == NULL)
		return;
	t->kind = kind;
	t->a = a;
	t->b = x;
	blk->term = IR_BRANCH;
	blk->tests = t;
	blk->yes = yes;
	blk->no = no;
	add_edge(blk, yes);
	add_edge(blk, no);
}

/* The @size bytes at @x + @k; false when no packet has them. */
static bool
build_load(struct builder *b, struct ir_block *blk, struct ir_val *x, uint32_t k, uint8_t size,
	struct ir_val **ret)
{
	uint64_t off = k;

	if (x->op == IR_CONST) {
		off += x->k;
		x = NULL;
	} else if (x->op == IR_ALU && x->alu == CBPF_ALU_ADD && x->b->op == IR_CONST &&
		(uint64_t)x->a->umax + x->b->k <= UINT32_MAX) {
		/* The addition cannot wrap, so its constant moves into the offset. */
		off += x->b->k;
		x = x->a;
	}
	if (off + size > UINT32_MAX) {
		end_ret(blk, ir_const(b->ir, blk, 0));
		return false;
	}
	if (!ir_known_there(b->ir, x, off + size))
		ir_guard_add(b->ir, blk, x, off + size);
	if (x == NULL && ir_known_load(b->ir, off, size).mask == UINT32_MAX)
		*ret = ir_const(b->ir, blk, ir_known_load(b->ir, off, size).val);
	else
		*ret = ir_load(b->ir, blk, x, (uint32_t)off, size);
	return true;
}

/* "A op= y"; false when it always divides by zero. */
static bool
build_alu(struct builder *b, struct ir_block *blk, enum cbpf_alu_op op, struct ir_val *y)
{
	if ((op == CBPF_ALU_DIV || op == CBPF_ALU_MOD) && y->op != IR_CONST)
		ir_guard_add(b->ir, blk, y, 0);
	if ((op == CBPF_ALU_DIV || op == CBPF_ALU_MOD) && ir_is_const(y, 0)) {
		end_ret(blk, ir_const(b->ir, blk, 0));
		return false;
	}
	blk->env[IR_A] = ir_alu(b->ir, blk, op, blk->env[IR_A], y);
	return true;
}

static bool
build_msh(struct builder *b, struct ir_block *blk, uint32_t k)
{
	struct ir *ir = b->ir;
	struct ir_val *v;

	if (!build_load(b, blk, b->zero, k, 1, &v))
		return false;
	v = ir_alu(ir, blk, CBPF_ALU_AND, v, ir_const(ir, blk, 15));
	blk->env[IR_X] = ir_alu(ir, blk, CBPF_ALU_LSH, v, ir_const(ir, blk, 2));
	return true;
}

#define ALU_CASES(name) \
	case CBPF_OP_ALU_##name##_K: \
		return build_alu(b, blk, CBPF_ALU_##name, ir_const(ir, blk, s->k)); \
	case CBPF_OP_ALU_##name##_X: \
		return build_alu(b, blk, CBPF_ALU_##name, env[IR_X])

#define COND_CASES(name) \
	case CBPF_OP_J##name##_K: \
		end_branch(b, blk, IR_##name, ir_const(ir, blk, s->k), yes, no); \
		return false; \
	case CBPF_OP_J##name##_X: end_branch(b, blk, IR_##name, env[IR_X], yes, no); return false

/* One instruction; false when it ended the block. */
static bool
build_step(struct builder *b, struct ir_block *blk, uint32_t i)
{
	const struct prog_step *s = &b->steps[i];
	struct ir_val **env = blk->env;
	struct ir *ir = b->ir;
	struct ir_val *zero = b->zero;
	struct ir_block *yes = NULL, *no = NULL;

	if (is_cond(s)) {
		yes = b->at[b->target[i + 1 + s->jt]];
		no = b->at[b->target[i + 1 + s->jf]];
	}
	switch ((enum cbpf_op)s->op) {
	case CBPF_OP_LD_W_ABS: return build_load(b, blk, zero, s->k, 4, &env[IR_A]);
	case CBPF_OP_LD_H_ABS: return build_load(b, blk, zero, s->k, 2, &env[IR_A]);
	case CBPF_OP_LD_B_ABS: return build_load(b, blk, zero, s->k, 1, &env[IR_A]);
	case CBPF_OP_LD_W_IND: return build_load(b, blk, env[IR_X], s->k, 4, &env[IR_A]);
	case CBPF_OP_LD_H_IND: return build_load(b, blk, env[IR_X], s->k, 2, &env[IR_A]);
	case CBPF_OP_LD_B_IND: return build_load(b, blk, env[IR_X], s->k, 1, &env[IR_A]);
	case CBPF_OP_LDX_MSH: return build_msh(b, blk, s->k);
	case CBPF_OP_LD_IMM: env[IR_A] = ir_const(ir, blk, s->k); return true;
	case CBPF_OP_LDX_IMM: env[IR_X] = ir_const(ir, blk, s->k); return true;
	case CBPF_OP_LD_MEM: env[IR_A] = env[IR_M + s->k]; return true;
	case CBPF_OP_LDX_MEM: env[IR_X] = env[IR_M + s->k]; return true;
	case CBPF_OP_LD_LEN: env[IR_A] = ir_len(ir, blk); return true;
	case CBPF_OP_LDX_LEN: env[IR_X] = ir_len(ir, blk); return true;
	case CBPF_OP_ST: env[IR_M + s->k] = env[IR_A]; return true;
	case CBPF_OP_STX: env[IR_M + s->k] = env[IR_X]; return true;
	case CBPF_OP_TAX: env[IR_X] = env[IR_A]; return true;
	case CBPF_OP_TXA: env[IR_A] = env[IR_X]; return true;
	case CBPF_OP_ALU_NEG:
		env[IR_A] = ir_alu(ir, blk, CBPF_ALU_SUB, zero, env[IR_A]);
		return true;
		ALU_CASES(ADD);
		ALU_CASES(SUB);
		ALU_CASES(MUL);
		ALU_CASES(DIV);
		ALU_CASES(MOD);
		ALU_CASES(AND);
		ALU_CASES(OR);
		ALU_CASES(XOR);
		ALU_CASES(LSH);
		ALU_CASES(RSH);
		COND_CASES(EQ);
		COND_CASES(GT);
		COND_CASES(GE);
		COND_CASES(SET);
	case CBPF_OP_JA: end_goto(blk, b->at[b->target[i + 1 + s->k]]); return false;
	case CBPF_OP_RET_K: end_ret(blk, ir_const(ir, blk, s->k)); return false;
	case CBPF_OP_RET_A: end_ret(blk, env[IR_A]); return false;
	case CBPF_OP_COUNT: break;
	}
	return false;
}

/*
 * The value of @slot where all ways into @blk meet. A slot that no path wrote is
 * NULL and, as validation promises, never read.
 */
static struct ir_val *
merge_slot(struct ir *ir, struct ir_block *blk, unsigned int slot)
{
	struct ir_val *first = blk->preds[0]->env[slot], *phi;
	bool same = true;

	for (uint32_t i = 1; i < blk->npreds; i++)
		same = same && blk->preds[i]->env[slot] == first;
	if (same)
		return first;
	phi = ir_phi(ir, blk);
	if (ir->failed)
		return phi;
	phi->umax = 0;
	for (uint32_t i = 0; i < blk->npreds; i++) {
		phi->args[i] = blk->preds[i]->env[slot];
		phi->umax = MAX(phi->umax, phi->args[i]->umax);
	}
	return phi;
}

static void
enter_block(struct builder *b, struct ir_block *blk, uint32_t start)
{
	struct ir *ir = b->ir;

	ir_dom_enter(blk);
	blk->index = ir->nblocks;
	ir->blocks[ir->nblocks++] = blk;
	blk->env = arena_zalloc(&ir->mem, IR_SLOTS * sizeof(*blk->env));
	if (blk->env == NULL) {
		ir->failed = true;
		return;
	}
	if (blk->npreds == 0) {
		b->zero = blk->env[IR_A] = blk->env[IR_X] = ir_const(ir, blk, 0);
		return;
	}
	for (unsigned int slot = 0; slot < IR_SLOTS; slot++)
		if (b->live[start] >> slot & 1)
			blk->env[slot] = merge_slot(ir, blk, slot);
}

static void
build_blocks(struct builder *b)
{
	b->at[b->target[0]]->reached = true;
	for (uint32_t start = 0; start < b->n && !b->ir->failed; start++) {
		struct ir_block *blk = b->at[start];
		uint32_t i = start;

		if (blk == NULL || !blk->reached)
			continue;
		enter_block(b, blk, start);
		while (!b->ir->failed && build_step(b, blk, i)) {
			i++;
			if (b->at[b->target[i]] != NULL) {
				end_goto(blk, b->at[b->target[i]]);
				break;
			}
		}
	}
}

int
ir_build(struct ir *ir, const struct cbpf_prog *prog)
{
	struct builder b = {.ir = ir, .steps = prog->steps, .n = prog->n};

	ir->nil = arena_zalloc(&ir->mem, sizeof(*ir->nil));
	b.live = arena_zalloc(&ir->mem, b.n * sizeof(*b.live));
	b.target = arena_zalloc(&ir->mem, b.n * sizeof(*b.target));
	b.at = arena_zalloc(&ir->mem, b.n * sizeof(struct ir_block *));
	if (ir->nil == NULL || b.live == NULL || b.target == NULL || b.at == NULL)
		return -ENOMEM;
	ir->nil->reg = -1;
	ir->nil->slot = -1;
	prepare(&b);
	if (make_blocks(&b) < 0)
		return -ENOMEM;
	build_blocks(&b);
	return ir->failed ? -ENOMEM : 0;
}
