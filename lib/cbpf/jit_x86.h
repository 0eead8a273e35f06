/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_JIT_X86_H
#define CBPF_JIT_X86_H

/*
 * Encoding of the x86-64 instructions that compiled programs consist of.
 *
 * Code is emitted several times: the first runs, with no buffer, only learn
 * where labels lie and which jumps can be short; writing past the end is not an
 * error but only counted, so that no emit call has a failure to check.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum x86_reg {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15,
	X86_NONE = -1,
};

/* Condition codes as in Jcc; cc ^ 1 is the opposite. */
enum x86_cc {
	CC_B = 2, /* below, unsigned */
	CC_AE = 3,
	CC_E = 4,
	CC_NE = 5,
	CC_BE = 6,
	CC_A = 7,
};

/* The "/digit" of 0x81-style arithmetic; times 8, the opcode of the register form. */
enum x86_alu {
	X86_ADD = 0,
	X86_OR = 1,
	X86_SBB = 3,
	X86_AND = 4,
	X86_SUB = 5,
	X86_XOR = 6,
	X86_CMP = 7,
};

/* A register (index and base unused) or memory at base + (index << scale) + disp. */
struct x86_rm {
	bool is_mem;
	enum x86_reg reg; /* or the base; X86_NONE for no base */
	enum x86_reg index; /* X86_NONE for none; never RSP */
	uint8_t scale; /* 0..3 */
	int32_t disp;
};

struct x86_buf {
	uint8_t *p;
	size_t len, cap;

	/* By label: where it was in the run before, and where it is in this one; or UINT32_MAX. */
	uint32_t *label_was, *label_is;
	/* By jump in the order emitted: true once it is known to reach with 8 bits. */
	bool *is_short;
	uint32_t njumps;
	bool changed; /* a jump became short: the next run is different */
	bool frozen; /* enough runs were made: what is long stays long */
};

static inline struct x86_rm
x86_reg(enum x86_reg reg)
{
	return (struct x86_rm){false, reg, X86_NONE, 0, 0};
}

static inline struct x86_rm
x86_mem(enum x86_reg base, enum x86_reg index, uint8_t scale, int32_t disp)
{
	return (struct x86_rm){true, base, index, scale, disp};
}

void x86_bytes(struct x86_buf *b, const void *bytes, size_t n);

/* mov reg, imm with the shortest encoding that leaves the upper half 0 where it is. */
void x86_mov_imm(struct x86_buf *b, enum x86_reg dst, uint64_t imm);

/* @size is 4 or 8 bytes. */
void x86_mov(struct x86_buf *b, uint8_t size, enum x86_reg dst, struct x86_rm src);
void x86_store(struct x86_buf *b, uint8_t size, struct x86_rm dst, enum x86_reg src);
void x86_lea(struct x86_buf *b, uint8_t size, enum x86_reg dst, struct x86_rm mem);

/* Load 1, 2, 4 or 8 bytes, zero-extended. */
void x86_load(struct x86_buf *b, uint8_t size, enum x86_reg dst, struct x86_rm mem);

void x86_alu(struct x86_buf *b, enum x86_alu op, uint8_t size, enum x86_reg dst, struct x86_rm src);
void x86_alu_imm(struct x86_buf *b, enum x86_alu op, uint8_t size, struct x86_rm dst, uint32_t imm);
void x86_test(struct x86_buf *b, uint8_t size, enum x86_reg reg, struct x86_rm rm);
void x86_test_imm(struct x86_buf *b, uint8_t size, struct x86_rm rm, uint32_t imm);

enum x86_shift { X86_ROL = 0, X86_SHL = 4, X86_SHR = 5 };
void x86_shift_imm(struct x86_buf *b, enum x86_shift op, uint8_t size, enum x86_reg reg, uint8_t n);
void x86_shift_cl(struct x86_buf *b, enum x86_shift op, enum x86_reg reg);

void x86_bswap(struct x86_buf *b, enum x86_reg reg);
void x86_neg(struct x86_buf *b, enum x86_reg reg);
void x86_imul(struct x86_buf *b, uint8_t size, enum x86_reg dst, struct x86_rm src);
void x86_imul_imm(
	struct x86_buf *b, uint8_t size, enum x86_reg dst, enum x86_reg src, uint32_t imm);
void x86_div(struct x86_buf *b, enum x86_reg by); /* edx:eax / by: eax, rest edx */

void x86_push(struct x86_buf *b, enum x86_reg reg);
void x86_pop(struct x86_buf *b, enum x86_reg reg);
void x86_ret(struct x86_buf *b);

void x86_label(struct x86_buf *b, int label);
void x86_jmp(struct x86_buf *b, int label);
void x86_jcc(struct x86_buf *b, enum x86_cc cc, int label);

#endif
