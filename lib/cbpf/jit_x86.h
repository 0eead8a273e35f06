/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_JIT_X86_H
#define CBPF_JIT_X86_H

/*
 * Encoding of the x86-64 instructions that compiled programs consist of.
 *
 * Code is emitted once, without its jumps, of which only the places are noted. When
 * all is there it is settled which of them can be short, and all is put together. No
 * emit call has a failure to check: running out of memory is sticky.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

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

/* A jump stands in front of the byte at @at; @cc -1: in any case. */
struct x86_jump {
	uint32_t at;
	int label;
	int8_t cc;
	bool is_short;
};

/* A place in front of the byte at @at and of jump number @jump. */
struct x86_place {
	uint32_t at, jump;
};

struct x86_buf {
	struct arena *mem;
	uint8_t *p; /* all but the jumps */
	size_t len, cap;
	struct x86_place *labels;
	struct x86_jump *jumps;
	uint32_t *before; /* bytes that the first i jumps take */
	uint32_t n_jumps;
	bool failed; /* out of memory; then what was emitted means nothing */
};

/*
 * Prepare @b for code with labels 0..@n_labels - 1 and at most @n_jumps jumps; memory of
 * @mem, with which it goes. Returns 0 or -ENOMEM.
 */
int x86_buf_init(struct x86_buf *b, struct arena *mem, uint32_t n_labels, uint32_t n_jumps);

/* Settle the jumps of @b, all of whose labels are placed. Returns the bytes of all code. */
size_t x86_settle(struct x86_buf *b);

/* Write the code of @b, which is settled, to @code. */
void x86_write(const struct x86_buf *b, uint8_t *code);

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

/* An instruction that no other call knows, of @n bytes, 16 at most. */
void x86_put(struct x86_buf *b, const uint8_t *bytes, size_t n);

void x86_label(struct x86_buf *b, int label);
void x86_jmp(struct x86_buf *b, int label);
void x86_jmp_reg(struct x86_buf *b, enum x86_reg to);
void x86_jcc(struct x86_buf *b, enum x86_cc cc, int label);

#endif
