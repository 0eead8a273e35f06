// SPDX-License-Identifier: BSD-3-Clause
#include "jit_x86.h"

#include <string.h>

void
x86_bytes(struct x86_buf *b, const void *bytes, size_t n)
{
	if (b->len + n <= b->cap)
		memcpy(b->p + b->len, bytes, n);
	b->len += n;
}

static void
byte(struct x86_buf *b, unsigned int v)
{
	uint8_t c = (uint8_t)v;

	x86_bytes(b, &c, 1);
}

static void
imm(struct x86_buf *b, uint64_t v, size_t n)
{
	x86_bytes(b, &v, n);
}

static bool
fits8(int64_t v)
{
	return v >= -128 && v <= 127;
}

static unsigned int
low(enum x86_reg r)
{
	return (unsigned int)r & 7;
}

static unsigned int
high(enum x86_reg r)
{
	return r >= R8 ? 1 : 0;
}

/* ModRM with its SIB byte and displacement. */
static void
modrm(struct x86_buf *b, unsigned int reg, const struct x86_rm *rm)
{
	unsigned int mod = 2;
	bool sib;

	if (!rm->is_mem) {
		byte(b, 0xc0 | reg << 3 | low(rm->reg));
		return;
	}
	if (rm->reg == X86_NONE) {
		/* No base: only the SIB form without one has an index then. */
		byte(b, reg << 3 | 4);
		byte(b,
			(unsigned int)rm->scale << 6 |
				(rm->index == X86_NONE ? 4 : low(rm->index)) << 3 | 5);
		imm(b, (uint32_t)rm->disp, 4);
		return;
	}
	/* rbp and r13 as a base always have a displacement, rsp and r12 a SIB byte. */
	if (rm->disp == 0 && low(rm->reg) != RBP)
		mod = 0;
	else if (fits8(rm->disp))
		mod = 1;
	sib = rm->index != X86_NONE || low(rm->reg) == RSP;
	byte(b, mod << 6 | reg << 3 | (sib ? 4 : low(rm->reg)));
	if (sib)
		byte(b,
			(unsigned int)rm->scale << 6 |
				(rm->index == X86_NONE ? 4 : low(rm->index)) << 3 | low(rm->reg));
	if (mod == 1)
		byte(b, (uint8_t)rm->disp);
	else if (mod == 2)
		imm(b, (uint32_t)rm->disp, 4);
}

/*
 * Prefixes, opcode (0x0fXX is two bytes) and operands. @byte_reg: the operands
 * are bytes, for which spl..dil in @rm need an otherwise empty REX.
 */
static void
op(struct x86_buf *b, uint8_t size, unsigned int code, unsigned int reg, const struct x86_rm *rm,
	bool byte_reg)
{
	unsigned int rex = 0;

	if (size == 8)
		rex |= 8;
	if (reg >= 8)
		rex |= 4;
	if (rm->is_mem && rm->index != X86_NONE)
		rex |= high(rm->index) << 1;
	if (rm->reg != X86_NONE)
		rex |= high(rm->reg);
	if (size == 2)
		byte(b, 0x66);
	if (rex != 0 || (byte_reg && !rm->is_mem && rm->reg >= RSP && rm->reg <= RDI))
		byte(b, 0x40 | rex);
	if (code > 0xff)
		byte(b, code >> 8);
	byte(b, code & 0xff);
	modrm(b, reg & 7, rm);
}

void
x86_mov_imm(struct x86_buf *b, enum x86_reg dst, uint64_t v)
{
	const struct x86_rm rm = x86_reg(dst);

	if (v == 0) {
		x86_alu(b, X86_XOR, 4, dst, rm);
	} else if (v <= UINT32_MAX) {
		if (high(dst))
			byte(b, 0x41);
		byte(b, 0xb8 | low(dst));
		imm(b, v, 4);
	} else if ((int64_t)v == (int32_t)v) {
		op(b, 8, 0xc7, 0, &rm, false);
		imm(b, v, 4);
	} else {
		byte(b, 0x48 | high(dst));
		byte(b, 0xb8 | low(dst));
		imm(b, v, 8);
	}
}

void
x86_mov(struct x86_buf *b, uint8_t size, enum x86_reg dst, struct x86_rm src)
{
	if (!src.is_mem && src.reg == dst)
		return;
	op(b, size, 0x8b, (unsigned int)dst, &src, false);
}

void
x86_store(struct x86_buf *b, uint8_t size, struct x86_rm dst, enum x86_reg src)
{
	op(b, size, 0x89, (unsigned int)src, &dst, false);
}

void
x86_lea(struct x86_buf *b, uint8_t size, enum x86_reg dst, struct x86_rm mem)
{
	op(b, size, 0x8d, (unsigned int)dst, &mem, false);
}

void
x86_load(struct x86_buf *b, uint8_t size, enum x86_reg dst, struct x86_rm mem)
{
	if (size == 1)
		op(b, 4, 0x0fb6, (unsigned int)dst, &mem, false);
	else if (size == 2)
		op(b, 4, 0x0fb7, (unsigned int)dst, &mem, false);
	else
		op(b, size, 0x8b, (unsigned int)dst, &mem, false);
}

