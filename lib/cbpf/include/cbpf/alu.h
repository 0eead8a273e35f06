/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_ALU_H
#define CBPF_ALU_H

/*
 * What "a OP b" means, for every engine. The interpreter runs it, the folder
 * folds constants with it and the JIT tests compare against it, so that a
 * folded program and an executed one cannot disagree.
 */

#include <stdbool.h>
#include <stdint.h>

enum cbpf_alu_op {
	CBPF_ALU_ADD,
	CBPF_ALU_SUB,
	CBPF_ALU_MUL,
	CBPF_ALU_DIV,
	CBPF_ALU_MOD,
	CBPF_ALU_AND,
	CBPF_ALU_OR,
	CBPF_ALU_XOR,
	CBPF_ALU_LSH,
	CBPF_ALU_RSH,
};

/*
 * Shifts by 32 and more give 0, as in libpcap; Linux masks the count to five
 * bits instead. Returns false when the result does not exist (division by
 * zero), in which case the program ends with 0 and *@r is left alone.
 */
static inline bool
cbpf_alu(enum cbpf_alu_op op, uint32_t a, uint32_t b, uint32_t *r)
{
	switch (op) {
	case CBPF_ALU_ADD: *r = a + b; return true;
	case CBPF_ALU_SUB: *r = a - b; return true;
	case CBPF_ALU_MUL: *r = a * b; return true;
	case CBPF_ALU_AND: *r = a & b; return true;
	case CBPF_ALU_OR: *r = a | b; return true;
	case CBPF_ALU_XOR: *r = a ^ b; return true;
	case CBPF_ALU_LSH: *r = b < 32 ? a << b : 0; return true;
	case CBPF_ALU_RSH: *r = b < 32 ? a >> b : 0; return true;
	case CBPF_ALU_DIV:
		if (b == 0)
			return false;
		*r = a / b;
		return true;
	case CBPF_ALU_MOD:
		if (b == 0)
			return false;
		*r = a % b;
		return true;
	}
	__builtin_unreachable();
}

#endif
