// SPDX-License-Identifier: BSD-3-Clause
#include "jit_x86.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

#define INSN_MAX 16 /* bytes; no instruction is longer than 15 */
#define ROOM_FIRST 1024 /* bytes */

static bool
grow(struct x86_buf *b)
{
	const size_t cap = MAX(ROOM_FIRST, 2 * b->cap);
	uint8_t *p = arena_zalloc(b->mem, cap);

	if (p == NULL)
		return false;
	if (b->len > 0)
		memcpy(p, b->p, b->len);
	b->p = p;
	b->cap = cap;
	return true;
}

/* See that there is room for an instruction, which everything that emits one asks first. */
static void
begin(struct x86_buf *b)
{
	if (b->cap - b->len >= INSN_MAX || grow(b))
		return;
	/* Over what is there, which nobody will look at. */
	b->failed = true;
	b->len = 0;
}

static void
byte(struct x86_buf *b, unsigned int v)
{
	b->p[b->len++] = (uint8_t)v;
}

static void
imm(struct x86_buf *b, uint64_t v, size_t n)
{
	memcpy(b->p + b->len, &v, n);
	b->len += n;
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

	begin(b);
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

	begin(b);
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
		begin(b);
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
	begin(b);
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
	begin(b);
	if (high(reg))
		byte(b, 0x41);
	byte(b, 0x50 | low(reg));
}

void
x86_pop(struct x86_buf *b, enum x86_reg reg)
{
	begin(b);
	if (high(reg))
		byte(b, 0x41);
	byte(b, 0x58 | low(reg));
}

void
x86_ret(struct x86_buf *b)
{
	begin(b);
	byte(b, 0xc3);
}

/* ---- jumps ---- */

int
x86_buf_init(struct x86_buf *b, struct arena *mem, uint32_t n_labels, uint32_t n_jumps)
{
	*b = (struct x86_buf){.mem = mem};
	b->labels = arena_zalloc(mem, n_labels * sizeof(*b->labels));
	b->jumps = arena_zalloc(mem, n_jumps * sizeof(*b->jumps));
	b->before = arena_zalloc(mem, (n_jumps + 1) * sizeof(*b->before));
	return b->labels != NULL && b->jumps != NULL && b->before != NULL && grow(b) ? 0 : -ENOMEM;
}

void
x86_put(struct x86_buf *b, const uint8_t *bytes, size_t n)
{
	begin(b);
	memcpy(b->p + b->len, bytes, n);
	b->len += n;
}

void
x86_label(struct x86_buf *b, int label)
{
	b->labels[label] = (struct x86_place){(uint32_t)b->len, b->n_jumps};
}

static void
jump(struct x86_buf *b, int cc, int label)
{
	b->jumps[b->n_jumps++] =
		(struct x86_jump){.at = (uint32_t)b->len, .label = label, .cc = (int8_t)cc};
}

void
x86_jmp(struct x86_buf *b, int label)
{
	jump(b, -1, label);
}

void
x86_jmp_reg(struct x86_buf *b, enum x86_reg to)
{
	const struct x86_rm rm = x86_reg(to);

	op(b, 4, 0xff, 4, &rm, false);
}

void
x86_jcc(struct x86_buf *b, enum x86_cc cc, int label)
{
	jump(b, (int)cc, label);
}

static uint32_t
jump_size(const struct x86_jump *j)
{
	if (j->is_short)
		return 2;
	return j->cc < 0 ? 5 : 6;
}

/* How far jump @i goes, from its end on. */
static int64_t
distance(const struct x86_buf *b, uint32_t i)
{
	const struct x86_jump *j = &b->jumps[i];
	const struct x86_place *to = &b->labels[j->label];

	return ((int64_t)to->at + b->before[to->jump]) - ((int64_t)j->at + b->before[i + 1]);
}

/*
 * Each run after the first lets some more jumps be short. Programs that are worth it
 * are settled after two or three; a chain made to need one run per jump gets long
 * jumps instead of our time.
 */
#define RUNS_MAX 8

/*
 * A jump is long until it is seen to reach with 8 bits. Short jumps only bring places
 * nearer together, so that it then reaches for ever. A jump forward does so as well when
 * it gets shorter itself; one back ends nearer to where it goes.
 */
static bool
shorten(struct x86_buf *b)
{
	bool any = false;

	for (uint32_t i = 0; i < b->n_jumps; i++) {
		struct x86_jump *j = &b->jumps[i];

		if (j->is_short || !fits8(distance(b, i)))
			continue;
		j->is_short = true;
		any = true;
	}
	for (uint32_t i = 0; i < b->n_jumps; i++)
		b->before[i + 1] = b->before[i] + jump_size(&b->jumps[i]);
	return any;
}

size_t
x86_settle(struct x86_buf *b)
{
	for (uint32_t i = 0; i < b->n_jumps; i++)
		b->before[i + 1] = b->before[i] + jump_size(&b->jumps[i]);
	for (int i = 0; i < RUNS_MAX && shorten(b); i++)
		;
	return b->len + b->before[b->n_jumps];
}

static uint8_t *
write_jump(const struct x86_buf *b, uint32_t i, uint8_t *to)
{
	const struct x86_jump *j = &b->jumps[i];
	const int32_t by = (int32_t)distance(b, i);

	if (j->is_short) {
		*to++ = j->cc < 0 ? 0xeb : (uint8_t)(0x70 | j->cc);
		*to++ = (uint8_t)by;
		return to;
	}
	if (j->cc < 0) {
		*to++ = 0xe9;
	} else {
		*to++ = 0x0f;
		*to++ = (uint8_t)(0x80 | j->cc);
	}
	memcpy(to, &by, sizeof(by));
	return to + sizeof(by);
}

void
x86_write(const struct x86_buf *b, uint8_t *code)
{
	size_t from = 0;

	for (uint32_t i = 0; i < b->n_jumps; i++) {
		const size_t n = b->jumps[i].at - from;

		memcpy(code, b->p + from, n);
		code = write_jump(b, i, code + n);
		from += n;
	}
	memcpy(code, b->p + from, b->len - from);
}