void
x86_alu(struct x86_buf *b, enum x86_alu alu, uint8_t size, enum x86_reg dst, struct x86_rm src)
{
	op(b, size, (unsigned int)alu << 3 | 3, (unsigned int)dst, &src, false);
}

void
x86_alu_imm(struct x86_buf *b, enum x86_alu alu, uint8_t size, struct x86_rm dst, uint32_t v)
{
	if (size == 1) {
		op(b, 1, 0x80, alu, &dst, true);
		imm(b, v, 1);
	} else if (fits8((int32_t)v)) {
		op(b, size, 0x83, alu, &dst, false);
		imm(b, v, 1);
	} else if (!dst.is_mem && dst.reg == RAX && size == 4) {
		byte(b, (unsigned int)alu << 3 | 5);
		imm(b, v, 4);
	} else {
		op(b, size, 0x81, alu, &dst, false);
		imm(b, v, size == 2 ? 2 : 4);
	}
}

void
x86_test(struct x86_buf *b, uint8_t size, enum x86_reg reg, struct x86_rm rm)
{
	op(b, size, 0x85, (unsigned int)reg, &rm, false);
}

void
x86_test_imm(struct x86_buf *b, uint8_t size, struct x86_rm rm, uint32_t v)
{
	if (size == 1) {
		op(b, 1, 0xf6, 0, &rm, true);
		imm(b, v, 1);
		return;
	}
	op(b, size, 0xf7, 0, &rm, false);
	imm(b, v, size == 2 ? 2 : 4);
}

void
x86_shift_imm(struct x86_buf *b, enum x86_shift shift, uint8_t size, enum x86_reg reg, uint8_t n)
{
	const struct x86_rm rm = x86_reg(reg);

	op(b, size, 0xc1, shift, &rm, false);
	byte(b, n);
}

void
x86_shift_cl(struct x86_buf *b, enum x86_shift shift, enum x86_reg reg)
{
	const struct x86_rm rm = x86_reg(reg);

	op(b, 4, 0xd3, shift, &rm, false);
}

void
x86_bswap(struct x86_buf *b, enum x86_reg reg)
{
	if (high(reg))
		byte(b, 0x41);
	byte(b, 0x0f);
	byte(b, 0xc8 | low(reg));
}

void
x86_neg(struct x86_buf *b, enum x86_reg reg)
{
	const struct x86_rm rm = x86_reg(reg);

	op(b, 4, 0xf7, 3, &rm, false);
}

void
x86_imul(struct x86_buf *b, uint8_t size, enum x86_reg dst, struct x86_rm src)
{
	op(b, size, 0x0faf, (unsigned int)dst, &src, false);
}

void
x86_imul_imm(struct x86_buf *b, uint8_t size, enum x86_reg dst, enum x86_reg src, uint32_t v)
{
	const struct x86_rm rm = x86_reg(src);

	op(b, size, 0x69, (unsigned int)dst, &rm, false);
	imm(b, v, 4);
}

void
x86_div(struct x86_buf *b, enum x86_reg by)
{
	const struct x86_rm rm = x86_reg(by);

	op(b, 4, 0xf7, 6, &rm, false);
}

void
x86_push(struct x86_buf *b, enum x86_reg reg)
{
	if (high(reg))
		byte(b, 0x41);
	byte(b, 0x50 | low(reg));
}

void
x86_pop(struct x86_buf *b, enum x86_reg reg)
{
	if (high(reg))
		byte(b, 0x41);
	byte(b, 0x58 | low(reg));
}

void
x86_ret(struct x86_buf *b)
{
	byte(b, 0xc3);
}

void
x86_label(struct x86_buf *b, int label)
{
	b->label_is[label] = (uint32_t)b->len;
}

/*
 * A jump is long until a run has shown that it reaches with 8 bits. Short jumps
 * only bring places nearer together, so that it then reaches for ever; the last
 * run is one in which nothing became short, and its distances are those of the
 * run before.
 */
static bool
reaches(struct x86_buf *b, int label, int64_t *ret_by)
{
	uint32_t n = b->njumps++;
	bool is_short = b->is_short[n];
	/* What lies behind is where it will be, but for jumps that become short. */
	const bool is_behind = b->label_is[label] != UINT32_MAX;
	const uint32_t at = is_behind ? b->label_is[label] : b->label_was[label];
	int64_t by = (int64_t)at - (int64_t)b->len;

	/* The distance counts from the end of the jump: 2 bytes where it is short. */
	if (!is_short && !b->frozen && at != UINT32_MAX && fits8(by - 2)) {
		b->is_short[n] = true;
		b->changed = true;
	}
	*ret_by = by;
	return is_short;
}

void
x86_jmp(struct x86_buf *b, int label)
{
	int64_t by;

	if (reaches(b, label, &by)) {
		byte(b, 0xeb);
		byte(b, (uint8_t)(by - 2));
	} else {
		byte(b, 0xe9);
		imm(b, (uint64_t)(by - 5), 4);
	}
}

void
x86_jcc(struct x86_buf *b, enum x86_cc cc, int label)
{
	int64_t by;

	if (reaches(b, label, &by)) {
		byte(b, 0x70 | cc);
		byte(b, (uint8_t)(by - 2));
	} else {
		byte(b, 0x0f);
		byte(b, 0x80 | cc);
		imm(b, (uint64_t)(by - 6), 4);
	}
}
