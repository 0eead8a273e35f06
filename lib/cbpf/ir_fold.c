// SPDX-License-Identifier: BSD-3-Clause
/*
 * Arithmetic is simplified as it is built. Each rule is one function, returns
 * NULL when it does not apply, and gives a value with fewer or cheaper
 * operations than it took, so that building ends.
 */
#include "base/util.h"
#include "ir.h"

typedef struct ir_val *(*fold_fn)(
	struct ir *ir, struct ir_block *b, enum cbpf_alu_op op, struct ir_val *x, struct ir_val *y);

/*
 * ld #6		ld #13
 * add #7	->
 */
static struct ir_val *
fold_constants(
	struct ir *ir, struct ir_block *b, enum cbpf_alu_op op, struct ir_val *x, struct ir_val *y)
{
	uint32_t r;

	if (x->op != IR_CONST || y->op != IR_CONST || !cbpf_alu(op, x->k, y->k, &r))
		return NULL;
	return ir_const(ir, b, r);
}

static bool
commutes(enum cbpf_alu_op op)
{
	return op == CBPF_ALU_ADD || op == CBPF_ALU_MUL || op == CBPF_ALU_AND ||
		op == CBPF_ALU_OR || op == CBPF_ALU_XOR;
}

/*
 * ld #20		ldx M[0]
 * add x	->	txa
 *			add #20
 */
static struct ir_val *
fold_order(
	struct ir *ir, struct ir_block *b, enum cbpf_alu_op op, struct ir_val *x, struct ir_val *y)
{
	if (x->op == IR_CONST && y->op != IR_CONST && commutes(op))
		return ir_alu(ir, b, op, y, x);
	return NULL;
}

/*
 * sub #3		add #0xfffffffd
 * mul #8	->	lsh #3
 * div #8		rsh #3
 * mod #8		and #7
 */
static struct ir_val *
fold_strength(
	struct ir *ir, struct ir_block *b, enum cbpf_alu_op op, struct ir_val *x, struct ir_val *y)
{
	uint32_t k = y->k, log2;

	if (y->op != IR_CONST)
		return NULL;
	if (op == CBPF_ALU_SUB)
		return ir_alu(ir, b, CBPF_ALU_ADD, x, ir_const(ir, b, 0 - k));
	if (k == 0 || (k & (k - 1)) != 0)
		return NULL;
	log2 = (uint32_t)__builtin_ctz(k);
	if (op == CBPF_ALU_MUL)
		return ir_alu(ir, b, CBPF_ALU_LSH, x, ir_const(ir, b, log2));
	if (op == CBPF_ALU_DIV)
		return ir_alu(ir, b, CBPF_ALU_RSH, x, ir_const(ir, b, log2));
	if (op == CBPF_ALU_MOD)
		return ir_alu(ir, b, CBPF_ALU_AND, x, ir_const(ir, b, k - 1));
	return NULL;
}

/*
 * add #0	->	(nothing)
 * and #0	->	ld #0
 * and #0xff	->	(nothing), behind ldb
 */
static struct ir_val *
fold_identity(
	struct ir *ir, struct ir_block *b, enum cbpf_alu_op op, struct ir_val *x, struct ir_val *y)
{
	bool zero = ir_is_const(y, 0);

	if (y->op != IR_CONST)
		return NULL;
	switch (op) {
	case CBPF_ALU_ADD:
	case CBPF_ALU_SUB:
	case CBPF_ALU_OR:
	case CBPF_ALU_XOR:
	case CBPF_ALU_LSH: return zero ? x : NULL;
	case CBPF_ALU_RSH:
		if (y->k < 32 && x->umax >> y->k == 0)
			return ir_const(ir, b, 0);
		return zero ? x : NULL;
	case CBPF_ALU_AND:
		if (zero)
			return y;
		/* Every bit that x can have is kept. */
		if ((y->k & (y->k + 1)) == 0 && x->umax <= y->k)
			return x;
		return NULL;
	case CBPF_ALU_MUL:
		if (zero)
			return y;
		return y->k == 1 ? x : NULL;
	case CBPF_ALU_DIV: return y->k == 1 ? x : NULL;
	case CBPF_ALU_MOD: return y->k == 1 ? ir_const(ir, b, 0) : NULL;
	}
	return NULL;
}

/*
 * add #20	->	add #21
 * add #1
 *
 * Also or, and, xor with a constant twice.
 */
static struct ir_val *
fold_chain(
	struct ir *ir, struct ir_block *b, enum cbpf_alu_op op, struct ir_val *x, struct ir_val *y)
{
	uint32_t r;

	if (y->op != IR_CONST || x->op != IR_ALU || x->alu != op || x->b->op != IR_CONST ||
		!commutes(op) || !cbpf_alu(op, x->b->k, y->k, &r))
		return NULL;
	return ir_alu(ir, b, op, x->a, ir_const(ir, b, r));
}

/*
 * x = y + 20, a += x	->	a += y, a += 20
 *
 * The constant ends up outermost, where a load takes it into its offset.
 */
static struct ir_val *
fold_hoist(
	struct ir *ir, struct ir_block *b, enum cbpf_alu_op op, struct ir_val *x, struct ir_val *y)
{
	struct ir_val *t;

	if (op != CBPF_ALU_ADD || y->op == IR_CONST)
		return NULL;
	if (x->op != IR_ALU || x->alu != CBPF_ALU_ADD || x->b->op != IR_CONST) {
		t = x;
		x = y;
		y = t;
	}
	if (x->op != IR_ALU || x->alu != CBPF_ALU_ADD || x->b->op != IR_CONST)
		return NULL;
	return ir_alu(ir, b, op, ir_alu(ir, b, op, x->a, y), x->b);
}

/*
 * x = a		ld #0
 * sub x	->
 *
 * Also xor; and, or with itself are nothing.
 */
static struct ir_val *
fold_same(
	struct ir *ir, struct ir_block *b, enum cbpf_alu_op op, struct ir_val *x, struct ir_val *y)
{
	if (x != y)
		return NULL;
	if (op == CBPF_ALU_SUB || op == CBPF_ALU_XOR)
		return ir_const(ir, b, 0);
	return op == CBPF_ALU_AND || op == CBPF_ALU_OR ? x : NULL;
}

/*
 * ldb [0]		ldb [0]
 * lsh #2	->	and #15
 * and #60		lsh #2
 *
 * "4*([0]&0xf)" however it is written, so that an address can take the shift.
 */
static struct ir_val *
fold_mask_shift(
	struct ir *ir, struct ir_block *b, enum cbpf_alu_op op, struct ir_val *x, struct ir_val *y)
{
	if (op != CBPF_ALU_AND || y->op != IR_CONST || x->op != IR_ALU || x->alu != CBPF_ALU_LSH ||
		x->b->op != IR_CONST || x->b->k > 31)
		return NULL;
	return ir_alu(ir, b, CBPF_ALU_LSH,
		ir_alu(ir, b, CBPF_ALU_AND, x->a, ir_const(ir, b, y->k >> x->b->k)), x->b);
}

static const fold_fn folds[] = {fold_constants, fold_order, fold_strength, fold_identity,
	fold_chain, fold_hoist, fold_same, fold_mask_shift};

struct ir_val *
ir_alu(struct ir *ir, struct ir_block *b, enum cbpf_alu_op op, struct ir_val *x, struct ir_val *y)
{
	for (size_t i = 0; i < DIM(folds) && !ir->failed; i++) {
		struct ir_val *v = folds[i](ir, b, op, x, y);

		if (v != NULL)
			return v;
	}
	return ir_alu_plain(ir, b, op, x, y);
}
