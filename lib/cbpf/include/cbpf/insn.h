/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_INSN_H
#define CBPF_INSN_H

/*
 * The instruction set of classic BPF (McCanne, Jacobson, USENIX 1993; Linux
 * Documentation/networking/filter.rst). Plain values, any thread.
 */

#include <stdint.h>

/*
 * One instruction, laid out as the kernel's struct sock_filter. A taken branch
 * goes to pc + 1 + jt, a fall-through to pc + 1 + jf; both count instructions
 * and only go forward.
 */
struct cbpf_insn {
	uint16_t code;
	uint8_t jt;
	uint8_t jf;
	uint32_t k;
};

_Static_assert(sizeof(struct cbpf_insn) == 8, "the kernel's layout");

#define CBPF_MEM_WORDS 16 /* scratch words M[0..15] */

/*
 * Every instruction there is. This table is the only place that spells an
 * opcode: the decoder, the assembler, the disassembler and the random program
 * generator of the tests expand it, and the engines switch over the enum it
 * makes without a default, so that -Wswitch-enum names the engine that lacks a
 * new row.
 *
 *   X(id, code, mnemonic, operand form)
 *
 * Operand forms: ABS [k], IND [x + k], MSH 4*([k]&0xf), IMM #k, MEM M[k], LEN
 * #len, REGX x, NONE, JA target, JMPK #k,jt,jf, JMPX x,jt,jf, REGA a.
 */
/* clang-format off */
#define CBPF_OPCODES(X) \
	X(LD_W_ABS,	0x20, "ld",	ABS)	/* A = be32(pkt[k..k+4))	*/ \
	X(LD_H_ABS,	0x28, "ldh",	ABS)	/* A = be16(pkt[k..k+2))	*/ \
	X(LD_B_ABS,	0x30, "ldb",	ABS)	/* A = pkt[k]			*/ \
	X(LD_W_IND,	0x40, "ld",	IND)	/* A = be32(pkt[X+k..X+k+4))	*/ \
	X(LD_H_IND,	0x48, "ldh",	IND)	/* A = be16(pkt[X+k..X+k+2))	*/ \
	X(LD_B_IND,	0x50, "ldb",	IND)	/* A = pkt[X+k]			*/ \
	X(LD_IMM,	0x00, "ld",	IMM)	/* A = k			*/ \
	X(LD_MEM,	0x60, "ld",	MEM)	/* A = M[k]			*/ \
	X(LD_LEN,	0x80, "ld",	LEN)	/* A = length on the wire	*/ \
	X(LDX_IMM,	0x01, "ldx",	IMM)	/* X = k			*/ \
	X(LDX_MEM,	0x61, "ldx",	MEM)	/* X = M[k]			*/ \
	X(LDX_LEN,	0x81, "ldx",	LEN)	/* X = length on the wire	*/ \
	X(LDX_MSH,	0xb1, "ldxb",	MSH)	/* X = 4 * (pkt[k] & 15)	*/ \
	X(ST,		0x02, "st",	MEM)	/* M[k] = A			*/ \
	X(STX,		0x03, "stx",	MEM)	/* M[k] = X			*/ \
	X(ALU_ADD_K,	0x04, "add",	IMM)	/* A += k			*/ \
	X(ALU_ADD_X,	0x0c, "add",	REGX)	/* A += X			*/ \
	X(ALU_SUB_K,	0x14, "sub",	IMM)	/* A -= k			*/ \
	X(ALU_SUB_X,	0x1c, "sub",	REGX)	/* A -= X			*/ \
	X(ALU_MUL_K,	0x24, "mul",	IMM)	/* A *= k			*/ \
	X(ALU_MUL_X,	0x2c, "mul",	REGX)	/* A *= X			*/ \
	X(ALU_DIV_K,	0x34, "div",	IMM)	/* A /= k			*/ \
	X(ALU_DIV_X,	0x3c, "div",	REGX)	/* A /= X; X == 0 ends with 0	*/ \
	X(ALU_OR_K,	0x44, "or",	IMM)	/* A |= k			*/ \
	X(ALU_OR_X,	0x4c, "or",	REGX)	/* A |= X			*/ \
	X(ALU_AND_K,	0x54, "and",	IMM)	/* A &= k			*/ \
	X(ALU_AND_X,	0x5c, "and",	REGX)	/* A &= X			*/ \
	X(ALU_LSH_K,	0x64, "lsh",	IMM)	/* A <<= k			*/ \
	X(ALU_LSH_X,	0x6c, "lsh",	REGX)	/* A <<= X, see alu.h		*/ \
	X(ALU_RSH_K,	0x74, "rsh",	IMM)	/* A >>= k			*/ \
	X(ALU_RSH_X,	0x7c, "rsh",	REGX)	/* A >>= X, see alu.h		*/ \
	X(ALU_NEG,	0x84, "neg",	NONE)	/* A = -A			*/ \
	X(ALU_MOD_K,	0x94, "mod",	IMM)	/* A %= k			*/ \
	X(ALU_MOD_X,	0x9c, "mod",	REGX)	/* A %= X; X == 0 ends with 0	*/ \
	X(ALU_XOR_K,	0xa4, "xor",	IMM)	/* A ^= k			*/ \
	X(ALU_XOR_X,	0xac, "xor",	REGX)	/* A ^= X			*/ \
	X(JA,		0x05, "ja",	JA)	/* pc += k			*/ \
	X(JEQ_K,	0x15, "jeq",	JMPK)	/* pc += A == k ? jt : jf	*/ \
	X(JEQ_X,	0x1d, "jeq",	JMPX)	/* pc += A == X ? jt : jf	*/ \
	X(JGT_K,	0x25, "jgt",	JMPK)	/* pc += A > k ? jt : jf	*/ \
	X(JGT_X,	0x2d, "jgt",	JMPX)	/* pc += A > X ? jt : jf	*/ \
	X(JGE_K,	0x35, "jge",	JMPK)	/* pc += A >= k ? jt : jf	*/ \
	X(JGE_X,	0x3d, "jge",	JMPX)	/* pc += A >= X ? jt : jf	*/ \
	X(JSET_K,	0x45, "jset",	JMPK)	/* pc += A & k ? jt : jf	*/ \
	X(JSET_X,	0x4d, "jset",	JMPX)	/* pc += A & X ? jt : jf	*/ \
	X(RET_K,	0x06, "ret",	IMM)	/* return k			*/ \
	X(RET_A,	0x16, "ret",	REGA)	/* return A			*/ \
	X(TAX,		0x07, "tax",	NONE)	/* X = A			*/ \
	X(TXA,		0x87, "txa",	NONE)	/* A = X			*/
/* clang-format on */

#define X(id, code, name, form) CBPF_OP_##id,
enum cbpf_op { CBPF_OPCODES(X) CBPF_OP_COUNT };
#undef X

/* The opcode's value in struct cbpf_insn.code. */
#define X(id, code, name, form) CBPF_CODE_##id = (code),
enum cbpf_code { CBPF_OPCODES(X) };
#undef X

/* The row of @code, or CBPF_OP_COUNT when there is none. */
enum cbpf_op cbpf_op_of(uint16_t code);

#endif
