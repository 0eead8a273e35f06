// SPDX-License-Identifier: BSD-3-Clause
#include "ir_known.h"

#include "base/util.h"
#include "cbpf/jit.h"

#define DEPTH_MAX 4 /* operations that are looked through */

static struct ir_bits
bits_load(const struct ir *ir, const struct ir_val *v)
{
	if (v->a == NULL)
		return ir_known_load(ir, v->k, v->size);
	return (struct ir_bits){v->size == 4 ? 0 : UINT32_MAX << 8 * v->size, 0};
}

struct ir_bits
ir_known_load(const struct ir *ir, uint64_t off, uint8_t size)
{
	struct ir_bits b = {size == 4 ? 0 : UINT32_MAX << 8 * size, 0};

	for (uint8_t i = 0; i < size && ir->known != NULL && off + i < CBPF_KNOWN_BYTES; i++) {
		const uint8_t shift = (uint8_t)(8 * (size - 1 - i));

		b.mask |= (uint32_t)ir->known->bits[off + i] << shift;
		b.val |= (uint32_t)ir->known->val[off + i] << shift;
	}
	return b;
}

/* Of @x, whose bits are @b, and the constant @k. */
static struct ir_bits
bits_alu(enum cbpf_alu_op op, struct ir_bits b, uint32_t k)
{
	switch (op) {
	case CBPF_ALU_AND: return (struct ir_bits){b.mask | ~k, b.val & k};
	case CBPF_ALU_OR: return (struct ir_bits){b.mask | k, b.val | k};
	case CBPF_ALU_XOR: return (struct ir_bits){b.mask, (b.val ^ k) & b.mask};
	case CBPF_ALU_LSH:
		if (k < 32)
			return (struct ir_bits){b.mask << k | ((1u << k) - 1), b.val << k};
		break;
	case CBPF_ALU_RSH:
		if (k < 32)
			return (struct ir_bits){b.mask >> k | ~(UINT32_MAX >> k), b.val >> k};
		break;
	case CBPF_ALU_ADD:
	case CBPF_ALU_SUB:
	case CBPF_ALU_MUL:
	case CBPF_ALU_DIV:
	case CBPF_ALU_MOD: break;
	}
	return (struct ir_bits){0, 0};
}

static struct ir_bits
bits_of(const struct ir *ir, const struct ir_val *v, int depth)
{
	if (v->op == IR_CONST)
		return (struct ir_bits){UINT32_MAX, v->k};
	if (v->op == IR_LOAD)
		return bits_load(ir, v);
	if (v->op != IR_ALU || v->b->op != IR_CONST || depth == 0)
		return (struct ir_bits){0, 0};
	return bits_alu(v->alu, bits_of(ir, v->a, depth - 1), v->b->k);
}

uint64_t
ir_known_bytes(const struct ir *ir)
{
	return ir->known != NULL ? ir->known->there : 0;
}

/*
 * Where all bytes on the wire were captured, and there are known.there of them at least, what
 * is n bytes before the end with n <= known.there does not lie before the start: len - n does
 * not wrap, and len - n + end <= len where end <= n.
 */
static bool
is_tail_there(const struct cbpf_known *known, const struct ir_val *base, uint64_t end)
{
	uint32_t n;

	if (!known->whole || base->op != IR_ALU || base->alu != CBPF_ALU_ADD ||
		base->a->op != IR_LEN || base->b->op != IR_CONST)
		return false;
	n = 0 - base->b->k;
	return n <= known->there && end <= n;
}

bool
ir_known_there(const struct ir *ir, const struct ir_val *base, uint64_t end)
{
	if (ir->known == NULL)
		return false;
	return base == NULL ? end <= ir->known->there : is_tail_there(ir->known, base, end);
}

int
ir_known_decide(const struct ir *ir, enum ir_test_kind kind, const struct ir_val *v, uint32_t c)
{
	const struct ir_bits b = bits_of(ir, v, DEPTH_MAX);

	if (kind == IR_EQ && ((b.val ^ c) & b.mask) != 0)
		return 0;
	if (kind == IR_EQ && b.mask == UINT32_MAX)
		return 1;
	if (kind == IR_SET && (b.val & c) != 0)
		return 1;
	if (kind == IR_SET && (c & ~b.mask) == 0)
		return 0;
	return -1;
}
